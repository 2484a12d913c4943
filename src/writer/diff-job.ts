/**
 * Comparing two snapshots as a background job: their regions by path, and whether their skeletons are the same.
 *
 * What the skeletons say is for the caller's thread to compare: this one knows nothing of states.
 */

import type { Manifest, RegionEntry } from '../format/manifest.js';
import type { ContentDiff } from '../store/content-diff.js';
import type { Summary } from '../store/index.js';
import { readRegionTable } from '../store/manifests.js';
import { isSameTree, RegionComparison } from '../store/region-diff.js';
import type { Store } from '../store/store.js';
import type { ContentSource } from '../store/tree-cursor.js';
import type { Job, JobContext } from './background.js';
import { describe, find, manifestOf, naming } from './finding.js';
import type { SnapshotInfo } from './protocol.js';
import type { SnapshotRef } from './refs.js';

/** A region that is not the same in both snapshots. */
export interface RegionDiff {
  /** Where it lies in the state, as `info` lists it. */
  path: string;
  change: 'added' | 'removed' | 'changed';
  /** What it is in the first snapshot; undefined where it was added. */
  a: RegionForm | undefined;
  /** What it is in the second; undefined where it was removed. */
  b: RegionForm | undefined;
  /** What differs in the bytes that both have; undefined where nothing does, as where one is only longer. */
  content: ContentDiff | undefined;
}

export interface RegionForm {
  kind: string;
  byteLength: number;
}

/** Of the regions of the second snapshot. */
export interface DiffProgress {
  /** Bytes that were compared, or known to be equal without being read. */
  doneBytes: number;
  totalBytes: number;
}

export interface DiffRequest {
  a: SnapshotRef;
  b: SnapshotRef;
  /** The run that `latest`, `{ step }` and `{ before }` mean. */
  run: string;
  /** 0: every bit counts. */
  tolerance: number;
}

/** What the job replies with; undefined where it was stopped. */
export interface DiffReport {
  a: SnapshotInfo;
  b: SnapshotInfo;
  /** In the order of the second snapshot, then what was removed. */
  regions: RegionDiff[];
  /** How many regions are the same. */
  equalRegions: number;
  sameSkeleton: boolean;
  /** Numbers in regions that differ, but within the tolerance. */
  tolerated: number;
  /** Bytes of chunks that were read and hashed. */
  readBytes: number;
}

export async function* diffJob(store: Store, context: JobContext, args: unknown[]): Job {
  const request = args[0] as DiffRequest;
  const a = new Snapshot(store, await find(store, request.a, request.run));
  const b = new Snapshot(store, await find(store, request.b, request.run));
  const before = byPath(a.regions);
  const regions: RegionDiff[] = [];
  const totalBytes = b.regions.reduce((sum, { tree }) => sum + tree.byteLength, 0);
  let doneBytes = 0;
  let tolerated = 0;
  for (const now of b.regions) {
    const { path } = now;
    const was = before.get(path)?.shift();
    let content: ContentDiff | undefined;
    if (was && !isSameTree(was.tree, now.tree)) {
      const comparison = new RegionComparison(was, now, a.reading(path), b.reading(path), request.tolerance);
      while (comparison.step()) {
        yield { doneBytes: doneBytes + comparison.doneBytes, totalBytes } satisfies DiffProgress;
        if (context.shouldStop()) return undefined;
      }
      content = comparison.result;
      tolerated += comparison.tolerated;
    }
    doneBytes += now.tree.byteLength;
    if (!was || content || !isSameForm(was, now)) regions.push(regionDiff(path, was, now, content));
  }
  const equalRegions = b.regions.length - regions.length;
  for (const [path, gone] of before) for (const was of gone) regions.push(regionDiff(path, was, undefined));
  return {
    a: await describe(store, a.summary, a.manifest),
    b: await describe(store, b.summary, b.manifest),
    regions,
    equalRegions,
    sameSkeleton: isSameTree(a.manifest.skeleton, b.manifest.skeleton),
    tolerated,
    readBytes: a.readBytes + b.readBytes,
  } satisfies DiffReport;
}

function regionDiff(
  path: string,
  a: RegionEntry | undefined,
  b: RegionEntry | undefined,
  content?: ContentDiff,
): RegionDiff {
  const change = a && b ? 'changed' : b ? 'added' : 'removed';
  return { path, change, a: a && formOf(a), b: b && formOf(b), content };
}

function formOf({ kind, tree }: RegionEntry): RegionForm {
  return { kind, byteLength: tree.byteLength };
}

function isSameForm(a: RegionEntry, b: RegionEntry): boolean {
  return a.kind === b.kind && a.tree.byteLength === b.tree.byteLength;
}

/** Regions by path. Very long paths are cut, so several regions may have one: those are told apart by their order. */
function byPath(entries: readonly RegionEntry[]): Map<string, RegionEntry[]> {
  const paths = new Map<string, RegionEntry[]>();
  for (const entry of entries) {
    const same = paths.get(entry.path);
    if (same) same.push(entry);
    else paths.set(entry.path, [entry]);
  }
  return paths;
}

/** One of the two: its regions, and reading that counts and says whose damage it met. */
class Snapshot {
  readonly summary: Summary;
  readonly manifest: Manifest;
  readonly regions: RegionEntry[];
  readonly #store: Store;
  readBytes = 0;

  constructor(store: Store, summary: Summary) {
    this.#store = store;
    this.summary = summary;
    this.manifest = manifestOf(store, summary);
    this.regions = this.#naming(undefined, () => readRegionTable(store, this.manifest));
  }

  reading(path: string): ContentSource {
    return {
      readPage: (id) => this.#naming(path, () => this.#store.readPage(id)),
      readChunk: (id, target) => {
        this.#naming(path, () => this.#store.readChunk(id, target));
        this.readBytes += target.length;
      },
    };
  }

  #naming<T>(path: string | undefined, read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw naming(this.summary, error, path);
    }
  }
}
