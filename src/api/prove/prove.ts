/**
 * Resume proof: does a program that begins again from a snapshot compute what it would have computed without?
 *
 * It is started in a process of its own, in which a scratch store that holds the snapshot alone stands in for the store
 * (proving.ts). Where the run has gone on from the snapshot, what the program saves at the same steps is compared with
 * what the run saved there. Where it has not, the program runs on for twice as many steps, and once more from its own
 * snapshot in the middle; both ends are compared.
 *
 * What differs is what a snapshot does not hold: a variable of a module, Math.random, the time, a cache, an order of
 * events.
 *
 * Invariants
 *  - the store that is proved is only read, so this works beside a run
 *  - whatever ends it, the program is ended too, and the scratch store removed
 */

import { canonicalPath } from '../../io/machine.js';
import type { SnapshotInfo } from '../../writer/protocol.js';
import type { Snap } from '../snap.js';
import { type Again, beginAgain, type Mark, savedIn } from './again.js';
import { type Divergence, isDivergence } from './comparing.js';
import { hasStep, historyOf, type Line, lineAfter, type StepInfo } from './line.js';
import { type CheckedProve, checkProve, type ProveOptions } from './options.js';
import { runFrom } from './program-run.js';
import { Scratch } from './scratch.js';
import { begunAnew, noneWithin, notReached, notTwice, withoutStep } from './unproven.js';

/** A step at which two states were compared. */
export interface ProofStep {
  step: number;
  /** Id of the snapshot that the run made there; undefined where the program was compared with itself. */
  snapshot: string | undefined;
  /** True where nobody can tell whether that is of the same line, as what was between is gone. */
  presumed: boolean;
  same: boolean;
  /** How many numbers differ within the tolerance. */
  tolerated: number;
}

/** What `prove` found. */
export interface Proof {
  /** True where all states that were compared are the same. */
  same: boolean;
  from: SnapshotInfo;
  /** The program that began again; the one that made the snapshot is told in `from`. */
  program: SnapshotInfo['program'];
  /**
   * `'run'`: the program that began again was compared with the run that went on; `'rerun'`: with the program itself,
   * run on from the same snapshot.
   */
  against: 'run' | 'rerun';
  /** The step at which it began again. */
  restartedAt: number;
  /** In order, to the first that differs. */
  compared: ProofStep[];
  /** The first difference: `a` is what went on, `b` what began again. */
  divergence: Divergence | undefined;
  seconds: number;
}

type Source = Pick<Snap, 'directory' | 'info' | 'list'>;

export async function prove(source: Source, options: ProveOptions): Promise<Proof> {
  const checked = checkProve(options);
  const began = performance.now();
  const { regions: _, ...from } = await source.info(checked.ref);
  if (!hasStep(from)) throw withoutStep(from);
  const history = await historyOf(from, source.list({ forgotten: true }));
  const task: Task = { ...checked, store: canonicalPath(source.directory), from };
  const line = within(lineAfter(from, history), from, checked.steps);
  const isLast = line.snapshots.length === 0;
  const outcome = isLast
    ? await againstRerun(task, checked.steps ?? (await usualSteps(source, from)))
    : await againstRun(task, line);
  return { ...outcome, from, seconds: (performance.now() - began) / 1000 };
}

/** What is to be proved, and how. */
interface Task extends CheckedProve {
  store: string;
  from: StepInfo;
}

type Outcome = Omit<Proof, 'from' | 'seconds'>;

/** The snapshots to compare with; none where the run has not gone on. */
function within({ snapshots, presumed }: Line, from: StepInfo, steps: number | undefined): Line {
  const [next] = snapshots;
  if (steps === undefined || !next) return { snapshots: snapshots.slice(0, 1), presumed };
  const reached = snapshots.filter(({ step }) => step <= from.step + steps);
  if (reached.length > 0) return { snapshots: reached, presumed };
  throw noneWithin(steps, from, next);
}

async function againstRun(task: Task, { snapshots, presumed }: Line): Promise<Outcome> {
  const { store, from, onRun } = task;
  const scratch = new Scratch();
  try {
    onRun?.({ against: 'run', from: from.step, to: snapshots.at(-1)?.step ?? from.step });
    const again = await beginAgain(scratch, task, store, from, snapshots);
    return outcomeOf(task, again, from.step, ({ id }) => ({ snapshot: id, presumed: presumed.has(id) }));
  } finally {
    scratch.remove();
  }
}

async function againstRerun(task: Task, steps: number): Promise<Outcome> {
  const { from, onRun } = task;
  const [first, second] = [new Scratch(), new Scratch()];
  try {
    onRun?.({ against: 'rerun', from: from.step, to: from.step + 2 * steps });
    const [middle, last] = await runTwice(first, task, steps);
    onRun?.({ against: 'rerun', from: middle.step, to: last.step });
    const again = await beginAgain(second, task, first.store, { ...middle, run: from.run }, [last]);
    return {
      ...outcomeOf(task, again, middle.step, () => ({ snapshot: undefined, presumed: false })),
      against: 'rerun',
    };
  } finally {
    first.remove();
    second.remove();
  }
}

/** Runs the program on until it is saved for the second time, each `steps` further at least. */
async function runTwice(scratch: Scratch, task: Task, steps: number): Promise<[Mark, Mark]> {
  const { store, from, program, signal } = task;
  await scratch.bring(store, [from.id], signal);
  const marks = { from: from.step, every: steps };
  const end = await runFrom(scratch, { store, run: from.run, marks }, program, task);
  if (end.word?.said === 'anew') throw begunAnew(task, end.word.step);
  const saved = [...(await savedIn(scratch, from))].map(([step, id]): Mark => ({ step, id }));
  saved.sort((a, b) => a.step - b.step);
  const middle = saved.find(({ step }) => step >= from.step + steps);
  const last = saved.find(({ step }) => middle !== undefined && step >= middle.step + steps);
  if (middle && last) return [middle, last];
  throw notTwice(
    end,
    task,
    steps,
    saved.map(({ step }) => step),
  );
}

function outcomeOf(
  task: Task,
  { compared, missing, end, program }: Again,
  restartedAt: number,
  describe: (mark: Mark) => Pick<ProofStep, 'snapshot' | 'presumed'>,
): Outcome {
  const divergence = compared.map(({ result }) => result).find(isDivergence);
  const steps = compared.map(({ result, ...mark }): ProofStep => {
    const same = !isDivergence(result);
    const tolerated = same ? result.tolerated : result.diff.tolerated;
    return { step: mark.step, ...describe(mark), same, tolerated };
  });
  const reached = steps.map(({ step }) => step);
  if (!program || (!divergence && missing !== undefined)) {
    throw notReached(end, task, missing ?? restartedAt, reached);
  }
  return { same: !divergence, program, against: 'run', restartedAt, compared: steps, divergence };
}

/** As many as there were from the snapshot before it to this one. */
async function usualSteps(source: Source, { parent, step }: StepInfo): Promise<number> {
  const before = parent === undefined ? undefined : await source.info(parent).catch(() => undefined);
  return Math.max(1, step - (before?.step ?? step));
}
