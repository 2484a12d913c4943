/** What a commit leaves in the packs, and what a failed one does not. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import { type Commit, decodeCommit, NO_COMMIT } from '../../src/format/commit.js';
import { decodePackHeader, decodeTrailer, TRAILER_BYTES } from '../../src/format/pack.js';
import { HEADER_BYTES, type RecordHeader, RecordType } from '../../src/format/record.js';
import type { Store } from '../../src/store/store.js';
import { contentOf, newId, openOn, readFrom, saveTo } from '../support/direct.js';
import { damage, flip, packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(1);
const isTyped = (error: unknown): boolean => isSnapError(error);

function payloadOf(bytes: Buffer, { offset, storedLength }: RecordHeader): Buffer {
  return bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + storedLength);
}

function packs(store: Store): number[] {
  return Object.keys(store.packSizes()).map(Number);
}

async function tag(store: Store, name: string): Promise<void> {
  store.begin();
  store.putTag(name, newId());
  await store.commit();
}

test('commits form a chain through all packs, and each pack says where it hangs on', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 2000 });
  for (let times = 0; times < 12; times++) {
    // Some of them fail, at the first commit of a pack and at a later one.
    const fails = times % 4 === 3;
    if (fails) disk.faults.set({ call: 'sync', effect: 'EIO', nth: 1, forGood: true });
    const saving = saveTo(store, contentOf(random.bytes(300)));
    if (fails) await assert.rejects(saving, isTyped);
    else await saving;
    disk.faults.set();
  }
  assert.ok(packs(store).length > 3);
  let last: { id: Buffer; commit: Commit | undefined } = { id: NO_COMMIT, commit: undefined };
  let sequence = 0;
  let before = { number: 0, end: 0 };
  for (const number of packs(store)) {
    const bytes = disk.contents(packPath(number));
    let spanStart = 0;
    for (const header of recordsOf(bytes)) {
      assert.ok(header.sequence > sequence, 'sequences rise');
      sequence = header.sequence;
      if (header.type === RecordType.packHeader) {
        const { previousPack, previousPackEnd, ...said } = decodePackHeader(payloadOf(bytes, header));
        assert.deepEqual({ number: previousPack, end: previousPackEnd }, before);
        assert.equal(said.lastCommitNumber, last.commit?.number ?? 0);
        assert.deepEqual(said.lastCommit, last.id);
      }
      if (header.type !== RecordType.commit) continue;
      const commit = decodeCommit(payloadOf(bytes, header));
      assert.equal(commit.number, (last.commit?.number ?? 0) + 1);
      assert.deepEqual(commit.previous, last.id);
      assert.equal(commit.spanOffset, spanStart);
      assert.equal(commit.spanBytes, header.offset - spanStart);
      last = { id: header.id, commit };
      spanStart = header.offset + HEADER_BYTES + Math.ceil(header.storedLength / 8) * 8;
    }
    const isSealed = decodeTrailer(bytes.subarray(-TRAILER_BYTES)) !== undefined;
    before = { number, end: isSealed ? bytes.length : spanStart };
  }
  assert.equal(last.commit?.number, 9);
  await store.close();
});

test('a commit that fails is undone there and then', async () => {
  for (const call of ['write', 'sync'] as const) {
    const disk = new SimulatedDisk(1);
    let { store } = await openOn(disk);
    await tag(store, 'before');
    disk.faults.set({ call, effect: 'EIO', nth: 1, forGood: false });
    await assert.rejects(tag(store, 'failed'), isTyped);
    // Nobody else has rolled anything back: what is put now stands alone.
    await tag(store, 'after');
    for (let opens = 0; opens < 2; opens++) {
      assert.equal(store.tagged('failed'), undefined);
      assert.ok(store.tagged('before') && store.tagged('after'));
      await store.close();
      ({ store } = await openOn(disk));
    }
    await store.close();
  }
});

test('a pack whose tail cannot be cut off is given up', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  await tag(store, 'before');
  disk.faults.set(
    { call: 'write', effect: 'EIO', nth: 1, forGood: false },
    { call: 'truncate', effect: 'EIO', nth: 1, forGood: true },
  );
  await assert.rejects(tag(store, 'failed'), isTyped);
  disk.faults.set();
  const left = disk.contents(packPath(1));
  await tag(store, 'after');
  assert.deepEqual(packs(store), [1, 2]);
  assert.ok(disk.contents(packPath(1)).equals(left));
  await store.close();
});

/** A footer is believed: readers would never look for what lies behind a record that it does not list. */
test('a pack with a record that cannot be read is not sealed, so that all behind it can still be read', async () => {
  const disk = new SimulatedDisk(1);
  const { store, warnings } = await openOn(disk, { packBytes: 3000 });
  const first = await saveTo(store, contentOf(random.bytes(300)));
  const second = await saveTo(store, contentOf(random.bytes(300)));
  damage(disk, packPath(1), (bytes) => {
    // The first chunk is shared by all.
    const [, chunk] = recordsOf(bytes).filter(({ type }) => type === RecordType.chunk);
    flip(bytes, chunk?.offset ?? 0);
  });
  while (packs(store).length < 2) await saveTo(store, contentOf(random.bytes(300)));
  assert.equal(decodeTrailer(disk.contents(packPath(1)).subarray(-TRAILER_BYTES)), undefined);
  assert.match(warnings.map(({ message }) => message).join(), /not sealed/);
  await store.close();
  const again = await openOn(disk);
  readFrom(again.store, second.id);
  assert.throws(() => readFrom(again.store, first.id), isTyped);
  await again.store.close();
});

