/** Chunks that are stored as differences: what they are differences from, and what becomes of those. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import type { ChunkId } from '../../src/base/ids.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { MAX_FILTERED_BYTES } from '../../src/format/bases.js';
import { Filter, HEADER_BYTES } from '../../src/format/record.js';
import { repairStore } from '../../src/store/repair.js';
import type { Store, StoreOptions } from '../../src/store/store.js';
import { collect, forget } from '../support/collecting.js';
import { assertSound, copy, packBytes } from '../support/copying.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { damage, flip, packPath } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { assertSameContent, type Content, NO_LINEAGE, type StorageOf } from '../support/saved.js';
import { Session, STORE } from '../support/session.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const CHUNK = 1024;
const LZ: Partial<StoreOptions> = { compression: { level: 1 } };
const random = new Random(1);
const fresh = () => random.bytes(CHUNK);

/** The bytes with one number in each chunk changed. */
function touched(bytes: Buffer): Buffer {
  const next = Buffer.from(bytes);
  for (let at = 0; at < bytes.length; at += CHUNK)
    next.writeDoubleLE(random.next(), at + 8 * random.below(CHUNK / 8));
  return next;
}

/** The way of the test that runs. */
let filter: Filter = Filter.difference8;

/** Stores a chunk as a difference from another wherever that may be. */
const always: StorageOf = (_, previous) => ({
  alone: Filter.none,
  difference: previous && { filter, previous, atMost: () => Number.POSITIVE_INFINITY },
});

/** Tests that hold whichever way differences are made. */
function testBoth(name: string, run: () => Promise<void>): void {
  for (const [way, wanted] of Object.entries({ numbers: Filter.difference8, matches: Filter.dictionary })) {
    test(`${name} (${way})`, async () => {
      filter = wanted;
      await run();
    });
  }
}

function put(store: Store, raw: Buffer, previous?: ChunkId): ChunkId {
  const id = chunkIdOf(raw);
  store.putChunk(raw, id, always(id, previous));
  return id;
}

async function putNow(store: Store, raw: Buffer, previous?: ChunkId): Promise<ChunkId> {
  store.begin();
  const id = put(store, raw, previous);
  await store.commit();
  return id;
}

function read(store: Store, id: ChunkId): Buffer {
  const raw = Buffer.alloc(CHUNK);
  store.readChunk(id, raw);
  return raw;
}

const save = (store: Store, content: Content, base = NO_LINEAGE) =>
  saveTo(store, content, base, CHUNK, 'alpha', always);

/** Changes a stored byte of a chunk although its pack is open. */
function spoil(disk: SimulatedDisk, store: Store, id: ChunkId): void {
  const { pack, offset } = store.locate(id) ?? assert.fail('it is gone');
  const file = disk.open(packPath(pack), 'write');
  const at = offset + HEADER_BYTES + 40;
  file.write(Buffer.from([(disk.contents(packPath(pack))[at] as number) ^ 1]), at);
  file.close();
}

const isCorrupt = (error: unknown) => isSnapError(error, 'SNAP_CORRUPT');

/** A chunk, and one that is a difference from it. */
async function pair(store: Store) {
  const first = fresh();
  const second = touched(first);
  const base = await putNow(store, first);
  const id = await putNow(store, second, base);
  return { first, second, base, id };
}

testBoth(
  'a new version is a difference from the last one that is stored alone, and no difference from a difference',
  async () => {
    const { store } = await openOn(new SimulatedDisk(1), LZ);
    const { second, base, id } = await pair(store);
    const third = touched(second);
    const last = await putNow(store, third, id);
    assert.equal(store.baseOf(base), undefined);
    assert.deepEqual([store.baseOf(id), store.baseOf(last)], [base, base]);
    assert.deepEqual([read(store, id), read(store, last)], [second, third]);
    const { storedLength } = store.locate(last) ?? assert.fail('it is gone');
    assert.ok(storedLength < 200, `${storedLength} bytes`);
    await store.close();
  },
);

