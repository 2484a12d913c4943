/**
 * How long a save holds the loop, and what the loop feels of the writing behind it.
 *
 * A stall is compared with a memcpy of the same bytes under the same conditions. Each sample is one of two twins:
 *
 *   change 1 % - save (not measured) - compute for so long - change 1 % - MEASURE - wait until all is durable
 *
 * which differ only in what is measured: `await snap.save(state)`, or a copy of the state into shared memory that
 * is as warm as a slot. So both meet the writer thread at the same point of the same work. How long the loop
 * computes first is spread evenly from the moment a slot is free again to a little past the moment the first
 * save is durable: to call earlier would measure how fast the store is, not what a save costs. Saves are made
 * with onBusy 'wait', so a wait for a slot is part of the sample; none is skipped.
 */

import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { formatBytes, GiB, MiB } from '../src/base/sizes.js';
import { Snap } from '../src/index.js';
import { WarmTarget } from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import {
  type Context,
  type Report,
  runBench,
  showMillis,
  showPercent,
  showRatio,
} from './support/program.js';
import { mean, median, percentile, seededRandom, summarize } from './support/samples.js';
import { computeFor, computeUntil, DATA, MemoryBound, SmallHeat, SmoothField } from './support/states.js';

const SIZES = [80_000, 16 * MiB, 256 * MiB, GiB];
const CHANGED_SHARE = 0.01;
/** Iterations that are timed once a save is durable. */
const PLAIN_AFTER = 100;

interface Timing {
  /** From the return of a save until a slot is free again. */
  freeMs: number;
  /** From the return of a save until it is durable. */
  durableMs: number;
}

await runBench('stall', 'how long a save holds the loop', async ({ folder, samples, sizes, report }) => {
  const rows = [];
  const firsts = [];
  for (const bytes of sizes ?? SIZES) {
    const row = await measureStall(join(folder, `stall-${bytes}`), bytes, samples ?? defaultSamples(bytes));
    const first = measureFirst(join(folder, `first-${bytes}`), bytes);
    rows.push(row);
    firsts.push(first);
    holdStall(report, row, first);
  }
  report.section(
    'Stall of `await snap.save(state)` beside a memcpy of the same bytes, twins at the same phase of background writing',
    [
      { name: 'state' },
      { name: 'samples' },
      { name: 'memcpy p50', show: showMillis },
      { name: 'memcpy p99', show: showMillis },
      { name: 'stall p50', show: showMillis },
      { name: 'stall p99', show: showMillis },
      { name: 'stall max', show: showMillis },
      { name: 'p50 / memcpy', show: showRatio },
      { name: 'over memcpy', show: showMillis },
      { name: 'p99 / p50', show: showRatio },
      { name: 'writer at work', show: showPercent },
      { name: 'slot free after', show: showMillis },
      { name: 'durable after', show: showMillis },
      { name: 'other processes', show: showPercent },
    ],
    rows,
    `data: ${DATA}; 1 % changed in one piece before each save`,
    '"writer at work": samples at which the save before was not durable yet when the measurement began',
    '"slot free after", "durable after": medians, from the return of a save',
    OTHERS_NOTE,
  );
  report.section(
    'First save after `prepare`, each in a fresh process',
    [
      { name: 'state' },
      { name: 'processes' },
      { name: 'first p50', show: showMillis },
      { name: 'first max', show: showMillis },
      { name: 'later p50', show: showMillis },
      { name: 'first / later', show: showRatio },
      { name: 'other processes', show: showPercent },
    ],
    firsts,
    '"later": saves 2 to 21 of the same processes, each after the one before is durable',
  );
  await measureIterations({ folder, samples, sizes, report });
});

function defaultSamples(bytes: number): number {
  if (bytes >= GiB) return 16;
  return bytes >= 64 * MiB ? 100 : 300;
}

async function measureStall(folder: string, bytes: number, samples: number) {
  const snap = await Snap.open(folder, { onBusy: 'wait', capture: 'copy' });
  const field = new SmoothField(bytes);
  await snap.prepare(field.state);
  const target = new WarmTarget(bytes);
  await warmUp(snap, field, target);
  const timing = await measureTiming(snap, field, target);

  const others = new OtherLoad();
  const stalls: number[] = [];
  const copies: number[] = [];
  let atWork = 0;
  const twin = async (phaseMs: number, saves: boolean): Promise<void> => {
    change(field);
    const before = await snap.save(field.state);
    const returnedAt = performance.now();
    computeUntil(returnedAt + phaseMs);
    change(field);
    const start = performance.now();
    let durable: Promise<unknown> = Promise.resolve();
    if (saves) {
      const ticket = await snap.save(field.state);
      stalls.push(performance.now() - start);
      durable = ticket.durable;
    } else {
      copies.push(target.copy(field.bytes));
    }
    const { durableMs = 0 } = await before.durable;
    if (durableMs - before.stallMs > start - returnedAt) atWork++;
    await durable;
    // The index is written behind; the next sample shall not meet that.
    settle(timing);
  };
  const from = 1.1 * timing.freeMs + 0.05;
  const span = 1.2 * Math.max(timing.durableMs - timing.freeMs, 0.2 * timing.durableMs);
  const random = seededRandom(bytes);
  for (let sample = 0; sample < samples; sample++) {
    const phaseMs = from + span * random();
    const savesFirst = sample % 2 === 0;
    await twin(phaseMs, savesFirst);
    await twin(phaseMs, !savesFirst);
  }
  const otherShare = others.share();
  await snap.close();

  const stall = summarize(stalls);
  const copy = summarize(copies);
  return {
    state: formatBytes(bytes),
    samples: stall.samples,
    'memcpy p50': copy.p50,
    'memcpy p99': copy.p99,
    'stall p50': stall.p50,
    'stall p99': stall.p99,
    'stall max': stall.max,
    'p50 / memcpy': stall.p50 / copy.p50,
    'over memcpy': stall.p50 - copy.p50,
    'p99 / p50': stall.p99 / stall.p50,
    'writer at work': atWork / (2 * samples),
    'slot free after': timing.freeMs,
    'durable after': timing.durableMs,
    'other processes': otherShare,
  };
}

