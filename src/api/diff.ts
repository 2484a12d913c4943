/** Comparing two snapshots: their regions on the writer thread, their skeletons here. */

import { SnapError } from '../base/errors.js';
import { checkRun } from '../base/names.js';
import { checkTolerance } from '../base/tolerance.js';
import { compareSkeletons, type ValueDiff } from '../state/index.js';
import type { DiffProgress, DiffReport, DiffRequest, RegionDiff } from '../writer/diff-job.js';
import type { SnapshotInfo } from '../writer/protocol.js';
import { checkRef } from '../writer/refs.js';
import type { OpenedSnapshot } from '../writer/restore-requests.js';
import { checkNames } from './options.js';

export type { ValueDiff };

/** Options of `diff`. */
export interface DiffOptions {
  /** The run that `latest`, `{ step }` and `{ before }` mean. Default: that of this Snap. */
  run?: string | undefined;
  /** How many differing values to list; the rest is counted. Default 1000. */
  limit?: number | undefined;
  /**
   * Numbers a and b are the same where `|a - b| <= tolerance * max(1, |a|, |b|)`, and two NaNs always are. From 0 to below
   * 1; default 0: every bit counts. It is for numbers only: not for dates, bigints and what is compared byte by byte.
   */
  tolerance?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told a few times a second. */
  onProgress?: ((progress: DiffProgress) => void) | undefined;
}

/** What differs between two snapshots. `a` is always the first, `b` the second. */
export interface Diff {
  a: SnapshotInfo;
  b: SnapshotInfo;
  /** True where the states are the same: in every bit, or within the tolerance. */
  same: boolean;
  /** Regions that differ: in the order of `b`, then those that only `a` has. */
  regions: RegionDiff[];
  /** How many regions are the same. */
  equalRegions: number;
  /** Where all that is no region differs, at most `limit` places. */
  values: ValueDiff[];
  /** How many more places there are. */
  moreValues: number;
  /** How many numbers differ, but within the tolerance. */
  tolerated: number;
  /** Bytes of regions that were read for it; equal chunks are known by their ids. */
  readBytes: number;
}

type Request = (method: string, args: unknown[]) => Promise<unknown>;

const VALUES = 1000;
const NAMES: ReadonlySet<string> = new Set(['run', 'limit', 'tolerance', 'signal', 'onProgress']);

/** Throws a TypeError or RangeError for what cannot be asked; returns what the writer thread is asked. */
export function checkDiff(a: unknown, b: unknown, options: DiffOptions, ownRun: string): DiffRequest {
  checkRef(a);
  checkRef(b);
  checkNames(options, NAMES, 'diff');
  const { run = ownRun, limit = VALUES, tolerance = 0 } = options;
  checkRun(run);
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new RangeError(`limit is ${String(limit)}; it takes a whole number from 0`);
  }
  return { a, b, run, tolerance: checkTolerance(tolerance) };
}

/** Adds to what the writer thread found what the skeletons say. */
export async function completeDiff(request: Request, report: unknown, options: DiffOptions): Promise<Diff> {
  if (!report) throw new SnapError('SNAP_CLOSED', 'this Snap was closed while it compared two snapshots');
  const { a, b, regions, equalRegions, sameSkeleton, readBytes, ...found } = report as DiffReport;
  const skeleton = async ({ id }: SnapshotInfo) => ((await request('open', [id])) as OpenedSnapshot).skeleton;
  const { limit = VALUES, tolerance = 0 } = options;
  const compared = sameSkeleton
    ? { values: [], more: 0, tolerated: 0 }
    : compareSkeletons(await skeleton(a), await skeleton(b), limit, tolerance);
  const { values, more: moreValues } = compared;
  const tolerated = found.tolerated + compared.tolerated;
  const isSame = sameSkeleton || (tolerance > 0 && values.length + moreValues === 0);
  const same = isSame && regions.length === 0;
  return { a, b, same, regions, equalRegions, values, moreValues, tolerated, readBytes };
}
