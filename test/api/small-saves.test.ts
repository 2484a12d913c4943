/** Small states that are saved often: more slots, saves that go without a message, and nobody who looks. */

import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { type DurableMessage, type SaveTicket, Snap } from '../../src/index.js';
import { collect, faultsAreOver, faulty, field, setFault, storePath } from './support.js';

/** Against hangs. */
const GUARD = { timeout: 60_000 };
const SLOTS = 32;
const smallState = (n: number) => ({ n, u: field(2000, n) });

const stepsOf = async (snap: Snap) =>
  (await collect(snap.list())).map(({ step }) => step as number).sort((a, b) => a - b);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

/** The steps of saves that became durable, as they are told. */
function heard(t: TestContext): number[] {
  const steps: number[] = [];
  const listener = (message: unknown) => void steps.push((message as DurableMessage).info.step as number);
  subscribe('holdfast:save:durable', listener);
  t.after(() => unsubscribe('holdfast:save:durable', listener));
  return steps;
}

test('saves that nobody looks at become durable, in order, while the loop only saves', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  const steps = heard(t);
  const state = smallState(0);
  for (let n = 0; n < 300; n++) {
    state.u[n] = -n;
    await snap.save(state, { step: n });
  }
  while (steps.length < 300) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(steps, upTo(300));
  assert.deepEqual(await snap.restore({ step: 299 }), state);
  const expected = smallState(0);
  for (let n = 0; n <= 150; n++) expected.u[n] = -n;
  assert.deepEqual(await snap.restore({ step: 150 }), expected);
});

test('a save that comes after a pause becomes durable by itself too', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  const steps = heard(t);
  for (const [n, pauseMs] of [0, 1, 5, 15, 19, 20, 21, 25, 60].entries()) {
    await snap.save(smallState(n), { step: n });
    while (steps.length <= n) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
});

test('a ticket tells what the store does', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t), { program: { name: 'heat', version: '1.2.3' }, run: 'r' });
  const tickets: SaveTicket[] = [];
  for (const [n, options] of [
    {},
    { step: -3 },
    { tags: ['a', 'b'], step: 2 },
    { meta: { loss: 0.5 } },
    { step: Number.MAX_SAFE_INTEGER },
  ].entries()) {
    tickets.push(await snap.save(smallState(n), options));
  }
  for (const [n, { id, durable }] of tickets.entries()) {
    const info = await durable;
    const { regions, ...listed } = await snap.info(id);
    assert.ok(regions.length > 0);
    // How long it took is noted with the next commit.
    assert.deepEqual({ ...info, durableMs: listed.durableMs }, listed, `save ${n}`);
    assert.ok((info.durableMs as number) >= info.stallMs);
  }
});

test('a small state finds many slots, with each answer to their being taken', GUARD, async (t) => {
  for (const onBusy of ['wait', 'skip', 'coalesce'] as const) {
    await using snap = await Snap.open(storePath(t), { onBusy });
    await snap.prepare(smallState(0));
    const saves = upTo(3 * SLOTS).map((n) => snap.save(smallState(n), { step: n }));
    const tickets = await Promise.all(saves);
    const taken = upTo(tickets.length).filter((n) => !tickets[n]?.skipped);
    assert.deepEqual(taken.slice(0, SLOTS), upTo(SLOTS), onBusy);
    if (onBusy === 'wait') assert.equal(taken.length, tickets.length);
    if (onBusy === 'coalesce') assert.equal(taken.at(-1), tickets.length - 1);
    await snap.flush();
    assert.deepEqual(await stepsOf(snap), taken);
    for (const n of [0, 1, SLOTS - 1, taken.at(-1) as number]) {
      assert.deepEqual(await snap.restore({ step: n }), smallState(n));
    }
  }
});

test('more slots are never more than memoryLimit', GUARD, async (t) => {
  const KiB = 1024;
  for (const slots of [1, 2, 3]) {
    // One such state takes 128 KiB of slot.
    const memoryLimit = slots * 128 * KiB + 64 * KiB;
    await using snap = await Snap.open(storePath(t), { memoryLimit, onBusy: 'skip' });
    const states = upTo(8).map((n) => ({ n, u: field(10_000, n) }));
    await snap.prepare(states[0]);
    const tickets = await Promise.all(states.map((state, step) => snap.save(state, { step })));
    const taken = upTo(8).filter((n) => !tickets[n]?.skipped);
    assert.deepEqual(taken.slice(0, slots), upTo(slots));
    await snap.flush();
    assert.deepEqual(await stepsOf(snap), taken);
    for (const n of taken) assert.deepEqual(await snap.restore({ step: n }), states[n]);
  }
});

test('a state that is small, large and small again is what was saved', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t), { memoryLimit: 40 << 20 });
  const lengths = [10, 2000, 2000, 400_000, 30, 2_000_000, 2000, 10, 100_000, 2000, 2_000_000, 30];
  const states = lengths.map((length, n) => ({ n, u: field(length, n) }));
  for (let round = 0; round < 3; round++) {
    await Promise.all(states.map((state, n) => snap.save(state, { step: round * states.length + n })));
  }
  await snap.flush();
  for (let n = 0; n < 3 * states.length; n++) {
    assert.deepEqual(await snap.restore({ step: n }), states[n % states.length]);
  }
});

test(
  'saves that wait in shared memory when the writer thread dies are failed, each once',
  GUARD,
  async (t) => {
    const path = storePath(t);
    const threads: Worker[] = [];
    const add = (worker: Worker) => threads.push(worker);
    process.on('worker', add);
    t.after(() => process.off('worker', add));
    const snap = await Snap.open(path, faulty());
    await snap.save(smallState(0), { durable: true, step: 0 });
    setFault(path, { call: 'sync', code: 'STALL', times: 1 });
    const first = await snap.save(smallState(1), { step: 1 });
    const told = first.durable.catch((error: unknown) => error);
    while (!faultsAreOver(path)) await new Promise((resolve) => setTimeout(resolve, 1));
    // The thread stands still in the first one's commit, and two slots are taken.
    const saves = upTo(SLOTS - 2).map((n) => snap.save(smallState(n), { step: n + 2 }));
    const tickets = await Promise.all(saves);
    const waiting = snap.save(smallState(99), { step: 99 }).then(({ durable }) => durable);
    await threads[0]?.terminate();
    assert.equal(((await told) as { code?: string }).code, 'SNAP_BROKEN');
    const outcomes = await Promise.allSettled([...tickets.map(({ durable }) => durable), waiting]);
    for (const outcome of outcomes) {
      assert.equal(outcome.status, 'rejected');
      assert.equal((outcome.reason as { code?: string }).code, 'SNAP_BROKEN');
    }
    await assert.rejects(snap.save(smallState(7)), { code: 'SNAP_BROKEN' });
    await snap.close();
    setFault(path);
    await using again = await Snap.open(path);
    // Of what was not acknowledged, only what was written may have got as far as the disk.
    const left = await stepsOf(again);
    assert.deepEqual(left, upTo(left.length));
    assert.ok(left.length === 1 || left.length === 2, `${left.length} snapshots`);
  },
);
