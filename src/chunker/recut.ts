/** Cuts a region anew around the chunks that it still has. */

import type { RegionBytes } from './fixed.js';
import { firstChunkBytes, LONGEST_CHUNK_BYTES, SHORTEST_CHUNK_BYTES } from './gear.js';
import { bytesOf, type Chunks, type Kept } from './shifted.js';

/** The origin of a chunk that the earlier version does not have. */
export const NEW = -1;

/** The chunks of a region, in order. */
export interface Cut {
  lengths: number[];
  /** Which chunk of the earlier version each one is, or NEW. */
  origins: number[];
}

/**
 * The chunks that are kept, and what lies between them cut by content. What is too short for a chunk takes in those
 * behind it. Yields after every new chunk.
 */
export function* recut(current: RegionBytes, chunks: Chunks, kept: readonly Kept[]): Generator<void, Cut> {
  const cut: Cut = { lengths: [], origins: [] };
  let done = 0;
  function* cutTo(end: number): Generator<void> {
    while (done < end) {
      const window = Math.min(end, done + LONGEST_CHUNK_BYTES + SHORTEST_CHUNK_BYTES);
      const length = firstChunkBytes(bytesOf(current, done, window));
      cut.lengths.push(length);
      cut.origins.push(NEW);
      done += length;
      yield;
    }
  }
  for (const { at, from, to } of kept) {
    let first = from;
    let start = at;
    for (; first < to && start > done && start - done < SHORTEST_CHUNK_BYTES; first++) {
      start += chunks.end(first) - chunks.start(first);
    }
    if (first === to) continue;
    yield* cutTo(start);
    for (let index = first; index < to; index++) {
      const length = chunks.end(index) - chunks.start(index);
      cut.lengths.push(length);
      cut.origins.push(index);
      done += length;
    }
  }
  yield* cutTo(current.byteLength);
  return cut;
}
