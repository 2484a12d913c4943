/** What `snap.prove` may be asked for, checked at the border. */

import { checkTolerance } from '../../base/tolerance.js';
import { checkRef, type SnapshotRef } from '../../writer/refs.js';
import { checkNames } from '../options.js';
import type { Program } from './program-run.js';

/** What is about to be run. */
export interface ProofRun {
  /** `'run'`: compared with the run that went on from there; `'rerun'`: with the program itself, not restarted. */
  against: 'run' | 'rerun';
  /** The step that the program begins from. */
  from: number;
  /** The step that it goes on to, or a little further where it is not saved there. */
  to: number;
}

/** Options of `snap.prove`. */
export interface ProveOptions {
  /** The snapshot to begin from. Default `'latest'`. */
  ref?: SnapshotRef | undefined;
  /** How to start the program that made it: a command, as for `child_process.spawn`. */
  program: string;
  args?: readonly string[] | undefined;
  /**
   * How many steps to go on. Default: to the next snapshot that the run has; where it has none, as many as it made
   * before this one.
   */
  steps?: number | undefined;
  /** As for `diff`. Default 0: every bit counts. */
  tolerance?: number | undefined;
  /** How many differing values to list. Default 1000. */
  limit?: number | undefined;
  /** The folder that the program is started in. Default: that of this process. */
  cwd?: string | undefined;
  /** Ends it: the program is killed. */
  signal?: AbortSignal | undefined;
  /** Told before the program is started. */
  onRun?: ((run: ProofRun) => void) | undefined;
  /** Takes what the program prints. */
  onOutput?: ((text: Uint8Array) => void) | undefined;
}

export interface CheckedProve {
  ref: SnapshotRef;
  program: Program;
  steps: number | undefined;
  tolerance: number;
  limit: number;
  signal: AbortSignal | undefined;
  onRun: ProveOptions['onRun'];
  onOutput: ProveOptions['onOutput'];
}

const NAMES: ReadonlySet<string> = new Set([
  'ref',
  'program',
  'args',
  'steps',
  'tolerance',
  'limit',
  'cwd',
  'signal',
  'onRun',
  'onOutput',
]);
const VALUES = 1000;

export function checkProve(options: ProveOptions): CheckedProve {
  if (typeof options !== 'object' || options === null) throw new TypeError(SAYS_PROGRAM);
  checkNames(options, NAMES, 'prove');
  const { ref = 'latest', program, args = [], steps, tolerance = 0, limit = VALUES } = options;
  checkRef(ref);
  if (typeof program !== 'string' || program === '') throw new TypeError(SAYS_PROGRAM);
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === 'string')) {
    throw new TypeError("args takes a list of strings, as in ['heat.js', '--fine']");
  }
  if (steps !== undefined && !(Number.isSafeInteger(steps) && steps > 0)) {
    throw new RangeError(`steps is ${String(steps)}; it takes a whole number above 0`);
  }
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new RangeError(`limit is ${String(limit)}; it takes a whole number from 0`);
  }
  const { cwd, signal, onRun, onOutput } = options;
  return {
    ref,
    program: { command: program, args, cwd, name: [program, ...args].join(' ') },
    steps,
    tolerance: checkTolerance(tolerance),
    limit,
    signal,
    onRun,
    onOutput,
  };
}

const SAYS_PROGRAM =
  "prove takes the program that made the snapshot, as in snap.prove({ ref: 'latest', program: 'node', args: ['heat.js'] })";
