/**
 * A run that is interrupted any number of times, anywhere and in any way, ends as one that never was, bit for bit: loops
 * in processes that are killed, and loops in this process that are left in all the ways in which a loop can end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CadenceOptions, type LoopContext, Snap } from '../../../src/index.js';
import { budget, replayable, seeds } from '../../support/budget.js';
import { Random } from '../../support/random.js';
import type { LoopTask, Told } from '../programs/looper.js';
import { ended, startProgram, storePath } from '../support.js';
import { advance, init, straight, type Walk, withSnap } from './walk.js';

const CADENCES: CadenceOptions[] = [
  { steps: 1 },
  { steps: 7 },
  { seconds: 0.02 },
  { seconds: 0.005, overhead: 0.3 },
  { steps: 3, mtbf: 0.5 },
  { steps: 40, seconds: 0.03, overhead: 0.2, mtbf: '10s' },
];
const FORMS = ['sync', 'async', 'replacing', 'iterable'] as const;
const STEPS = 150;

/** Runs the task until `isOver` says to kill it, or to its end; returns the steps told to be durable. */
async function killed(task: LoopTask, isOver: (durable: number, step: number) => boolean) {
  const child = startProgram('looper', [JSON.stringify(task)]);
  const told = { begun: undefined as number | undefined, durable: [] as number[], step: 0 };
  child.on('message', (message: Told) => {
    if ('begun' in message) told.begun = message.begun;
    if ('durable' in message) told.durable.push(message.durable);
    if ('step' in message) told.step = message.step;
    if (isOver(told.durable.length, told.step)) child.kill('SIGKILL');
  });
  return { ...told, ...(await ended(child)) };
}

for (const seed of seeds(CADENCES.length)) {
  const random = new Random(seed);
  const save = CADENCES[(seed - 1) % CADENCES.length] as CadenceOptions;
  const form = random.pick(FORMS);
  test(`killed at any moment (seed ${seed}, ${form}, ${JSON.stringify(save)})`, (t) =>
    replayable(seed, JSON.stringify(save), async () => {
      const path = storePath(t);
      const task: LoopTask = { path, form, steps: STEPS, stepMs: 1, save };
      let durable = 0;
      for (let kill = random.between(1, 3); kill > 0; kill--) {
        const [saves, steps] = [random.below(6), random.below(60)];
        const from = durable;
        const life = await killed(task, (done, step) => done >= saves && step >= from + steps);
        if (life.begun !== undefined)
          assert.ok(life.begun >= durable, `begun at ${life.begun}, ${durable} was durable`);
        durable = Math.max(durable, ...life.durable);
        if (life.signal !== 'SIGKILL') break;
        if (durable === 0) continue;
        await withSnap(path, async (snap) => {
          const { step = -1 } = await snap.info();
          assert.ok(step >= durable);
          assert.deepEqual(await snap.restore(), straight(step));
          assert.equal((await snap.verify({ readData: true })).ok, true);
        });
      }
      const last = await killed(task, () => false);
      assert.equal(last.code, 0, last.stderr);
      await withSnap(path, async (snap) => {
        assert.deepEqual(await snap.restore(), straight(STEPS));
        assert.equal((await snap.info()).step, STEPS);
      });
    }));
}

/** How one loop ends. */
type Leaving = { at: number } & (
  | { by: 'throw' | 'stop' | 'break' | 'until' | 'rollback' | 'hook' | 'unsavable' }
  | { by: 'failing-init' }
);

const LEAVINGS: Leaving['by'][] = [
  'throw',
  'stop',
  'break',
  'until',
  'rollback',
  'hook',
  'unsavable',
  'failing-init',
];

const ON_PURPOSE = new Error('on purpose');

/** Runs the loop until it is left, or to its end. */
async function leave(snap: Snap, form: (typeof FORMS)[number], save: CadenceOptions, leaving: Leaving) {
  let rolledBack = false;
  const body = (state: Walk & { bad?: unknown }, loop: LoopContext) => {
    advance(state);
    if (loop.step !== leaving.at) return;
    if (leaving.by === 'throw') throw ON_PURPOSE;
    if (leaving.by === 'stop') loop.stop();
    if (leaving.by === 'unsavable') {
      state.bad = () => {};
      loop.save();
    }
    if (leaving.by === 'rollback' && !rolledBack && loop.resumed) {
      rolledBack = true;
      state.u.fill(Number.NaN);
      loop.rollback();
    }
  };
  const options = {
    init: () => {
      if (leaving.by === 'failing-init') throw ON_PURPOSE;
      return init();
    },
    steps: STEPS,
    until: (_: Walk, loop: LoopContext) => leaving.by === 'until' && loop.step === leaving.at,
    save,
    on: {
      beforeCapture: (_: Walk, loop: LoopContext) => {
        if (leaving.by === 'hook' && loop.step >= leaving.at) throw ON_PURPOSE;
      },
    },
  };
  try {
    if (form !== 'iterable') {
      const step = {
        sync: body,
        async: async (state: Walk, loop: LoopContext) => body(state, loop),
        replacing: (state: Walk, loop: LoopContext) => {
          const next = structuredClone(state);
          body(next, loop);
          return next;
        },
      }[form];
      await snap.loop({ ...options, step });
      return;
    }
    for await (const { state, loop } of snap.loop(options)) {
      body(state, loop);
      if (leaving.by === 'break' && loop.step === leaving.at) break;
    }
  } catch (error) {
    if (error !== ON_PURPOSE) assert.equal((error as { code?: string }).code, 'SNAP_UNSUPPORTED');
  }
}

test('left at any step, in any way, under any cadence', async (t) => {
  const path = storePath(t);
  const leaving = fc.record({
    by: fc.constantFrom(...LEAVINGS),
    at: fc.nat(STEPS - 1),
    form: fc.constantFrom(...FORMS),
    save: fc.constantFrom(...CADENCES),
    reopened: fc.boolean(),
  });
  let count = 0;
  const law = fc.asyncProperty(fc.array(leaving, { minLength: 1, maxLength: 5 }), async (lives) => {
    const run = `run-${++count}`;
    let snap = await Snap.open(path, { run });
    try {
      for (const { form, save, reopened, ...how } of lives) {
        await leave(snap, form, save, how);
        if (!reopened) continue;
        await snap.close();
        snap = await Snap.open(path, { run });
      }
      const { state, step } = await snap.loop({ init, step: advance, steps: STEPS });
      assert.equal(step, STEPS);
      assert.deepEqual(state, straight(STEPS));
      assert.deepEqual(await snap.restore(), straight(STEPS));
    } finally {
      await snap.close();
    }
  });
  await fc.assert(law, { numRuns: budget(10), endOnFailure: true });
});
