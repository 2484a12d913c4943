/**
 * Cuts bytes where their content says so: chunks of new bytes end at the same places whatever stands before them.
 *
 * A gear hash runs over the bytes; its top bits depend on the last 32 of them, and where they are zero a chunk may end.
 * Up to the average length that takes more bits than from there on, so that lengths lie close to it (FastCDC). Readers
 * need none of this. It must never change all the same: the same bytes would be cut otherwise, and be written again.
 *
 * Invariant: every chunk has at least SHORTEST and at most LONGEST bytes, but for a single one that is shorter.
 */

import { KiB } from '../base/sizes.js';

export const SHORTEST_CHUNK_BYTES = 16 * KiB;
export const LONGEST_CHUNK_BYTES = 256 * KiB;
const AVERAGE_BYTES = 64 * KiB;
/** What is not longer stays in one piece. */
const WHOLE_BYTES = 2 * AVERAGE_BYTES;
/** Bytes that the hash depends on. */
const WINDOW_BYTES = 32;
/** Bits that have to be zero before the average length, and behind it. */
const BITS_BEFORE = 18;
const BITS_BEHIND = 14;

const GEAR = gearTable();

/** How many bytes the first chunk of `bytes` takes: of a piece that ends there, or of its first LONGEST + SHORTEST. */
export function firstChunkBytes(bytes: Uint8Array): number {
  if (bytes.length <= WHOLE_BYTES) return bytes.length;
  // What is left is long enough for a chunk.
  const most = Math.min(LONGEST_CHUNK_BYTES, bytes.length - SHORTEST_CHUNK_BYTES);
  const average = Math.min(AVERAGE_BYTES, most);
  let hash = 0;
  let at = SHORTEST_CHUNK_BYTES - WINDOW_BYTES;
  for (; at < SHORTEST_CHUNK_BYTES; at++) hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
  for (; at < average; at++) {
    if (hash >>> (32 - BITS_BEFORE) === 0) return at;
    hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
  }
  for (; at < most; at++) {
    if (hash >>> (32 - BITS_BEHIND) === 0) return at;
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
