/**
 * The demo: a heat equation is killed at a random moment, resumed, and compared bit for bit with a run that was
 * never interrupted.
 *
 *   1. a process computes all steps without saving: what the result must be
 *   2. a process computes and saves; it is killed (SIGKILL) at a random moment
 *   3. the store is asked what survived; a new process resumes from that and computes to the end
 *
 * Exit status: 0 identical; 1 not, or the saves were not incremental, or a durable one was lost; 2 usage.
 */

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import cliProgress from 'cli-progress';
import Table from 'cli-table3';
import { Snap } from 'holdfast';
import { describeDisk, folderBytes, kernelWrittenBytes, scratchFolder } from '../../bench/support/disk.js';
import { median, seededRandom } from '../../bench/support/samples.js';
import type { Plate } from '../heat.js';
import { costsOf, explainedBytes, verdictOn } from './account.js';
import { differences, type Fingerprint, fingerprint } from './compare.js';
import { Computing } from './computing.js';
import type { Assignment, Report } from './messages.js';
import { type DemoOptions, parseOptions, Usage } from './options.js';

/** The kill comes after so many incremental saves are durable. */
const SAVES_BEFORE_KILL = 5;
/** The moment is drawn from this share of what then remains of the run. */
const KILL_WINDOW = 0.7;
/** Columns of the table's first column. */
const LABEL_WIDTH = 21;

/** What is under way, so that an end of the demo is its end too. */
let computing: Computing | undefined;
let bar: cliProgress.SingleBar | undefined;
let cleanUp = (): void => {};

async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2));
    const store = makeStoreFolder(options);
    cleanUp = () => {
      bar?.stop();
      computing?.kill();
      if (!options.keep) rmSync(store, { recursive: true, force: true });
    };
    process.on('SIGINT', () => leave(130));
    process.on('SIGTERM', () => leave(143));
    return await demonstrate(options, store);
  } catch (error) {
    if (error instanceof Usage) return error.status;
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    cleanUp();
  }
}

function leave(status: number): never {
  cleanUp();
  process.exit(status);
}

function makeStoreFolder({ store }: DemoOptions): string {
  if (store === undefined) return scratchFolder('holdfast-demo-');
  if (existsSync(store) && readdirSync(store).length > 0) {
    console.error(`error: ${store} is not empty; --store takes a new or empty folder`);
    throw new Usage(2);
  }
  mkdirSync(store, { recursive: true });
  return store;
}

async function demonstrate({ steps, every, seed, keep }: DemoOptions, store: string): Promise<number> {
  console.log(`Heat in a plate of 1000 x 1000 cells: ${steps} steps, a save every ${every}, seed ${seed}`);
  console.log(`Store ${store}${keep ? '' : ' (removed at the end)'}\n`);
  const disk = describeDisk(store);

  const reference = await compute('never interrupted', { steps, seed, saving: undefined });
  const paceMs = median(reference.iterations.map(({ ms }) => ms));

  const assignment: Assignment = { steps, seed, saving: { store, every } };
  const kill = killAtRandomMoment(steps, paceMs, seed, every);
  const first = await compute('saving, to be killed', assignment, kill.onReport);
  if (!kill.done) throw new Error('the run ended before it was killed; give it more --steps');

  const survivor = await withSnap(store, (snap) => snap.info('latest'));
  const second = await compute('resumed', assignment);
  const restored = await withSnap(store, (snap) => snap.restore<Plate>('latest'));

  const lives = [first, second];
  const expected = needed(reference.fingerprint);
  const different = new Set([
    ...differences(expected, needed(second.fingerprint)),
    ...differences(expected, fingerprint(restored)),
  ]);
  const writtenBytes = folderBytes(store);
  const costs = costsOf(lives);
  const resumedStep = second.firstStep ?? 0;
  const kernelBytes = (kill.kernelBytes ?? Number.NaN) + (second.kernelBytes ?? Number.NaN);

  const width = Math.max(60, Math.min(100, process.stdout.columns ?? 100));
  const table = new Table({
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    colWidths: [LABEL_WIDTH, width - LABEL_WIDTH - 3],
    wordWrap: true,
  });
  table.push(
    { steps: `${steps}, and ${first.lastStep - resumedStep} of them computed twice` },
    {
      saves: `${costs.saves}, of which ${costs.durableSaves} were reported durable; the first is a full one`,
    },
    { 'stall per save': `median ${ms(costs.stallP50)}, p99 ${ms(costs.stallP99)} (time in await snap.save)` },
    { 'loop time lost': `${percent(costs.lostShare)} (time in await snap.save / time of the loop)` },
    {
      'an iteration': `median ${ms(costs.plainMs)} plain, ${ms(costs.duringMs)} while a save is written: ${signed(costs.duringMs / costs.plainMs - 1)}`,
    },
    {
      'state saved': `${mib(costs.logicalBytes)} in durable saves, of which ${mib(costs.changedBytes)} had changed`,
    },
    {
      'written to disk': `${mib(writtenBytes)} (growth of the store's folder, index included)${
        Number.isNaN(kernelBytes) ? '' : `; the kernel counted ${mib(kernelBytes)}`
      }`,
    },
    {
      'write amplification': `${ratio(writtenBytes / costs.changedBytes)} of the changed bytes, ${ratio(
        writtenBytes / costs.storedBytes,
      )} of them compressed`,
    },
    {
      kill: `SIGKILL ${ms(kill.delayMs)} after ${SAVES_BEFORE_KILL} incremental saves were durable, drawn from ${ms(kill.windowMs)}`,
    },
    {
      'lost by the kill': `${first.lastStep - resumedStep} steps: computed up to ${first.lastStep}, resumed from ${resumedStep} in ${ms(second.resumeMs)}`,
    },
    { disk },
    { seed: String(seed) },
  );
  console.log(table.toString());

  const { lines, status } = verdictOn({
    different: [...different],
    writtenBytes,
    explainedBytes: explainedBytes(lives),
    durableSteps: first.durableSteps,
    survivingStep: survivor.step,
    resumedStep,
  });
  for (const line of lines) console.log(line);
  return status;
}