testBoth(
  'what is no base: what is gone, has a length that does not fit, or is not committed yet',
  async () => {
    const { store } = await openOn(new SimulatedDisk(1), LZ);
    const { first, base, id } = await pair(store);
    const alone = async (raw: Buffer, previous: ChunkId) =>
      assert.equal(store.baseOf(await putNow(store, raw, previous)), undefined);
    await alone(touched(first), chunkIdOf(fresh()));
    if (filter === Filter.difference8) await alone(Buffer.concat([first, fresh()]), base);
    const long = await putNow(store, random.bytes(MAX_FILTERED_BYTES + 1));
    const { readBytes } = store;
    await alone(touched(first), long);
    assert.equal(store.readBytes, readBytes, 'it is not read for nothing');
    store.begin();
    const next = fresh();
    const uncommitted = put(store, next);
    assert.equal(store.baseOf(put(store, touched(next), uncommitted)), undefined);
    // Of a difference that is not committed yet the base is.
    const further = put(store, touched(first), id);
    assert.equal(store.baseOf(put(store, touched(first), further))?.equals(base), true);
    await store.rollback();
    await alone(touched(next), uncommitted);
    assert.equal(store.damageSeen, 0);
    await store.close();
  },
);

testBoth('what is larger than it may be is stored alone', async () => {
  const { store } = await openOn(new SimulatedDisk(1), LZ);
  const { first, base } = await pair(store);
  store.begin();
  const seen: number[] = [];
  const atMost = (alone: number) => seen.push(alone) && 130;
  const raw = touched(touched(touched(touched(first))));
  const { id } = store.putChunk(raw, undefined, {
    alone: Filter.none,
    difference: { filter, previous: base, atMost },
  });
  await store.commit();
  assert.equal(store.baseOf(id), undefined);
  assert.deepEqual(seen, [HEADER_BYTES + CHUNK]);
  await store.close();
});

testBoth('what cannot be read is no base, and what relies on it is written again', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, LZ);
  const { first, second, base, id } = await pair(store);
  spoil(disk, store, base);
  const third = touched(second);
  assert.equal(store.baseOf(await putNow(store, third, id)), undefined, 'it was read, and is distrusted now');
  assert.equal(store.knownChunk(id), undefined);
  assert.throws(() => read(store, id), isCorrupt);
  assert.equal(store.baseOf(await putNow(store, second, id)), undefined);
  assert.deepEqual(read(store, id), second);
  // It may be a base of others, so it is none of another.
  const fourth = await putNow(store, touched(first), chunkIdOf(third));
  await putNow(store, first, fourth);
  assert.equal(store.baseOf(base), undefined);
  assert.deepEqual(read(store, base), first);
  await store.close();
});

testBoth('a difference whose base was written again as a difference is not known', async () => {
  const { store } = await openOn(new SimulatedDisk(1), { ...LZ, packBytes: 1 });
  const { first, second, base, id } = await pair(store);
  const other = await putNow(store, touched(first));
  const was = store.locate(base) ?? assert.fail('it is gone');
  await store.removal.retire([was.pack], 'setAside', store.removal.evacuation());
  store.removal.unindex([{ id: base, location: was }]);
  assert.equal(store.knownChunk(id), undefined, 'its base is gone');
  await putNow(store, first, other);
  assert.ok(store.baseOf(base)?.equals(other));
  assert.throws(() => read(store, id), isCorrupt);
  assert.equal(store.knownChunk(id), undefined);
  await putNow(store, second, id);
  assert.deepEqual(read(store, id), second);
  await store.close();
});

/** The bytes with some more in the middle. */
function withMore(bytes: Buffer, count: number): Buffer {
  const middle = bytes.length >>> 1;
  return Buffer.concat([bytes.subarray(0, middle), random.bytes(count), bytes.subarray(middle)]);
}

test('what was inserted or taken out is all that a difference holds, of whatever length its base is', async () => {
  const { store } = await openOn(new SimulatedDisk(1), LZ);
  filter = Filter.dictionary;
  const first = fresh();
  const base = await putNow(store, first);
  const versions = [withMore(first, 20), first.subarray(20), withMore(first.subarray(0, 700), 3)];
  for (const raw of versions) {
    const id = await putNow(store, raw, base);
    assert.ok(store.baseOf(id)?.equals(base));
    const { storedLength, filter: used } = store.locate(id) ?? assert.fail('it is gone');
    assert.ok(used === Filter.dictionary && storedLength < 100, `${storedLength} bytes`);
    const target = Buffer.alloc(raw.length);
    store.readChunk(id, target);
    assert.deepEqual(target, raw);
  }
  await store.close();
});

