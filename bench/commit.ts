/**
 * Small states, saved often: a heat solver of 80 KB, a save every 100th step.
 *
 * - save to durable, beside an append + fdatasync of as many bytes, over a store that grows
 * - what the process holds in memory beyond an idle open Snap and its slots, as the store grows
 * - what the loop loses: the iteration that saves against a plain one, and the time of the whole loop
 */

import { join } from 'node:path';
import { formatBytes } from '../src/base/sizes.js';
import { Snap } from '../src/index.js';
import { cpuMillis } from './support/costs.js';
import { folderBytes } from './support/disk.js';
import { Appender, SMALL_APPEND } from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { type Report, runBench, showMillis, showPercent, showRatio, sleep } from './support/program.js';
import { median, percentile, sum } from './support/samples.js';
import { SmallHeat } from './support/states.js';

const EVERY = 100;
const SAVES = 10_000;
const LOOP_STEPS = 50_000;
const LOOPS = 7;

await runBench('commit', 'small states saved often', async ({ folder, samples, report }) => {
  const saves = samples ?? SAVES;
  const heat = new SmallHeat();
  for (let step = 0; step < 20_000; step++) heat.advance();

  const store = join(folder, 'store');
  const snap = await Snap.open(store);
  await sleep(300);
  const idleBytes = residentBytes();
  await snap.prepare(heat.state);
  const appender = new Appender(folder);
  const filler = Buffer.alloc(128 * 1024, 7);
  let durable: number[] = [];
  let cpu: number[] = [];
  let append: number[] = [];
  let small: number[] = [];
  let others = new OtherLoad();
  const rows = [];
  const marks = new Set([100, 1000, saves].filter((mark) => mark <= saves));
  for (let save = 1; save <= saves; save++) {
    for (let step = 0; step < EVERY; step++) heat.advance();
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    const ticket = await snap.save(heat.state, { step: heat.state.step });
    const { storedBytes } = await ticket.durable;
    durable.push(performance.now() - start);
    cpu.push(cpuMillis(cpuBefore));
    if (save % 5 === 0) {
      append.push(appender.append(filler, storedBytes));
      small.push(appender.append(filler, SMALL_APPEND));
    }
    if (!marks.has(save)) continue;
    const recent = (list: number[]): number[] => list.slice(-1000);
    await sleep(100);
    const beyond = residentBytes() - idleBytes;
    rows.push({
      saves: save,
      store: formatBytes(folderBytes(store)),
      'durable p50': median(recent(durable)),
      'durable p99': percentile(recent(durable), 0.99),
      'cpu p50': median(recent(cpu)),
      'append p50': median(recent(append)),
      'append p99': percentile(recent(append), 0.99),
      'durable / append': median(recent(durable)) / median(recent(append)),
      '4 KiB append p50': median(recent(small)),
      'other processes': others.share(),
      'memory beyond idle': formatBytes(beyond),
      'after gc': formatBytes(collected() - idleBytes),
    });
    report.hold(14, {
      of: `after ${save} saves`,
      floor: `idle ${formatBytes(idleBytes)}`,
      figure: formatBytes(Math.max(0, beyond)),
      ratio: '',
      limit: '100 MB',
      met: beyond <= 100e6,
    });
    durable = [];
    cpu = [];
    append = [];
    small = [];
    others = new OtherLoad();
  }
  appender.close();
  await snap.close();
  holdGrowth(report, rows);
  report.section(
    'Save to durable of an 80 KB state (all of it changed), the loop waiting for it; the last 1000 saves or those since the line before',
    [
      { name: 'saves' },
      { name: 'store' },
      { name: 'durable p50', show: showMillis },
      { name: 'durable p99', show: showMillis },
      { name: 'cpu p50', show: showMillis },
      { name: 'append p50', show: showMillis },
      { name: 'append p99', show: showMillis },
      { name: 'durable / append', show: showRatio },
      { name: '4 KiB append p50', show: showMillis },
      { name: 'other processes', show: showPercent },
      { name: 'memory beyond idle' },
      { name: 'after gc' },
    ],
    rows,
    'append: a plain write of as many bytes as the save stored, and fdatasync, every fifth save, in the same folder',
    `memory: resident set beyond that of this process with an idle open Snap (${formatBytes(idleBytes)}); the slots, up to 4 MiB, are in it`,
    OTHERS_NOTE,
  );
  report.section(
    `A loop of ${LOOP_STEPS} steps with a save every ${EVERY}`,
    [
      { name: 'plain step p50', show: showMillis },
      { name: 'step beside saves p50', show: showMillis },
      { name: 'saving step p50', show: showMillis },
      { name: 'saving step p99', show: showMillis },
      { name: 'saving / plain', show: showRatio },
      { name: 'held in saves', show: showPercent },
      { name: 'loop against plain loop', show: showPercent },
      { name: 'the first of all', show: showPercent },
      { name: 'other processes', show: showPercent },
    ],
    [await measureLoop(join(folder, 'loop'), heat, report)],
    `held in saves: time of \`await snap.save\` over time of the loop; loop against plain loop: how much longer the whole loop takes than the one without saves before it, median of ${LOOPS}; the first of all: the same while the compiler is busy with the code of saving`,
  );
});

