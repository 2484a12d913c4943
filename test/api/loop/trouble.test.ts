/** A loop and its options when something is wrong: told at once and clearly, or lived with, and never a wrong state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoopOptions, Snap } from '../../../src/index.js';
import { faulty, setFault, storePath } from '../support.js';
import { advance, init, stepsOf, straight, type Walk, warningsOf } from './walk.js';

const nothing = () => {};

/** Options, and what is said of them. */
const MISTAKES: [string, unknown, RegExp][] = [
  ['no options', undefined, /loop takes an object, as in { init, step, steps }/],
  ['no init', { step: nothing }, /loop takes init, a function/],
  ['a state for init', { init: { n: 1 }, step: nothing }, /loop takes init, a function/],
  ['a step that is none', { init, step: 'advance' }, /step takes a function, not string/],
  ['an unknown option', { init, step: nothing, setps: 10 }, /loop has no option setps; there are: .*steps/],
  ['steps below 0', { init, step: nothing, steps: -1 }, /steps is -1; it takes how many/],
  ['steps that are no number', { init, step: nothing, steps: '10' }, /steps is 10; it takes how many/],
  ['half a step', { init, step: nothing, steps: 0.5 }, /steps is 0.5/],
  ['until that is none', { init, step: nothing, until: true }, /until takes a function, not boolean/],
  [
    'save as a number',
    { init, step: nothing, save: 100 },
    /save of loop takes an object, as in { steps: 1000 }/,
  ],
  ['an empty cadence', { init, step: nothing, save: {} }, /save is empty; say when to save/],
  [
    'every 0 steps',
    { init, step: nothing, save: { steps: 0 } },
    /save.steps is 0; it takes a whole number above 0/,
  ],
  ['every -5 steps', { init, step: nothing, save: { steps: -5 } }, /save.steps is -5/],
  ['every NaN steps', { init, step: nothing, save: { steps: Number.NaN } }, /save.steps is NaN/],
  ['every 1.5 steps', { init, step: nothing, save: { steps: 1.5 } }, /save.steps is 1.5/],
  [
    'every 0 seconds',
    { init, step: nothing, save: { seconds: 0 } },
    /save.seconds is 0; it takes seconds above 0/,
  ],
  ['every 0s', { init, step: nothing, save: { seconds: '0s' } }, /save.seconds is 0s/],
  ['never', { init, step: nothing, save: { seconds: Number.POSITIVE_INFINITY } }, /save.seconds is Infinity/],
  [
    'a duration without a unit',
    { init, step: nothing, save: { seconds: '10' } },
    /"10": a duration is a number and one of s, m/,
  ],
  [
    'seconds that are no number',
    { init, step: nothing, save: { seconds: {} } },
    /save.seconds is \[object Object\]/,
  ],
  ['an unknown cadence', { init, step: nothing, save: { minutes: 1 } }, /save of loop has no option minutes/],
  ['no overhead', { init, step: nothing, save: { overhead: 0 } }, /save.overhead is 0; .* as in 0.01/],
  ['overhead in percent', { init, step: nothing, save: { overhead: 5 } }, /save.overhead is 5; .*share/],
  ['all the time', { init, step: nothing, save: { overhead: 1 } }, /save.overhead is 1;/],
  ['an mtbf of 0', { init, step: nothing, save: { mtbf: 0 } }, /save.mtbf is 0/],
  [
    'a signal that is none',
    { init, step: nothing, signals: { stop: ['SIGTREM'] } },
    /signals.stop names "SIGTREM"/,
  ],
  [
    'a signal that nobody hears',
    { init, step: nothing, signals: { save: ['SIGKILL'] } },
    /signals.save names "SIGKILL"/,
  ],
  [
    'a signal without a list',
    { init, step: nothing, signals: { save: 'SIGUSR2' } },
    /signals.save takes a list/,
  ],
  [
    'a signal for both',
    { init, step: nothing, signals: { save: ['SIGINT'] } },
    /SIGINT is named both in signals.stop and in signals.save/,
  ],
  ['a grace of 0', { init, step: nothing, signals: { grace: 0 } }, /signals.grace is 0/],
  ['a grace of a month', { init, step: nothing, signals: { grace: '30d' } }, /longer than 24 days/],
  [
    'an unknown option of signals',
    { init, step: nothing, signals: { graceMs: 5 } },
    /signals of loop has no option graceMs/,
  ],
  [
    'an unknown hook',
    { init, step: nothing, on: { save: nothing } },
    /on of loop has no option save; there are: beforeCapture/,
  ],
  [
    'a hook that is none',
    { init, step: nothing, on: { durable: 1 } },
    /on.durable takes a function, not number/,
  ],
  [
    'whenDone as it is not',
    { init, step: nothing, whenDone: 'forget' },
    /whenDone is "forget"; it takes "keep" or "last"/,
  ],
  ['into that is no boolean', { init, step: nothing, into: {} }, /into takes true or false/],
];

