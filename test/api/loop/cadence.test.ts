/** When a loop saves: by steps, by a clock, by what saves cost, by failures; exact, since the clock here is told its time. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { test } from 'node:test';
import fc from 'fast-check';
import { Cadence } from '../../../src/api/loop/cadence.js';
import { checkLoopOptions } from '../../../src/api/loop/check-options.js';
import { SaveCost } from '../../../src/api/loop/cost.js';
import { bestIntervalMs } from '../../../src/api/loop/young-daly.js';
import { INTERNALS } from '../../../src/api/options.js';
import { type CadenceOptions, type LoopContext, type LoopMessage, Snap } from '../../../src/index.js';
import { budget } from '../../support/budget.js';
import { collect, storePath } from '../support.js';
import { advance, FakeClock, init, stepsOf, type Walk } from './walk.js';

const checked = (save: CadenceOptions) => checkLoopOptions({ init: () => ({}), save }).save;

/** Steps at which a cadence is due, where each step takes so long, and saves cost nothing that is measured. */
function dueSteps(save: CadenceOptions, count: number, stepMs: (step: number) => number, from = 0): number[] {
  const cadence = new Cadence(checked(save), new SaveCost());
  let now = 5000;
  cadence.begin(from, now);
  const due: number[] = [];
  for (let step = from + 1; step <= from + count; step++) {
    now += stepMs(step);
    if (!cadence.isDue(step, now)) continue;
    due.push(step);
    cadence.saved(now);
  }
  return due;
}

test('every N steps: at the multiples of N, wherever the loop began', () => {
  assert.deepEqual(
    dueSteps({ steps: 10 }, 35, () => 1),
    [10, 20, 30],
  );
  assert.deepEqual(
    dueSteps({ steps: 10 }, 20, () => 1, 17),
    [20, 30],
  );
  assert.deepEqual(
    dueSteps({ steps: 10 }, 20, () => 1, 20),
    [30, 40],
  );
  assert.deepEqual(
    dueSteps({ steps: 1 }, 4, () => 1),
    [1, 2, 3, 4],
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(200), fc.nat(200), (steps, first, more) => {
      const whole = dueSteps({ steps }, first + more, () => 1);
      const parts = [...dueSteps({ steps }, first, () => 1), ...dueSteps({ steps }, more, () => 1, first)];
      assert.deepEqual(parts, whole);
    }),
  );
});

test('every T seconds: at the first step after so long since the last save', () => {
  assert.deepEqual(
    dueSteps({ seconds: 1 }, 35, () => 100),
    [10, 20, 30],
  );
  assert.deepEqual(
    dueSteps({ seconds: 1 }, 9, () => 300),
    [4, 8],
  );
  assert.deepEqual(
    dueSteps({ seconds: '2m' }, 5, () => 60_000),
    [2, 4],
  );
  assert.deepEqual(
    dueSteps({ seconds: 1 }, 3, () => 5000),
    [1, 2, 3],
    'steps that take longer are each saved',
  );
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 60 }), (durations) => {
      const expected: number[] = [];
      let since = 0;
      for (const [index, ms] of durations.entries()) {
        since += ms;
        if (since < 1000) continue;
        expected.push(index + 1);
        since = 0;
      }
      const due = dueSteps({ seconds: 1 }, durations.length, (step) => durations[step - 1] as number);
      assert.deepEqual(due, expected);
    }),
  );
});

test('steps and seconds: whichever comes first', () => {
  assert.deepEqual(
    dueSteps({ steps: 10, seconds: 1 }, 30, () => 50),
    [10, 20, 30],
  );
  assert.deepEqual(
    dueSteps({ steps: 10, seconds: 1 }, 22, (step) => (step === 13 ? 990 : 50)),
    [10, 13, 20],
  );
});

/** A cost that is measured: a save holds the loop for so long, and makes steps slower. */
function costOf(stallMs: number, interferenceMs: number): SaveCost {
  const cost = new SaveCost();
  cost.begin(0, 0);
  cost.capturing(100, 1000);
  cost.captured(100, 1000 + stallMs, false);
  cost.written(1, 110, 1000 + stallMs + 100 + interferenceMs);
  return cost;
}

test('what a save costs: the stall, and what steps beside it took longer than others', () => {
  const cost = costOf(7, 30);
  assert.deepEqual([cost.stallMs, cost.interferenceMs, cost.totalMs, cost.lostMs], [7, 30, 37, 37]);
  assert.equal(costOf(7, -30).interferenceMs, 0, 'steps that happen to be faster cost nothing');
});

