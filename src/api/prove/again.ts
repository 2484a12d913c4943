/** A program begun again from a snapshot, and what it saves compared with what was saved at the same steps. */

import type { SnapshotInfo } from '../../writer/protocol.js';
import { Snap } from '../snap.js';
import { type Compared, type CompareOptions, comparePairs } from './comparing.js';
import type { StepInfo } from './line.js';
import { type Program, type RunEnd, type RunHooks, runFrom } from './program-run.js';
import type { Scratch } from './scratch.js';
import { begunAnew } from './unproven.js';

export interface Task extends CompareOptions, RunHooks {
  /** The store that the program opens, by its canonical path. */
  store: string;
  program: Program;
}

/** A snapshot to compare with. */
export interface Mark {
  step: number;
  id: string;
}

/** What came of it. */
export interface Again {
  /** Of the marks that the program reached, in their order, to the first that differs. */
  compared: (Mark & { result: Compared })[];
  /** The first mark that it did not reach. */
  missing: number | undefined;
  end: RunEnd;
  /** The program that was compared; undefined where nothing was. */
  program: SnapshotInfo['program'] | undefined;
}

/** `source`: the store that `from` and the marks are in. */
export async function beginAgain(
  scratch: Scratch,
  task: Task,
  source: string,
  from: Pick<StepInfo, 'id' | 'run' | 'step'>,
  marks: readonly Mark[],
): Promise<Again> {
  await scratch.bring(source, [from.id], task.signal);
  const steps = marks.map(({ step }) => step);
  const end = await runFrom(scratch, { store: task.store, run: from.run, marks: steps }, task.program, task);
  if (end.word?.said === 'anew') throw begunAnew(task, end.word.step);
  const made = await savedIn(scratch, from);
  const reached = marks.filter(({ step }) => made.has(step));
  const ids = reached.map(({ id }) => id);
  if (ids.length > 0) await scratch.bring(source, ids, task.signal);
  const pairs = reached.map(({ step, id }) => ({ step, a: id, b: made.get(step) as string }));
  const { found, program } = await comparePairs(scratch.store, pairs, task);
  const compared = found.map((result, index) => ({ ...(reached[index] as Mark), result }));
  return { compared, missing: steps.find((step) => !made.has(step)), end, program };
}

/** Ids of what a program saved after it began from a snapshot, by step: of several the first. */
export async function savedIn(
  scratch: Scratch,
  from: Pick<StepInfo, 'id' | 'run' | 'step'>,
): Promise<Map<number, string>> {
  const saved = new Map<number, string>();
  await using snap = await Snap.open(scratch.store, { create: false, readOnly: true });
  for await (const { id, step } of snap.list({ run: from.run, forgotten: true })) {
    if (id === from.id) break;
    if (step !== undefined && step > from.step) saved.set(step, id);
  }
  return saved;
}
