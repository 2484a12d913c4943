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
import { folderBytes } from './support/disk.js';
import { Appender, SMALL_APPEND } from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { runBench, showMillis, showPercent, showRatio, sleep, verdict } from './support/program.js';
import { median, percentile, sum } from './support/samples.js';
import { SmallHeat } from './support/states.js';

const EVERY = 100;
const SAVES = 10_000;
const LOOP_STEPS = 50_000;

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
    const { user, system } = process.cpuUsage(cpuBefore);
    cpu.push((user + system) / 1000);
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
      '<= 100 MB': verdict(beyond <= 100e6),
    });
    durable = [];
    cpu = [];
    append = [];
    small = [];
    others = new OtherLoad();
  }
  appender.close();
  await snap.close();
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
      { name: '<= 100 MB' },
    ],
    rows,
    'append: a plain write of as many bytes as the save stored, and fdatasync, every fifth save, in the same folder',
    `memory: resident set beyond that of this process with an idle open Snap (${formatBytes(idleBytes)}); the slots, 0.2 MB, are in it`,
    OTHERS_NOTE,
  );
  report.section(
    `A loop of ${LOOP_STEPS} steps with a save every ${EVERY}`,
    [
      { name: 'plain step p50', show: showMillis },
      { name: 'saving step p50', show: showMillis },
      { name: 'saving step p99', show: showMillis },
      { name: 'saving / plain', show: showRatio },
      { name: '<= 2 x' },
      { name: 'lost in save', show: showPercent },
      { name: 'loop against plain loop', show: showPercent },
      { name: 'other processes', show: showPercent },
      { name: '<= 2 %' },
    ],
    [await measureLoop(join(folder, 'loop'), heat)],
    'lost in save: time of `await snap.save` over time of the loop; loop against plain loop: whole time, medians of 5 of each, alternating',
  );
});

/** Loops with and without saves, in turn. */
async function measureLoop(folder: string, heat: SmallHeat) {
  const plainSteps: number[] = [];
  const savingSteps: number[] = [];
  const lost: number[] = [];
  const plainLoops: number[] = [];
  const savingLoops: number[] = [];
  const others = new OtherLoad();
  for (let round = 0; round < 6; round++) {
    const plainMs = runPlain(heat);
    const snap = await Snap.open(`${folder}-${round}`);
    await snap.prepare(heat.state);
    const { held, steps, totalMs } = await runSaving(snap, heat, plainSteps);
    await snap.close();
    // The first round is for the compiler.
    if (round === 0) {
      plainSteps.length = 0;
      continue;
    }
    plainLoops.push(plainMs);
    savingLoops.push(totalMs);
    savingSteps.push(...steps);
    lost.push(sum(held) / totalMs);
  }
  const ratio = median(savingSteps) / median(plainSteps);
  const slower = median(savingLoops) / median(plainLoops) - 1;
  return {
    'plain step p50': median(plainSteps),
    'saving step p50': median(savingSteps),
    'saving step p99': percentile(savingSteps, 0.99),
    'saving / plain': ratio,
    '<= 2 x': verdict(ratio <= 2),
    'lost in save': median(lost),
    'loop against plain loop': slower,
    'other processes': others.share(),
    '<= 2 %': verdict(median(lost) <= 0.02),
  };
}

function runPlain(heat: SmallHeat): number {
  const start = performance.now();
  for (let step = 0; step < LOOP_STEPS; step++) heat.advance();
  return performance.now() - start;
}

async function runSaving(snap: Snap, heat: SmallHeat, plainSteps: number[]) {
  const held: number[] = [];
  const steps: number[] = [];
  const start = performance.now();
  for (let step = 1; step <= LOOP_STEPS; step++) {
    const stepStart = performance.now();
    heat.advance();
    if (step % EVERY === 0) {
      const saveStart = performance.now();
      await snap.save(heat.state, { step });
      const end = performance.now();
      held.push(end - saveStart);
      steps.push(end - stepStart);
    } else {
      plainSteps.push(performance.now() - stepStart);
    }
  }
  return { held, steps, totalMs: performance.now() - start };
}

function residentBytes(): number {
  return process.memoryUsage.rss();
}

function collected(): number {
  globalThis.gc?.();
  return residentBytes();
}