test('the cost of saves that overlap is shared among them, and what is measured last counts most', () => {
  const cost = new SaveCost();
  cost.begin(0, 0);
  cost.capturing(100, 1000);
  cost.captured(100, 1010, false);
  assert.equal(cost.isKnown, false);
  // 20 steps in 300 ms, a capture of 10 ms, and 10 steps in 200 ms: 200 ms more than 30 steps take.
  cost.capturing(120, 1310);
  cost.captured(120, 1320, false);
  cost.written(1, 125, 1420);
  assert.equal(cost.isKnown, false, 'one of them is still being written');
  cost.written(1, 130, 1520);
  assert.equal(cost.isKnown, true);
  assert.deepEqual([cost.stallMs, cost.interferenceMs], [10, 100]);
  let now = 1520;
  for (let step = 130; step < 1130; step += 100) {
    cost.capturing(step + 100, now + 1000);
    now += 1050;
    cost.captured(step + 100, now, false);
    cost.written(1, step + 100, now);
  }
  assert.ok(cost.stallMs > 48 && cost.stallMs < 50, `${cost.stallMs}`);
  assert.ok(cost.interferenceMs < 6, `${cost.interferenceMs}`);
});

test('a save that was skipped costs nothing', () => {
  const cost = new SaveCost();
  cost.begin(0, 0);
  cost.capturing(100, 1000);
  cost.captured(100, 1001, true);
  assert.deepEqual([cost.isKnown, cost.totalMs], [false, 0]);
});

/** Steps until the first and the second save, of 100 ms each, with a save that is measured before and one that is not. */
function gaps(save: CadenceOptions, cost: { stallMs: number; interferenceMs: number }): number[] {
  const measured = new SaveCost();
  const cadence = new Cadence(checked(save), measured);
  let now = 0;
  let last = 0;
  const found: number[] = [];
  measured.begin(0, now);
  cadence.begin(0, now);
  for (let step = 1; found.length < 4 && step < 100_000; step++) {
    now += 100;
    if (!cadence.isDue(step, now)) continue;
    found.push(step - last);
    last = step;
    measured.capturing(step, now);
    now += cost.stallMs;
    measured.captured(step, now, false);
    cadence.saved(now - cost.stallMs);
    // It is written while the next step runs, and that one takes longer.
    now += 100 + cost.interferenceMs;
    step++;
    measured.written(1, step, now);
    cadence.adapt();
  }
  return found;
}

test('overhead: the time between captures is what a save costs, divided by the share it may take', () => {
  // 20 ms of 2 s; the captures themselves and the slower steps are part of the time.
  assert.deepEqual(gaps({ overhead: 0.01 }, { stallMs: 5, interferenceMs: 15 }), [10, 20, 20, 20]);
  assert.deepEqual(gaps({ overhead: 0.1 }, { stallMs: 200, interferenceMs: 800 }), [10, 90, 90, 90]);
  assert.deepEqual(
    gaps({ overhead: 0.5 }, { stallMs: 0, interferenceMs: 0 }),
    [10, 10, 10, 10],
    'a second at least',
  );
});

test('mtbf: the best interval by Young and Daly for what a save costs', () => {
  const best = bestIntervalMs(100, 3_600_000) + 100;
  const [first, ...others] = gaps({ mtbf: '1h' }, { stallMs: 40, interferenceMs: 60 });
  assert.equal(first, 10);
  for (const steps of others) assert.ok(Math.abs(steps * 100 - best) <= 200, `${steps} steps, ${best} ms`);
  const both = gaps({ mtbf: '1h', overhead: 0.002 }, { stallMs: 40, interferenceMs: 60 });
  assert.deepEqual(both.slice(1), [499, 499, 499], 'the longer one');
});

test('beside steps and seconds, overhead and mtbf only hold back', () => {
  const cheap = { stallMs: 1, interferenceMs: 4 };
  const dear = { stallMs: 10, interferenceMs: 40 };
  assert.deepEqual(gaps({ seconds: 2, overhead: 0.01 }, cheap), [20, 20, 20, 20]);
  assert.deepEqual(gaps({ seconds: 2, overhead: 0.01 }, dear), [20, 50, 50, 50]);
  assert.deepEqual(gaps({ steps: 20, overhead: 0.01 }, cheap), [20, 20, 20, 20]);
  assert.deepEqual(gaps({ steps: 20, overhead: 0.01 }, dear), [20, 60, 60, 60], 'still at multiples');
  assert.deepEqual(gaps({ steps: 20, mtbf: '1d' }, dear).slice(0, 1), [20]);
  assert.deepEqual(gaps({ seconds: 2, steps: 30, overhead: 0.01 }, dear), [20, 50, 50, 50]);
});

