/** What `snap.loop` may be asked for, checked at the border. Durations become milliseconds here. */

import { parseDuration } from '../../base/units.js';
import { checkNames, INTERNALS } from '../options.js';
import type { LoopContext } from './context.js';

/** Seconds, or a duration such as `'90s'`, `'10m'`, `'1.5h'`, `'7d'`. */
export type Duration = number | string;

/**
 * When to save. `steps` and `seconds` ask for saves, at whichever comes first.
 */
export interface CadenceOptions {
  /** After every so many steps, counted over all restarts: at N, 2N, 3N. */
  steps?: number | undefined;
  /** After so much time since the last save. */
  seconds?: Duration | undefined;
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
  /** When to save. Default: every 60 seconds. */
  save?: CadenceOptions | undefined;
  /** What becomes of the snapshots before the last one when the loop is done. Default `'keep'`. */
  whenDone?: 'keep' | 'last' | undefined;
  /** For the tests of this library. */
  [INTERNALS]?: LoopInternals;
}

export interface LoopInternals {
  /** Milliseconds of a clock that never goes back. */
  clock?: () => number;
}

/** The cadence with durations in milliseconds; undefined is not asked for. */
export interface CheckedCadence {
  steps: number | undefined;
  intervalMs: number | undefined;
}

export interface CheckedLoop<S extends object> {
  init: () => S | Promise<S>;
  step: LoopOptions<S>['step'];
  /** Infinity: no such end. */
  steps: number;
  until: LoopOptions<S>['until'];
  save: CheckedCadence;
  whenDone: 'keep' | 'last';
  clock: () => number;
}

const LOOP_NAMES: ReadonlySet<string> = new Set(['init', 'step', 'steps', 'until', 'save', 'whenDone']);
const SAVE_NAMES: ReadonlySet<string> = new Set(['steps', 'seconds']);
const DEFAULT_SAVE: CadenceOptions = { seconds: 60 };

export function checkLoopOptions<S extends object>(options: LoopOptions<S>): CheckedLoop<S> {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(
      'loop takes { init, step, ... }, as in snap.loop({ init: () => ({ n: 0 }), step, steps: 100 })',
    );
  }
  checkNames(options, LOOP_NAMES, 'loop');
  const { init, step, steps, until, save = DEFAULT_SAVE, whenDone = 'keep' } = options;
  if (typeof init !== 'function') {
    throw new TypeError('loop takes init, a function that makes the state where the run has no snapshot yet');
  }
  checkFunction(step, 'step');
  checkFunction(until, 'until');
  if (steps !== undefined && !(Number.isSafeInteger(steps) && steps >= 0)) {
    throw new RangeError(
      `steps is ${String(steps)}; it takes how many steps the whole run has, a whole number`,
    );
  }
  if (whenDone !== 'keep' && whenDone !== 'last') {
    throw new TypeError(`whenDone is ${JSON.stringify(whenDone)}; it takes "keep" or "last"`);
  }
  return {
    init,
    step,
    steps: steps ?? Number.POSITIVE_INFINITY,
    until,
    save: checkCadence(save),
    whenDone,
    clock: options[INTERNALS]?.clock ?? (() => performance.now()),
  };
}

function checkCadence(save: CadenceOptions): CheckedCadence {
  if (typeof save !== 'object' || save === null) {
    throw new TypeError('save takes an object, as in { steps: 1000 } or { seconds: 60 }');
  }
  checkNames(save, SAVE_NAMES, 'save of loop');
  const { steps, seconds } = save;
  if (steps === undefined && seconds === undefined) {
    throw new TypeError('save is empty; say when to save, as in { steps: 1000 } or { seconds: 60 }');
  }
  if (steps !== undefined && !(Number.isSafeInteger(steps) && steps > 0)) {
    throw new RangeError(`save.steps is ${String(steps)}; it takes a whole number above 0`);
  }
  return { steps, intervalMs: toMilliseconds(seconds, 'save.seconds') };
}

function toMilliseconds(duration: Duration | undefined, name: string): number | undefined {
  if (duration === undefined) return undefined;
  const ms = typeof duration === 'string' ? parseDuration(duration) : duration * 1000;
  if (typeof ms !== 'number' || !(ms > 0 && ms < Number.POSITIVE_INFINITY)) {
    throw new RangeError(
      `${name} is ${String(duration)}; it takes seconds above 0, or a duration such as "10m"`,
    );
  }
  return ms;
}

function checkFunction(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'function') {
    throw new TypeError(`${name} takes a function, not ${typeof value}`);
  }
}
