/** Captured bytes in a slot, as the writer thread sees them. */

import { invariant } from '../base/errors.js';
import type { RegionBytes } from '../chunker/fixed.js';
import type { Extent } from './protocol.js';

/** The bytes of one region (or the skeleton) in a slot. */
export class CapturedRegion implements RegionBytes {
  readonly byteLength: number;
  readonly #segments: readonly Buffer[];
  /** Where they lie in the slot. */
  readonly extents: readonly Extent[];

  constructor(segments: readonly Buffer[], extents: readonly Extent[], byteLength: number) {
    this.#segments = segments;
    this.extents = extents;
    this.byteLength = byteLength;
  }

  slice(start: number, end: number): Buffer {
    if (start === end) return EMPTY;
    let begin = 0;
    for (const extent of this.extents) {
      const stop = begin + extent.length;
      if (start < stop) {
        invariant(end <= stop, 'a slice spans two extents of a slot');
        const segment = this.#segments[extent.segment];
        invariant(segment, 'a slot lacks a segment');
        const at = extent.offset + start - begin;
        return segment.subarray(at, at + end - start);
      }
      begin = stop;
    }
    throw new Error('holdfast: internal invariant broken: a slice lies beyond its region');
  }
}

const EMPTY = Buffer.alloc(0);
