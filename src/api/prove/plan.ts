/**
 * What a process that runs for `prove` is told by the one that started it, through its environment, and what it says
 * in return, in files of a scratch folder. Nothing else connects the two, so that shells, npm and the like may stand
 * between them.
 */

import type { Io } from '../../io/io.js';
import { processId } from '../../io/machine.js';
import { readSmallFile, replaceFile } from '../../io/transfer.js';

/** Of the environment; a program may look whether it is there, to leave out what is to be done only once. */
export const PROVE_VARIABLE = 'HOLDFAST_PROVE';

export interface Plan {
  /** The store that is proved, by its canonical path. Whoever opens it opens `scratch` instead. */
  store: string;
  scratch: string;
  /** Path of the file for what the process says. */
  word: string;
  run: string;
  /** Where the run is to be saved, by steps, ascending; or at the first save `every` so many steps further, twice. */
  marks: number[] | { from: number; every: number };
  /** The process that waits for it. */
  parent: number;
}

/** What the process that runs for a proof says of itself; the last word counts. */
export type Word =
  /** The store was opened, for these runs. */
  | { said: 'opened'; runs: string[] }
  /** All that was to be saved is durable. */
  | { said: 'done' }
  /** The run was saved at this step by a program that had not begun from its snapshot. */
  | { said: 'anew'; step: number }
  /** A save was made at `step`, none at `missed` before it. */
  | { said: 'passed'; step: number; missed: number };

const LONGEST_WORD = 4096;

export function environmentOf(plan: Omit<Plan, 'parent'>): Record<string, string> {
  return { [PROVE_VARIABLE]: JSON.stringify({ ...plan, parent: processId } satisfies Plan) };
}

/** The plan of this process; undefined where it runs for itself. */
export function readPlan(text: string | undefined): Plan | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const plan = JSON.parse(text) as Plan;
    const { store, scratch, word, run, parent } = plan;
    const isPlan = [store, scratch, word, run].every((one) => typeof one === 'string') && parent > 0;
    if (isPlan && typeof plan.marks === 'object') return plan;
  } catch {
    // As below.
  }
  throw new TypeError(`${PROVE_VARIABLE} in the environment is for programs that snap prove runs; unset it`);
}

export function sayWord(io: Io, path: string, word: Word): void {
  replaceFile(io, path, Buffer.from(JSON.stringify(word)));
}

export function hearWord(io: Io, path: string): Word | undefined {
  const content = readSmallFile(io, path, LONGEST_WORD);
  return content && (JSON.parse(content.toString('utf8')) as Word);
}
