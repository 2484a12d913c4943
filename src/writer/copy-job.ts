/** A copy from one store to another: opens both, copies, collects in the target where it has a policy, closes both. */

import { isSnapError, SnapError } from '../base/errors.js';
import type { Io } from '../io/io.js';
import { sharedMilliseconds } from '../io/machine.js';
import { Copy, type CopyFindings, type CopyProgress } from '../store/copy.js';
import { CopySource } from '../store/copy-source.js';
import { findStore } from '../store/folder.js';
import type { GcProgress } from '../store/gc.js';
import { Layout } from '../store/layout.js';
import type { Policy } from '../store/retention-policy.js';
import { Store, type StoreOptions, type StoreWarning } from '../store/store.js';
import { find } from './finding.js';
import { type GcReport, gcJob } from './gc-job.js';
import type { SnapshotRef } from './refs.js';

export interface CopyRequest {
  /** Folders, by their canonical names. */
  from: string;
  to: string;
  snapshots: readonly SnapshotRef[] | undefined;
  run: string | undefined;
  tags: readonly string[] | undefined;
  /** Milliseconds since 1970. */
  since: number | undefined;
  last: number | undefined;
  keep: Policy | undefined;
  dryRun: boolean;
  maxSeconds: number | undefined;
}

/** What `Snap.copy` did, or with `dryRun` would do. Sizes in bytes. */
export interface CopyReport extends CopyFindings {
  /** The folders of the stores. */
  from: string;
  to: string;
  dryRun: boolean;
  /** False where time ran out: the next copy goes on from there. */
  complete: boolean;
  seconds: number;
  /** What the policy of the target removed there; only where there is one, and the copy is complete. */
  gc: GcReport | undefined;
}

export interface CopyHooks {
  io: Io;
  /** Asked after every step. */
  shouldStop(): boolean;
  progress(progress: CopyProgress | GcProgress): void;
  warning(directory: string, warning: StoreWarning): void;
  /** Called after every step: lets others in. */
  breathe(): Promise<void> | undefined;
}

/** Steps of something long, and what it returns. */
type Steps<T> = AsyncGenerator<unknown, T>;

export async function copyStores(request: CopyRequest, hooks: CopyHooks): Promise<CopyReport> {
  const { from, to, dryRun } = request;
  const began = sharedMilliseconds();
  const source = await open(hooks, { directory: from, create: false, readOnly: true });
  try {
    const there = findStore(hooks.io, new Layout(to));
    if (there?.uuid === source.descriptor.uuid) throw sameStore(from, to);
    const ids = await idsOf(source, request);
    const target = dryRun && !there ? undefined : await openTarget(hooks, to, dryRun);
    try {
      return await copy(request, hooks, source, target, ids, began);
    } finally {
      await target?.close();
    }
  } finally {
    await source.close();
  }
}

async function copy(
  request: CopyRequest,
  hooks: CopyHooks,
  source: Store,
  target: Store | undefined,
  ids: ReadonlySet<string> | undefined,
  began: number,
): Promise<CopyReport> {
  const { from, to, run, tags, since, last, keep, dryRun, maxSeconds } = request;
  const seconds = () => (sharedMilliseconds() - began) / 1000;
  const isLate = () => maxSeconds !== undefined && seconds() > maxSeconds;
  const selection = { ids, run: ids ? undefined : run, tags, since, last };
  const copying = new Copy(new CopySource(source), target, {
    dryRun,
    selection,
    policy: keep,
    now: hooks.io.now(),
  });
  let complete = true;
  for await (const progress of copying.run()) {
    // However short the time, every run gets on.
    const gotOn = progress.writtenBytes > 0 || progress.snapshots > 0;
    if (hooks.shouldStop() || (isLate() && gotOn)) {
      complete = false;
      break;
    }
    hooks.progress(progress);
    await hooks.breathe();
  }
  let gc: GcReport | undefined;
  // What an unfinished copy left behind must not be taken for garbage.
  if (keep && complete && target && !dryRun) {
    const context = { shouldStop: () => hooks.shouldStop() || isLate(), pinned: () => new Set<string>() };
    const limits = { run: undefined, dryRun: false, explain: false, force: false, maxSeconds: undefined };
    gc = (await finish(gcJob(target, context, [{ policy: keep, ...limits }]), hooks)) as GcReport;
  }
  return { ...copying.findings, from, to, dryRun, complete, seconds: seconds(), gc };
}

async function finish<T>(steps: Steps<T>, hooks: CopyHooks): Promise<T> {
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return value;
    hooks.progress(value as GcProgress);
    await hooks.breathe();
  }
}

/** The snapshots that were named; undefined where none was. */
async function idsOf(source: Store, { snapshots, run }: CopyRequest): Promise<Set<string> | undefined> {
  if (!snapshots) return undefined;
  const ids = new Set<string>();
  for (const ref of snapshots) ids.add((await find(source, ref, run)).id);
  return ids;
}

async function openTarget(hooks: CopyHooks, directory: string, dryRun: boolean): Promise<Store> {
  try {
    return await open(hooks, { directory, create: !dryRun, readOnly: dryRun });
  } catch (error) {
    if (!isSnapError(error, 'SNAP_LOCKED')) throw error;
    const fields = error.pid === undefined ? {} : { pid: error.pid };
    throw new SnapError('SNAP_LOCKED', `the store to copy to, ${directory}: ${error.message}`, fields);
  }
}

function open(
  { io, warning }: CopyHooks,
  options: Pick<StoreOptions, 'directory' | 'create' | 'readOnly'>,
): Promise<Store> {
  return Store.open({
    ...options,
    io,
    // Chunks are stored as they are in the source.
    compression: false,
    onWarning: (odd) => warning(options.directory, odd),
  });
}

function sameStore(from: string, to: string): TypeError {
  return new TypeError(
    `${from} and ${to} are the same store, or one is a copy of the other's files; copy to an empty folder`,
  );
}
