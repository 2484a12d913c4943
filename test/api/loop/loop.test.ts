/** The loop from outside: it resumes or initialises, runs the steps, saves by a cadence, and ends by a condition. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snap, type SnapshotInfo } from '../../../src/index.js';
import { collect, storePath } from '../support.js';

interface Walk {
  x: number;
  u: Float64Array;
}

const init = (): Walk => ({ x: 1, u: new Float64Array(100) });
const advance = (state: Walk): void => {
  state.x = Math.imul(state.x, 1664525) + 1013904223;
  state.u[(state.x >>> 8) % state.u.length]! += state.x / 2 ** 31;
};

function straight(steps: number): Walk {
  const state = init();
  for (let step = 0; step < steps; step++) advance(state);
  return state;
}

/** Steps of the snapshots of a run, oldest first. */
async function stepsOf(snap: Snap): Promise<(number | undefined)[]> {
  return (await collect(snap.list({ run: snap.run }))).map(({ step }: SnapshotInfo) => step).reverse();
}

test('a loop runs so many steps, saves every so many, and its last state is durable', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const seen: number[] = [];
  const step = (state: Walk, loop: { step: number }) => {
    seen.push(loop.step);
    advance(state);
  };
  const result = await snap.loop({ init, step, steps: 25, save: { steps: 10 } });
  assert.deepEqual(
    seen,
    Array.from({ length: 25 }, (_, index) => index),
  );
  assert.deepEqual(result.state, straight(25));
  assert.deepEqual([result.step, result.reason, result.saves, result.restarts], [25, 'done', 3, 0]);
  assert.deepEqual(await stepsOf(snap), [10, 20, 25]);
  assert.deepEqual(await snap.restore(), straight(25));
});

test('a loop that is started again goes on where it was; one that is done returns its state at once', async (t) => {
  const path = storePath(t);
  for (const steps of [7, 25, 25, 40]) {
    await using snap = await Snap.open(path);
    const { state, step, reason } = await snap.loop({ init, step: advance, steps, save: { steps: 10 } });
    assert.deepEqual([state, step, reason], [straight(steps), steps, 'done']);
  }
  await using snap = await Snap.open(path);
  const never = () => assert.fail('there is nothing to do');
  const { saves, restarts } = await snap.loop({ init: never, step: never, steps: 40, save: { steps: 10 } });
  assert.deepEqual([saves, restarts], [0, 3]);
  assert.deepEqual(await stepsOf(snap), [7, 10, 20, 25, 30, 40]);
});

test('as an async iterable, the body is the step', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const loop = snap.loop({ init, steps: 25, save: { steps: 10 } });
  const seen: number[] = [];
  for await (const { state, step } of loop) {
    seen.push(step);
    advance(state);
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 25 }, (_, index) => index),
  );
  assert.deepEqual(loop.result?.state, straight(25));
  assert.deepEqual(await stepsOf(snap), [10, 20, 25]);
  await assert.rejects(async () => {
    for await (const _ of loop) assert.fail('twice');
  }, /iterated already/);
});