test('Young and Daly: the interval is where the time lost is least', () => {
  // Daly's model of the whole time, per unit of computing: saving, and computing again what failures took.
  const lost = (interval: number, cost: number, mtbf: number) =>
    (mtbf * Math.expm1((interval + cost) / mtbf)) / interval;
  const least = (cost: number, mtbf: number) => {
    let [low, high] = [cost / 100, 20 * mtbf];
    for (let round = 0; round < 200; round++) {
      const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
      if (lost(a, cost, mtbf) < lost(b, cost, mtbf)) high = b;
      else low = a;
    }
    return (low + high) / 2;
  };
  fc.assert(
    fc.property(
      fc.double({ min: 1e-7, max: 0.3, noNaN: true }),
      fc.integer({ min: 1000, max: 1e9 }),
      (share, mtbf) => {
        const cost = share * mtbf;
        const ratio = bestIntervalMs(cost, mtbf) / least(cost, mtbf);
        assert.ok(Math.abs(ratio - 1) < 0.02, `${ratio}`);
      },
    ),
  );
  // A save of 1 s and a failure a day: Young's sqrt(2 C M), 416 s, is nearly all of it.
  assert.ok(Math.abs(bestIntervalMs(1000, 86_400_000) - 415_400) < 400);
  assert.equal(bestIntervalMs(3000, 1000), 1000, 'a save that takes longer than the time between failures');
});

const REASONS: [CadenceOptions, SaveCost, string][] = [
  [{ steps: 100 }, new SaveCost(), 'every 100 steps'],
  [{ seconds: 90 }, new SaveCost(), 'every 90s'],
  [{ steps: 100, seconds: '10m' }, new SaveCost(), 'every 100 steps or 10m, whichever comes first'],
  [
    { overhead: 0.01 },
    new SaveCost(),
    'every 1s; at most 1 % of the time, once it is known what a save costs',
  ],
  [
    { overhead: 0.005 },
    costOf(10, 32),
    'every 8.4 s; a save costs 42 ms (stall 10 ms, interference 32 ms): at most 0.5 % of the time',
  ],
  [
    { seconds: 60, overhead: 0.01 },
    costOf(10, 32),
    'every 1m; a save costs 42 ms (stall 10 ms, interference 32 ms): at most 1 % of the time',
  ],
  [
    { seconds: 60, overhead: 0.01 },
    costOf(200, 1000),
    'every 1m, but 2 min apart; a save costs 1200 ms (stall 200 ms, interference 1000 ms): at most 1 % of the time',
  ],
  [
    { mtbf: '102d' },
    costOf(100, 800),
    'every 66 min; a save costs 900 ms (stall 100 ms, interference 800 ms): best where a failure comes every 102d (Young/Daly)',
  ],
];

for (const [save, cost, reason] of REASONS) {
  test(`the interval says why it is so: ${reason}`, () => {
    const cadence = new Cadence(checked(save), cost);
    cadence.begin(0, 0);
    assert.equal(cadence.info.reason, reason);
  });
}

/**
 * A loop of steps that take 100 ms by its clock, and one and a half times as long while a save is written, which takes as
 * long as one of them; captures take 20 ms.
 */
function slowed(snap: Snap, save: CadenceOptions | undefined, steps: number, stepMs = 100) {
  const clock = new FakeClock();
  let durable: (() => void) | undefined;
  let written: Promise<void> | undefined;
  return snap.loop({
    init,
    step: async (state: Walk) => {
      clock.ms += written ? 1.5 * stepMs : stepMs;
      await written;
      written = undefined;
      advance(state);
    },
    steps,
    save,
    on: {
      beforeCapture: () => {
        clock.ms += 20;
      },
      afterCapture: () => {
        written = new Promise((resolve) => {
          durable = resolve;
        });
      },
      durable: () => durable?.(),
    },
    [INTERNALS]: clock.internals,
  });
}

test('a loop measures what its saves cost, and its result says so', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const { cadence, saves } = await slowed(snap, { steps: 40 }, 85);
  assert.equal(saves, 3);
  assert.deepEqual([cadence.stallMs, cadence.interferenceMs, cadence.lostMs], [20, 50, 160]);
});

test('a loop with an overhead finds its interval, tells it while it runs, and in each snapshot', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const told: LoopMessage[] = [];
  const listen = (message: unknown) => told.push(message as LoopMessage);
  subscribe('holdfast:loop', listen);
  t.after(() => unsubscribe('holdfast:loop', listen));
  const { cadence, step, elapsedMs } = await slowed(snap, { overhead: 0.05 }, 52);
  // 70 ms of 1400: those of the capture and of the slower step, and 12 other steps.
  assert.equal(cadence.intervalMs, 1400);
  assert.deepEqual(await stepsOf(snap), [10, 24, 38, 52]);
  assert.deepEqual([told[0]?.event, told.at(-1)?.event, told.at(-1)?.step], ['begin', 'end', step]);
  assert.equal(told.filter(({ event }) => event === 'cadence').length, 3);
  const reason =
    'every 1400 ms; a save costs 70 ms (stall 20 ms, interference 50 ms): at most 5 % of the time';
  assert.equal(told.at(-1)?.cadence.reason, reason);
  const last = (await collect(snap.list()))[0]?.meta as { loop: { elapsedMs: number; cadence: object } };
  assert.deepEqual(last.loop.cadence, { intervalMs: 1400, reason });
  assert.ok(last.loop.elapsedMs >= 52 * 100 && last.loop.elapsedMs <= elapsedMs);
});

