/**
 * Every example survives being killed: restarted as often as that takes, it ends with the state and the words of a run
 * that was never interrupted.
 *
 * The moments of the kills are random: one in four while the process starts and resumes, the others after it has
 * reported a few durable saves. HOLDFAST_SOAK=20 makes 20 kills of each example; a run that comes to its end before is
 * compared, and the next kills are made in a fresh one.
 */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { assertSame } from '../state/same.js';
import { budget, replayable, seeds } from '../support/budget.js';
import { Random } from '../support/random.js';
import { EXAMPLES, type Example, lastState } from './list.js';
import { type Life, runToItsEnd, scratchStore, start } from './running.js';

const KILLS = budget(1);
const [SEED = 1] = seeds(1);

/** How long an undisturbed run took to its first save, and between two of them. */
interface Pace {
  startMs: number;
  saveMs: number;
}

/** When to kill: so long after so many durable saves. */
interface Plan {
  saves: number;
  afterMs: number;
}

function draw(random: Random, pace: Pace, kill: number): Plan {
  // The first one, which every run of the tests makes, leaves something to resume from.
  const isEarly = kill > 0 && random.chance(0.25);
  if (isEarly) return { saves: 0, afterMs: random.next() * pace.startMs };
  return { saves: random.between(1, 3), afterMs: random.next() * 2 * pace.saveMs };
}

async function undisturbed(example: Example, store: string): Promise<{ life: Life; pace: Pace }> {
  const startedAt = performance.now();
  const running = start(example.name, store, example.args);
  const times: number[] = [];
  running.onReport = ({ event }) => {
    if (event === 'durable') times.push(performance.now());
  };
  const life = await running.ended;
  const [first = startedAt, last = first] = [times[0], times.at(-1)];
  return {
    life,
    pace: { startMs: first - startedAt, saveMs: (last - first) / Math.max(1, times.length - 1) },
  };
}

/** One life of the example, ended as planned unless it ends before. */
async function killed(example: Example, store: string, plan: Plan): Promise<Life> {
  const running = start(example.name, store, example.args);
  let saves = 0;
  const aimed = new Promise<void>((resolve) => {
    if (plan.saves === 0) resolve();
    running.onReport = ({ event }) => {
      if (event === 'durable' && ++saves === plan.saves) resolve();
    };
  });
  await Promise.race([aimed.then(() => pause(plan.afterMs)), running.ended]);
  running.child.kill('SIGKILL');
  return running.ended;
}

/** The next life of a run goes on behind what was durable: nothing acknowledged is computed again. */
class Progress {
  readonly #durable = new Map<string, number>();

  /** True where this life had something to go on from, and came far enough to show it. */
  goesOnIn({ reports }: Life): boolean {
    let goesOn = false;
    for (const { event, run, step } of reports) {
      const reached = this.#durable.get(run);
      if (event !== 'captured' || reached === undefined) continue;
      goesOn = true;
      assert.ok(step > reached, `step ${step} of run ${run} was saved again after ${reached} was durable`);
    }
    for (const { event, run, step } of reports) if (event === 'durable') this.#durable.set(run, step);
    return goesOn;
  }
}

describe('examples that are killed end as if nothing had been', { concurrency: 2 }, () => {
  for (const example of EXAMPLES) {
    const what = [example.name, ...example.args].join(' ');
    test(`${what}, kills: ${KILLS}`, (t) => replayable(SEED, what, () => survives(example, t)));
  }
});

async function survives(example: Example, t: TestContext): Promise<void> {
  const random = new Random(SEED);
  const reference = scratchStore();
  const { life, pace } = await undisturbed(example, reference);
  const expected = await lastState(reference, example);
  let runs = 0;
  let resumed = 0;
  for (let kills = 0; kills < KILLS; runs++) {
    const store = scratchStore();
    const progress = new Progress();
    let last: Life;
    do {
      const isEnough = kills === KILLS;
      last = isEnough
        ? await runToItsEnd(example.name, store, example.args)
        : await killed(example, store, draw(random, pace, kills));
      if (last.killed) kills++;
      if (progress.goesOnIn(last)) resumed++;
    } while (last.killed);
    assert.equal(last.stdout, life.stdout);
    assertSame(await lastState(store, example), expected);
  }
  t.diagnostic(`${KILLS} kills of ${runs} runs; ${resumed} times it went on from a snapshot`);
}
