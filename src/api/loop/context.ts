/** What a step is told of its loop, and what it may ask of it. */

import type { SnapshotRef } from '../../writer/refs.js';
import type { CadenceInfo } from './cadence.js';

/** Names that a snapshot is to have. */
export interface SnapshotNames {
  tag?: string | undefined;
  tags?: readonly string[] | undefined;
}

/** The loop as a step sees it. */
export interface LoopContext {
  /** Number of the step being run, from 0, counted over all restarts; between steps, how many are done. */
  readonly step: number;
  /** The run clock: milliseconds spent in this loop, over all restarts. It never goes back, but to the snapshot at a restart. */
  readonly elapsedMs: number;
  /** How many times the run was resumed. */
  readonly restarts: number;
  /** True where this loop began from a snapshot. */
  readonly resumed: boolean;
  /** Aborted once the loop is asked to end: a long step may watch it. */
  readonly signal: AbortSignal;
  /** When it saves, and why. */
  readonly cadence: CadenceInfo;
  /** Asks for a save after this step, whatever the cadence says; with names for it, if given. */
  save(names?: SnapshotNames): void;
  /** Ends the loop after this step, which is saved. */
  stop(): void;
  /**
   * After this step, goes on from a snapshot instead (`'latest'`: the newest of this run), as where a step found that the
   * computation went wrong. Its steps are done again; the `resume` hook may change the state first.
   */
  rollback(ref?: SnapshotRef): void;
}
