/**
 * The writer thread dies, each in the way in which threads die, in the middle of a save: the loop hears of it, keeps its
 * state, and opens the store again.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { type SaveTicket, Snap, SnapError } from '../../src/index.js';
import {
  collect,
  type Fault,
  faultsAreOver,
  faulty,
  field,
  runProgram,
  setFault,
  storePath,
} from './support.js';

/** How a thread ends, and what the loop is told. */
const WAYS: [string, Fault['code'], RegExp][] = [
  ['it exits', 'DIE', /it ended/],
  ['it is terminated', 'STALL', /it ended/],
  ['it runs out of memory', 'OUT-OF-MEMORY', /memory limit/],
  ['an error that nobody catches', 'THROW', /where nobody catches it/],
];
const MOMENTS: Fault['call'][] = ['write', 'sync'];

/** The threads that are started while a test runs, as Node tells of them. */
function threadsOf(t: TestContext): Worker[] {
  const workers: Worker[] = [];
  const add = (worker: Worker) => workers.push(worker);
  process.on('worker', add);
  t.after(() => process.off('worker', add));
  return workers;
}

/** Nothing else may be left to keep this process waiting. */
async function endOf(thread: Worker): Promise<void> {
  while (thread.threadId !== -1) await new Promise((resolve) => setTimeout(resolve, 1));
}

for (const [what, code, reason] of WAYS) {
  for (const call of MOMENTS) {
    test(`the writer thread dies in mid-save, at a ${call}: ${what}`, async (t) => {
      const path = storePath(t);
      const threads = threadsOf(t);
      const snap = await Snap.open(path, faulty());
      const state = { n: 0, u: field(50_000) };
      const first = await snap.save(state, { durable: true });
      const durable = structuredClone(state);
      state.n = 1;
      state.u.fill(1, 100, 200);
      const unacknowledged = structuredClone(state);

      setFault(path, { call, code, times: 1 });
      const lost = await snap.save(state);
      const told = lost.durable.catch((error: unknown) => error);
      while (!faultsAreOver(path)) await new Promise((resolve) => setTimeout(resolve, 1));
      if (code === 'STALL') void threads[0]?.terminate();
      const outcome = await told;
      if (outcome instanceof SnapError) {
        assert.equal(outcome.code, 'SNAP_BROKEN');
        assert.match(outcome.message, reason);
        assert.match(outcome.message, /open the store again/);
      } else {
        // An error elsewhere in the thread may come a moment too late to keep the save from being durable.
        assert.equal(code, 'THROW');
      }
      await endOf(threads[0] as Worker);
      for (const next of [
        () => snap.save(state),
        () => snap.restore(),
        () => snap.tag('a', first.id),
        () => snap.flush(),
        () => collect(snap.list()),
        () => snap.verify(),
      ]) {
        await assert.rejects(next(), { code: 'SNAP_BROKEN' });
      }
      assert.deepEqual(state, unacknowledged);

      // Opened again beside the broken Snap, which is closed afterwards: that must not touch its successor.
      const again = await Snap.open(path, faulty());
      await snap.close();
      await snap.close();
      const other = await Snap.open(path, faulty());
      const restored = (await other.restore()) as typeof state;
      // Nobody was told of the second save: written and not acknowledged it is there or not, but whole.
      if (restored.n === 0) assert.ok(outcome instanceof SnapError);
      assert.deepEqual(restored, restored.n === 0 ? durable : unacknowledged);
      assert.deepEqual(await other.restore(first.id), durable);
      const last = await again.save(state, { durable: true });
      assert.deepEqual(await other.restore(last.id), unacknowledged);
      const report = await other.verify({ readData: true });
      assert.equal(report.ok && report.complete, true);
      await Promise.all([again.close(), other.close()]);
    });
  }
}

test('saves that wait for a slot when the thread dies are refused, each with the reason', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path, faulty());
  setFault(path, { call: 'write', code: 'DIE', times: 1 });
  const state = { u: field(500_000) };
  const saves = Array.from({ length: 6 }, () => snap.save(state));
  const outcomes = await Promise.allSettled(saves);
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  assert.ok(refused.length >= 3, `${refused.length} of 6 were refused`);
  for (const { reason } of refused as PromiseRejectedResult[]) assert.equal(reason.code, 'SNAP_BROKEN');
  const captured = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  for (const { value } of captured as PromiseFulfilledResult<SaveTicket>[]) {
    await assert.rejects(value.durable, { code: 'SNAP_BROKEN' });
  }
  await snap.close();
});

test('a thread that dies while nothing is under way is heard of at the next call', async (t) => {
  const path = storePath(t);
  const threads = threadsOf(t);
  const snap = await Snap.open(path);
  await snap.save({ n: 1 }, { durable: true });
  await threads[0]?.terminate();
  await assert.rejects(snap.save({ n: 2 }), { code: 'SNAP_BROKEN' });
  await snap.close();
  await using again = await Snap.open(path);
  assert.deepEqual(await again.restore(), { n: 1 });
});

test('a thread that dies while it closes the store: close ends, and reopening works', async (t) => {
  const path = storePath(t);
  const threads = threadsOf(t);
  const snap = await Snap.open(path);
  await snap.save({ n: 1, u: field(100_000) }, { durable: true });
  const closing = snap.close();
  await new Promise(setImmediate);
  await threads[0]?.terminate();
  await closing;
  await using again = await Snap.open(path);
  assert.deepEqual(await again.restore(), { n: 1, u: field(100_000) });
});

for (const [what, code] of WAYS.filter(([, way]) => way !== 'STALL')) {
  for (const rest of ['looks', 'does not look']) {
    test(`a process whose writer thread died ends by itself: ${what}, and the program ${rest}`, async (t) => {
      const end = await runProgram('bereaved', [storePath(t), code, rest]);
      assert.deepEqual([end.signal, end.code], [null, 0], end.stderr);
      if (rest === 'looks')
        assert.match(end.stdout, code === 'THROW' ? /^(durable|SNAP_BROKEN)\n$/ : /^SNAP_BROKEN\n$/);
    });
  }
}
