/**
 * Cuts bytes where their content says so: chunks of new bytes end at the same places whatever stands before them.
 *
 * A gear hash runs over the bytes; its top bits depend on the last 32 of them, and where they are zero a chunk may end.
 * Up to the average length, a power of two, that takes more bits than from there on, so that lengths lie close to it
 * (FastCDC). Readers need none of this. It must never change all the same: the same bytes would be cut otherwise, and be
 * written again.
 *
 * Invariant: every chunk has at least a quarter of the average and at most four times as much, but for a single one that
 * is shorter.
 */

import { CONTENT_RANGE } from '../format/tree.js';

/** What is not longer than so many average chunks stays in one piece. */
const WHOLE = 2;
/** Bytes that the hash depends on. */
const WINDOW_BYTES = 32;
/** Before the average length so many more bits have to be zero than chunks of it take, behind it so many fewer. */
const BITS_APART = 2;

const GEAR = gearTable();

export function shortestChunkBytes(averageBytes: number): number {
  return averageBytes / CONTENT_RANGE;
}

export function longestChunkBytes(averageBytes: number): number {
  return averageBytes * CONTENT_RANGE;
}

/** So many bytes say where the first chunk of them ends. */
export function windowBytes(averageBytes: number): number {
  return longestChunkBytes(averageBytes) + shortestChunkBytes(averageBytes);
}

/** How many bytes the first chunk of `bytes` takes: of a piece that ends there, or of its first `windowBytes`. */
export function firstChunkBytes(bytes: Uint8Array, averageBytes: number): number {
  if (bytes.length <= WHOLE * averageBytes) return bytes.length;
  const shortest = shortestChunkBytes(averageBytes);
  // What is left is long enough for a chunk.
  const most = Math.min(longestChunkBytes(averageBytes), bytes.length - shortest);
  const average = Math.min(averageBytes, most);
  const bits = Math.log2(averageBytes);
  const shiftBefore = 32 - (bits + BITS_APART);
  const shiftBehind = 32 - (bits - BITS_APART);
  let hash = 0;
  let at = shortest - WINDOW_BYTES;
  for (; at < shortest; at++) hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
  for (; at < average; at++) {
    if (hash >>> shiftBefore === 0) return at;
    hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
  }
  for (; at < most; at++) {
    if (hash >>> shiftBehind === 0) return at;
    hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
  }
  return most;
}

/** 256 numbers without a pattern. */
function gearTable(): Int32Array {
  let state = 0x9e3779b9;
  return Int32Array.from({ length: 256 }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return mixed ^ (mixed >>> 14);
  });
}
