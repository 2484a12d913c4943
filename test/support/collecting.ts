/** Garbage collections driven by hand: step by step, with whatever is to come between two steps. */

import type { SnapshotId } from '../../src/base/ids.js';
import { Gc, type GcFindings, type GcOptions, type GcProgress } from '../../src/store/gc.js';
import type { Store } from '../../src/store/store.js';

export type Collecting = Partial<Omit<GcOptions, 'pinned'>> & { pinned?: Iterable<SnapshotId> };

export function gcOf(store: Store, { pinned = [], ...options }: Collecting = {}): Gc {
  const defaults = { policy: undefined, run: undefined, dryRun: false, explain: false, force: false, now: 0 };
  return new Gc(store, { ...defaults, ...options, pinned: () => new Set(pinned) });
}

/** Collects to the end; `between` is called after each step. */
export async function collect(
  store: Store,
  options: Collecting = {},
  between: (progress: GcProgress) => Promise<void> | void = () => {},
): Promise<GcFindings> {
  const gc = gcOf(store, options);
  for await (const progress of gc.run()) await between(progress);
  return gc.findings;
}

/** Drops these snapshots for good. */
export async function drop(store: Store, ...ids: SnapshotId[]): Promise<GcFindings> {
  await forget(store, ...ids);
  return collect(store);
}

export async function forget(store: Store, ...ids: SnapshotId[]): Promise<void> {
  store.begin();
  for (const id of ids) store.putForget(id, true);
  await store.commit();
}
