/** Pages and their patches where chance seldom leads: back to an earlier version, behind damage, over two levels. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { PAGE_ENTRIES } from '../../src/format/page.js';
import { Filter, HEADER_BYTES } from '../../src/format/record.js';
import { ROOT_ENTRIES, type Tree } from '../../src/format/tree.js';
import { RegionTree, readRegion } from '../../src/store/region-tree.js';
import type { Store } from '../../src/store/store.js';
import { openOn } from '../support/direct.js';
import { packPath } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const CHUNK = 8;
/** More than a root holds: one page over them. */
const ONE_PAGE = 100;
/** More pages than a root holds: a page over pages. */
const TWO_LEVELS = PAGE_ENTRIES * (ROOT_ENTRIES + 1);

async function save(
  store: Store,
  tree: RegionTree,
  bytes: Buffer,
): Promise<{ tree: Tree; written: number; isWhole: boolean }> {
  store.begin();
  tree.resize(bytes.length);
  for (let index = 0; index * CHUNK < bytes.length; index++) {
    const raw = bytes.subarray(index * CHUNK, (index + 1) * CHUNK);
    const id = chunkIdOf(raw);
    if (tree.has(index, id)) continue;
    store.putChunk(Buffer.from(raw), id);
    tree.set(index, id);
  }
  const stored = tree.store(store);
  await store.commit();
  const [root] = stored.tree.entries;
  return { ...stored, isWhole: root !== undefined && store.isWhole(root.id) };
}

function poked(bytes: Buffer, at: number, value: number): Buffer {
  const next = Buffer.from(bytes);
  next[at] = value;
  return next;
}

function assertReads(store: Store, tree: Tree, bytes: Buffer): void {
  const target = Buffer.alloc(bytes.length);
  readRegion(store, tree, target);
  assert.ok(target.equals(bytes), 'wrong bytes');
}

/** A page that is known already may be known as a patch, and then is no base for the next one. */
test('a region that goes back and forth between versions can be read in every one', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  const tree = new RegionTree(CHUNK);
  const first = new Random(1).bytes(CHUNK * ONE_PAGE);
  const versions = [first, ...[1, 2, 3, 4].map((value) => poked(first, 9 * value, value))];
  for (const version of [0, 1, 2, 1, 3, 1, 4, 0, 4]) {
    const bytes = versions[version] as Buffer;
    const saved = await save(store, tree, bytes);
    assert.equal(saved.isWhole, version === 0);
    assertReads(store, saved.tree, bytes);
  }
  await store.close();
});

test('a tree that was loaded patches the pages that are stored in full, and those alone', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  const first = new Random(1).bytes(CHUNK * ONE_PAGE);
  const whole = await save(store, new RegionTree(CHUNK), first);
  const second = await save(store, RegionTree.load(store, whole.tree), poked(first, 0, 1));
  assert.ok(!second.isWhole, 'a page that is there in full is patched');
  assertReads(store, second.tree, poked(first, 0, 1));
  const third = await save(store, RegionTree.load(store, second.tree), poked(first, 0, 2));
  assert.ok(third.isWhole, 'a page that is there as a patch is not');
  assertReads(store, third.tree, poked(first, 0, 2));
  await store.close();
});

test('a tree that was loaded patches pages on every level', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  const first = new Random(1).bytes(CHUNK * TWO_LEVELS);
  const { tree } = await save(store, new RegionTree(CHUNK), first);
  assert.equal(tree.height, 2);
  const loaded = RegionTree.load(store, tree);
  const next = poked(first, 5, 1);
  const { tree: root, written, isWhole } = await save(store, loaded, next);
  assert.ok(!isWhole && written < 1000, `${written} bytes of pages for one chunk`);
  assertReads(store, root, next);
  await store.close();
});

test('a chunk that changes reaches the root through pages over pages, time after time', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  const tree = new RegionTree(CHUNK);
  let bytes = new Random(1).bytes(CHUNK * TWO_LEVELS);
  for (const at of [0, 1, bytes.length - 1, 0, CHUNK * PAGE_ENTRIES, bytes.length - 1]) {
    bytes = poked(bytes, at, (bytes[at] as number) ^ 0xff);
    const saved = await save(store, tree, bytes);
    assert.equal(saved.tree.height, 2);
    assertReads(store, saved.tree, bytes);
  }
  await store.close();
});

/** Somebody read the page and found it damaged: a patch of it would be as damaged. */
test('a page that was found damaged is no base any more', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const tree = new RegionTree(CHUNK);
  const first = new Random(1).bytes(CHUNK * ONE_PAGE);
  const { id } = (await save(store, tree, first)).tree.entries[0] ?? assert.fail('no page');
  const { offset } = store.locate(id) ?? assert.fail('it is gone');
  const file = disk.open(packPath(1), 'write');
  file.write(Buffer.alloc(16, 0xee), offset + HEADER_BYTES + 8);
  file.close();
  assert.throws(
    () => store.readPage(id),
    (error) => isSnapError(error, 'SNAP_CORRUPT'),
  );
  const next = poked(first, 0, (first[0] as number) ^ 1);
  const saved = await save(store, tree, next);
  assertReads(store, saved.tree, next);
  const [root] = saved.tree.entries;
  assert.equal(root && store.locate(root.id)?.filter, Filter.none);
  await store.close();
});

test('a region that is cut, and grows again, can be read each time', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  const tree = new RegionTree(CHUNK);
  const bytes = new Random(1).bytes(CHUNK * TWO_LEVELS);
  for (const chunks of [
    ONE_PAGE,
    50,
    PAGE_ENTRIES + 9,
    PAGE_ENTRIES + 7,
    PAGE_ENTRIES,
    TWO_LEVELS,
    700,
    300,
  ]) {
    const cut = bytes.subarray(0, chunks * CHUNK);
    assertReads(store, (await save(store, tree, cut)).tree, cut);
  }
  await store.close();
});

/** The patch itself is sound; what it is a patch of is not. */
test('a page that is known as a patch of what is damaged is written anew', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const first = new Random(1).bytes(CHUNK * ONE_PAGE);
  const next = poked(first, 0, (first[0] as number) ^ 1);
  const tree = new RegionTree(CHUNK);
  const { id } = (await save(store, tree, first)).tree.entries[0] ?? assert.fail('no page');
  assert.ok(!(await save(store, tree, next)).isWhole);
  const { offset } = store.locate(id) ?? assert.fail('it is gone');
  const file = disk.open(packPath(1), 'write');
  file.write(Buffer.alloc(16, 0xee), offset + HEADER_BYTES + 8);
  file.close();
  const again = await save(store, new RegionTree(CHUNK), next);
  assert.ok(again.isWhole);
  assertReads(store, again.tree, next);
  await store.close();
});
