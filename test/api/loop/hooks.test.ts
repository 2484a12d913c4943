/** Hooks: when each is called, with what, and what becomes of a loop whose hook fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoopContext, type LoopHooks, type SaveTicket, Snap } from '../../../src/index.js';
import type { LoopTask } from '../programs/looper.js';
import { runProgram, storePath } from '../support.js';
import { advance, init, stepsOf, straight, type Walk } from './walk.js';

const HOOKS = ['beforeCapture', 'afterCapture', 'durable', 'resume', 'restart'] as const;

/** Hooks that note what is called and when; each takes a while where `ms` says so. */
function noting(ms = 0): { on: LoopHooks<Walk>; calls: string[] } {
  const calls: string[] = [];
  const note = (call: string) => {
    calls.push(call);
    return ms > 0 ? sleep(ms) : undefined;
  };
  const on: LoopHooks<Walk> = {
    beforeCapture: (state, { step }) => {
      assert.deepEqual(state, straight(step));
      return note(`before ${step}`) as Promise<void>;
    },
    afterCapture: ({ id }, { step }) => {
      assert.match(id, /^[0-9a-f]{32}$/);
      return note(`after ${step}`) as Promise<void>;
    },
    durable: ({ step }) => note(`durable ${step}`) as Promise<void>,
    resume: (state, { step }, info) => {
      assert.deepEqual([state, info.step], [straight(step), step]);
      return note(`resume ${step}`) as Promise<void>;
    },
    restart: (state, { step, restarts, resumed }, info) => {
      assert.deepEqual([state, info.step, resumed], [straight(step), step, true]);
      return note(`restart ${step}, ${restarts}`) as Promise<void>;
    },
  };
  return { on, calls };
}

for (const ms of [0, 5]) {
  test(`before capture, after capture, durable, in this order and that of the saves (${ms} ms each)`, async (t) => {
    await using snap = await Snap.open(storePath(t));
    const { on, calls } = noting(ms);
    const step = (state: Walk, loop: LoopContext) => {
      advance(state);
      calls.push(`step ${loop.step}`);
    };
    await snap.loop({ init, step, steps: 7, save: { steps: 3 }, on });
    const kept = calls.filter((call) => !call.startsWith('durable'));
    const steps = [0, 1, 2, 3, 4, 5, 6].map((n) => `step ${n}`);
    assert.deepEqual(kept, [
      ...steps.slice(0, 3),
      ...['before 3', 'after 3'],
      ...steps.slice(3, 6),
      ...['before 6', 'after 6'],
      ...steps.slice(6),
      ...['before 7', 'after 7'],
    ]);
    const durable = calls.filter((call) => call.startsWith('durable'));
    assert.deepEqual(durable, ['durable 3', 'durable 6', 'durable 7']);
    for (const n of [3, 6, 7]) assert.ok(calls.indexOf(`durable ${n}`) > calls.indexOf(`after ${n}`));
    assert.equal(calls.at(-1), 'durable 7', 'the loop ends after it');
  });
}

test('durable comes after afterCapture, however long that takes, and after the one before it', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const calls: string[] = [];
  const tickets: SaveTicket[] = [];
  const on: LoopHooks<Walk> = {
    afterCapture: async (ticket, { step }) => {
      tickets.push(ticket);
      if (step === 3) await ticket.durable.then(() => sleep(5));
      calls.push(`after ${step}`);
    },
    durable: async ({ step }) => {
      calls.push(`durable ${step}`);
      while (step === 3 && tickets.length < 2) await sleep(1);
      if (step === 3) await tickets[1]?.durable.then(() => sleep(5));
      calls.push(`durable ${step} done`);
    },
  };
  const step = async (state: Walk) => {
    advance(state);
    await sleep(1);
  };
  await snap.loop({ init, step, steps: 6, save: { steps: 3 }, on });
  const durable = [3, 6].flatMap((n) => [`durable ${n}`, `durable ${n} done`]);
  assert.deepEqual(
    calls.filter((call) => call !== 'after 6'),
    ['after 3', ...durable],
  );
});

test('what beforeCapture does to the state is saved', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const on = { beforeCapture: (state: { n: number; saved: number }) => void state.saved++ };
  const { state } = await snap.loop({
    init: () => ({ n: 0, saved: 0 }),
    step: (state) => void state.n++,
    steps: 7,
    save: { steps: 3 },
    on,
  });
  assert.deepEqual(state, { n: 7, saved: 3 });
  assert.deepEqual(await snap.restore(), state);
  assert.deepEqual(await snap.restore({ step: 3 }), { n: 3, saved: 1 });
});

