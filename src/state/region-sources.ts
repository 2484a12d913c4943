/**
 * What a caller brings for the regions of a skeleton: a buffer that becomes the region's, or what a live one lacks.
 *
 * Invariants
 *  - each buffer is of the very kind that the skeleton's table says, because the restored views keep what their buffer
 *    can do (grow, be shared)
 *  - a patch is written only to the buffer that it was made for, of the length that it had then
 */

import { types } from 'node:util';
import { bufferFacts } from './buffers.js';
import type { Graph, RegionEntry } from './graph.js';
import type { AnyBuffer } from './intrinsics.js';

/** The bytes of a region in which a live buffer differs from it. */
export class RegionPatch {
  readonly live: AnyBuffer;
  readonly #byteLength: number;
  readonly #write: (to: AnyBuffer) => void;

  /** `write` gets the live buffer, by then of the region's length, and cannot fail; it may be called again. */
  constructor(live: AnyBuffer, write: (to: AnyBuffer) => void) {
    this.live = live;
    this.#byteLength = live.byteLength;
    this.#write = write;
  }

  /** True where a live buffer is the one that was compared, and has not been resized since. */
  fits(buffer: AnyBuffer | undefined): boolean {
    return buffer === this.live && buffer.byteLength === this.#byteLength;
  }

  writeTo(buffer: AnyBuffer): void {
    this.#write(buffer);
  }
}

export type RegionSource = AnyBuffer | RegionPatch;

/** @throws TypeError for a buffer that is not what the region needs */
export function checkSources(graph: Graph, sources: readonly (RegionSource | undefined)[]): void {
  if (sources.length !== graph.regions.length) {
    throw new TypeError(`the skeleton has ${graph.regions.length} regions, and ${sources.length} were given`);
  }
  for (const [i, source] of sources.entries()) {
    if (source === undefined || source instanceof RegionPatch) continue;
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