test('by default: each minute, and no oftener than 1 % of the time allows', async (t) => {
  await using snap = await Snap.open(storePath(t));
  // A save costs 20 ms and half a step of 7 s: 352 s apart.
  const { cadence } = await slowed(snap, undefined, 120, 7000);
  assert.deepEqual(await stepsOf(snap), [9, 59, 109, 120]);
  assert.equal(cadence.intervalMs, 352_000);
  await using quick = await Snap.open(storePath(t));
  assert.equal((await slowed(quick, undefined, 1300)).cadence.intervalMs, 60_000);
  assert.deepEqual(await stepsOf(quick), [600, 1200, 1300]);
});

test('the clock of the run goes on where the snapshot had it, and counts no time between processes', async (t) => {
  const path = storePath(t);
  const clock = new FakeClock();
  const seen: number[] = [];
  for (const [steps, failAt] of [
    [100, 25],
    [100, 38],
    [40, -1],
  ] as const) {
    await using snap = await Snap.open(path);
    const step = (state: Walk, loop: LoopContext) => {
      clock.ms += 100;
      seen.push(loop.elapsedMs);
      advance(state);
      if (loop.step === failAt) throw new Error('on purpose');
    };
    const work = snap.loop({ init, step, steps, save: { steps: 10 }, [INTERNALS]: clock.internals });
    if (failAt >= 0) await assert.rejects(work, /on purpose/);
    else {
      const { elapsedMs, restarts } = await work;
      assert.deepEqual([elapsedMs, restarts], [4000, 2]);
    }
    clock.ms += 1e6;
  }
  const to = (from: number, end: number) =>
    Array.from({ length: end - from }, (_, i) => (from + i + 1) * 100);
  assert.deepEqual(seen, [...to(0, 26), ...to(20, 39), ...to(30, 40)]);
});

test('a cadence stops nobody who asks: saves that were asked for count as the last one', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const clock = new FakeClock();
  const step = (state: Walk, loop: LoopContext) => {
    clock.ms += 100;
    advance(state);
    if (loop.step === 6) loop.save();
  };
  await snap.loop({ init, step, steps: 30, save: { seconds: 1, steps: 25 }, [INTERNALS]: clock.internals });
  assert.deepEqual(await stepsOf(snap), [7, 17, 25, 30]);
});

test('laws of any cadence: never before it is due, and never long after', () => {
  const options = fc.record(
    {
      steps: fc.integer({ min: 1, max: 40 }),
      seconds: fc.integer({ min: 1, max: 5 }),
      overhead: fc.double({ min: 0.001, max: 0.5, noNaN: true }),
      mtbf: fc.integer({ min: 10, max: 100_000 }),
    },
    { requiredKeys: [] },
  );
  const run = fc.property(
    options.filter((save) => Object.keys(save).length > 0),
    fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 20, maxLength: 150 }),
    fc.double({ min: 0, max: 200, noNaN: true }),
    (save, durations, stallMs) => {
      const cost = new SaveCost();
      const cadence = new Cadence(checked(save), cost);
      let now = 0;
      let last = 0;
      let saved = false;
      cost.begin(0, 0);
      cadence.begin(0, 0);
      for (const [index, ms] of durations.entries()) {
        const step = index + 1;
        now += ms;
        const limit: number = saved
          ? Math.max(
              save.overhead ? stallMs / save.overhead : 0,
              save.mtbf ? bestIntervalMs(stallMs, save.mtbf * 1000) + stallMs : 0,
            )
          : 0;
        const isStep = save.steps !== undefined && step % save.steps === 0;
        const wish =
          save.seconds !== undefined
            ? save.seconds * 1000
            : save.steps === undefined
              ? 1000
              : Number.POSITIVE_INFINITY;
        const since = now - last;
        const expected: boolean = since >= limit - 1e-6 && (isStep || since >= wish);
        const nearly = Math.abs(since - limit) < 1e-3;
        const due = cadence.isDue(step, now);
        if (!nearly) assert.equal(due, expected, `step ${step}, ${since} ms after the last, limit ${limit}`);
        if (!due) continue;
        cadence.saved(now);
        last = now;
        saved = true;
        cost.capturing(step, now);
        now += stallMs;
        cost.captured(step, now, false);
        cost.written(1, step, now);
        cadence.adapt();
      }
    },
  );
  fc.assert(run, { numRuns: budget(300) });
});
