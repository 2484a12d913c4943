/**
 * Skeleton and regions -> state.
 *
 * Invariants
 *  - the whole skeleton is read and checked before anything is made of it, and it is read once
 *  - region buffers are adopted as they are: no byte of them is copied, but with `into`, where live memory stays
 */

import { Builder } from './build.js';
import { type Graph, UNWANTED, valueFor } from './graph.js';
import { matchRegions, restoreInto } from './into.js';
import type { AnyBuffer } from './intrinsics.js';
import { parseSkeleton } from './parse.js';
import { checkSources, type RegionSource } from './region-sources.js';
import type { ClassRegistry } from './registry.js';
import { selectOnly } from './select.js';

export interface DecodeOptions {
  /** A live state of the same shape, to be rewritten in place. */
  into?: unknown;
  /** Paths of the regions or subtrees to restore, and nothing else. */
  only?: readonly string[];
}

/** What a region needs: a buffer of just this kind, allocated by the caller before its bytes are read into it. */
export interface RegionNeed {
  /** False where `only` asks for other things: then it needs nothing. */
  wanted: boolean;
  byteLength: number;
  shared: boolean;
  /** Only where the buffer is resizable (or growable, where it is shared). */
  maxByteLength?: number;
}

/** A state on its way back: what it needs can be asked, its bytes are read by the caller, then it is finished. */
export class Restoration {
  /** In the order of the skeleton. */
  readonly regions: RegionNeed[];
  readonly #graph: Graph;
  readonly #registry: ClassRegistry;
  readonly #options: DecodeOptions;

  /**
   * @throws SnapError SNAP_CORRUPT for a damaged skeleton, SNAP_FORMAT for one of a newer version, SNAP_NOT_FOUND for a
   *   path of `only` that leads nowhere
   */
  constructor(skeleton: Uint8Array, registry: ClassRegistry, options: DecodeOptions = {}) {
    const graph = parseSkeleton(skeleton);
    if (options.only !== undefined) selectOnly(graph, options.only);
    const wanted = new Set<number | undefined>();
    for (const { want, detail } of graph.nodes) if (want !== UNWANTED) wanted.add(detail?.buffer?.region);
    this.regions = graph.regions.map(({ byteLength, shared, resizable, maxByteLength }, index) => ({
      wanted: wanted.has(index),
      byteLength,
      shared,
      ...(resizable && { maxByteLength }),
    }));
    this.#graph = graph;
    this.#registry = registry;
    this.#options = options;
  }

  /**
   * For each region, the live buffer that `into` rewrites in place, or undefined where the region needs a buffer of its
   * own. So a caller can compare live bytes with the snapshot's, read only those that differ, and finish with a
   * RegionPatch. A live buffer may be shorter or longer than the region: it is resized when the state is finished.
   *
   * Changes nothing, and throws as `finish` would where the live state does not fit.
   */
  liveBuffers(): (AnyBuffer | undefined)[] {
    const { into } = this.#options;
    if (into === undefined) return this.regions.map(() => undefined);
    return matchRegions(new Builder(this.#graph, [], this.#registry), into);
  }

  /**
   * Brings the state back, once. The buffers become the memory of the restored views.
   *
   * @throws SnapError SNAP_UNSUPPORTED for a class that is not registered or has changed, SNAP_MISMATCH where `into` does
   *   not fit or is needed
   * @throws TypeError where the sources are not what `regions` asks for
   */
  finish(sources: readonly (RegionSource | undefined)[]): unknown {
    checkSources(this.#graph, sources);
    const builder = new Builder(this.#graph, sources, this.#registry);
    if (this.#options.into === undefined) builder.build();
    else restoreInto(builder, this.#options.into);
    return valueFor(this.#graph.root);
  }
}
