/** What `snap.loop` may be asked for. Checked in check-options.ts. */

import type { INTERNALS } from '../options.js';
import type { LoopContext } from './context.js';
import type { LoopHooks } from './hooks.js';

/** Seconds, or a duration such as `'90s'`, `'10m'`, `'1.5h'`, `'7d'`. */
export type Duration = number | string;

/**
 * When to save.
 *
 * `steps` and `seconds` ask for saves, at whichever comes first. `overhead` and `mtbf` follow from what a save costs,
 * which the loop measures: alone they are the interval (the longer one, where both are given; never below a second);
 * beside `steps` or `seconds` they are limits, and no save is made earlier than they allow.
 */
export interface CadenceOptions {
  /** After every so many steps, counted over all restarts: at N, 2N, 3N. */
  steps?: number | undefined;
  /** After so much time since the last save. */
  seconds?: Duration | undefined;
  /** The share of the loop's time that saves may cost: above 0, below 1, as in 0.01. */
  overhead?: number | undefined;
  /**
   * Mean time between failures of all that the run needs: the interval is then the best one by Young and Daly, at which
   * saving and computing again cost least together.
   */
  mtbf?: Duration | undefined;
}

/** Which signals a loop hears, and what it does then. */
export interface SignalOptions {
  /**
   * A last durable save after the step under way, then the end of the process with status 128 + n.
   * Default SIGTERM and SIGINT. A second SIGINT ends the process at once.
   */
  stop?: readonly NodeJS.Signals[] | undefined;
  /** A save after the step under way. Default none. SIGUSR2 is free; SIGUSR1 starts Node's inspector unless taken here. */
  save?: readonly NodeJS.Signals[] | undefined;
  /** How long the step under way and the last save may take once a signal to stop is heard. Default: as long as they take. */
  grace?: Duration | undefined;
  /** `false`: the loop ends with reason `'signal'`, and the process goes on. Default `true`. */
  exit?: boolean | undefined;
}

/** Options of `snap.loop`. `S` is the state: an object of any kind that `save` takes. */
export interface LoopOptions<S extends object> {
  /** Makes the state where the run has no snapshot yet. */
  init: () => S | Promise<S>;
  /**
   * One step: changes the state in place and returns nothing, or returns the next state. Without it the loop is an async
   * iterable, whose body is the step.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a step that returns nothing is the usual one
  step?: ((state: S, loop: LoopContext) => S | void | Promise<S | void>) | undefined;
  /** Ends once so many steps are done, counted over all restarts. */
  steps?: number | undefined;
  /** Ends once this is true; asked before each step. */
  until?: ((state: S, loop: LoopContext) => boolean) | undefined;
  /** When to save. Default `{ seconds: 60, overhead: 0.01 }`: each minute, less often where that costs more than 1 %. */
  save?: CadenceOptions | undefined;
  /** Default: SIGTERM and SIGINT are heard. */
  signals?: SignalOptions | undefined;
  /** Functions to be called around captures, and when the run goes on from a snapshot. */
  on?: LoopHooks<S> | undefined;
  /**
   * What becomes of the run's snapshots when the loop is done: `'last'` forgets all that loops made except the last one
   * and those with tags. Default `'keep'`.
   */
  whenDone?: 'keep' | 'last' | undefined;
  /** Restores into what `init` makes, as a state with a WebAssembly.Memory needs. Default `false`. */
  into?: boolean | undefined;
  /** For the tests of this library. */
  [INTERNALS]?: LoopInternals;
}

export interface LoopInternals {
  /** Milliseconds of a clock that never goes back. */
  clock?: () => number;
}
