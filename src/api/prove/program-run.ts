/** Running a program from a snapshot until it has saved where the plan says, or ends by itself. */

import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from '../../base/abort.js';
import { SnapError } from '../../base/errors.js';
import { Child, type ChildEnd } from '../../io/child.js';
import { realIo } from '../../io/real.js';
import { environmentOf, hearWord, type Plan, type Word } from './plan.js';
import type { Scratch } from './scratch.js';

/** The program of a proof. */
export interface Program {
  command: string;
  args: readonly string[];
  cwd: string | undefined;
  /** What it is called in messages. */
  name: string;
}

export interface RunHooks {
  signal: AbortSignal | undefined;
  onOutput: ((text: Uint8Array) => void) | undefined;
}

/** How it went: what the program said last, and how it ended where it was not ended from here. */
export interface RunEnd {
  word: Word | undefined;
  end: ChildEnd | undefined;
  /** The last line that it printed; of an error that ended it, what that says. */
  lastWords: string;
}

/** How often the program's word is looked for. */
const LOOK_MS = 20;
const KEPT_BYTES = 4000;

export async function runFrom(
  scratch: Scratch,
  plan: Pick<Plan, 'store' | 'run' | 'marks'>,
  program: Program,
  { signal, onOutput }: RunHooks,
): Promise<RunEnd> {
  throwIfAborted(signal);
  let printed = Buffer.alloc(0);
  const child = new Child({
    ...program,
    env: environmentOf({ ...plan, scratch: scratch.store, word: scratch.word }),
    onOutput: (text) => {
      printed = Buffer.concat([printed, text]).subarray(-KEPT_BYTES);
      onOutput?.(text);
    },
  });
  let end: ChildEnd | undefined;
  const ended = child.ended.then((how) => {
    end = how;
  });
  ended.catch(() => {});
  try {
    while (!end && !isLast(hearWord(realIo, scratch.word))) {
      await Promise.race([ended, sleep(LOOK_MS, undefined, { signal })]).catch((error: unknown) => {
        throwIfAborted(signal);
        throw cannotStart(program, error);
      });
    }
  } finally {
    child.kill();
    await ended.catch(() => {});
  }
  const word = hearWord(realIo, scratch.word);
  return { word, end: isLast(word) ? undefined : end, lastWords: lastWords(printed) };
}

function isLast(word: Word | undefined): boolean {
  return word !== undefined && word.said !== 'opened';
}

function cannotStart({ command }: Program, cause: unknown): SnapError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SnapError('SNAP_PROGRAM', `${command} cannot be started: ${reason}`, { cause });
}

function lastWords(printed: Buffer): string {
  const lines = printed.toString('utf8').trimEnd().split('\n');
  return lines.findLast((line) => /^(Uncaught )?\w*Error\b/.test(line)) ?? lines.at(-1) ?? '';
}
