/** What `Snap.replay` may be asked for, checked at the border. */

import { availableParallelism } from 'node:os';
import { checkRun } from '../../base/names.js';
import { checkTolerance } from '../../base/tolerance.js';
import { canonicalPath } from '../../io/machine.js';
import { checkRef, type SnapshotRef } from '../../writer/refs.js';
import { checkNames } from '../options.js';

/** Options of `Snap.replay`. */
export interface ReplayOptions {
  /** The snapshot to begin with. */
  from: SnapshotRef;
  /** The one to end with, which came of it. Default `'latest'`. */
  to?: SnapshotRef | undefined;
  /** The run that `latest`, `{ step }` and `{ before }` mean. Default `'main'`. */
  run?: string | undefined;
  /**
   * Path of a module that computes what the run should have computed: it exports `step(state, loop)`, as `snap.loop` takes
   * it; `classes`, where the state holds instances; and `init()`, where the state is to be restored into what that makes.
   */
  reference: string;
  /** As for `diff`. Default 0: every bit counts. */
  tolerance?: number | undefined;
  /** How many intervals are replayed at a time, each in a process of its own. Default: as many as there are processors. */
  workers?: number | undefined;
  /** How many differing values to list of each interval. Default 1000. */
  limit?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told after each interval. */
  onProgress?: ((progress: ReplayProgress) => void) | undefined;
  /** Takes what the reference prints. */
  onOutput?: ((text: Uint8Array) => void) | undefined;
}

/** Of the intervals. */
export interface ReplayProgress {
  phase: 'replay';
  done: number;
  total: number;
}

export interface CheckedReplay {
  from: SnapshotRef;
  to: SnapshotRef;
  run: string;
  /** By its canonical path. */
  reference: string;
  tolerance: number;
  workers: number;
  limit: number;
  signal: AbortSignal | undefined;
  onProgress: ReplayOptions['onProgress'];
  onOutput: ReplayOptions['onOutput'];
}

const NAMES: ReadonlySet<string> = new Set([
  'from',
  'to',
  'run',
  'reference',
  'tolerance',
  'workers',
  'limit',
  'signal',
  'onProgress',
  'onOutput',
]);
const VALUES = 1000;

export function checkReplay(options: ReplayOptions): CheckedReplay {
  if (typeof options !== 'object' || options === null) throw new TypeError(SAYS_REFERENCE);
  checkNames(options, NAMES, 'Snap.replay');
  const { from, to = 'latest', run = 'main', reference, tolerance = 0, limit = VALUES } = options;
  const { workers = availableParallelism(), signal, onProgress, onOutput } = options;
  checkRef(from);
  checkRef(to);
  checkRun(run);
  if (typeof reference !== 'string' || reference === '') throw new TypeError(SAYS_REFERENCE);
  if (!Number.isSafeInteger(workers) || workers < 1) {
    throw new RangeError(`workers is ${String(workers)}; it takes a whole number from 1`);
  }
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new RangeError(`limit is ${String(limit)}; it takes a whole number from 0`);
  }
  return {
    ...{ from, to, run, workers, limit, signal, onProgress, onOutput },
    reference: canonicalPath(reference),
    tolerance: checkTolerance(tolerance),
  };
}

const SAYS_REFERENCE =
  'replay takes the path of a module that exports step, as in Snap.replay(directory, { from, reference: "./reference.mjs" })';
