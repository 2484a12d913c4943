/** What takes a manifest and the store to answer. */

import { SnapError } from '../base/errors.js';
import { MiB } from '../base/sizes.js';
import { decodeRegionTable, type Manifest, type RegionEntry } from '../format/manifest.js';
import type { Tree } from '../format/tree.js';
import { availableMemory } from '../io/machine.js';
import { readRegion } from './region-tree.js';
import type { Store } from './store.js';

/** The regions of a snapshot, in the order in which its skeleton refers to them. */
export function readRegionTable(store: Store, manifest: Manifest): RegionEntry[] {
  const { regions } = manifest;
  if ('inline' in regions) return regions.inline;
  return decodeRegionTable(readBytes(store, regions.tree), regions.count);
}

/** The verified bytes of a tree, in memory of their own. */
export function readBytes(store: Store, tree: Tree): Buffer {
  checkFits(tree.byteLength);
  const target = Buffer.from(new ArrayBuffer(tree.byteLength));
  readRegion(store, tree, target);
  return target;
}

/** Asking the system what is available takes a tenth of a millisecond: not worth it for less than this. */
const SMALL_BYTES = 16 * MiB;

/** A length that a record claims is believed only as far as memory goes. */
export function checkFits(byteLength: number): void {
  if (byteLength <= SMALL_BYTES || byteLength <= availableMemory()) return;
  throw new SnapError(
    'SNAP_TOO_LARGE',
    `${byteLength} bytes do not fit the memory that is available here; restore a part with { only } or on a larger machine`,
  );
}
