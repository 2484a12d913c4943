/** Garbage collection as a background job: with a time limit, for a caller who asked or for a Snap's `keep`. */

import type { SnapshotId } from '../base/ids.js';
import { Gc, type GcFindings, type GcProgress } from '../store/gc.js';
import type { Policy } from '../store/retention-policy.js';
import type { Store } from '../store/store.js';
import type { Job, JobContext } from './background.js';

export interface GcRequest {
  policy: Policy | undefined;
  /** Only the snapshots of this run; otherwise all. */
  run: string | undefined;
  dryRun: boolean;
  explain: boolean;
  force: boolean;
  maxSeconds: number | undefined;
}

/** What `gc` did, or with `dryRun` would do. Sizes in bytes. */
export interface GcReport extends GcFindings {
  dryRun: boolean;
  /** False where time ran out or it was stopped: what is still there is found by the next one. */
  complete: boolean;
  kept: number;
  /** How many snapshots went, or with `dryRun` would. */
  dropped: number;
  seconds: number;
}

export async function* gcJob(store: Store, context: JobContext, args: unknown[]): Job {
  const { maxSeconds, ...request } = args[0] as GcRequest;
  const began = performance.now();
  const gc = new Gc(store, {
    ...request,
    pinned: () => context.pinned() as ReadonlySet<SnapshotId>,
    now: Date.now(),
  });
  let complete = true;
  for await (const progress of gc.run()) {
    const late = maxSeconds !== undefined && performance.now() - began > maxSeconds * 1000;
    if (context.shouldStop() || late) {
      complete = false;
      break;
    }
    yield progress satisfies GcProgress;
  }
  const { snapshots, collected } = gc.findings;
  const dropped = collected || request.dryRun ? snapshots.filter(({ keep }) => !keep).length : 0;
  return {
    ...gc.findings,
    dryRun: request.dryRun,
    complete,
    kept: snapshots.length - dropped,
    dropped,
    seconds: (performance.now() - began) / 1000,
  } satisfies GcReport;
}
