/** Sizes at which things break that are right in small: records by the hundred thousand, lengths beyond 32 bits. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asChunkId, type ChunkId } from '../../src/base/ids.js';
import { PIECE_BYTES, type RegionBytes, visitChangedChunks } from '../../src/chunker/fixed.js';
import { PAGE_ENTRIES } from '../../src/format/page.js';
import { Codec, encodeHeader, Filter, HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { ROOT_ENTRIES } from '../../src/format/tree.js';
import { RegionTree, visitChunks } from '../../src/store/region-tree.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { packPath } from '../support/pack-bytes.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

/** Headers of so many empty chunks, as they would follow in pack 1 from `offset` on. */
function emptyChunks(count: number, offset: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(count * HEADER_BYTES);
  const id = Buffer.alloc(32);
  const common = { type: RecordType.chunk, codec: Codec.raw, filter: Filter.none, flags: 0 };
  const empty = { rawLength: 0, storedLength: 0, writer: Buffer.alloc(8), check: Buffer.alloc(16), pack: 1 };
  for (let index = 0; index < count; index++) {
    const at = index * HEADER_BYTES;
    id.writeUInt32LE(index);
    const place = { sequence: sequence + index, offset: offset + at };
    encodeHeader({ ...common, ...empty, ...place, id: asChunkId(id) }, bytes, at);
  }
  return bytes;
}

/** Recovery handed all the records of a torn save to one call, which overflowed the stack: the store did not open. */
test('a save of 200,000 records that was torn is cut off like a small one', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const content = contentOf(Buffer.from('whole'));
  const { id } = await saveTo(store, content);
  const pack = disk.contents(packPath(1));
  const torn = Buffer.concat([pack, emptyChunks(200_000, pack.length, 1000)]);
  for (const readOnly of [true, false]) {
    const next = new SimulatedDisk(1, disk.image());
    next.plant(packPath(1), torn);
    const { store: opened, warnings } = await openOn(next, { readOnly });
    assert.deepEqual(warnings, []);
    assert.deepEqual(readFrom(opened, id), content);
    await opened.close();
    assert.equal(next.contents(packPath(1)).length, readOnly ? torn.length : pack.length);
  }
  await store.close();
});

const KiB = 1024;
const CHUNK = 64 * KiB;
/** Around the lengths at which 31, 32 and 33 bits are full. */
const EDGES = [31, 32, 33].flatMap((bits) => [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]);

/** Bytes that are all alike but for those that were set, however many there are. */
function constantRegion(byteLength: number, marks: ReadonlyMap<number, number> = new Map()): RegionBytes {
  const piece = Buffer.alloc(PIECE_BYTES, 5);
  return {
    byteLength,
    slice(start, end) {
      const here = [...marks].filter(([at]) => at >= start && at < end);
      if (here.length === 0) return piece.subarray(0, end - start);
      const copy = Buffer.from(piece.subarray(0, end - start));
      for (const [at, value] of here) copy[at - start] = value;
      return copy;
    },
  };
}

test('regions around 2^31, 2^32 and 2^33 bytes: only the chunks that differ are found, the last ones too', () => {
  for (const byteLength of EDGES) {
    const last = Math.floor((byteLength - 1) / CHUNK);
    const marks = [0, 2 ** 31 - 1, 2 ** 31, 2 ** 32, byteLength - 1].filter((at) => at < byteLength);
    const changed = constantRegion(byteLength, new Map(marks.map((at) => [at, 6])));
    const found: number[] = [];
    visitChangedChunks(changed, constantRegion(byteLength), CHUNK, (index) => found.push(index));
    assert.deepEqual(found, [...new Set(marks.map((at) => Math.floor(at / CHUNK)))], `${byteLength}`);
    const grown: number[] = [];
    visitChangedChunks(constantRegion(byteLength + 1), constantRegion(byteLength), CHUNK, (index) =>
      grown.push(index),
    );
    const wasFull = byteLength % CHUNK === 0;
    assert.deepEqual(grown, [wasFull ? last + 1 : last], `${byteLength} and one more`);
  }
});

test('trees of regions around 2^31, 2^32 and 2^33 bytes, and of none and one byte, come back as they were', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const ids = [1, 2, 3].map((fill) => asChunkId(Buffer.alloc(32, fill)));
  for (const byteLength of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, ...EDGES]) {
    const count = Math.ceil(byteLength / CHUNK);
    const tree = new RegionTree(CHUNK);
    tree.resize(byteLength);
    const idOf = (index: number) => ids[index === count - 1 ? 2 : index % 2] as ChunkId;
    for (let index = 0; index < count; index++) tree.set(index, idOf(index));
    store.begin();
    const root = tree.store(store).tree;
    await store.commit();
    assert.equal(root.byteLength, byteLength);
    let next = 0;
    visitChunks(store, root, (id, offset, length) => {
      if (!id.equals(idOf(next)) || offset !== next * CHUNK) assert.fail(`${byteLength}: chunk ${next}`);
      if (length !== Math.min(CHUNK, byteLength - offset)) assert.fail(`${byteLength}: chunk ${next}`);
      next++;
    });
    assert.equal(next, count);
    const loaded = RegionTree.load(store, root);
    assert.deepEqual(loaded.store(store), { tree: root, written: 0 });
    loaded.resize(byteLength + 1);
    const { tree: grown } = loaded.store(store);
    assert.equal(grown.byteLength, byteLength + 1);
    await store.rollback();
  }
  await store.close();
});

test('a tree four levels high: a changed chunk rewrites one page of each level', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const chunks = ROOT_ENTRIES * PAGE_ENTRIES ** 2 + 1;
  const tree = new RegionTree(16);
  tree.resize(chunks * 16);
  const id = Buffer.alloc(32);
  const idOf = (index: number): ChunkId => {
    id.writeUInt32LE(index);
    return asChunkId(id);
  };
  for (let index = 0; index < chunks; index++) tree.set(index, idOf(index));
  store.begin();
  const { tree: root, written } = tree.store(store);
  assert.equal(root.height, 3);
  assert.ok(written > chunks * 40);
  await store.commit();
  store.begin();
  tree.set(chunks >> 1, idOf(chunks + 1));
  const { tree: changed, written: again } = tree.store(store);
  assert.ok(again < 3 * 300, `${again} bytes: three patches`);
  await store.commit();
  const seen = new Map<number, number>();
  let index = 0;
  visitChunks(store, changed, (chunk) => {
    const value = chunk.readUInt32LE();
    if (value !== index) seen.set(index, value);
    index++;
  });
  assert.deepEqual([...seen], [[chunks >> 1, chunks + 1]]);
  await store.close();
});