function holdStall(
  report: Report,
  row: Awaited<ReturnType<typeof measureStall>>,
  first: ReturnType<typeof measureFirst>,
): void {
  const { state, 'memcpy p50': copy, 'stall p50': stall, 'stall p99': p99 } = row;
  const [early, later] = [first['first p50'], first['later p50']];
  report.hold(1, {
    of: `${state}, p50`,
    floor: `memcpy ${showMillis(copy)}`,
    figure: showMillis(stall),
    ratio: showRatio(stall / copy),
    limit: '1.15 x + 20 us',
    met: stall <= 1.15 * copy + 0.02,
  });
  report.hold(1, {
    of: `${state}, p99`,
    floor: `p50 ${showMillis(stall)}`,
    figure: showMillis(p99),
    ratio: showRatio(p99 / stall),
    limit: '3 x',
    met: p99 <= 3 * stall,
  });
  report.hold(1, {
    of: `${state}, the first after prepare`,
    floor: `later ${showMillis(later)}`,
    figure: showMillis(early),
    ratio: showRatio(early / later),
    limit: '1.5 x',
    met: early <= 1.5 * later,
  });
}

function change(field: SmoothField): void {
  field.changeContiguous(CHANGED_SHARE * field.bytes.length);
}

/** Until the compiler has seen everything that is measured. */
async function warmUp(snap: Snap, field: SmoothField, target: WarmTarget): Promise<void> {
  const rounds = field.bytes.length > 64 * MiB ? 4 : 200;
  for (let round = 0; round < rounds; round++) {
    change(field);
    await (await snap.save(field.state)).durable;
    target.copy(field.bytes);
    computeFor(1);
  }
}

async function measureTiming(snap: Snap, field: SmoothField, target: WarmTarget): Promise<Timing> {
  const free: number[] = [];
  const durable: number[] = [];
  for (let round = 0; round < 7; round++) {
    change(field);
    const single = await snap.save(field.state);
    const { durableMs = 0 } = await single.durable;
    durable.push(durableMs - single.stallMs);
    change(field);
    const before = await snap.save(field.state);
    const start = performance.now();
    const after = await snap.save(field.state);
    const waited = performance.now() - start;
    await after.durable;
    await before.durable;
    free.push(Math.max(0, waited - target.copy(field.bytes)));
  }
  return { freeMs: median(free), durableMs: median(durable) };
}

function settle({ durableMs }: Timing): void {
  computeFor(Math.min(20, 2 + durableMs));
}

function measureFirst(folder: string, bytes: number) {
  const processes = bytes >= GiB ? 3 : bytes >= 64 * MiB ? 7 : 15;
  const program = fileURLToPath(new URL('./support/first-save.js', import.meta.url));
  const others = new OtherLoad();
  const first: number[] = [];
  const later: number[] = [];
  for (let round = 0; round < processes; round++) {
    const output = execFileSync(process.execPath, [program, `${folder}-${round}`, String(bytes)], {
      encoding: 'utf8',
    });
    const stalls = JSON.parse(output) as number[];
    first.push(stalls[0] as number);
    later.push(...stalls.slice(1));
  }
  return {
    state: formatBytes(bytes),
    processes,
    'first p50': median(first),
    'first max': Math.max(...first),
    'later p50': median(later),
    'first / later': median(first) / median(later),
    'other processes': others.share(),
  };
}