test('restart in a new process, resume in the one that saved, neither where init made the state', async (t) => {
  const path = storePath(t);
  const task: LoopTask = { path, form: 'sync', steps: 10, stepMs: 0, save: { steps: 4 } };
  assert.equal((await runProgram('looper', [JSON.stringify(task)])).code, 0);
  const { on, calls } = noting(1);
  await using snap = await Snap.open(path);
  for (const steps of [12, 14]) await snap.loop({ init, step: advance, steps, save: { steps: 100 }, on });
  const begun = () => calls.splice(0).filter((call) => /^re/.test(call));
  assert.deepEqual(begun(), ['restart 10, 1', 'resume 12']);
});

test('resume after a rollback too, before the steps that are done again', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const { on, calls } = noting(1);
  let hasGoneBack = false;
  const step = (state: Walk, loop: LoopContext) => {
    calls.push(`step ${loop.step}`);
    advance(state);
    if (loop.step === 5 && !hasGoneBack) loop.rollback({ step: 4 });
    hasGoneBack ||= loop.step === 5;
  };
  await snap.loop({ init, step, steps: 6, save: { steps: 4 }, on });
  const before = ['step 0', 'step 1', 'step 2', 'step 3', 'before 4', 'after 4', 'step 4', 'step 5'];
  const again = ['resume 4', 'step 4', 'step 5', 'before 6', 'after 6'];
  assert.deepEqual(
    calls.filter((call) => !call.startsWith('durable')),
    [...before, ...again],
  );
});

test('restart is called before the end condition is asked', async (t) => {
  const path = storePath(t);
  const task: LoopTask = { path, form: 'sync', steps: 10, stepMs: 0, save: { steps: 4 } };
  await runProgram('looper', [JSON.stringify(task)]);
  await using snap = await Snap.open(path);
  let ready = false;
  const restart = async () => {
    await sleep(1);
    ready = true;
  };
  const until = (): boolean => {
    assert.ok(ready, 'what the hook builds may be needed');
    return true;
  };
  await snap.loop({ init, step: advance, until, on: { restart } });
});

for (const name of HOOKS) {
  for (const how of ['throws', 'rejects'] as const) {
    test(`${name} that ${how} ends the loop with its error; what was captured is durable`, async (t) => {
      const path = storePath(t);
      const failure = new Error('on purpose');
      await using snap = await Snap.open(path);
      const run = (on: LoopHooks<Walk>, steps: number) =>
        snap.loop({ init, step: async (state) => advance(state), steps, save: { steps: 4 }, on });
      await run({}, 2);
      let calls = 0;
      const hook = (): Promise<void> => {
        calls++;
        // The second time, so that something was saved before.
        if (calls < 2 && !name.startsWith('re')) return Promise.resolve();
        if (how === 'throws') throw failure;
        return Promise.reject(failure);
      };
      // In this process what is called is `resume`; a restart is what the loop takes it for.
      const on = { [name === 'restart' ? 'resume' : name]: hook };
      await assert.rejects(run(on, 100_000), failure);
      const steps = await stepsOf(snap);
      const least = {
        beforeCapture: [2, 4],
        afterCapture: [2, 4, 8],
        durable: [2, 4, 8],
        resume: [2],
        restart: [2],
      };
      assert.deepEqual(steps.slice(0, least[name].length), least[name]);
      if (name !== 'durable') assert.equal(steps.length, least[name].length);
      const goOn = await run({}, (steps.at(-1) as number) + 3);
      assert.deepEqual(goOn.state, straight(goOn.step));
    });
  }
}

test('a step that fails waits for the hooks of what was captured before', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const { on, calls } = noting(5);
  const step = (state: Walk, loop: LoopContext) => {
    advance(state);
    if (loop.step === 9) throw new Error('on purpose');
  };
  await assert.rejects(snap.loop({ init, step, steps: 20, save: { steps: 3 }, on }), /on purpose/);
  const durable = calls.filter((call) => call.startsWith('durable'));
  assert.deepEqual(durable, ['durable 3', 'durable 6', 'durable 9']);
});
