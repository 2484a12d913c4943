/**
 * Where chunks stand that were edited: no longer all of one is there, but some of its first bytes are. A chunk that is cut
 * there has the bytes of the earlier one, but for what was edited, and may be stored as a difference from it.
 *
 * Invariant: landmarks and kept chunks are in order and do not overlap.
 */

import { bytesOf, type Kept, NEEDLE_BYTES, nearest, type Versions } from './shifted.js';

/** So many pieces of a chunk are looked for: an edit may have hit the first. */
const NEEDLES = 4;

/** What is kept, and, between that, where the earlier bytes are at hand, the landmarks of chunks that are not. */
export function withLandmarks(versions: Versions, kept: readonly Kept[]): Kept[] {
  const { chunks, current, previous } = versions;
  if (!previous) return [...kept];
  const found: Kept[] = [];
  let gap = { index: 0, at: 0 };
  for (const run of [...kept, { at: current.byteLength, from: chunks.count, to: chunks.count }]) {
    let { at: least } = gap;
    let shift = gap.index < chunks.count ? gap.at - chunks.start(gap.index) : 0;
    for (let index = gap.index + 1; index < run.from; index++) {
      const at = landmark(versions, index, shift, least, run.at);
      if (at === undefined) continue;
      found.push({ at, from: index, to: index });
      least = at + 1;
      shift = at - chunks.start(index);
    }
    if (run.from === run.to) break;
    found.push(run);
    gap = { index: run.to, at: run.at + chunks.end(run.to - 1) - chunks.start(run.from) };
  }
  return found;
}

/** Where a chunk begins in the later version: near its old place moved by `shift`, and between `least` and `most`. */
function landmark(
  { chunks, current, previous }: Versions,
  index: number,
  shift: number,
  least: number,
  most: number,
): number | undefined {
  if (!previous) return undefined;
  const start = chunks.start(index);
  const length = chunks.end(index) - start;
  const last = Math.min(NEEDLES * NEEDLE_BYTES, length) - NEEDLE_BYTES;
  for (let offset = 0; offset <= last; offset += NEEDLE_BYTES) {
    const needle = bytesOf(previous, start + offset, start + offset + NEEDLE_BYTES);
    const expected = start + offset + shift;
    const from = Math.max(least + offset, expected - (length >>> 1));
    const to = Math.min(most, expected + (length >>> 1) + NEEDLE_BYTES);
    if (to - from < NEEDLE_BYTES) continue;
    const found = nearest(bytesOf(current, from, to), needle, expected - from);
    if (found !== undefined) return from + found - offset;
  }
  return undefined;
}
