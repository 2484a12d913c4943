/**
 * The buffers that a caller brings for the regions of a skeleton.
 *
 * Invariant: each is of the very kind that the skeleton's table says, because the restored views keep what their
 * buffer can do (grow, be shared).
 */

import { types } from 'node:util';
import { bufferFacts } from './buffers.js';
import type { Graph, RegionEntry } from './graph.js';

export type RegionSource = ArrayBuffer | SharedArrayBuffer;

/** @throws TypeError for a buffer that is not what `inspectSkeleton` asked for */
export function checkSources(graph: Graph, sources: readonly (RegionSource | undefined)[]): void {
  if (sources.length !== graph.regions.length) {
    throw new TypeError(`the skeleton has ${graph.regions.length} regions, and ${sources.length} were given`);
  }
  for (const [i, source] of sources.entries()) {
    if (source === undefined) continue;
    const { byteLength, shared, resizable, maxByteLength } = graph.regions[i] as RegionEntry;
    const isShared = types.isSharedArrayBuffer(source);
    const facts = types.isAnyArrayBuffer(source) ? bufferFacts(source, isShared) : undefined;
    if (facts?.byteLength !== byteLength || isShared !== shared) {
      throw new TypeError(
        `region ${i} must be a ${shared ? 'SharedArrayBuffer' : 'ArrayBuffer'} of ${byteLength} bytes`,
      );
    }
    if (facts.resizable !== resizable || facts.maxByteLength !== maxByteLength) {
      throw new TypeError(
        `region ${i} must be ${resizable ? `resizable up to ${maxByteLength} bytes` : 'of fixed length'}`,
      );
    }
  }
}
