/** Stories of recovery: what went wrong once, or would have, and what it must do instead. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import { HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { Store } from '../../src/store/store.js';
import { assertNoFalseAlarm, type CrashPoint, pointBefore, pointOf } from '../support/crash-points.js';
import type { Crash } from '../support/disk-crash.js';
import type { FileChange } from '../support/disk-file.js';
import { damage, flip, packPath, recordsOf } from '../support/pack-bytes.js';
import type { Action } from '../support/program.js';
import { Session, type SessionOptions, STORE } from '../support/session.js';
import { diskAfter, type Operation, SimulatedDisk } from '../support/simulated-disk.js';

const save = (edit: number): Action => ({ do: 'save', run: 'alpha', edit });
const on = (call: Operation['call'], pack: number) => (operation: Operation) =>
  operation.call === call && operation.path === packPath(pack);

/** The next process, after a crash. */
function after(point: CrashPoint, crash: Crash, options: Partial<SessionOptions> = {}): Promise<Session> {
  const image = diskAfter(point.image, crash, 1);
  return Session.begin({ seed: 99, ...options, image, model: point.model });
}

/** Saves until a pack is full, so that the next save seals it. Returns the number of that pack. */
async function fillPack(session: Session, packBytes: number): Promise<number> {
  for (let edit = 1; ; edit++) {
    await session.perform(save(edit));
    const [last] = Object.entries(session.store.packSizes()).reverse();
    if (last && last[1] >= packBytes) return Number(last[0]);
  }
}

/**
 * A power cut tears the last commit: its headers are there, a block of a chunk is not. Recovery sets the pack aside
 * and begins another. If the machine stops again before the new pack's header is on the disk, the torn commit is
 * no longer in the last pack, and was taken for proved.
 */
test('a torn commit stays out when the pack begun after it is lost', async () => {
  const first = await Session.begin({ seed: 1 });
  await first.perform(save(1));
  const end = first.disk.contents(packPath(1)).length;
  const point = await pointBefore(first, save(2), on('sync', 1));
  const torn = new SimulatedDisk(1, diskAfter(point.image, 'everything', 1));
  damage(torn, packPath(1), (bytes) => bytes.fill(0, end + HEADER_BYTES, end + HEADER_BYTES + 8));
  const second = await after({ ...point, image: torn.image() }, 'everything');
  assert.equal(second.model.snapshots.size, 1);
  const again = await pointBefore(second, save(3), on('write', 2));
  const third = await after(again, 'everything');
  await third.perform(save(4));
  await after(pointOf(third, 'the end'), 'nothing');
});

/**
 * A sync fails, so the save fails and the next one goes to a new pack. The failed save's bytes are cut off, but a
 * power cut may undo that, and of the bytes themselves any part may be missing.
 */
test('a save whose sync failed does not come back in parts when the next pack is lost', async () => {
  // Headers and payloads go in writes of their own; all but one payload reach the platter.
  const first = await Session.begin({
    seed: 1,
    stagingBytes: HEADER_BYTES,
    chunkBytes: 64,
    compression: false,
  });
  await first.perform(save(1));
  let lost = 0;
  const written = (change: FileChange): boolean =>
    change.kind === 'truncate' || change.bytes.length !== 64 || ++lost > 1;
  first.disk.faults.set({ call: 'sync', effect: 'EIO', nth: 1, forGood: false, suffix: '.pack', written });
  assert.equal(await first.perform(save(2)), false);
  const point = await pointBefore(first, save(3), on('write', 2));
  const second = await after(point, 'nothing');
  await second.perform(save(4));
  await after(pointOf(second, 'the end'), 'nothing');
});

/**
 * The process dies between writing a footer and syncing it. The next process sees the footer and believes the pack
 * sealed; a power cut takes the footer away, and the pack looks cut off.
 */
test('a footer that was never synced is made durable before a pack is begun after it', async () => {
  const first = await Session.begin({ seed: 1, packBytes: 2000 });
  const full = await fillPack(first, 2000);
  const point = await pointBefore(first, save(9), on('sync', full));
  const second = await after(point, 'process', { packBytes: 2000 });
  await second.perform(save(10));
  const third = await after(pointOf(second, 'the end'), 'nothing', { packBytes: 2000 });
  assertNoFalseAlarm(third);
});

