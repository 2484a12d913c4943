/**
 * Recovery where two things went wrong at once: what one protection misses the other has to catch, and neither may
 * rely on it.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SnapshotId } from '../../src/base/ids.js';
import { decodeCommit } from '../../src/format/commit.js';
import { decodePackHeader } from '../../src/format/pack.js';
import { HEADER_BYTES, type RecordHeader, RecordType } from '../../src/format/record.js';
import type { Store } from '../../src/store/store.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { damage, flip, packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { type Operation, SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(1);
const save = async (store: Store) => (await saveTo(store, contentOf(random.bytes(300)))).id;

/** Saves until the open pack is full, so that the next save begins another. */
async function fill(store: Store, packBytes: number): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  do ids.push(await save(store));
  while ((Object.values(store.packSizes()).at(-1) ?? 0) < packBytes);
  return ids;
}

/** Ids of all snapshots, oldest first, after reading every byte of them. */
async function wholeIn(store: Store): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  for await (const { id } of store.summaries()) {
    readFrom(store, id);
    ids.unshift(id);
  }
  return ids;
}

/** Makes a save fail, and returns what its pack held before it was cut back. */
async function failingSave(disk: SimulatedDisk, store: Store, pack: number): Promise<Buffer> {
  let left: Buffer | undefined;
  disk.beforeChange = ({ call, path }: Operation) => {
    if (call === 'truncate' && path === packPath(pack)) left ??= disk.contents(path);
  };
  await assert.rejects(save(store), { code: 'SNAP_IO' });
  disk.beforeChange = undefined;
  disk.faults.set();
  return left ?? assert.fail('nothing was cut back');
}

function recordIn(disk: SimulatedDisk, pack: number, type: RecordType): RecordHeader {
  const bytes = disk.contents(packPath(pack));
  return recordsOf(bytes).findLast((header) => header.type === type) ?? assert.fail('no such record');
}

/** Flips a bit of the payload of the last record of a type. */
function spoil(disk: SimulatedDisk, pack: number, type: RecordType): void {
  const { offset } = recordIn(disk, pack, type);
  damage(disk, packPath(pack), (bytes) => flip(bytes, offset + HEADER_BYTES + 5));
}

function payloadIn(disk: SimulatedDisk, pack: number, type: RecordType): Buffer {
  const { offset, storedLength } = recordIn(disk, pack, type);
  return disk.contents(packPath(pack)).subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + storedLength);
}

function sequencesOf(disk: SimulatedDisk, pack: number): number[] {
  return recordsOf(disk.contents(packPath(pack))).map(({ sequence }) => sequence);
}

/** Its bytes are cut off, but a power cut may undo that; then only the header of the next pack says that it failed. */
test('a save that failed stays out when the header that says so is damaged', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const ids = [await save(store)];
  disk.faults.set({ call: 'sync', effect: 'EIO', nth: 1, forGood: false, written: () => true });
  const left = await failingSave(disk, store, 1);
  ids.push(await save(store), await save(store));
  await store.close();
  disk.plant(packPath(1), left);
  spoil(disk, 2, RecordType.packHeader);
  const again = await openOn(disk);
  assert.deepEqual(await wholeIn(again.store), ids);
  await again.store.close();
});

/**
 * Everything of it is on the disk and the disk would not say so; then it could not be removed either. The next pack
 * was begun as if it had never been, but nothing else of that one can be read.
 */
test('a pack that was given up stays out when the commits of the next one are damaged', async () => {
  const disk = new SimulatedDisk(1);
  const packBytes = 2000;
  const { store } = await openOn(disk, { packBytes });
  const ids = await fill(store, packBytes);
  disk.faults.set(
    { call: 'size', effect: 'EIO', nth: 1, forGood: false, suffix: '00000002.pack' },
    { call: 'remove', effect: 'EIO', nth: 1, forGood: true },
  );
  const left = await failingSave(disk, store, 2);
  await save(store);
  await store.close();
  disk.plant(packPath(2), left);
  spoil(disk, 3, RecordType.commit);
  const again = await openOn(disk);
  assert.deepEqual(await wholeIn(again.store), ids);
  await again.store.close();
});