interface GrowthRow {
  saves: number;
  'durable p50': number;
  'append p50': number;
}

/** What the last saves cost beside those up to the hundredth, each as a multiple of a plain append of its time. */
function holdGrowth(report: Report, rows: readonly GrowthRow[]): void {
  const [early, late] = [rows[0], rows.at(-1)];
  if (!early || !late || early === late) return;
  const times = (row: GrowthRow): number => row['durable p50'] / row['append p50'];
  report.hold(13, {
    of: `save ${late.saves} to durable, in plain appends`,
    floor: `save ${early.saves}: ${showMillis(early['durable p50'])}, ${showRatio(times(early))}`,
    figure: `${showMillis(late['durable p50'])}, ${showRatio(times(late))}`,
    ratio: showRatio(times(late) / times(early)),
    limit: '1.1 x',
    met: times(late) <= 1.1 * times(early),
  });
}

/**
 * Loops with and without saves, in turn, one Snap for all of them. In the first the compiler is still busy with the code
 * that saves, here and in the writer thread: it is reported by itself.
 */
async function measureLoop(folder: string, heat: SmallHeat, report: Report) {
  const plainSteps: number[] = [];
  const savingSteps: number[] = [];
  const besideSteps: number[] = [];
  const lost: number[] = [];
  const plainLoops: number[] = [];
  const savingLoops: number[] = [];
  const longer: number[] = [];
  await runLoop(undefined, heat);
  const snap = await Snap.open(folder);
  await snap.prepare(heat.state);
  const others = new OtherLoad();
  for (let round = 0; round <= LOOPS; round++) {
    const plain = await runLoop(undefined, heat);
    const saving = await runLoop(snap, heat);
    await snap.flush();
    longer.push(saving.totalMs / plain.totalMs - 1);
    if (round === 0) continue;
    plainSteps.push(...plain.steps);
    plainLoops.push(plain.totalMs);
    savingSteps.push(...saving.savingSteps);
    besideSteps.push(...saving.steps);
    savingLoops.push(saving.totalMs);
    lost.push(sum(saving.held) / saving.totalMs);
  }
  await snap.close();
  const [first = 0, ...settled] = longer;
  const slower = median(settled);
  const ratio = median(savingSteps) / median(plainSteps);
  report.hold(2, {
    of: 'the step that saves, p50',
    floor: `plain step ${showMillis(median(plainSteps))}`,
    figure: showMillis(median(savingSteps)),
    ratio: showRatio(ratio),
    limit: '2 x',
    met: ratio <= 2,
  });
  for (const [of, share] of [
    ['held in saves, waits included', median(lost)],
    ['longer by saves, writer thread included', slower],
  ] as const) {
    report.hold(2, {
      of: `a loop of ${LOOP_STEPS} steps: ${of}`,
      floor: `plain loop ${showMillis(median(plainLoops))}`,
      figure: showMillis(median(savingLoops)),
      ratio: showPercent(share),
      limit: '2 %',
      met: share <= 0.02,
    });
  }
  return {
    'plain step p50': median(plainSteps),
    'step beside saves p50': median(besideSteps),
    'saving step p50': median(savingSteps),
    'saving step p99': percentile(savingSteps, 0.99),
    'saving / plain': ratio,
    'held in saves': median(lost),
    'loop against plain loop': slower,
    'the first of all': first,
    'other processes': others.share(),
  };
}

/** The same loop with and without saves, down to the clock that is read in each step. */
async function runLoop(snap: Snap | undefined, heat: SmallHeat) {
  const held: number[] = [];
  const steps: number[] = [];
  const savingSteps: number[] = [];
  const start = performance.now();
  for (let step = 1; step <= LOOP_STEPS; step++) {
    const stepStart = performance.now();
    heat.advance();
    if (snap && step % EVERY === 0) {
      const saveStart = performance.now();
      await snap.save(heat.state, { step });
      const end = performance.now();
      held.push(end - saveStart);
      savingSteps.push(end - stepStart);
    } else {
      steps.push(performance.now() - stepStart);
    }
  }
  return { held, steps, savingSteps, totalMs: performance.now() - start };
}

function residentBytes(): number {
  return process.memoryUsage.rss();
}

function collected(): number {
  globalThis.gc?.();
  return residentBytes();
}
