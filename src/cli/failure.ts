/** How a failure is told: one line that begins with `snap:`, and a status. The stack only for SNAP_DEBUG=1. */

import { UsageError } from './errors.js';
import { ExitStatus, exitStatusOf } from './exit-status.js';
import type { Output } from './output.js';
import { printable } from './words.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Tells of the error; returns the status it ends in. */
export function reportFailure(error: unknown, output: Output, env: Environment): ExitStatus {
  const status = exitStatusOf(error);
  output.talk(`snap: ${status === ExitStatus.interrupted ? 'interrupted' : describeFailure(error)}`);
  if (error instanceof UsageError && error.usage) output.talk(error.usage);
  if (env.SNAP_DEBUG === '1' && error instanceof Error) output.talk(stackOf(error));
  return status;
}

const BESIDE = ': end it, or wait until it ends (ls, show and stats work beside it)';

/** The library speaks of its own options; here they have other names. */
const OWN_WORDS: readonly (readonly [library: string, own: string])[] = [
  ['; close it there, or open with readOnly to read beside it', BESIDE],
  ['; open it with readOnly to read beside it', BESIDE],
  ['Snap.repair(directory)', 'snap repair'],
];

/** The message on one line. */
export function describeFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return printable(OWN_WORDS.reduce((text, [library, own]) => text.replaceAll(library, own), message));
}

function stackOf(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}