/** A file in which nothing counts may stay where it cannot be removed; its number is used up. */
test('a new pack takes no number that a file has already', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  disk.faults.set(
    { call: 'syncFolder', effect: 'EIO', nth: 1, forGood: false },
    { call: 'remove', effect: 'EIO', nth: 1, forGood: true },
  );
  await assert.rejects(tag(store, 'failed'), isTyped);
  disk.faults.set();
  assert.deepEqual(packs(store), [1]);
  await tag(store, 'after');
  assert.deepEqual(packs(store), [1, 2]);
  await store.close();
  const again = await openOn(disk);
  assert.ok(again.store.tagged('after'));
  await again.store.close();
});

/** Puts chunks so that several writes are under way behind the back of the save. */
async function putMany(store: Store, count: number): Promise<void> {
  store.begin();
  for (let times = 0; times < count; times++) {
    await store.makeRoom(400);
    store.putChunk(random.bytes(400));
  }
}

test('a write that fails behind the back of a save fails its commit, and that alone', async () => {
  for (let nth = 1; nth < 5; nth++) {
    const disk = new SimulatedDisk(nth);
    const { store } = await openOn(disk, { stagingBytes: 500 });
    const first = await saveTo(store, contentOf(random.bytes(300)));
    disk.faults.set({ call: 'write', effect: 'EIO', nth, forGood: false });
    await assert.rejects(async () => {
      await putMany(store, 8);
      await store.commit();
    }, isTyped);
    await store.rollback();
    const second = await saveTo(store, contentOf(random.bytes(300)));
    for (const { id } of [first, second]) readFrom(store, id);
    await store.close();
  }
});

test('nothing of a save that was rolled back is written over what comes next', async () => {
  for (let seed = 0; seed < 12; seed++) {
    const disk = new SimulatedDisk(seed);
    const { store } = await openOn(disk, { stagingBytes: 500 });
    // So that the pack stays.
    await tag(store, 'first');
    await putMany(store, 2 + (seed % 3));
    await store.rollback();
    await tag(store, 'second');
    await new Promise(setImmediate);
    await store.close();
    const again = await openOn(disk);
    assert.deepEqual(again.warnings, []);
    for (const name of ['first', 'second']) assert.ok(again.store.tagged(name), name);
    await again.store.close();
  }
});
