/**
 * A failed fsync is never retried: the system may have thrown the pages away and called them clean, so that the next
 * sync of the same file succeeds and proves nothing.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import { replayable, seeds } from '../support/budget.js';
import { pointBefore, pointOf, survive } from '../support/crash-points.js';
import type { Fault } from '../support/disk-faults.js';
import { packPath } from '../support/pack-bytes.js';
import type { Action } from '../support/program.js';
import { Session } from '../support/session.js';

const OPTIONS = { stagingBytes: 400, chunkBytes: 64, compression: false } as const;
const save = (edit: number): Action => ({ do: 'save', run: 'alpha', edit });

/** How much of what failed to sync reached the platter, and whether the rest can still be read. */
const FAILURES: Pick<Fault, 'effect' | 'written'>[] = [
  { effect: 'EIO', written: () => false },
  { effect: 'EIO', written: () => true },
  { effect: 'EIO' },
  { effect: 'lost', written: () => false },
  { effect: 'lost' },
];

function failNextSync(session: Session, failure: Pick<Fault, 'effect' | 'written'>): void {
  session.disk.faults.set({ call: 'sync', nth: 1, forGood: false, suffix: '.pack', ...failure });
}

/** A session with some saves behind it; the next goes to pack 1 too, or, with small packs, perhaps to another. */
async function started(seed: number, packBytes = 100_000): Promise<Session> {
  const session = await Session.begin({ ...OPTIONS, packBytes, seed });
  for (let edit = 0; edit < seed % 5; edit++) await session.perform(save(seed * 10 + edit));
  return session;
}

for (const [index, failure] of FAILURES.entries()) {
  const what = `${failure.effect}, case ${index}`;

  test(`after a failed sync the next save is whole and in a new pack (${what})`, async () => {
    for (const seed of seeds(20)) {
      await replayable(seed, what, async () => {
        const session = await started(seed);
        failNextSync(session, failure);
        assert.equal(await session.perform(save(1)), false);
        assert.ok(isSnapError(session.failures[0], 'SNAP_IO'));
        const failed = session.disk.contents(packPath(1));
        assert.ok(await session.perform(save(2)), 'the next save');
        assert.ok(session.disk.contents(packPath(2)).length > 0, 'it went to a new pack');
        assert.ok(session.disk.contents(packPath(1)).equals(failed), 'the failed pack was touched');
        for (const crash of ['nothing', 'process', 'everything'] as const) {
          await survive(pointOf(session, 'after a failed sync'), crash, seed, 1, OPTIONS);
        }
      });
    }
  });

  test(`a process that dies right after a failed sync leaves nothing that is believed (${what})`, async () => {
    for (const seed of seeds(20)) {
      await replayable(seed, what, async () => {
        const session = await started(seed, seed % 2 === 0 ? 1500 : undefined);
        failNextSync(session, failure);
        const point = await pointBefore(session, save(1), ({ call }) => call === 'truncate');
        for (const crash of ['process', 'nothing', 'process'] as const) {
          await survive(point, crash, seed, 2, OPTIONS);
        }
      });
    }
  });
}

test('a pack that cannot be sealed stays as it is, and saves go on', async () => {
  const session = await started(0, 1000);
  for (let edit = 1; !((session.store.packSizes()[1] ?? 0) >= 1000); edit++)
    await session.perform(save(edit));
  failNextSync(session, { effect: 'EIO' });
  assert.ok(await session.perform(save(1)));
  assert.deepEqual(Object.keys(session.store.packSizes()), ['1', '2']);
  await survive(pointOf(session, 'after the roll'), 'nothing', 1, 1, OPTIONS);
});

test('what a failed sync left readable and recovery accepted is written again', async () => {
  const session = await started(3);
  failNextSync(session, { effect: 'EIO', written: () => false });
  const point = await pointBefore(session, save(1), ({ call }) => call === 'truncate');
  const next = await Session.begin({ ...OPTIONS, seed: 50, image: point.image, model: point.model });
  assert.equal(
    next.model.snapshots.size,
    point.model.snapshots.size + 1,
    'the failed save can be read, so it is there',
  );
  await survive(pointOf(next, 'right after recovery'), 'nothing', 1, 0, OPTIONS);
});

test('syncs that fail for good fail every save, and lose none that was acknowledged', async () => {
  const session = await started(4);
  session.disk.faults.set({ call: 'sync', effect: 'EIO', nth: 1, forGood: true });
  for (let edit = 0; edit < 6; edit++) assert.equal(await session.perform(save(edit)), false);
  session.disk.faults.set();
  await session.perform(save(9));
  await survive(pointOf(session, 'after syncs that failed'), 'nothing', 1, 1, OPTIONS);
});
