/**
 * What `snap.loop` costs a step, beside the same steps in a bare `for`: in turns, in one run, so that whatever else the
 * machine does hits both. No save falls into it but the last one, which is not part of the time.
 */

import { join } from 'node:path';
import { type LoopContext, Snap } from '../src/index.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { runBench, showPercent } from './support/program.js';

interface State {
  u: Float64Array;
}

/** Cells of the field, and how many steps are timed at once. */
const SIZES: readonly (readonly [cells: number, steps: number])[] = [
  [1, 500_000],
  [700, 50_000],
  [10_000, 4_000],
];
const ROUNDS = 30;
const RARELY = { seconds: '1h' };

const init = (cells: number): State => ({ u: Float64Array.from({ length: cells }, (_, i) => Math.sin(i)) });

function advance({ u }: State): void {
  for (let i = 1; i < u.length; i++) u[i] = u[i]! + 0.1 * (u[i - 1]! - u[i]!);
}

/** Nanoseconds of processor time a step, from the end of the first one to that of the last. */
type Way = (snap: Snap, cells: number, steps: number) => Promise<number>;

const WAYS: Record<string, Way> = {
  async bare(_, cells, steps) {
    const state = init(cells);
    advance(state);
    const start = process.cpuUsage();
    for (let step = 1; step < steps; step++) advance(state);
    return nanosSince(start) / (steps - 1);
  },

  async loop(snap, cells, steps) {
    const timer = new Timer(steps);
    const step = (state: State, loop: LoopContext): void => {
      advance(state);
      timer.stepped(loop.step);
    };
    await snap.loop({ init: () => init(cells), step, steps, save: RARELY });
    return timer.nanos;
  },

  async asynchronous(snap, cells, steps) {
    const timer = new Timer(steps);
    const step = async (state: State, loop: LoopContext): Promise<void> => {
      advance(state);
      timer.stepped(loop.step);
    };
    await snap.loop({ init: () => init(cells), step, steps, save: RARELY });
    return timer.nanos;
  },

  async iterable(snap, cells, steps) {
    const timer = new Timer(steps);
    for await (const { state, step } of snap.loop({ init: () => init(cells), steps, save: RARELY })) {
      advance(state);
      timer.stepped(step);
    }
    return timer.nanos;
  },
};

/** Time of the processors, not of the clock: on a busy machine it is steadier. */
function nanosSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1000;
}

class Timer {
  readonly #last: number;
  #start = process.cpuUsage();
  nanos = Number.NaN;

  constructor(steps: number) {
    this.#last = steps - 1;
  }

  stepped(step: number): void {
    if (step === 0) this.#start = process.cpuUsage();
    else if (step === this.#last) this.nanos = nanosSince(this.#start) / step;
  }
}

await runBench('loop', 'what a loop costs a step', async ({ folder, samples, report }) => {
  const rows = [];
  let run = 0;
  for (const [cells, steps] of SIZES) {
    const times = new Map(Object.keys(WAYS).map((name) => [name, [] as number[]]));
    const others = new OtherLoad();
    for (let round = 0; round < (samples ?? ROUNDS); round++) {
      for (const [name, way] of Object.entries(WAYS)) {
        await using snap = await Snap.open(join(folder, 'store'), { run: `${name}-${++run}` });
        times.get(name)?.push(await way(snap, cells, steps));
      }
    }
    const bare = Math.min(...(times.get('bare') ?? []));
    for (const [name, nanos] of times) {
      const least = Math.min(...nanos);
      rows.push({
        cells,
        way: name,
        'a step': least,
        'beyond bare': name === 'bare' ? undefined : least - bare,
        share: name === 'bare' ? undefined : least / bare - 1,
        'other processes': others.share(),
      });
    }
  }
  report.section(
    'Processor time of a step',
    [
      { name: 'cells' },
      { name: 'way' },
      { name: 'a step', show: showNanos },
      { name: 'beyond bare', show: showNanos },
      { name: 'share', show: showPercent },
      { name: 'other processes', show: showPercent },
    ],
    rows,
    'the least of all rounds, which is what steps take where nothing disturbs them; bare: the same steps in a `for`',
    'asynchronous: an async step that awaits nothing',
    OTHERS_NOTE,
  );
});

function showNanos(value: number): string {
  return `${value.toFixed(0)} ns`;
}
