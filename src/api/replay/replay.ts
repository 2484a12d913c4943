/**
 * Replay: computes each interval between two snapshots of a run anew, with a reference, and compares where it ends.
 *
 * The intervals do not depend on each other, because each begins from a snapshot: so they are computed in parallel, each
 * in a process of its own, in which nothing is left of another. One that disagrees says between which snapshots the run
 * computed something else than the reference.
 *
 * Invariants
 *  - the store is only read, so this works beside a run
 *  - an interval that fails is told, and keeps none of the others from being replayed
 *  - whatever ends it, no process and no scratch store is left
 */

import { fileURLToPath } from 'node:url';
import { throwIfAborted } from '../../base/abort.js';
import { isSnapError, SnapError } from '../../base/errors.js';
import { canonicalPath } from '../../io/machine.js';
import { realIo } from '../../io/real.js';
import { beginAgain, type Task } from '../prove/again.js';
import { type Divergence, isDivergence } from '../prove/comparing.js';
import { hasStep, historyOf, lineBetween, type StepInfo } from '../prove/line.js';
import { Scratch } from '../prove/scratch.js';
import { notReached, withoutStep } from '../prove/unproven.js';
import { Snap } from '../snap.js';
import { type CheckedReplay, checkReplay, type ReplayOptions } from './options.js';

/** An interval that was replayed, or could not be. */
export interface ReplayedInterval {
  from: { id: string; step: number };
  to: { id: string; step: number };
  /** True where nobody can tell whether one came of the other, as what was between is gone. */
  presumed: boolean;
  /** Undefined where it failed. */
  same: boolean | undefined;
  /** How many numbers differ within the tolerance. */
  tolerated: number;
  /** Where it differs first: `a` is what the run has, `b` what was replayed. */
  divergence: Divergence | undefined;
  /** Why it failed. */
  error: SnapError | undefined;
}

/** What `Snap.replay` found. */
export interface Replay {
  /** True where every interval was replayed and is the same. */
  same: boolean;
  run: string;
  /** In the order of their steps. */
  intervals: ReplayedInterval[];
  seconds: number;
}

interface Interval {
  from: StepInfo;
  to: StepInfo;
  presumed: boolean;
}

const RUNNER = fileURLToPath(new URL('./runner.js', import.meta.url));

export async function replay(directory: string, options: ReplayOptions): Promise<Replay> {
  const checked = checkReplay(options);
  const began = performance.now();
  const intervals = await intervalsOf(directory, checked);
  const { limit, signal, tolerance, onOutput, reference, workers, onProgress } = checked;
  const store = canonicalPath(directory);
  if (!realIo.stat(reference)) throw new SnapError('SNAP_NOT_FOUND', `there is no module ${reference}`);
  const program = { command: process.execPath, args: [RUNNER, reference], cwd: undefined, name: reference };
  const task: Task = { store, program, limit, tolerance, signal, onOutput };
  const total = intervals.length;
  let done = 0;
  const replayed = await inParallel(intervals, workers, async (interval) => {
    const found = await replayOne(task, interval);
    onProgress?.({ phase: 'replay', done: ++done, total });
    return found;
  });
  return {
    same: replayed.every(({ same }) => same === true),
    run: intervals[0]?.from.run ?? checked.run,
    intervals: replayed,
    seconds: (performance.now() - began) / 1000,
  };
}

async function intervalsOf(directory: string, { from, to, run, signal }: CheckedReplay): Promise<Interval[]> {
  await using snap = await Snap.open(directory, { create: false, readOnly: true, run, signal });
  const [begin, end] = [await snap.info(from), await snap.info(to)];
  if (!hasStep(begin)) throw withoutStep(begin);
  if (!hasStep(end)) throw withoutStep(end);
  const line = lineBetween(begin, end, await historyOf(begin, snap.list({ forgotten: true })));
  if (!line || line.snapshots.length === 0) throw noWay(begin, end);
  return line.snapshots.map((info, index) => {
    const before = line.snapshots[index - 1] ?? begin;
    // Behind a gap each came of the one before it again.
    return { from: before, to: info, presumed: line.presumed.has(info.id) && !line.presumed.has(before.id) };
  });
}

async function replayOne(task: Task, { from, to, presumed }: Interval): Promise<ReplayedInterval> {
  const interval = { from: placeOf(from), to: placeOf(to), presumed };
  const failed = { same: undefined, tolerated: 0, divergence: undefined };
  const scratch = new Scratch();
  const { name, version } = from.program;
  const program = { ...task.program, args: [...task.program.args, name, version] };
  try {
    const { compared, end } = await beginAgain(scratch, { ...task, program }, task.store, from, [to]);
    const result = compared[0]?.result;
    if (!result) {
      const error = notReached(end, { ...task, from }, to.step, []);
      // What does not even open the store fails in every interval.
      if (!end.word) throw new NoReference(error);
      return { ...interval, ...failed, error };
    }
    if (isDivergence(result)) {
      const { tolerated } = result.diff;
      return { ...interval, same: false, tolerated, divergence: result, error: undefined };
    }
    return { ...interval, same: true, tolerated: result.tolerated, divergence: undefined, error: undefined };
  } catch (error) {
    throwIfAborted(task.signal);
    if (error instanceof NoReference) throw error.cause;
    if (isSnapError(error)) return { ...interval, ...failed, error };
    throw error;
  } finally {
    scratch.remove();
  }
}

class NoReference extends Error {
  constructor(cause: SnapError) {
    super(cause.message, { cause });
  }
}

function placeOf({ id, step }: StepInfo): { id: string; step: number } {
  return { id, step };
}

/** Results in the order of the items. The first failure lets nothing more begin, and waits for what is under way. */
async function inParallel<T, R>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const rest = items.entries();
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (const [index, item] of rest) {
      if (failure) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  if (failure) throw failure.error;
  return results;
}

function noWay(from: StepInfo, to: StepInfo): SnapError {
  const name = ({ id, run, step }: StepInfo) => `${id} (run ${run}, step ${step})`;
  return new SnapError(
    'SNAP_NOT_FOUND',
    `snapshot ${name(to)} did not come of ${name(from)}; snap ls shows what came of what`,
  );
}
