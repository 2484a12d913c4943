/** What takes a manifest and the store to answer. */

import { decodeRegionTable, type Manifest, type RegionEntry } from '../format/manifest.js';
import type { Tree } from '../format/tree.js';
import { checkFits } from './limits.js';
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
