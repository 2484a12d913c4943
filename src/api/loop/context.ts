/** What a step is told of its loop, and what it may ask of it. */

/** The loop as a step sees it. */
export interface LoopContext {
  /** Number of the step being run, from 0, counted over all restarts; between steps, how many are done. */
  readonly step: number;
  /** The run clock: milliseconds spent in this loop, over all restarts; it never goes back while the run goes on. */
  readonly elapsedMs: number;
  /** How many times the run was resumed. */
  readonly restarts: number;
  /** True where this loop began from a snapshot. */
  readonly resumed: boolean;
  /** Aborted once the loop is asked to end: a long step may watch it. */
  readonly signal: AbortSignal;
  /** Asks for a save after this step, whatever the cadence says; with names for it, if given. */
  save(options?: { tag?: string | undefined; tags?: readonly string[] | undefined }): void;
  /** Ends the loop after this step, which is saved. */
  stop(): void;
}
