/** From a reference to a snapshot, what is told of one, and errors that say which one they hit. */

import { SnapError } from '../base/errors.js';
import { isSnapshotId, SHORTEST_ID_PREFIX } from '../base/ids.js';
import type { Manifest, RegionEntry } from '../format/manifest.js';
import type { Summary } from '../store/index.js';
import type { Store } from '../store/store.js';
import type { SnapshotInfo } from './protocol.js';
import type { SnapshotRef } from './refs.js';

/** A region as a snapshot describes it. */
export interface RegionInfo {
  path: string;
  kind: string;
  byteLength: number;
}

/** How many candidates an ambiguous prefix is explained with. */
const CANDIDATES = 4;

/** `run` is the one that `latest`, a step and a time mean; undefined: any. */
export async function find(store: Store, ref: SnapshotRef, run: string | undefined): Promise<Summary> {
  if (typeof ref === 'string') return ref === 'latest' ? await latest(store, run) : await named(store, ref);
  const wanted = 'step' in ref ? `step ${ref.step}` : `a time before ${ref.before.toISOString()}`;
  for await (const summary of store.summaries(run)) {
    if (summary.forgotten) continue;
    const matches = 'step' in ref ? summary.step === ref.step : summary.createdAt < ref.before.getTime();
    if (matches) return summary;
  }
  throw new SnapError(
    'SNAP_NOT_FOUND',
    `${nameOf(run)} has no snapshot of ${wanted}; snap ls lists what there is`,
  );
}

async function latest(store: Store, run: string | undefined): Promise<Summary> {
  const summary = await store.newest(run);
  if (summary) return summary;
  const runs = await store.runs();
  const others = runs.length > 0 ? `; runs in this store: ${runs.join(', ')}` : '; the store is empty';
  throw new SnapError('SNAP_NOT_FOUND', `${nameOf(run)} has no snapshot${others}`);
}

function nameOf(run: string | undefined): string {
  return run === undefined ? 'the store' : `run ${run}`;
}

async function named(store: Store, ref: string): Promise<Summary> {
  const tagged = store.tagged(ref);
  const summary = tagged === undefined ? await byPrefix(store, ref) : store.byId(tagged);
  if (!summary) {
    throw new SnapError(
      'SNAP_NOT_FOUND',
      `there is no snapshot with the tag or id ${ref}; snap ls lists what there is`,
    );
  }
  if (summary.forgotten) {
    throw new SnapError(
      'SNAP_NOT_FOUND',
      `snapshot ${summary.id} was forgotten; unforget it to use it again`,
      {
        snapshot: summary.id,
      },
    );
  }
  return summary;
}

export async function byPrefix(store: Store, text: string): Promise<Summary | undefined> {
  const digits = text.toLowerCase();
  if (isSnapshotId(digits)) return store.byId(digits);
  if (!/^[0-9a-f]*$/.test(digits) || digits.length < SHORTEST_ID_PREFIX || digits.length > 32)
    return undefined;
  const ids = await store.idsWithPrefix(digits, CANDIDATES);
  if (ids.length > 1) {
    throw new SnapError(
      'SNAP_AMBIGUOUS',
      `several snapshots begin with ${text}: ${ids.join(', ')}; give more digits`,
    );
  }
  return ids[0] && store.byId(ids[0]);
}

/** What listing shows of a snapshot. */
export function infoOf(summary: Summary, manifest: Manifest, tags: string[]): SnapshotInfo {
  return {
    id: manifest.id,
    run: manifest.run,
    parent: manifest.parent,
    step: manifest.step,
    tags,
    createdAt: new Date(manifest.createdAt),
    logicalBytes: manifest.logicalBytes,
    changedBytes: manifest.changedBytes,
    storedBytes: manifest.storedBytes,
    stallMs: manifest.stallMs,
    durableMs: summary.durableMs,
    meta: manifest.meta === '' ? undefined : JSON.parse(manifest.meta),
    program: manifest.program,
    forgotten: summary.forgotten,
  };
}

export function regionInfo({ path, kind, tree }: RegionEntry): RegionInfo {
  return { path, kind, byteLength: tree.byteLength };
}

export async function describe(store: Store, summary: Summary, manifest: Manifest): Promise<SnapshotInfo> {
  const tags = await store.tagNames();
  return infoOf(summary, manifest, [...(tags.get(summary.id) ?? [])]);
}

export function manifestOf(store: Store, summary: Summary): Manifest {
  try {
    return store.manifest(summary);
  } catch (error) {
    throw naming(summary, error);
  }
}

/** Damage is reported with the snapshot it hits: that is what a person can act on. */
export function naming(summary: Summary, error: unknown, region?: string): unknown {
  if (!(error instanceof SnapError) || error.code !== 'SNAP_CORRUPT') return error;
  const { pack, offset } = error;
  const where = region === undefined ? '' : `, region ${region === '' ? '(state)' : region}`;
  const message = `snapshot ${summary.id}${where} cannot be restored: ${error.message}; an older one may be intact (snap ls)`;
  return new SnapError('SNAP_CORRUPT', message, {
    snapshot: summary.id,
    ...(pack !== undefined && { pack }),
    ...(offset !== undefined && { offset }),
    ...(region !== undefined && { path: region }),
    cause: error,
  });
}