test('mistakes in the options are told before anything is done, in both forms', async (t) => {
  await using snap = await Snap.open(storePath(t));
  for (const [what, options, message] of MISTAKES) {
    const error = (thrown: unknown) =>
      (thrown instanceof TypeError || thrown instanceof RangeError) && message.test(thrown.message);
    const run = async () => snap.loop(options as LoopOptions<object> & { step: () => void });
    await assert.rejects(run, error, what);
    if (options === undefined || (options as { step: unknown }).step !== nothing) continue;
    const iterated = () => snap.loop({ ...(options as LoopOptions<object>), step: undefined });
    assert.throws(iterated, error, what);
  }
  assert.deepEqual(await stepsOf(snap), []);
});

/** What a step returns by mistake, and what is said of it. */
const RETURNS: [string, (state: Walk) => unknown, RegExp][] = [
  ['a number', (state) => state.x++, /step 3 returned a number where the state is a plain object/],
  ['a string', () => 'done', /returned a string/],
  ['null', () => null, /returned null/],
  ['false', () => false, /returned a boolean/],
  ['a Map', (state) => state.seen.set('a', 1), /returned of kind Map where/],
  ['a typed array', (state) => state.u.fill(1), /returned of kind Float64Array where/],
  ['an array', () => [1], /returned of kind Array where/],
  ['a function', () => nothing, /returned a function/],
];

test('a step that returns what is no next state is told so at once; what was saved before stands', async (t) => {
  const path = storePath(t);
  for (const [index, [what, wrong, message]] of RETURNS.entries()) {
    for (const how of ['sync', 'async'] as const) {
      await using snap = await Snap.open(path, { run: `${index}-${how}` });
      const step = (state: Walk, loop: { step: number }) => {
        advance(state);
        return loop.step === 3 ? wrong(state) : undefined;
      };
      const late = async (state: Walk, loop: { step: number }) => step(state, loop);
      const loop = snap.loop({
        init,
        step: (how === 'sync' ? step : late) as () => void,
        steps: 9,
        save: { steps: 2 },
      });
      await assert.rejects(loop, (error) => error instanceof TypeError && message.test(error.message), what);
      assert.deepEqual(await stepsOf(snap), [2]);
    }
  }
});

test('a part of the state is no next state', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const step = ((state: { solver: object }) => state.solver) as unknown as () => void;
  await assert.rejects(
    snap.loop({ init: () => ({ solver: { x: 1 } }), step, steps: 3 }),
    /returned a part of the state/,
  );
});

test('a state may be of any kind of object, and stays of that kind', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const step = (u: Float64Array) => u.map((value, index) => value + index);
  const { state } = await snap.loop({ init: () => new Float64Array(3), step, steps: 5, save: { steps: 2 } });
  assert.deepEqual(state, Float64Array.of(0, 5, 10));
  for (const wrong of [5, undefined, null, 'state']) {
    await using other = await Snap.open(storePath(t));
    await assert.rejects(
      other.loop({ init: (() => wrong) as unknown as () => object, step: nothing, steps: 5 }),
      /init returned .*; the state of a loop is an object/,
    );
  }
});

test('until answers at once', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const until = (async () => false) as unknown as () => boolean;
  await assert.rejects(snap.loop({ init, step: advance, until }), /until returned an object/);
  const failure = new Error('on purpose');
  const failing = (_: Walk, { step }: { step: number }): boolean => {
    if (step === 5) throw failure;
    return false;
  };
  await assert.rejects(snap.loop({ init, step: advance, until: failing, save: { steps: 2 } }), failure);
  assert.deepEqual(await stepsOf(snap), [2, 4]);
  const iterable = snap.loop({ init, until: failing, save: { steps: 2 } });
  await assert.rejects(async () => {
    for await (const { state } of iterable) advance(state);
  }, failure);
});

