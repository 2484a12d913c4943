/**
 * Skeleton and regions -> state.
 *
 * Invariants
 *  - the whole skeleton is read and checked before anything is made of it
 *  - region buffers are adopted as they are: no byte of them is copied, but with `into`, where live memory stays
 */

import { Builder } from './build.js';
import { valueFor } from './graph.js';
import { matchRegions, restoreInto } from './into.js';
import { parseSkeleton } from './parse.js';
import { checkSources, type RegionSource } from './region-sources.js';
import { openSkeleton } from './region-table.js';
import type { ClassRegistry } from './registry.js';
import { selectOnly } from './select.js';

export interface DecodeOptions {
  /** A live state of the same shape, to be rewritten in place. */
  into?: unknown;
  /** Paths of the regions or subtrees to restore, and nothing else. */
  only?: readonly string[];
}

/** What a region needs: a buffer of just this kind, allocated by the caller before its bytes are read into it. */
export interface RegionSummary {
  byteLength: number;
  shared: boolean;
  resizable: boolean;
  /** Only where the buffer is resizable (or growable, where it is shared). */
  maxByteLength?: number;
  /** The buffer of a WebAssembly.Memory: its bytes are copied into the live one. */
  memory: boolean;
}

/** The regions of a skeleton in their order. Reads its table only, at a cost that does not depend on the state. */
export function inspectSkeleton(skeleton: Uint8Array): RegionSummary[] {
  return openSkeleton(skeleton).regions.map(({ byteLength, shared, resizable, maxByteLength, memory }) =>
    resizable
      ? { byteLength, shared, resizable, maxByteLength, memory }
      : { byteLength, shared, resizable, memory },
  );
}

/**
 * Brings a state back. The buffers in `regions` become the memory of the restored views.
 *
 * @throws SnapError SNAP_CORRUPT for a damaged skeleton, SNAP_FORMAT for one of a newer version, SNAP_UNSUPPORTED for a
 *   class that is not registered or has changed, SNAP_MISMATCH where `into` does not fit or is needed, SNAP_NOT_FOUND
 *   for a path of `only` that leads nowhere
 * @throws TypeError where `regions` are not what `inspectSkeleton` asks for
 */
export function decodeState(
  skeleton: Uint8Array,
  regions: readonly (RegionSource | undefined)[],
  registry: ClassRegistry,
  options: DecodeOptions = {},
): unknown {
  const graph = parseSkeleton(skeleton);
  checkSources(graph, regions);
  if (options.only !== undefined) selectOnly(graph, options.only);
  const builder = new Builder(graph, regions, registry);
  if (options.into === undefined) builder.build();
  else restoreInto(builder, options.into);
  return valueFor(graph.root);
}

/**
 * For each region, the live buffer that restoring into `into` would rewrite in place, or undefined where the region's
 * bytes must be read whole. So a caller can compare live bytes with the snapshot's chunks and read only those that
 * differ; such a live buffer, once it holds the saved bytes, may itself be given to `decodeState` as the region.
 *
 * Changes nothing, and throws as `decodeState` would where the live state does not fit.
 */
export function liveRegions(
  skeleton: Uint8Array,
  registry: ClassRegistry,
  options: DecodeOptions & { into: unknown },
): (RegionSource | undefined)[] {
  const graph = parseSkeleton(skeleton);
  if (options.only !== undefined) selectOnly(graph, options.only);
  return matchRegions(new Builder(graph, [], registry), options.into);
}
