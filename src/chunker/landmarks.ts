/**
 * Where chunks stand that were edited: no longer all of one is there, but some of its first bytes are. A chunk that is cut
 * there has the bytes of the earlier one, but for what was edited, and may be stored as a difference from it.
 *
 * Invariant: landmarks and kept chunks are in order and do not overlap.
 */

import { bytesOf, type Kept, NEEDLE_BYTES, nearest, type Place, type Versions } from './shifted.js';

/** So many pieces of a chunk are looked for: an edit may have hit the first. */
const NEEDLES = 4;

/** What is kept, and, between that, where the earlier bytes are at hand, the landmarks of chunks that are not. */
export function withLandmarks(versions: Versions, kept: readonly Kept[]): Kept[] {
  const { chunks, current, previous } = versions;
  if (!previous) return [...kept];
  const found: Kept[] = [];
  let gap = { index: 0, at: 0 };
  for (const run of kept) {
    found.push(...landmarks(versions, gap, { index: run.from, at: run.at }), run);
    gap = { index: run.to, at: run.at + chunks.end(run.to - 1) - chunks.start(run.from) };
  }
  return [...found, ...landmarks(versions, gap, { index: chunks.count, at: current.byteLength })];
}

/** The landmarks between two places. Where none are found longer and longer steps are made: it may all be new. */
function landmarks(versions: Versions, start: Place, end: Place): Kept[] {
  const found: Kept[] = [];
  let last = start;
  let missed = 0;
  for (let index = start.index + 1; index < end.index; index += 2 ** Math.max(0, missed - 1)) {
    const at = landmark(versions, index, last, end.at);
    missed = at === undefined ? missed + 1 : 0;
    if (at === undefined) continue;
    found.push({ at, from: index, to: index });
    last = { index, at };
  }
  return found;
}

/** Where a chunk begins in the later version: about as far behind the last place as it did, and before `most`. */
function landmark(
  { chunks, current, previous }: Versions,
  index: number,
  last: Place,
  most: number,
): number | undefined {
  if (!previous) return undefined;
  const start = chunks.start(index);
  const length = chunks.end(index) - start;
  const shift = last.at - chunks.start(last.index);
  const room = Math.min(NEEDLES * NEEDLE_BYTES, length) - NEEDLE_BYTES;
  for (let offset = 0; offset <= room; offset += NEEDLE_BYTES) {
    const needle = bytesOf(previous, start + offset, start + offset + NEEDLE_BYTES);
    const expected = start + offset + shift;
    const from = Math.max(last.at + 1 + offset, expected - (length >>> 1));
    const to = Math.min(most, expected + (length >>> 1) + NEEDLE_BYTES);
    if (to - from < NEEDLE_BYTES) continue;
    const found = nearest(bytesOf(current, from, to), needle, expected - from);
    if (found !== undefined) return from + found - offset;
  }
  return undefined;
}