/** Runs a computing process to its end, with a progress bar where there is a terminal. */
async function compute(
  title: string,
  assignment: Assignment,
  onReport: (report: Report, process: Computing) => void = () => {},
): Promise<Computing> {
  const shown = new cliProgress.SingleBar({
    format: `${title.padEnd(20)} {bar} step {value} of {total}{saves}`,
    barsize: 28,
    barCompleteChar: '\u2588',
    barIncompleteChar: '\u2591',
    hideCursor: true,
    fps: 20,
  });
  let durable = 0;
  const saves = (): string => (assignment.saving ? `, ${durable} durable` : '');
  bar = shown;
  bar.start(assignment.steps, 0, { saves: saves() });
  const running = new Computing(assignment, (report) => {
    if (report.type === 'durable') durable++;
    if (report.type === 'started' || report.type === 'step') shown.update(report.step, { saves: saves() });
    onReport(report, running);
  });
  computing = running;
  try {
    await running.ended;
  } finally {
    computing = undefined;
    bar = undefined;
    shown.stop();
  }
  return running;
}

/** Waits for enough durable saves, then kills at a moment drawn from what remains of the run. */
function killAtRandomMoment(steps: number, paceMs: number, seed: number, every: number) {
  const kill = {
    done: false,
    delayMs: 0,
    windowMs: 0,
    kernelBytes: undefined as number | undefined,
    onReport(report: Report, victim: Computing): void {
      // The first durable save is a full one.
      if (report.type !== 'durable' || victim.durableSteps.length !== SAVES_BEFORE_KILL + 1) return;
      kill.windowMs = KILL_WINDOW * Math.max(every, steps - victim.lastStep) * paceMs;
      kill.delayMs = seededRandom(seed)() * kill.windowMs;
      setTimeout(() => {
        kill.kernelBytes = victim.pid && kernelWrittenBytes(victim.pid);
        victim.kill();
        kill.done = true;
      }, kill.delayMs).unref();
    },
  };
  return kill;
}

async function withSnap<T>(store: string, use: (snap: Snap) => Promise<T>): Promise<T> {
  const snap = await Snap.open(store, { run: 'heat', readOnly: true });
  try {
    return await use(snap);
  } finally {
    await snap.close();
  }
}

function needed(print: Fingerprint | undefined): Fingerprint {
  if (print) return print;
  throw new Error('the computing process ended without its result');
}

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const signed = (share: number): string => `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)} %`;
const ratio = (value: number): string => `${value.toFixed(2)} x`;

process.exitCode = await main();
