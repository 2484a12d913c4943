/** Checks what `snap.loop` is asked for, at the border. Durations become milliseconds here. */

import { parseDuration } from '../../base/units.js';
import { realIo } from '../../io/real.js';
import { canBeHeard } from '../../io/signals.js';
import { checkBoolean, checkNames, INTERNALS } from '../options.js';
import { HOOK_NAMES, type LoopHooks } from './hooks.js';
import type { CadenceOptions, Duration, LoopOptions, SignalOptions } from './options.js';

/** The cadence with durations in milliseconds; undefined is not asked for. */
export interface CheckedCadence {
  steps: number | undefined;
  intervalMs: number | undefined;
  overhead: number | undefined;
  mtbfMs: number | undefined;
}

export interface CheckedSignals {
  stop: ReadonlySet<NodeJS.Signals>;
  save: ReadonlySet<NodeJS.Signals>;
  graceMs: number | undefined;
  exit: boolean;
}

export interface CheckedLoop<S extends object> extends Pick<LoopOptions<S>, 'init' | 'step' | 'until'> {
  /** Infinity: no such end. */
  steps: number;
  save: CheckedCadence;
  signals: CheckedSignals;
  on: LoopHooks<S>;
  whenDone: 'keep' | 'last';
  into: boolean;
  clock: () => number;
}

const LOOP_NAMES: ReadonlySet<string> = new Set([
  'init',
  'step',
  'steps',
  'until',
  'save',
  'signals',
  'on',
  'whenDone',
  'into',
]);
const SAVE_NAMES: ReadonlySet<string> = new Set(['steps', 'seconds', 'overhead', 'mtbf']);
const SIGNAL_NAMES: ReadonlySet<string> = new Set(['stop', 'save', 'grace', 'exit']);
const DEFAULT_SAVE: CadenceOptions = { seconds: 60, overhead: 0.01 };
const DEFAULT_STOP: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];
/** What a timer of Node can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function checkLoopOptions<S extends object>(options: LoopOptions<S>): CheckedLoop<S> {
  checkObject(options, 'loop', '{ init, step, steps }');
  checkNames(options, LOOP_NAMES, 'loop');
  const { init, step, steps, until, save = DEFAULT_SAVE, whenDone = 'keep', into = false } = options;
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
    signals: checkSignals(options.signals ?? {}),
    on: checkHooks(options.on ?? {}),
    whenDone,
    into: checkBoolean(into, 'into'),
    clock: options[INTERNALS]?.clock ?? realIo.monotonic,
  };
}

function checkCadence(save: CadenceOptions): CheckedCadence {
  checkObject(save, 'save of loop', '{ steps: 1000 } or { seconds: 60 }');
  checkNames(save, SAVE_NAMES, 'save of loop');
  const { steps, seconds, overhead, mtbf } = save;
  if ([steps, seconds, overhead, mtbf].every((choice) => choice === undefined)) {
    throw new TypeError('save is empty; say when to save, as in { steps: 1000 } or { seconds: 60 }');
  }
  if (steps !== undefined && !(Number.isSafeInteger(steps) && steps > 0)) {
    throw new RangeError(`save.steps is ${String(steps)}; it takes a whole number above 0`);
  }
  if (overhead !== undefined && !(typeof overhead === 'number' && overhead > 0 && overhead < 1)) {
    throw new RangeError(
      `save.overhead is ${String(overhead)}; it takes a share of the time above 0 and below 1, as in 0.01`,
    );
  }
  return {
    steps,
    intervalMs: toMilliseconds(seconds, 'save.seconds'),
    overhead,
    mtbfMs: toMilliseconds(mtbf, 'save.mtbf'),
  };
}

function checkSignals(signals: SignalOptions): CheckedSignals {
  checkObject(signals, 'signals', '{ save: ["SIGUSR2"], grace: 20 }');
  checkNames(signals, SIGNAL_NAMES, 'signals of loop');
  const { stop = DEFAULT_STOP, save = [], exit = true } = signals;
  for (const [name, list] of Object.entries({ stop, save })) {
    if (!Array.isArray(list)) throw new TypeError(`signals.${name} takes a list, as in ["SIGUSR2"]`);
    for (const signal of list) {
      if (!canBeHeard(signal)) {
        throw new TypeError(
          `signals.${name} names ${JSON.stringify(signal)}, which is no signal that a program can hear here`,
        );
      }
    }
  }
  const twice = save.find((signal) => stop.includes(signal));
  if (twice) throw new TypeError(`${twice} is named both in signals.stop and in signals.save`);
  const graceMs = toMilliseconds(signals.grace, 'signals.grace');
  if (graceMs !== undefined && graceMs > LONGEST_TIMER_MS) {
    throw new RangeError('signals.grace is longer than 24 days; leave it out for as long as it takes');
  }
  return { stop: new Set(stop), save: new Set(save), graceMs, exit: checkBoolean(exit, 'signals.exit') };
}

function checkHooks<S extends object>(on: LoopHooks<S>): LoopHooks<S> {
  checkObject(on, 'on', '{ durable: (info) => { ... } }');
  checkNames(on, HOOK_NAMES, 'on of loop');
  for (const [name, hook] of Object.entries(on)) checkFunction(hook, `on.${name}`);
  return on;
}

function toMilliseconds(duration: Duration | undefined, name: string): number | undefined {
  if (duration === undefined) return undefined;
  const ms = typeof duration === 'string' ? parseDuration(duration) : duration * 1000;
  if (!(ms > 0 && ms < Number.POSITIVE_INFINITY)) {
    throw new RangeError(
      `${name} is ${String(duration)}; it takes seconds above 0, or a duration such as "10m"`,
    );
  }
  return ms;
}

function checkObject(value: unknown, name: string, example: string): void {
  if (typeof value === 'object' && value !== null) return;
  throw new TypeError(`${name} takes an object, as in ${example}`);
}

function checkFunction(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'function') {
    throw new TypeError(`${name} takes a function, not ${typeof value}`);
  }
}
