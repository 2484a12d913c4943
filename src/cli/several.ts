/** Doing one thing to several snapshots: what failed is told and does not keep the rest from being done. */

import { ExitStatus, exitStatusOf } from './exit-status.js';
import { describeFailure } from './failure.js';
import type { Output } from './output.js';

export interface Failed {
  ref: string;
  error: unknown;
}

/** Calls `act` for each, one after another, until the user interrupts; returns what failed. */
export async function each(
  refs: readonly string[],
  signal: AbortSignal,
  act: (ref: string) => Promise<void>,
): Promise<Failed[]> {
  const failed: Failed[] = [];
  for (const ref of refs) {
    if (signal.aborted) break;
    try {
      await act(ref);
    } catch (error) {
      failed.push({ ref, error });
    }
  }
  return failed;
}

export function tellFailed(failed: readonly Failed[], output: Output): void {
  for (const { error } of failed) output.talk(`snap: ${describeFailure(error)}`);
}

/** Partly done where anything was done; otherwise what the first failure ends in. */
export function statusOf(done: number, failed: readonly Failed[], signal: AbortSignal): ExitStatus {
  if (signal.aborted) return ExitStatus.interrupted;
  const [first] = failed;
  if (!first) return ExitStatus.done;
  return done > 0 ? ExitStatus.partly : exitStatusOf(first.error);
}
