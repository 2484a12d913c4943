/**
 * What each region of a run takes, over all of its snapshots. What several hold counts for the one that held it first,
 * so that the sizes add up to what the snapshots take. Reads pages, no data: the work follows what is different.
 */

import type { Manifest } from '../format/manifest.js';
import type { Tree } from '../format/tree.js';
import { addHeldBytes } from './held-bytes.js';
import type { Summary } from './index.js';
import { readRegionTable } from './manifests.js';
import { Marks } from './mark.js';
import type { Store } from './store.js';

/** Sizes in bytes. */
export interface RegionSizes {
  run: string;
  /** Where it lies in the state; `undefined` for everything that is not in a region. */
  path: string | undefined;
  kind: string;
  /** How many snapshots have it. */
  snapshots: number;
  /** Sum over these. */
  logicalBytes: number;
  /** Of its chunks and pages as they are stored, each counted once. */
  storedBytes: number;
}

/** Snapshots that were looked at. */
export interface RegionSizesProgress {
  done: number;
  total: number;
}

/** Of each run the region that takes most comes first. Forgotten snapshots are left out. */
export async function* regionSizes(store: Store): AsyncGenerator<RegionSizesProgress, RegionSizes[]> {
  const summaries: Summary[] = [];
  for await (const summary of store.summaries()) if (!summary.forgotten) summaries.push(summary);
  summaries.reverse();
  const regions = new Regions();
  const marks = new Marks('first');
  for (const [done, summary] of summaries.entries()) {
    for (const _ of regions.mark(store, store.manifest(summary), marks))
      yield { done, total: summaries.length };
  }
  const sizes = regions.all.map(() => 0);
  for await (const _ of addHeldBytes(store, marks, sizes)) {
    yield { done: summaries.length, total: summaries.length };
  }
  for (const [owner, region] of regions.all.entries()) region.storedBytes = sizes[owner] as number;
  return regions.all.sort((a, b) =>
    a.run === b.run ? b.storedBytes - a.storedBytes : a.run < b.run ? -1 : 1,
  );
}

/** Numbers regions, so that each can own marks. */
class Regions {
  readonly all: RegionSizes[] = [];
  readonly #numbers = new Map<string, number>();

  *mark(store: Store, manifest: Manifest, marks: Marks): Generator<void> {
    const { run, skeleton, regions } = manifest;
    const rest = this.#count(run, undefined, 'skeleton', skeleton.byteLength);
    yield* marks.tree(store, skeleton, rest);
    if ('tree' in regions) yield* marks.tree(store, regions.tree, rest);
    for (const { path, kind, tree } of readRegionTable(store, manifest)) {
      yield* marks.tree(store, tree, this.#count(run, path, kind, (tree as Tree).byteLength));
    }
  }

  /** Of several regions with one path in a snapshot, as very long ones are cut, all count as one. */
  #count(run: string, path: string | undefined, kind: string, byteLength: number): number {
    const key = JSON.stringify([run, path ?? null, kind]);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.all.push({ run, path, kind, snapshots: 0, logicalBytes: 0, storedBytes: 0 }) - 1;
      this.#numbers.set(key, number);
    }
    const region = this.all[number] as RegionSizes;
    region.snapshots++;
    region.logicalBytes += byteLength;
    return number;
  }
}
