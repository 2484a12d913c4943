/** The tree of a region through a history of saves: grown, shrunk, thrown away and loaded again. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { PAGE_ENTRIES } from '../../src/format/page.js';
import { Filter } from '../../src/format/record.js';
import { ROOT_ENTRIES, type Tree } from '../../src/format/tree.js';
import { RegionTree, readRegion, visitChunks } from '../../src/store/region-tree.js';
import { Store } from '../../src/store/store.js';
import { budget } from '../support/budget.js';
import { Random } from '../support/random.js';
import { cutAnyhow } from '../support/saved.js';
import { STORE } from '../support/session.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const CHUNK = 8;

function open(): Promise<Store> {
  return Store.open({
    io: new SimulatedDisk(1),
    directory: STORE,
    create: true,
    readOnly: false,
    compression: false,
    onWarning: () => {},
    simulated: true,
  });
}

/** A region and its tree, changed step by step. */
class History {
  bytes = Buffer.alloc(0);
  tree = new RegionTree(CHUNK);
  #counter = 0;

  constructor(
    readonly store: Store,
    readonly isCutByContent = false,
  ) {}

  resize(length: number): void {
    const next = Buffer.alloc(length);
    this.bytes.copy(next);
    for (let at = this.bytes.length; at < length; at++) next[at] = ++this.#counter & 0xff;
    this.bytes = next;
  }

  poke(at: number): void {
    if (at < this.bytes.length) this.bytes.writeUInt8(++this.#counter & 0xff, at);
  }

  /** Bytes that move: what follows stands elsewhere. */
  insert(at: number): void {
    const place = Math.min(at, this.bytes.length);
    const inserted = Buffer.alloc(1 + (at % 5), ++this.#counter);
    this.bytes = Buffer.concat([this.bytes.subarray(0, place), inserted, this.bytes.subarray(place)]);
  }

  /** Stores all chunks that are not the tree's already, as a save does. */
  put(): { tree: Tree; written: number } {
    if (this.isCutByContent) this.tree.recut(cutAnyhow(this.tree, this.bytes));
    else this.tree.resize(this.bytes.length);
    for (let index = 0; index < this.tree.count; index++) {
      const raw = this.bytes.subarray(this.tree.start(index), this.tree.end(index));
      const id = chunkIdOf(raw);
      if (this.tree.has(index, id)) continue;
      this.store.putChunk(Buffer.from(raw), id);
      this.tree.set(index, id);
    }
    return this.tree.store(this.store);
  }
}

function check(store: Store, tree: Tree, bytes: Buffer): void {
  assert.equal(tree.byteLength, bytes.length);
  assert.ok(tree.entries.length <= ROOT_ENTRIES);
  const target = Buffer.alloc(bytes.length);
  readRegion(store, tree, target);
  assert.ok(target.equals(bytes), 'wrong bytes');
  // A tree is as low as it can be, so that the same bytes have the same tree whatever their history.
  let level = 0;
  visitChunks(store, tree, () => level++);
  let height = 0;
  for (; level > ROOT_ENTRIES; height++) level = Math.ceil(level / PAGE_ENTRIES);
  assert.equal(tree.height, height);
}

/** Sizes around every place where the shape of the tree changes. */
const SIZES = [0, 1, 7, 8, 9, 32, 33, 40, 2048, 2049, 8192, 8193, 8200, 9000, 12_000];

type Step =
  | { do: 'resize'; size: number }
  | { do: 'poke' | 'insert'; at: number }
  | { do: 'save' | 'reload' | 'fail' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('resize' as const), size: fc.constantFrom(...SIZES) }),
  fc.record({ do: fc.constantFrom('poke' as const, 'insert' as const), at: fc.nat(12_000) }),
  fc.record({ do: fc.constantFrom('save' as const, 'save' as const, 'reload' as const, 'fail' as const) }),
);

