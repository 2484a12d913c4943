/** Copying snapshots to another store: what may be asked for, checked, and the reply. */

import { throwIfAborted } from '../base/abort.js';
import { checkRun } from '../base/names.js';
import { canonicalPath } from '../io/machine.js';
import type { CopyProgress } from '../store/copy.js';
import type { GcProgress } from '../store/gc.js';
import { parsePolicy, type RetentionPolicy } from '../store/retention-policy.js';
import { copyBeside } from '../writer/copier.js';
import type { CopyReport, CopyRequest } from '../writer/copy-job.js';
import { checkRef, type SnapshotRef } from '../writer/refs.js';
import type { Internals } from '../writer/thread.js';
import { publishWarning } from './channels.js';
import { checkBoolean, checkNames, checkSeconds, INTERNALS } from './options.js';

/** Options of `Snap.copy`. Snapshots that meet all that is said are copied; without a word, all of them. */
export interface CopyOptions {
  /** These alone: `'latest'`, tags, ids or at least 4 digits of one, `{ step }`, `{ before }`. */
  snapshots?: readonly SnapshotRef[] | undefined;
  /** Only this run; also the run that `latest`, `{ step }` and `{ before }` mean. Default: all. */
  run?: string | undefined;
  /** Globs: only those with a tag that matches one of them. */
  tags?: string | readonly string[] | undefined;
  /** Only those saved then or later. */
  since?: Date | undefined;
  /** Of those that are left, only the newest so many of each run. */
  last?: number | undefined;
  /**
   * Which snapshots the store that is copied to keeps: others are not copied, and in the end gc removes those that it
   * does not keep any more. Default: all.
   */
  keep?: RetentionPolicy | undefined;
  /** Only say what would be copied. Default `false`. */
  dryRun?: boolean | undefined;
  /** End after so many seconds; the next copy goes on from there. */
  maxSeconds?: number | undefined;
  /** Ends the copy; what was copied stays, and the next one goes on from there. */
  signal?: AbortSignal | undefined;
  /** Told a few times a second how far it is: `done` of `total` bytes of the states; then the phases of gc. */
  onProgress?: ((progress: CopyProgress | GcProgress) => void) | undefined;
  /** For the tests of this library. */
  [INTERNALS]?: Internals;
}

const NAMES: ReadonlySet<string> = new Set([
  'snapshots',
  'run',
  'tags',
  'since',
  'last',
  'keep',
  'dryRun',
  'maxSeconds',
  'signal',
  'onProgress',
]);

export async function copyStore(from: string, to: string, options: CopyOptions): Promise<CopyReport> {
  const request = checkCopy(from, to, options);
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const report = await copyBeside(request, {
    progress: onProgress,
    signal,
    warning: (directory, warning) => publishWarning({ ...warning, directory }),
    ioModule: options[INTERNALS]?.ioModule,
  });
  throwIfAborted(signal);
  return report;
}

function checkCopy(from: string, to: string, options: CopyOptions): CopyRequest {
  checkNames(options, NAMES, 'Snap.copy');
  const { snapshots, run, tags, since, last, keep, dryRun = false, maxSeconds } = options;
  for (const ref of snapshots ?? []) checkRef(ref);
  if (run !== undefined) checkRun(run);
  if (since !== undefined && !(since instanceof Date && !Number.isNaN(since.getTime()))) {
    throw new TypeError('since takes a Date');
  }
  if (last !== undefined && !(Number.isSafeInteger(last) && last > 0)) {
    throw new RangeError(`last is ${String(last)}; it takes a whole number from 1`);
  }
  checkSeconds(maxSeconds);
  const folders = { from: checkFolder(from), to: checkFolder(to) };
  if (folders.from === folders.to)
    throw new TypeError(`${folders.to} is the store to copy from; name another folder`);
  return {
    ...folders,
    snapshots,
    run,
    // As a policy takes them: the same globs, refused with the same words.
    tags: tags === undefined ? undefined : parsePolicy({ tags }).tags,
    since: since?.getTime(),
    last,
    keep: keep === undefined ? undefined : parsePolicy(keep),
    dryRun: checkBoolean(dryRun, 'dryRun'),
    maxSeconds,
  };
}

function checkFolder(path: unknown): string {
  if (typeof path === 'string' && path !== '') return canonicalPath(path);
  throw new TypeError(
    'Snap.copy takes the paths of two folders, as in Snap.copy("./checkpoints", "/mnt/backup/heat")',
  );
}