test('bytes that zstd would take for a dictionary of its own are no base of such a difference', async () => {
  const { store } = await openOn(new SimulatedDisk(1), LZ);
  filter = Filter.dictionary;
  const first = fresh();
  first.writeUInt32LE(0xec30a437);
  const next = touched(first);
  const id = await putNow(store, next, await putNow(store, first));
  assert.equal(store.baseOf(id), undefined);
  assert.deepEqual(read(store, id), next);
  await store.close();
});

test('a copy takes bases along that are longer or shorter, and weighs them', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { ...LZ, packBytes: 1 });
  filter = Filter.dictionary;
  const contents = [contentOf(fresh())];
  const saved = [await save(store, contents[0] as Content)];
  for (const length of [CHUNK - 100, CHUNK - 40]) {
    const before = contents.at(-1)?.get('u') as Buffer;
    contents.push(contentOf(withMore(before, 50).subarray(0, length)));
    saved.push(await save(store, contents.at(-1) as Content, saved.at(-1)));
  }
  const young = saved.at(-1) ?? assert.fail('nothing was saved');
  const bases = young.trees
    .get('u')
    ?.store(store)
    .tree.entries.map(({ id }) => store.baseOf(id));
  assert.ok(bases?.[0]?.equals(chunkIdOf(contents[0]?.get('u') as Buffer)), 'no difference');
  const far = await openOn(new SimulatedDisk(2), { packBytes: 1 });
  const rehearsed = await copy(disk, undefined, { dryRun: true, selection: only(young.id) });
  const { writtenBytes } = await copy(disk, far.store, { selection: only(young.id) });
  assert.ok(rehearsed.writtenBytes >= CHUNK && Math.abs(rehearsed.writtenBytes - writtenBytes) < 500);
  assertSameContent(readFrom(far.store, young.id), contents.at(-1) as Content, 'the copy');
  await copy(disk, far.store);
  for (const [index, { id }] of saved.entries()) {
    assertSameContent(readFrom(far.store, id), contents[index] as Content, `copy ${index}`);
  }
  await assertSound(far.store);
  await assertSound(store);
  await far.store.close();
  await store.close();
});

/** Saves two versions of a state, the second of which is stored as a difference, in a pack of its own. */
async function twoVersions(disk: SimulatedDisk) {
  const { store } = await openOn(disk, { ...LZ, packBytes: 1 });
  const before = contentOf(Buffer.concat(Array.from({ length: 4 }, fresh)));
  const after = contentOf(touched(before.get('u') as Buffer));
  const old = await save(store, before);
  const young = await save(store, after, old);
  return { store, before, after, old, young };
}

testBoth('a collection keeps what differences are from', async () => {
  const disk = new SimulatedDisk(1);
  const { store, after, old, young } = await twoVersions(disk);
  await forget(store, old.id);
  await collect(store);
  assertSameContent(readFrom(store, young.id), after, 'after the collection');
  await assertSound(store);
  await store.close();
  const { store: again, warnings } = await openOn(disk);
  assertSameContent(readFrom(again, young.id), after, 'opened again');
  assert.deepEqual(warnings, []);
  // Nothing holds it any more.
  await forget(again, young.id);
  await collect(again, { force: true });
  assert.ok(packBytes(again) < 3 * CHUNK, `${packBytes(again)} bytes are left`);
  await again.close();
});

testBoth('what a collection is about to take away is no base', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { ...LZ, packBytes: 1 });
  const before = contentOf(fresh());
  const after = contentOf(touched(before.get('u') as Buffer));
  const old = await save(store, before);
  const kept = await save(store, contentOf(fresh()));
  await forget(store, old.id);
  let young: { id: typeof old.id } | undefined;
  await collect(store, {}, async ({ phase }) => {
    if (phase === 'weigh') young ??= await save(store, after, old);
  });
  assertSameContent(readFrom(store, young?.id ?? assert.fail('nothing was saved')), after, 'saved meanwhile');
  readFrom(store, kept.id);
  await store.close();
});

