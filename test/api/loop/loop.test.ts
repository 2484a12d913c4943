/** The loop from outside: it resumes or initialises, runs the steps, saves by a cadence, and ends by a condition. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTERNALS } from '../../../src/api/options.js';
import { type LoopContext, Snap } from '../../../src/index.js';
import { collect, storePath } from '../support.js';
import { advance, FakeClock, init, stepsOf, straight, type Walk, warningsOf, withSnap } from './walk.js';

const never = () => assert.fail('there is nothing to do');
const numbers = (from: number, end: number) => Array.from({ length: end - from }, (_, index) => from + index);

test('a loop runs so many steps, saves every so many, and its last state is durable', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const seen: number[] = [];
  const result = await snap.loop({
    init,
    step: (state, loop) => {
      seen.push(loop.step);
      advance(state);
    },
    steps: 25,
    save: { steps: 10 },
  });
  assert.deepEqual(seen, numbers(0, 25));
  assert.deepEqual(result.state, straight(25));
  assert.deepEqual(
    [result.step, result.reason, result.signal, result.saves, result.restarts, result.last?.step],
    [25, 'done', undefined, 3, 0, 25],
  );
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
  const options = { init: never as () => Walk, step: never, save: { steps: 10 } };
  const { saves, restarts, state } = await snap.loop({ ...options, steps: 40 });
  assert.deepEqual([saves, restarts, state], [0, 3, straight(40)]);
  assert.equal((await snap.loop({ ...options, steps: 8 })).step, 40, 'no step is undone');
  assert.deepEqual(await stepsOf(snap), [7, 10, 20, 25, 30, 40]);
});

test('until is asked before each step, also before the first, with the number of steps done', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const asked: number[] = [];
  const run = (end: number) =>
    snap.loop({
      init,
      step: advance,
      until: (state, loop) => {
        assert.deepEqual(state, straight(loop.step));
        asked.push(loop.step);
        return loop.step >= end;
      },
      steps: 9,
    });
  assert.equal((await run(4)).reason, 'done');
  assert.deepEqual(asked.splice(0), [0, 1, 2, 3, 4]);
  assert.equal((await run(3)).step, 4);
  assert.deepEqual(asked.splice(0), [4]);
  assert.equal((await run(100)).step, 9, 'whichever comes first');
  assert.deepEqual(asked, [4, 5, 6, 7, 8]);
});

test('a loop without a step to do saves what init made', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const { saves, step } = await snap.loop({ init, step: never, steps: 0 });
  assert.deepEqual([saves, step], [1, 0]);
  assert.deepEqual(await snap.restore(), init());
});

test('init and steps may be asynchronous, and a step may return the next state instead of changing this one', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const { state } = await snap.loop({
    init: async () => init(),
    step: async (before, { step }) => {
      if (step % 3 === 0) await new Promise(setImmediate);
      const next = structuredClone(before);
      advance(next);
      return next;
    },
    steps: 25,
    save: { steps: 10 },
  });
  assert.deepEqual(state, straight(25));
  assert.deepEqual(await snap.restore({ step: 20 }), straight(20));
});

test('as an async iterable, the body is the step', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const loop = snap.loop({ init, steps: 25, save: { steps: 10 } });
  const seen: number[] = [];
  for await (const { state, step, loop: context } of loop) {
    assert.equal(context.step, step);
    seen.push(step);
    advance(state);
  }
  assert.deepEqual(seen, numbers(0, 25));
  assert.deepEqual([loop.result?.state, loop.result?.reason], [straight(25), 'done']);
  assert.deepEqual(await stepsOf(snap), [10, 20, 25]);
  await assert.rejects(async () => {
    for await (const _ of loop) assert.fail('twice');
  }, /iterated already/);
});

test('a body that leaves by break or an error saves nothing more; what was captured is durable', async (t) => {
  const path = storePath(t);
  const failure = new Error('on purpose');
  for (const [way, at, expected] of [
    ['break', 17, [10]],
    ['throw', 23, [10, 20]],
  ] as const) {
    await using snap = await Snap.open(path);
    const loop = snap.loop({ init, steps: 40, save: { steps: 10 } });
    const work = async () => {
      for await (const { state, step } of loop) {
        advance(state);
        if (step === at && way === 'break') break;
        if (step === at) throw failure;
      }
    };
    if (way === 'break') await work();
    else await assert.rejects(work(), failure);
    assert.equal(loop.result, undefined);
    assert.deepEqual(await stepsOf(snap), expected);
    assert.equal((await snap.loop({ init, step: never, until: () => true })).step, expected.at(-1));
  }
});

test('stop ends the loop after this step, which is saved, and a restart goes on', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const stopAt = (last: number) =>
    snap.loop({
      init,
      step: (state: Walk, loop) => {
        assert.equal(loop.signal.aborted, false);
        advance(state);
        if (loop.step !== last) return;
        loop.stop();
        assert.equal(loop.signal.aborted, true);
      },
      steps: 40,
      save: { steps: 10 },
    });
  const { step, reason, state } = await stopAt(12);
  assert.deepEqual([step, reason, state], [13, 'stopped', straight(13)]);
  assert.deepEqual(await stepsOf(snap), [10, 13]);
  // At the very step at which the cadence saves, too, there is one save.
  await stopAt(19);
  assert.deepEqual(await stepsOf(snap), [10, 13, 20]);
  assert.deepEqual((await stopAt(100)).state, straight(40));
});

test('a step asks for a save, with names for it', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const step = (state: Walk, loop: LoopContext) => {
    advance(state);
    if (loop.step === 4) loop.save();
    if (loop.step === 6) loop.save({ tag: 'best', tags: ['seventh'] });
    if (loop.step === 11) loop.save({ tag: 'best' });
  };
  await snap.loop({ init, step, steps: 12, save: { steps: 10 } });
  const infos = (await collect(snap.list())).reverse();
  assert.deepEqual(
    infos.map(({ step, tags }) => [step, tags]),
    [
      [5, []],
      [7, ['seventh']],
      [10, []],
      [12, ['best']],
    ],
  );
  assert.deepEqual(await snap.restore('best'), straight(12));
});

test('the error of a step is rethrown as it is, and the last good snapshot is what the run goes on from', async (t) => {
  const failure = new RangeError('the matrix is singular');
  for (const how of ['sync', 'async'] as const) {
    await using snap = await Snap.open(storePath(t));
    const fail = (state: Walk, { step }: { step: number }) => {
      advance(state);
      if (step !== 23) return;
      state.u.fill(Number.NaN);
      throw failure;
    };
    const step = how === 'sync' ? fail : async (state: Walk, loop: { step: number }) => fail(state, loop);
    await assert.rejects(snap.loop({ init, step, steps: 40, save: { steps: 10 } }), failure);
    assert.deepEqual(await stepsOf(snap), [10, 20]);
    const { state } = await snap.loop({ init: never as () => Walk, step: advance, steps: 40 });
    assert.deepEqual(state, straight(40));
  }
});

test('a state that cannot be saved any more at step 10,000 is told there and then, with the path', async (t) => {
  await using snap = await Snap.open(storePath(t));
  let done = 0;
  const step = (state: Walk & { log?: unknown }) => {
    advance(state);
    done++;
    if (done === 9_950) state.log = { onLine: () => {} };
  };
  const error = { code: 'SNAP_UNSUPPORTED', path: 'log.onLine' };
  await assert.rejects(snap.loop({ init, step, steps: 20_000, save: { steps: 2500 } }), error);
  assert.equal(done, 10_000);
  assert.deepEqual(await stepsOf(snap), [2500, 5000, 7500]);
});

test('a state that init makes and no save can hold is told before the first step', async (t) => {
  await using snap = await Snap.open(storePath(t));
  await assert.rejects(snap.loop({ init: () => ({ f: never }), step: never, steps: 3 }), {
    code: 'SNAP_UNSUPPORTED',
    path: 'f',
  });
});

test('one loop at a time on a Snap; runs of their own side by side', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path);
  const first = snap.loop({ init, step: async (state) => advance(state), steps: 30 });
  await assert.rejects(snap.loop({ init, step: advance, steps: 3 }), /runs a loop already/);
  await assert.rejects(async () => {
    for await (const _ of snap.loop({ init, steps: 3 })) assert.fail('two at a time');
  }, /runs a loop already/);
  await using other = await Snap.open(path, { run: 'other' });
  const [a, b] = await Promise.all([first, other.loop({ init, step: advance, steps: 20 })]);
  assert.deepEqual([a.state, b.state], [straight(30), straight(20)]);
  assert.equal((await snap.loop({ init, step: advance, steps: 31 })).step, 31, 'free again');
});

test('when done, what loops saved before is forgotten, except what has a name or was saved by hand', async (t) => {
  const path = storePath(t);
  await withSnap(path, async (snap) => {
    await snap.save(init(), { step: 0 });
    const step = (state: Walk, loop: LoopContext) => {
      advance(state);
      if (loop.step === 14) loop.save({ tag: 'kept' });
    };
    await snap.loop({ init, step, steps: 25, save: { steps: 10 } });
    await snap.loop({ init, step, steps: 30, whenDone: 'keep' });
    const other = await Snap.open(path, { run: 'other' });
    await other.loop({ init, step: advance, steps: 20, save: { steps: 10 } });
    await other.close();
  });
  await using snap = await Snap.open(path);
  const stopped = (state: Walk, loop: { stop(): void }) => {
    advance(state);
    loop.stop();
  };
  await snap.loop({ init, step: stopped, steps: 40, save: { steps: 10 }, whenDone: 'last' });
  assert.deepEqual(await stepsOf(snap), [0, 10, 15, 20, 25, 30, 31], 'it is not done yet');
  for (let round = 0; round < 2; round++) {
    await snap.loop({ init, step: advance, steps: 40, whenDone: 'last' });
    assert.deepEqual(await stepsOf(snap), [0, 15, 40]);
  }
  assert.equal((await collect(snap.list({ run: 'other' }))).length, 2);
  assert.deepEqual(await snap.restore(), straight(40));
});

test('what a snapshot says of its loop', async (t) => {
  const path = storePath(t);
  await withSnap(path, (snap) => snap.loop({ init, step: advance, steps: 10, save: { steps: 4 } }));
  await withSnap(path, (snap) => snap.loop({ init, step: advance, steps: 16, save: { steps: 4 } }));
  await using snap = await Snap.open(path);
  const metas = (await collect(snap.list())).reverse().map(({ meta }) => (meta as { loop: object }).loop);
  const common = { cadence: { steps: 4, reason: 'every 4 steps' } };
  const process = (metas[0] as { process: string }).process;
  assert.match(process, /^[0-9a-f]{16}$/);
  assert.deepEqual(
    metas.map((meta) => ({ ...meta, elapsedMs: 0 })),
    [
      { elapsedMs: 0, restarts: 0, done: false, process, ...common },
      { elapsedMs: 0, restarts: 0, done: false, process, ...common },
      { elapsedMs: 0, restarts: 0, done: true, process, ...common },
      { elapsedMs: 0, restarts: 1, done: false, process, ...common },
      { elapsedMs: 0, restarts: 1, done: true, process, ...common },
    ],
  );
});

test('a run that was saved by hand goes on at its step; without one the loop cannot tell and says so', async (t) => {
  await using snap = await Snap.open(storePath(t));
  await snap.save(straight(6), { step: 6 });
  const { state, restarts } = await snap.loop({ init: never as () => Walk, step: advance, steps: 10 });
  assert.deepEqual([state, restarts], [straight(10), 1]);
  await snap.save(straight(6));
  await assert.rejects(snap.loop({ init, step: never, steps: 20 }), /has no step.*save it with { step }/);
  assert.equal((await snap.restore<Walk>()).x, straight(6).x, 'the Snap is free');
});

test('rollback goes on from a snapshot instead: steps, state and end condition are as they were there', async (t) => {
  for (const form of ['step', 'iterable'] as const) {
    await using snap = await Snap.open(storePath(t));
    const seen: number[] = [];
    let spoilt = false;
    const body = (state: Walk, loop: LoopContext) => {
      seen.push(loop.step);
      advance(state);
      if (loop.step !== 25 || spoilt) return;
      spoilt = true;
      state.u.fill(Number.NaN);
      loop.save({ tag: 'spoilt' });
      loop.rollback({ step: 10 });
    };
    const options = { init, steps: 30, save: { steps: 10 } };
    if (form === 'step') await snap.loop({ ...options, step: body });
    else for await (const { state, loop } of snap.loop(options)) body(state, loop);
    assert.deepEqual(seen, [...numbers(0, 26), ...numbers(10, 30)]);
    assert.deepEqual(await stepsOf(snap), [10, 20, 20, 30]);
    assert.deepEqual(await snap.restore(), straight(30));
    assert.equal((await snap.tags()).size, 0, 'what was spoilt is not saved');
    assert.equal((await snap.info()).parent, (await collect(snap.list()))[1]?.id);
  }
});

test('a loop that ends right after a rollback saves, so that a restart goes on from there', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const step = (state: Walk, loop: LoopContext) => {
    advance(state);
    if (loop.step !== 25) return;
    loop.rollback({ step: 10 });
    loop.stop();
  };
  assert.equal((await snap.loop({ init, step, steps: 30, save: { steps: 10 } })).step, 10);
  assert.deepEqual(await stepsOf(snap), [10, 20, 10]);
  assert.equal((await snap.loop({ init, step: never, until: () => true })).step, 10);
  await assert.rejects(snap.loop({ init, step: (_, loop) => loop.rollback({ step: 77 }), steps: 30 }), {
    code: 'SNAP_NOT_FOUND',
  });
});

test('a WebAssembly.Memory is restored into the one that init makes', async (t) => {
  const path = storePath(t);
  // Node's types leave WebAssembly to those of browsers.
  const { Memory } = (
    globalThis as unknown as {
      WebAssembly: { Memory: new (pages: { initial: number }) => { buffer: ArrayBuffer } };
    }
  ).WebAssembly;
  const create = () => ({ memory: new Memory({ initial: 1 }), n: 0 });
  const step = (state: ReturnType<typeof create>) => {
    state.n++;
    new Float64Array(state.memory.buffer)[state.n % 100] = Math.sin(state.n);
  };
  const plain = create();
  for (let n = 0; n < 250; n++) step(plain);
  for (const steps of [120, 250]) {
    await using snap = await Snap.open(path);
    const made: object[] = [];
    const init = () => {
      made.push(create());
      return made[0] as ReturnType<typeof create>;
    };
    const { state } = await snap.loop({ init, step, steps, into: true, save: { steps: 50 } });
    assert.equal(state, made[0]);
    if (steps < 250) continue;
    assert.equal(state.n, 250);
    assert.deepEqual(Buffer.from(state.memory.buffer), Buffer.from(plain.memory.buffer));
  }
});

test('a program that changed since the snapshot is told once, with both versions', async (t) => {
  const path = storePath(t);
  const warnings = warningsOf(t);
  const run = async (program: { name: string; version: string }, steps: number) => {
    await using snap = await Snap.open(path, { program });
    await snap.loop({ init, step: advance, steps, save: { steps: 1 } });
    await new Promise(setImmediate);
    return warnings.splice(0);
  };
  assert.deepEqual(await run({ name: 'heat', version: '1.0.0' }, 3), []);
  assert.deepEqual(await run({ name: 'heat', version: '1.0.0' }, 6), []);
  const [told = '', ...more] = await run({ name: 'heat', version: '1.1.0' }, 9);
  assert.match(told, /^SNAP_PROGRAM: .*heat 1\.0\.0.*heat 1\.1\.0/);
  assert.deepEqual(more, []);
  assert.match((await run({ name: 'cold', version: '1.1.0' }, 12)).join(), /heat 1\.1\.0.*cold 1\.1\.0/);
});

test('a step that computes without changing the state, as one that forgets to return, is warned of once', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const warnings = warningsOf(t);
  const forgets = (state: Walk) => {
    const next = structuredClone(state);
    advance(next);
  };
  await snap.loop({ init, step: forgets, steps: 50, save: { steps: 10 } });
  await new Promise(setImmediate);
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0] ?? '', /^SNAP_UNCHANGED: .*after step 20 as after step 10.*return/);
});

test('a Snap that skips saves while its slots are taken skips those of the cadence, and none that is asked for', async (t) => {
  await using snap = await Snap.open(storePath(t), { onBusy: 'skip' });
  const clock = new FakeClock();
  const own = { noise: Float64Array.from({ length: 2_000_000 }, (_, i) => Math.sin(i * i)) };
  const skipped: boolean[] = [];
  const step = (state: Walk, loop: LoopContext) => {
    advance(state);
    // Both slots are taken then, and no message of the writer thread is heard: the clock stands still.
    if (loop.step < 2) for (let save = 0; save < 2; save++) void snap.save(own, { step: 100 });
    if (loop.step === 1) loop.save();
  };
  const on = { afterCapture: ({ skipped: is }: { skipped: boolean }) => void skipped.push(is) };
  await snap.loop({ init, step, steps: 3, save: { steps: 1 }, on, [INTERNALS]: clock.internals });
  assert.deepEqual(
    (await stepsOf(snap)).filter((step) => step !== 100),
    [2, 3],
  );
  assert.deepEqual(skipped, [false, false]);
});

test('no listener of signals is left behind', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const count = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
  const before = count();
  let during = 0;
  const look = (state: Walk) => {
    during = count();
    advance(state);
  };
  await snap.loop({ init, step: look, steps: 3 });
  assert.equal(during, before + 2);
  await snap.loop({ init, step: () => assert.fail('x'), steps: 6 }).catch(() => {});
  for await (const { state } of snap.loop({ init, steps: 6 })) {
    look(state);
    break;
  }
  assert.equal(during, before + 2);
  assert.equal(count(), before);
});
