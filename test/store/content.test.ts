/** Chunks and pages by their ids: what is found, what is written again, and what is refused. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import type { ChunkId, SnapshotId } from '../../src/base/ids.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { EntryList, PAGE_ENTRIES } from '../../src/format/page.js';
import { HEADER_BYTES, RecordType } from '../../src/format/record.js';
import type { Tree } from '../../src/format/tree.js';
import { RegionTree } from '../../src/store/region-tree.js';
import { Store } from '../../src/store/store.js';
import { damage, flip, packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { assertSameContent, NO_LINEAGE, putSnapshot, readSnapshot } from '../support/saved.js';
import { STORE } from '../support/session.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(1);

function open(disk: SimulatedDisk): Promise<Store> {
  return Store.open({
    io: disk,
    directory: STORE,
    create: true,
    readOnly: false,
    compression: false,
    onWarning: () => {},
    simulated: true,
  });
}

async function save(store: Store, content: Map<string, Buffer>, chunkBytes = 64): Promise<SnapshotId> {
  const id = random.bytes(16).toString('hex') as SnapshotId;
  store.begin();
  await putSnapshot(store, { id, run: 'alpha', content }, NO_LINEAGE, chunkBytes, 0);
  await store.commit();
  return id;
}

function read(store: Store, id: SnapshotId): Map<string, Buffer> {
  return readSnapshot(store, store.byId(id) ?? assert.fail('it is gone'));
}

/**
 * A page is content like any other, so a state can hold the bytes of one: a copy of a store in memory does. Its chunk
 * was known as a page, not written, and refused when it was read because a page is no chunk.
 */
test('a state that holds the bytes of a page restores', async () => {
  const disk = new SimulatedDisk(1);
  const store = await open(disk);
  const wide = new Map([
    ['', Buffer.alloc(8)],
    ['wide', random.bytes(64 * 6)],
  ]);
  await save(store, wide);
  const bytes = disk.contents(packPath(1));
  const page = recordsOf(bytes).find(({ type }) => type === RecordType.page) ?? assert.fail('no page');
  const start = page.offset + HEADER_BYTES;
  const content = new Map([
    ['', Buffer.alloc(8)],
    ['copy', bytes.subarray(start, start + page.rawLength)],
  ]);
  assertSameContent(read(store, await save(store, content, 4096)), content, 'a chunk that is a page');
  // And the other way round: a chunk that is there before the page it is the bytes of.
  const other = await open(new SimulatedDisk(2));
  await save(other, content, 4096);
  assertSameContent(read(other, await save(other, wide)), wide, 'a page that is a chunk');
});

/** Dedup believed the index: what was saved after the damage was found could not be restored either. */
test('a chunk that was found damaged is written again by the next save that holds it', async () => {
  const disk = new SimulatedDisk(1);
  let store = await open(disk);
  const content = new Map([
    ['', Buffer.alloc(8)],
    ['u', random.bytes(64 * 6)],
  ]);
  const first = await save(store, content);
  // Something saved afterwards, so that the damage is no torn tail.
  await save(store, new Map([['', Buffer.alloc(3)]]));
  await store.close();
  damage(disk, packPath(1), (bytes) => {
    const records = recordsOf(bytes);
    const page = records.findIndex(({ type }) => type === RecordType.page);
    // The first page, and the chunk before it.
    for (const record of records.slice(page - 1, page + 1)) flip(bytes, record.offset + HEADER_BYTES + 9);
  });
  store = await open(disk);
  // Reading finds one damaged record after another: the page, then the chunk.
  for (let attempt = 0; attempt < 2; attempt++) {
    assert.throws(
      () => read(store, first),
      (error) => isSnapError(error, 'SNAP_CORRUPT'),
    );
    const again = await save(store, content);
    if (attempt === 1) assertSameContent(read(store, again), content, 'saved after the damage was found');
  }
  assertSameContent(read(store, first), content, 'the older snapshot shares what was written again');
  await store.close();
  store = await open(disk);
  for await (const summary of store.summaries()) readSnapshot(store, summary);
  await store.close();
});

/** A page over the same page over the same page: 256 to the power of the height. */
test('a tree that describes more chunks than memory holds is refused before it is loaded', async () => {
  const store = await open(new SimulatedDisk(1));
  store.begin();
  let id: ChunkId = chunkIdOf(Buffer.alloc(1));
  let byteLength = 1;
  for (let height = 0; height < 5; height++) {
    const list = new EntryList();
    list.resize(PAGE_ENTRIES);
    for (let index = 0; index < PAGE_ENTRIES; index++) list.set(index, id, byteLength);
    ({ id } = store.putPage(list.toPage(height, 0, PAGE_ENTRIES), undefined));
    byteLength *= PAGE_ENTRIES;
  }
  await store.commit();
  for (const chunkBytes of [0, 1, 64, byteLength]) {
    const tree: Tree = { byteLength, chunking: 0, chunkBytes, height: 5, entries: [{ id, byteLength }] };
    assert.throws(
      () => RegionTree.load(store, tree),
      (error) => isSnapError(error),
    );
  }
  await store.close();
});