test('every tree of a history restores the bytes it was made of, and equals one made afresh', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), fc.boolean(), async (steps, isCutByContent) => {
      const store = await open();
      const history = new History(store, isCutByContent);
      const saved: { tree: Tree; bytes: Buffer }[] = [];
      for (const one of [...steps, { do: 'save' } as const]) {
        if (one.do === 'resize') history.resize(one.size);
        else if (one.do === 'poke') history.poke(one.at);
        else if (one.do === 'insert') history.insert(one.at);
        else {
          store.begin();
          const { tree } = history.put();
          if (one.do === 'fail') {
            // Ids in the tree may be of records that are gone now: it starts again from the last save.
            await store.rollback();
            const last = saved.at(-1);
            history.tree = last ? RegionTree.load(store, last.tree) : new RegionTree(CHUNK);
            continue;
          }
          await store.commit();
          saved.push({ tree, bytes: Buffer.from(history.bytes) });
          if (one.do === 'reload') history.tree = RegionTree.load(store, tree);
        }
      }
      for (const { tree, bytes } of saved) check(store, tree, bytes);
      const fresh = new History(store, isCutByContent);
      fresh.bytes = history.bytes;
      store.begin();
      const { tree, written } = fresh.put();
      assert.deepEqual(tree, saved.at(-1)?.tree, 'the same bytes have the same tree');
      assert.equal(written, 0, 'and every page of it is known');
      await store.rollback();
      await store.close();
    }),
    { numRuns: budget(60) },
  );
});

test('a page that changed a little is stored as a patch of one that is stored in full, however often', async () => {
  const store = await open();
  const history = new History(store);
  history.resize(CHUNK * 300);
  const random = new Random(1);
  let patched = 0;
  let inFull = 0;
  for (let round = 0; round < 30; round++) {
    history.poke(random.below(history.bytes.length));
    store.begin();
    const { tree, written } = history.put();
    await store.commit();
    check(store, tree, history.bytes);
    for (const { id } of tree.entries) patched += Number(store.locate(id)?.filter === Filter.patch);
    if (written > 1000) inFull++;
    if (round === 15) history.tree = RegionTree.load(store, tree);
  }
  // Both pages at first, and each once more after loading: what was a patch is no base.
  assert.ok(inFull <= 1 + 2, `${inFull} times a page in full for one chunk`);
  assert.ok(patched > 20, `${patched} patches`);
  await store.close();
});

test('chunks are visited in order, each with its place and length', async () => {
  const store = await open();
  const history = new History(store);
  history.resize(CHUNK * 600 + 3);
  store.begin();
  const { tree } = history.put();
  await store.commit();
  let next = 0;
  visitChunks(store, tree, (id, offset, byteLength) => {
    assert.equal(offset, next);
    assert.ok(id.equals(chunkIdOf(history.bytes.subarray(offset, offset + byteLength))));
    next += byteLength;
  });
  assert.equal(next, history.bytes.length);
  await store.close();
});

test('what is inserted makes the pages behind it move, and the tree stays one that can be loaded', async () => {
  const store = await open();
  const history = new History(store, true);
  history.resize(CHUNK * 3000);
  for (let round = 0; round < 12; round++) {
    history.insert((round * 7919) % history.bytes.length);
    store.begin();
    const { tree } = history.put();
    await store.commit();
    check(store, tree, history.bytes);
    const loaded = RegionTree.load(store, tree);
    assert.ok(loaded.isContentDefined);
    assert.equal(loaded.byteLength, history.bytes.length);
    assert.deepEqual(
      Array.from({ length: loaded.count }, (_, index) => [loaded.start(index), loaded.end(index)]),
      Array.from({ length: loaded.count }, (_, index) => [
        history.tree.start(index),
        history.tree.end(index),
      ]),
    );
    if (round % 2 === 1) history.tree = loaded;
  }
  await store.close();
});

test('a chunk that was not put is noticed, and not stored as an id of zeros', async () => {
  const store = await open();
  const tree = new RegionTree(CHUNK);
  tree.recut({ lengths: [8], origins: [-1], places: [-1] });
  store.begin();
  assert.throws(() => tree.store(store), /invariant/);
  await store.rollback();
  await store.close();
});