testBoth('what only a difference holds is told as its own, what another holds too is not', async () => {
  const { store, old, young } = await twoVersions(new SimulatedDisk(1));
  const own = async () => {
    const { snapshots } = await collect(store, { dryRun: true, explain: true });
    return new Map(snapshots.map(({ id, ownBytes }) => [id, ownBytes ?? 0]));
  };
  const both = await own();
  assert.ok((both.get(old.id) as number) < CHUNK, 'its chunks are the bases of the other');
  await forget(store, old.id);
  await collect(store);
  assert.ok(((await own()).get(young.id) as number) > 4 * CHUNK);
  await store.close();
});

testBoth(
  'a base that is lost is told of every snapshot that needs it, and repair keeps the others',
  async () => {
    const disk = new SimulatedDisk(1);
    const { store, after, young, old } = await twoVersions(disk);
    const third = await save(store, contentOf(fresh()), NO_LINEAGE);
    const base = young.trees
      .get('u')
      ?.store(store)
      .tree.entries.flatMap(({ id }) => store.baseOf(id) ?? []);
    const { pack, offset } = store.locate(base?.[0] ?? assert.fail('no difference')) ?? assert.fail('gone');
    await store.close();
    damage(disk, packPath(pack), (bytes) => flip(bytes, offset + HEADER_BYTES + 5));
    const { store: again } = await openOn(disk);
    const { findings, run } = again.verification({
      share: 1,
      from: { pack: 0, offset: 0, damage: [] },
      random: () => 0,
    });
    for await (const _ of run());
    assert.equal(findings.damage.length, 1, 'told once, of the base');
    assert.deepEqual(new Set(findings.damagedSnapshots.map(({ id }) => id)), new Set([old.id, young.id]));
    await again.close();
    const { lost } = await repairStore(STORE, {}, { io: disk, simulated: true });
    assert.deepEqual(new Set(lost.map(({ id }) => id)), new Set([old.id, young.id]));
    const { store: repaired } = await openOn(disk, LZ);
    readFrom(repaired, third.id);
    // The next save of the same state is whole, and heals what was lost.
    const healed = await save(repaired, after, young);
    assert.equal(healed.id.length, 32);
    await repaired.close();
  },
);

testBoth('a copy takes the base along, and stores in full what has another one there', async () => {
  const source = await Session.begin({ seed: 1 });
  await source.close();
  const { store, before, after, old, young } = await twoVersions(source.disk);
  const far = await openOn(new SimulatedDisk(2), { packBytes: 1 });
  await copy(source.disk, far.store, { selection: only(young.id) });
  assertSameContent(readFrom(far.store, young.id), after, 'the copy');
  assert.equal(far.store.byId(old.id), undefined);
  assert.ok(far.store.hasBases);
  await copy(source.disk, far.store);
  assertSameContent(readFrom(far.store, old.id), before, 'the other copy');
  await assertSound(far.store);
  const rehearsed = await copy(source.disk, undefined, { dryRun: true });
  assert.ok(
    rehearsed.writtenBytes > 4 * CHUNK && rehearsed.writtenBytes < 7 * CHUNK,
    `${rehearsed.writtenBytes}`,
  );
  await far.store.close();
  // Where the base is a difference itself.
  const other = await openOn(new SimulatedDisk(3), LZ);
  const bytes = before.get('u') as Buffer;
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const chunk = bytes.subarray(at, at + CHUNK);
    await putNow(other.store, chunk, await putNow(other.store, touched(chunk)));
  }
  await copy(source.disk, other.store, { selection: only(young.id) });
  assertSameContent(readFrom(other.store, young.id), after, 'beside other bases');
  await assertSound(other.store);
  await other.store.close();
  await store.close();
});

const only = (id: string) => ({
  ids: new Set([id]),
  run: undefined,
  tags: undefined,
  since: undefined,
  last: undefined,
});
