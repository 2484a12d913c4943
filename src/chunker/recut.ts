/** Cuts a region anew around the chunks that it still has, and where those begin of which it has most. */

import type { RegionBytes } from './fixed.js';
import { firstChunkBytes, shortestChunkBytes, windowBytes } from './gear.js';
import { bytesOf, type Chunks, chunkAt, type Kept } from './shifted.js';

/** The origin of a chunk that the earlier version does not have. */
export const NEW = -1;
/** The place of a chunk where the earlier version had nothing. */
export const NOWHERE = -1;

/** The chunks of a region, in order. */
export interface Cut {
  lengths: number[];
  /** Which chunk of the earlier version each one is, or NEW. */
  origins: number[];
  /** In the place of which chunk of the earlier version each one is, or NOWHERE. */
  places: number[];
}

/**
 * The chunks that are kept, and what lies between them and landmarks cut by content, into chunks of `averageBytes`. What
 * is too short for a chunk takes in those behind it. Yields after every new chunk.
 */
export function* recut(
  current: RegionBytes,
  chunks: Chunks,
  kept: readonly Kept[],
  averageBytes: number,
): Generator<void, Cut> {
  const cut: Cut = { lengths: [], origins: [], places: [] };
  const shortest = shortestChunkBytes(averageBytes);
  const startOf = (index: number) => (index < chunks.count ? chunks.start(index) : chunks.byteLength);
  let done = 0;
  let passed = 0;
  /** Bytes up to `end` are in the place of chunks from `passed` to `next`. */
  function* cutTo(end: number, next: number): Generator<void> {
    const start = done;
    const [from, to] = [startOf(passed), startOf(next)];
    while (done < end) {
      const window = Math.min(end, done + windowBytes(averageBytes));
      const length = firstChunkBytes(bytesOf(current, done, window), averageBytes);
      const middle = (done + length / 2 - start) / (end - start);
      cut.lengths.push(length);
      cut.origins.push(NEW);
      cut.places.push(from < to ? chunkAt(chunks, Math.floor(from + middle * (to - from))) : NOWHERE);
      done += length;
      yield;
    }
    passed = next;
  }
  for (const { at, from, to } of kept) {
    let first = from;
    let start = at;
    for (; first < to && start > done && start - done < shortest; first++) {
      start += chunks.end(first) - chunks.start(first);
    }
    const isLandmark = from === to;
    if (isLandmark ? start - done < shortest : first === to) continue;
    yield* cutTo(start, first);
    for (let index = first; index < to; index++) {
      const length = chunks.end(index) - chunks.start(index);
      cut.lengths.push(length);
      cut.origins.push(index);
      cut.places.push(index);
      done += length;
    }
    passed = to;
  }
  yield* cutTo(current.byteLength, chunks.count);
  return cut;
}