/** How much of a pack counts is known from the first header after it that can be read, not from the next alone. */
test('a damaged last commit of a pack is damage although the pack after it was given up', async () => {
  const disk = new SimulatedDisk(1);
  const packBytes = 3000;
  const { store } = await openOn(disk, { packBytes });
  const ids = await fill(store, packBytes);
  disk.faults.set(
    { call: 'sync', effect: 'EIO', nth: 1, forGood: false, suffix: '00000001.pack' },
    { call: 'syncFolder', effect: 'EIO', nth: 1, forGood: false },
    { call: 'remove', effect: 'EIO', nth: 1, forGood: true },
  );
  await assert.rejects(save(store), { code: 'SNAP_IO' });
  disk.faults.set();
  ids.push(await save(store));
  assert.deepEqual(Object.keys(store.packSizes()), ['1', '2', '3']);
  await store.close();
  spoil(disk, 1, RecordType.commit);
  const again = await openOn(disk);
  assert.match(again.warnings.map(({ message }) => message).join(), /pack 1.*commit record is damaged/);
  assert.deepEqual(await wholeIn(again.store), ids, 'what can be read of it counts');
  await again.store.close();
});

test('a pack whose only commit is damaged is set aside, not removed', async () => {
  const disk = new SimulatedDisk(1);
  const packBytes = 2000;
  const { store } = await openOn(disk, { packBytes });
  const ids = await fill(store, packBytes);
  await save(store);
  await store.close();
  spoil(disk, 2, RecordType.commit);
  const spoilt = disk.contents(packPath(2));
  const again = await openOn(disk, { packBytes });
  ids.push(await save(again.store));
  assert.deepEqual(await wholeIn(again.store), ids);
  assert.ok(disk.contents(packPath(2)).equals(spoilt));
  assert.deepEqual(Object.keys(again.store.packSizes()), ['1', '2', '3']);
  await again.store.close();
});

test('sequences go on above those of a sealed pack', async () => {
  const disk = new SimulatedDisk(1);
  const packBytes = 2000;
  const { store } = await openOn(disk, { packBytes });
  await fill(store, packBytes);
  disk.faults.set({ call: 'create', effect: 'EMFILE', nth: 1, forGood: false, suffix: '00000002.pack' });
  await assert.rejects(save(store), { code: 'SNAP_IO' });
  await store.close();
  disk.faults.set();
  const footer = recordIn(disk, 1, RecordType.footer);
  const again = await openOn(disk, { packBytes });
  await save(again.store);
  assert.equal(Math.min(...sequencesOf(disk, 2)), footer.sequence + 1);
  await again.store.close();
});

/** Somebody may yet make something of it. */
test('sequences go on above those of a save that does not count and stays', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  await save(store);
  await save(store);
  await store.close();
  spoil(disk, 1, RecordType.commit);
  const again = await openOn(disk);
  await save(again.store);
  assert.ok(Math.min(...sequencesOf(disk, 2)) > Math.max(...sequencesOf(disk, 1)));
  await again.store.close();
});

test('commit numbers go on above what a header says was there before it', async () => {
  const disk = new SimulatedDisk(1);
  const packBytes = 2000;
  const { store } = await openOn(disk, { packBytes });
  await fill(store, packBytes);
  await save(store);
  await store.close();
  disk.unplant(packPath(1));
  spoil(disk, 2, RecordType.commit);
  const { lastCommitNumber } = decodePackHeader(payloadIn(disk, 2, RecordType.packHeader));
  assert.ok(lastCommitNumber > 0);
  const again = await openOn(disk, { packBytes });
  await save(again.store);
  assert.equal(decodeCommit(payloadIn(disk, 3, RecordType.commit)).number, lastCommitNumber + 1);
  await again.store.close();
});