/** What iterations of a loop take while a save is written behind them, and while none is. */
async function measureIterations({ folder, report, sizes }: Context): Promise<void> {
  const bytes = 256 * MiB;
  if (sizes && !sizes.includes(bytes)) return;
  const snap = await Snap.open(join(folder, 'iterations'), { onBusy: 'wait', capture: 'copy' });
  const field = new SmoothField(bytes);
  await snap.prepare(field.state);
  const compute = new SmallHeat();
  const memory = new MemoryBound();
  const little = (): void => change(field);
  const everything = (): void => field.changeAll();
  const rows = [];
  for (const [loop, kernel, steps, limit] of [
    ['compute-bound', compute, 10, 1.05],
    ['memory-bound', memory, 1, 1.25],
  ] as const) {
    for (const [changed, apply, rounds] of [
      ['1 %', little, 40],
      ['100 %', everything, 4],
    ] as const) {
      const times = await iterationTimes(snap, field, apply, () => repeat(kernel, steps), rounds);
      rows.push(iterationRow(report, loop, changed, 'one core free', times, limit));
    }
  }
  // The loop takes one core, and such a thread each of the others.
  const { cores, stop } = occupyOtherCores();
  for (const [changed, apply, rounds] of [
    ['1 %', little, 20],
    ['100 %', everything, 3],
  ] as const) {
    const times = await iterationTimes(snap, field, apply, () => repeat(compute, 10), rounds);
    rows.push(iterationRow(report, 'compute-bound', changed, `${cores} of ${cores} busy`, times, 1.1));
  }
  await stop();
  await snap.close();
  report.section(
    'Iterations of a loop while a save of 256 MiB is written behind it, and while none is',
    [
      { name: 'loop' },
      { name: 'changed' },
      { name: 'cores' },
      { name: 'durable after', show: showMillis },
      { name: 'iterations beside' },
      { name: 'plain p50', show: showMillis },
      { name: 'beside p50', show: showMillis },
      { name: 'p50 ratio', show: showRatio },
      { name: 'mean ratio', show: showRatio },
      { name: 'plain p99', show: showMillis },
      { name: 'beside p99', show: showMillis },
      { name: 'other processes', show: showPercent },
    ],
    rows,
    'compute-bound: 10 Jacobi steps of 100 x 100 f64, in cache; memory-bound: a[i] = b[i] + 0.5 a[i] over 2 x 64 MiB, 2 MiB an iteration',
    'the mean ratio counts what the slow iterations cost',
  );
}

interface IterationTimes {
  plain: number[];
  beside: number[];
  durable: number[];
  otherShare: number;
}

async function iterationTimes(
  snap: Snap,
  field: SmoothField,
  apply: () => void,
  iterate: () => void,
  rounds: number,
): Promise<IterationTimes> {
  const others = new OtherLoad();
  const times: IterationTimes = { plain: [], beside: [], durable: [], otherShare: 0 };
  for (let round = 0; round < 50; round++) iterate();
  let expectedMs = 0;
  for (let round = 0; round <= rounds; round++) {
    apply();
    const calledAt = performance.now();
    const ticket = await snap.save(field.state);
    const starts: number[] = [];
    const deadline = performance.now() + 2.2 * expectedMs;
    do {
      starts.push(performance.now());
      iterate();
    } while (performance.now() < deadline);
    starts.push(performance.now());
    const { durableMs = 0 } = await ticket.durable;
    expectedMs = expectedMs === 0 ? durableMs : 0.7 * expectedMs + 0.3 * durableMs;
    // The first round only finds out how long a save takes.
    if (round === 0) continue;
    times.durable.push(durableMs - ticket.stallMs);
    const durableAt = calledAt + durableMs;
    const quietAt = durableAt + 0.1 * durableMs;
    for (let index = 1; index < starts.length; index++) {
      const start = starts[index - 1] as number;
      const end = starts[index] as number;
      if (end <= durableAt) times.beside.push(end - start);
      else if (start >= quietAt) times.plain.push(end - start);
    }
    // Where other threads take the cores a save may outlast the rounds, and nothing undisturbed be seen.
    for (let iteration = 0; iteration < PLAIN_AFTER; iteration++) {
      const start = performance.now();
      iterate();
      times.plain.push(performance.now() - start);
    }
  }
  times.otherShare = others.share();
  return times;
}

function iterationRow(
  report: Report,
  loop: string,
  changed: string,
  cores: string,
  times: IterationTimes,
  limit: number,
) {
  const { plain, beside, durable, otherShare } = times;
  const ratio = mean(beside) / mean(plain);
  report.hold(7, {
    of: `${loop}, ${changed} changed, ${cores}`,
    floor: `mean undisturbed ${showMillis(mean(plain))}`,
    figure: showMillis(mean(beside)),
    ratio: showRatio(ratio),
    limit: showRatio(limit),
    met: ratio <= limit,
  });
  return {
    loop,
    changed,
    cores,
    'durable after': median(durable),
    'iterations beside': beside.length,
    'plain p50': median(plain),
    'beside p50': median(beside),
    'p50 ratio': median(beside) / median(plain),
    'mean ratio': ratio,
    'plain p99': percentile(plain, 0.99),
    'beside p99': percentile(beside, 0.99),
    'other processes': otherShare,
  };
}

function repeat(kernel: { advance(): void }, times: number): void {
  for (let time = 0; time < times; time++) kernel.advance();
}

function occupyOtherCores(): { cores: number; stop(): Promise<unknown> } {
  const cores = availableParallelism();
  const spinners = Array.from({ length: cores - 1 }, () => new Worker('for (;;);', { eval: true }));
  return { cores, stop: () => Promise.all(spinners.map((spinner) => spinner.terminate())) };
}
