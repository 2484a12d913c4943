/** Calls that fail, one after another: nothing acknowledged is lost, errors are typed, and the store goes on. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budget, replayable } from '../support/budget.js';
import { pointOf, survive } from '../support/crash-points.js';
import type { Call, Effect, Fault } from '../support/disk-faults.js';
import type { Action } from '../support/program.js';
import { Session, type SessionOptions } from '../support/session.js';

const FAULTS: [Call, Effect][] = [
  ['open', 'EMFILE'],
  ['create', 'EMFILE'],
  ['create', 'ENOSPC'],
  ['read', 'EIO'],
  ['read', 'short'],
  ['write', 'EIO'],
  ['write', 'ENOSPC'],
  ['write', 'short'],
  ['size', 'EIO'],
  ['truncate', 'EIO'],
  ['sync', 'EIO'],
  ['sync', 'lost'],
  ['sync', 'ENOSPC'],
  ['close', 'EIO'],
  ['stat', 'EACCES'],
  ['list', 'EMFILE'],
  ['makeFolder', 'ENOSPC'],
  ['rename', 'EIO'],
  ['remove', 'EIO'],
  ['syncFolder', 'EIO'],
];

const PROGRAM: Action[] = [
  { do: 'save', run: 'alpha', edit: 1, tag: 'best' },
  { do: 'save', run: 'beta', edit: 2 },
  { do: 'restore', pick: 0 },
  { do: 'forget', pick: 0.3 },
  { do: 'reopen' },
  { do: 'save', run: 'alpha', edit: 3 },
  { do: 'abandon', run: 'beta', edit: 9 },
  { do: 'save', run: 'alpha', edit: 4 },
  { do: 'tag', name: 'good/one', pick: 0.9 },
];

const OPTIONS = { packBytes: 1200, stagingBytes: 600, chunkBytes: 64, compression: { level: 1 } } as const;

/** A program under a fault, then the same store without it, then a crash. Says whether the fault struck. */
async function endure(faults: Fault[], before: Partial<SessionOptions>, seed: number): Promise<boolean> {
  const session = new Session({ ...OPTIONS, ...before, seed });
  session.disk.faults.set(...faults);
  for (const action of PROGRAM) {
    if (!(await session.tryOpen())) continue;
    await session.perform(action);
  }
  const { hit } = session.disk.faults;
  session.disk.faults.set();
  if (faults.every(({ effect }) => effect === 'short'))
    assert.deepEqual(session.failures, [], 'a short transfer is no failure');
  // The process may go on with the same store, or close it and open it again; both have to work.
  if (seed % 2 === 0 && session.isOpen) await session.close();
  if (!session.isOpen) await session.open();
  await session.settle();
  const failures = session.failures.length;
  await session.perform({ do: 'save', run: 'alpha', edit: 5 });
  await session.perform({ do: 'reopen' });
  await session.perform({ do: 'save', run: 'beta', edit: 6 });
  assert.equal(session.failures.length, failures, 'the store does not go on after the fault');
  await survive(
    pointOf(session, 'after the fault'),
    seed % 3 === 0 ? 'process' : 'nothing',
    seed,
    1,
    OPTIONS,
  );
  return hit;
}

/** Lets every call fail in turn, on a new store and on one that holds something; returns how many runs it took. */
async function endureAll(faultsAt: (nth: number) => Fault[]): Promise<number> {
  const started = await Session.begin({ seed: 7, ...OPTIONS });
  await started.perform({ do: 'save', run: 'alpha', edit: 7 });
  await started.perform({ do: 'save', run: 'beta', edit: 8, tag: 'best' });
  await started.close();
  const { model } = started;
  const image = started.disk.image();
  let runs = 0;
  for (const before of [{}, { image, model }]) {
    for (let nth = 1, hit = true; hit; nth += stepAfter(nth)) {
      const faults = faultsAt(nth);
      const what = `${JSON.stringify(faults)} on ${'image' in before ? 'an old' : 'a new'} store`;
      await replayable(nth, what, async () => {
        hit = await endure(faults, before, 1000 + nth);
      });
      runs++;
    }
  }
  return runs;
}

for (const forGood of [false, true]) {
  for (const [call, effect] of FAULTS) {
    test(`${call} fails with ${effect} ${forGood ? 'for good' : 'once'}, at every call in turn`, async (t) => {
      t.diagnostic(`${await endureAll((nth) => [{ call, effect, nth, forGood }])} runs`);
    });
  }
}

/** What undoes a failed save fails too. */
const PAIRS: [Call, Effect, Call, Effect][] = [
  ['write', 'EIO', 'truncate', 'EIO'],
  ['sync', 'EIO', 'truncate', 'EIO'],
  ['sync', 'lost', 'truncate', 'EIO'],
  ['sync', 'EIO', 'create', 'EMFILE'],
  ['write', 'ENOSPC', 'remove', 'EIO'],
  ['syncFolder', 'EIO', 'remove', 'EIO'],
];

for (const [call, effect, second, secondEffect] of PAIRS) {
  test(`${call} fails once, and ${second} fails for good`, async (t) => {
    const runs = await endureAll((nth) => [
      // Without its descriptor a folder is no store yet, and nobody was promised anything.
      { call, effect, nth, forGood: false, ...(call === 'syncFolder' ? { suffix: '/packs' } : {}) },
      { call: second, effect: secondEffect, nth: second === 'create' ? 3 : 1, forGood: true },
    ]);
    t.diagnostic(`${runs} runs`);
  });
}

/** Every call at first, then fewer and fewer. */
function stepAfter(nth: number): number {
  return Math.max(1, Math.floor(nth / budget(6)));
}