/**
 * The numbers that new snapshots get came from the last commit record of a sealed pack. With that one damaged they
 * began again below those in use, and a new snapshot took the place of an old one in the index.
 */
test('numbers go on above everything seen when the last commit record is damaged', async () => {
  const first = await Session.begin({ seed: 1, packBytes: 2000 });
  const full = await fillPack(first, 2000);
  const point = await pointBefore(first, save(9), on('create', full + 1));
  point.model.doubtful = [];
  const disk = new SimulatedDisk(1, diskAfter(point.image, 'everything', 1));
  damage(disk, packPath(full), (bytes) => {
    const commit = recordsOf(bytes).findLast(({ type }) => type === RecordType.commit);
    flip(bytes, (commit?.offset ?? 0) + HEADER_BYTES + 20);
  });
  const second = await after({ ...point, image: disk.image() }, 'everything', { packBytes: 2000 });
  assert.match(second.warnings[0]?.message ?? '', /commit record is damaged/);
  for (let edit = 10; edit < 14; edit++) await second.perform(save(edit));
  await second.settle();
});

/**
 * Two packs under each other's names hold no record that is where it says it is. The last one looked empty, and was
 * removed: the rest of the way to losing both.
 */
test('a pack under the name of another is left alone, and nothing is written beside it', async () => {
  const first = await Session.begin({ seed: 1, packBytes: 1500 });
  for (let edit = 1; edit < 12; edit++) await first.perform(save(edit));
  const { disk } = first;
  const packs = Object.keys(first.store.packSizes()).map(Number);
  const [last, before] = packs.reverse() as [number, number];
  const [lastBytes, beforeBytes] = [disk.contents(packPath(last)), disk.contents(packPath(before))];
  disk.plant(packPath(last), beforeBytes);
  disk.plant(packPath(before), lastBytes);
  const swapped = new Session({ seed: 2, image: disk.image(), model: first.model });
  await assert.rejects(swapped.open(), (error) => isSnapError(error, 'SNAP_CORRUPT'));
  assert.equal(swapped.disk.openFiles, 0);
  const readOnly = { io: swapped.disk, directory: STORE, create: false, readOnly: true, simulated: true };
  const reader = await Store.open({ ...readOnly, compression: false, onWarning: () => {} });
  await reader.close();
  swapped.disk.plant(packPath(last), lastBytes);
  swapped.disk.plant(packPath(before), beforeBytes);
  await swapped.open();
  await swapped.settle();
});

test('a pack under the name of another is left alone even where its beginning cannot be read', async () => {
  const first = await Session.begin({ seed: 1, packBytes: 1500 });
  for (let edit = 1; edit < 12; edit++) await first.perform(save(edit));
  const { disk } = first;
  const bytes = Buffer.from(disk.contents(packPath(1))).fill(0, 0, 500);
  disk.unplant(packPath(1));
  disk.plant(packPath(9), bytes);
  const next = new Session({ seed: 2, image: disk.image() });
  await assert.rejects(next.open(), (error) => isSnapError(error, 'SNAP_CORRUPT'));
  assert.ok(next.disk.contents(packPath(9)).equals(bytes));
});

/** Perhaps somebody can still make something of it; and what is appended behind damage shares its fate. */
test('a damaged pack is set aside with every byte of it', async () => {
  const first = await Session.begin({ seed: 1 });
  for (let edit = 1; edit < 4; edit++) await first.perform(save(edit));
  const bytes = first.disk.contents(packPath(1));
  const commits = recordsOf(bytes).filter(({ type }) => type === RecordType.commit);
  for (const { offset } of commits) {
    const disk = new SimulatedDisk(1, first.disk.image());
    damage(disk, packPath(1), (copy) => flip(copy, offset - 20));
    const damaged = disk.contents(packPath(1));
    const next = new Session({ seed: 2, image: disk.image(), model: first.model });
    await next.open();
    assert.ok(next.warnings.some(({ kind }) => kind === 'damage'));
    assert.ok(await next.perform(save(9)));
    assert.ok(next.disk.contents(packPath(1)).equals(damaged));
    assert.deepEqual(Object.keys(next.store.packSizes()), ['1', '2']);
    await next.close();
  }
});