test('a loop without a step that is awaited instead of iterated is told so', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const loop = async () => snap.loop({ init, steps: 3 });
  await assert.rejects(loop, /this loop has no step: give it one, or iterate it/);
  for await (const { state } of snap.loop({ init, steps: 3 })) advance(state);
  assert.deepEqual(await snap.restore(), straight(3));
});

test('a Snap that is closed before its loop has ended: the loop says so at its next save', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path);
  const step = async (state: Walk, loop: { step: number }) => {
    advance(state);
    if (loop.step === 15) await snap.close();
  };
  const closed = { code: 'SNAP_CLOSED', message: /closed while its loop ran; await the loop/ };
  await assert.rejects(snap.loop({ init, step, steps: 30, save: { steps: 10 } }), closed);
  await assert.rejects(snap.restore(), { code: 'SNAP_CLOSED', message: /open the store again/ });
  await using again = await Snap.open(path);
  assert.deepEqual(await again.restore(), straight(10));
});

test('a store that others own, or that is only read, runs no loop', async (t) => {
  const path = storePath(t);
  await using owner = await Snap.open(path);
  await owner.loop({ init, step: advance, steps: 3 });
  await using reader = await Snap.open(path, { readOnly: true });
  await assert.rejects(reader.loop({ init, step: advance, steps: 3 }), /readOnly/);
  const closed = await Snap.open(path, { run: 'other' });
  await closed.close();
  await assert.rejects(closed.loop({ init, step: advance, steps: 3 }), { code: 'SNAP_CLOSED' });
});

for (const code of ['ENOSPC', 'EIO'] as const) {
  test(`${code} while a save is written: a warning, the loop goes on, and later saves are whole`, async (t) => {
    const path = storePath(t);
    const warnings = warningsOf(t);
    const { state, saves } = await (async () => {
      await using snap = await Snap.open(path, faulty());
      const step = async (state: Walk, loop: { step: number }) => {
        if (loop.step === 9) setFault(path, { call: 'write', code, times: 1 });
        // One save at a time; what fails is not told here, since the loop hears of it.
        await snap.flush();
        advance(state);
      };
      return await snap.loop({ init, step, steps: 35, save: { steps: 10 } });
    })();
    await new Promise(setImmediate);
    assert.deepEqual([state, saves], [straight(35), 4]);
    assert.equal(warnings.length, 1, warnings.join('\n'));
    assert.match(warnings[0] ?? '', /^SNAP_UNSAVED: .*step 10 could not be saved: .*the loop goes on/);
    await using snap = await Snap.open(path);
    assert.deepEqual(await stepsOf(snap), [20, 30, 35]);
    for (const step of [20, 30, 35]) assert.deepEqual(await snap.restore({ step }), straight(step));
  });

  test(`${code} while the last save is written: the loop rejects, and the run goes on from what was saved`, async (t) => {
    const path = storePath(t);
    await using snap = await Snap.open(path, faulty());
    const step = async (state: Walk, loop: { step: number }) => {
      await snap.flush();
      if (loop.step === 34) setFault(path, { call: 'write', code, times: 1 });
      advance(state);
    };
    const run = (steps: number) => snap.loop({ init, step, steps, save: { steps: 10 } });
    await assert.rejects(run(35), { code: code === 'ENOSPC' ? 'SNAP_NO_SPACE' : 'SNAP_IO' });
    setFault(path);
    assert.deepEqual(await stepsOf(snap), [10, 20, 30]);
    assert.deepEqual((await run(34)).state, straight(34));
  });
}

test('a writer thread that dies ends the loop with what happened', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path, faulty());
  const step = (state: Walk, loop: { step: number }) => {
    if (loop.step === 15) setFault(path, { call: 'write', code: 'DIE', times: 1 });
    advance(state);
  };
  await assert.rejects(snap.loop({ init, step, save: { steps: 10 } }), { code: 'SNAP_BROKEN' });
  await snap.close();
  setFault(path);
  await using again = await Snap.open(path);
  assert.deepEqual((await again.loop({ init, step: advance, steps: 40 })).state, straight(40));
});
