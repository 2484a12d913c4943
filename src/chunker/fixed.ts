/**
 * Fixed chunks, and which of them differ from the previous slot.
 *
 * Comparing runs at the speed of memory (15-19 GB/s), hashing at a third of it: so an unchanged chunk is
 * found by comparison and keeps its id without being hashed. Chunk sizes are multiples of every element size,
 * so no number is cut in two.
 */

import { KiB, MiB } from '../base/sizes.js';
import type { RegionKind } from '../format/kinds.js';

/** Arrays change densely: larger chunks waste what did not change, smaller ones cost a header each. */
const ARRAY_CHUNK_BYTES = 64 * KiB;
/** A skeleton changes in small places: counters, a few numbers of a graph. */
const SKELETON_CHUNK_BYTES = 16 * KiB;

/** Bytes of a chunk of a region of this kind; never changes with the region's length. */
export function chunkBytesFor(kind: RegionKind): number {
  return kind === 'skeleton' ? SKELETON_CHUNK_BYTES : ARRAY_CHUNK_BYTES;
}

/** Captured bytes are contiguous at least between multiples of this, which every chunk size divides. */
export const PIECE_BYTES = MiB;

/** Captured bytes of a region, however they lie in a slot. */
export interface RegionBytes {
  readonly byteLength: number;
  /** A view of `[start, end)`, which must not span a multiple of PIECE_BYTES. */
  slice(start: number, end: number): Buffer;
}

/**
 * Calls `visit`, in order, with the index of every chunk of `current` whose bytes or length differ from those of
 * the chunk at the same place in `previous`.
 */
export function visitChangedChunks(
  current: RegionBytes,
  previous: RegionBytes,
  chunkBytes: number,
  visit: (index: number) => void,
): void {
  const shared = Math.min(current.byteLength, previous.byteLength);
  for (let start = 0; start < current.byteLength; start += PIECE_BYTES) {
    const end = Math.min(start + PIECE_BYTES, current.byteLength);
    const ours = current.slice(start, end);
    const theirs = previous.slice(Math.min(start, shared), Math.min(end, shared));
    const samePlaces = current.byteLength === previous.byteLength || end < shared;
    if (samePlaces && ours.equals(theirs)) continue;
    for (let at = 0; at < ours.length; at += chunkBytes) {
      const stop = Math.min(at + chunkBytes, ours.length);
      const sameLength =
        stop <= theirs.length && start + stop === endOfChunk(start + at, previous, chunkBytes);
      const same = sameLength && ours.compare(theirs, at, stop, at, stop) === 0;
      if (!same) visit((start + at) / chunkBytes);
    }
  }
}

function endOfChunk(start: number, region: RegionBytes, chunkBytes: number): number {
  return Math.min(start + chunkBytes, region.byteLength);
}
