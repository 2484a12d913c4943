/**
 * Finds the chunks of an earlier version in a later one whose bytes have moved: what was inserted or deleted leaves the
 * rest as it was, at other places.
 *
 * As long as a chunk stands where the one before it ends, it is found by comparison alone. Where one does not, the next
 * ones are looked for: as far off as those before, as far off as the end of the region is, and, where the earlier bytes
 * are at hand, by their first bytes in the neighbourhood.
 *
 * Invariant: a chunk is found only where the later version has all of its bytes; what is found is in order and does not
 * overlap.
 */

import { KiB, MiB } from '../base/sizes.js';
import { PIECE_BYTES, type RegionBytes } from './fixed.js';

/** Chunks of a region, by index. */
export interface Chunks {
  readonly count: number;
  readonly byteLength: number;
  start(index: number): number;
  end(index: number): number;
}

/**
 * Chunks `[from, to)` of the earlier version stand in the later one, side by side from `at` on. Where there are none of
 * them `at` is a landmark: where chunk `from` begins, of which something was edited.
 */
export interface Kept {
  at: number;
  from: number;
  to: number;
}

/** What of both versions there is to look at. */
export interface Versions {
  chunks: Chunks;
  current: RegionBytes;
  /** The earlier bytes, where they are at hand. */
  previous: RegionBytes | undefined;
  /** True where chunk `index` of the earlier version stands at `at` of the later one, which is long enough. */
  same(index: number, at: number): boolean;
}

/** The last chunk of a region is kept elsewhere than at the end only if it is no shorter: the rest of a log grows. */
const SHORTEST_TAIL_BYTES = 64 * KiB;
/** So many chunks are looked for. */
const REACH = 4;
/** How far from where they would be expected. */
const NEIGHBOURHOOD_BYTES = 64 * KiB;
const FARTHEST_BYTES = MiB;
/** By so many bytes. */
export const NEEDLE_BYTES = 64;

export interface Place {
  index: number;
  at: number;
}

/** The chunks of the earlier version that the later one has too. */
export function findKept(versions: Versions): Kept[] {
  const { chunks } = versions;
  const kept: Kept[] = [];
  let place: Place | undefined = { index: 0, at: 0 };
  while (place) {
    const from = place.index;
    const end = endOfRun(versions, place);
    if (end.index > from) kept.push({ at: place.at, from, to: end.index });
    place = end.index < chunks.count ? resume(versions, end) : undefined;
  }
  return kept;
}

/** True where most of these chunks do not stand where they stood, but elsewhere, all of them or their first bytes. */
export function haveMoved(versions: Versions, indexes: readonly number[]): boolean {
  const moved = indexes.filter((index) => {
    const at = versions.chunks.start(index);
    if (stands(versions, index, at)) return false;
    const byEnd = at + endShift(versions);
    return (
      (byEnd >= 0 && stands(versions, index, byEnd)) ||
      sought(versions, { index, at }, 0, 1) !== undefined ||
      beginsElsewhere(versions, index)
    );
  });
  return 2 * moved.length > indexes.length;
}

/** Where chunks side by side from a place on end to be the same. */
function endOfRun(versions: Versions, { index, at }: Place): Place {
  const end = { index, at };
  while (end.index < versions.chunks.count && stands(versions, end.index, end.at)) {
    end.at += lengthOf(versions.chunks, end.index);
    end.index++;
  }
  return end;
}

function stands({ chunks, current, same }: Versions, index: number, at: number): boolean {
  const end = at + lengthOf(chunks, index);
  if (end > current.byteLength) return false;
  const isTail = index === chunks.count - 1 && lengthOf(chunks, index) < SHORTEST_TAIL_BYTES;
  return (!isTail || end === current.byteLength) && same(index, at);
}

/** Where chunks are the same again, from one that is not; what is not found is passed over in longer and longer steps. */
function resume(versions: Versions, start: Place): Place | undefined {
  const { chunks, current } = versions;
  let { index, at } = start;
  for (let step = 1; index < chunks.count && at < current.byteLength; step *= 2) {
    const place = { index, at };
    const found =
      shifted(versions, place, start.at, at - chunks.start(index)) ??
      shifted(versions, place, start.at, endShift(versions)) ??
      sought(versions, place, start.at, REACH);
    if (found) return found;
    const next = Math.min(index + step, chunks.count);
    at += chunks.start(next) - chunks.start(index);
    index = next;
  }
  return undefined;
}

/** By how much the end of the region moved. */
function endShift({ chunks, current }: Versions): number {
  return current.byteLength - chunks.byteLength;
}

/** Looks for the chunks from `index` on at their old places moved by `shift`, but not before `least`. */
function shifted(versions: Versions, { index }: Place, least: number, shift: number): Place | undefined {
  const { chunks } = versions;
  const first = firstBehind(chunks, Math.max(chunks.start(index), least - shift));
  for (let next = first; next < Math.min(first + REACH, chunks.count); next++) {
    const at = chunks.start(next) + shift;
    if (stands(versions, next, at)) return { index: next, at };
  }
  return undefined;
}

/** Looks for the first bytes of some chunks in the neighbourhood of a place. */
function sought(versions: Versions, { index, at }: Place, least: number, reach: number): Place | undefined {
  const { chunks, previous } = versions;
  if (!previous) return undefined;
  for (let next = index; next < Math.min(index + reach, chunks.count); next++) {
    const start = chunks.start(next);
    if (lengthOf(chunks, next) < NEEDLE_BYTES) continue;
    const needle = bytesOf(previous, start, start + NEEDLE_BYTES);
    const { from, bytes } = neighbourhood(versions, at + start - chunks.start(index), least);
    const offset = bytes.indexOf(needle);
    if (offset >= 0 && stands(versions, next, from + offset)) return { index: next, at: from + offset };
  }
  return undefined;
}

/** True where the first bytes of a chunk stand in the neighbourhood and not where they stood. */
function beginsElsewhere(versions: Versions, index: number): boolean {
  const { chunks, previous } = versions;
  const start = chunks.start(index);
  if (!previous || lengthOf(chunks, index) < NEEDLE_BYTES) return false;
  const { from, bytes } = neighbourhood(versions, start, 0);
  const needle = bytesOf(previous, start, start + NEEDLE_BYTES);
  const found = nearest(bytes, needle, start - from);
  return found !== undefined && from + found !== start;
}

/** The bytes around a place, but none before `least`, and where they begin; none where the region ends before. */
function neighbourhood(versions: Versions, at: number, least: number): { from: number; bytes: Buffer } {
  const { current } = versions;
  const radius = NEIGHBOURHOOD_BYTES + Math.min(Math.abs(endShift(versions)), FARTHEST_BYTES);
  const from = Math.max(least, at - radius);
  const to = Math.min(current.byteLength, at + radius + NEEDLE_BYTES);
  return { from, bytes: bytesOf(current, Math.min(from, to), to) };
}

/** Where `needle` stands in `bytes`, as near to `at` as it does. */
export function nearest(bytes: Buffer, needle: Buffer, at: number): number | undefined {
  const middle = Math.min(Math.max(0, at), bytes.length);
  const behind = bytes.indexOf(needle, middle);
  const before = bytes.subarray(0, Math.min(bytes.length, middle + needle.length)).lastIndexOf(needle);
  if (behind < 0 && before < 0) return undefined;
  if (behind < 0 || before < 0) return Math.max(behind, before);
  return behind - middle <= middle - before ? behind : before;
}

/** The chunk in which a byte of the region lies. */
export function chunkAt(chunks: Chunks, position: number): number {
  const next = firstBehind(chunks, position);
  return next < chunks.count && chunks.start(next) === position ? next : next - 1;
}

/** The first chunk that begins at `start` or behind. */
function firstBehind(chunks: Chunks, start: number): number {
  let low = 0;
  let high = chunks.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (chunks.start(middle) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lengthOf(chunks: Chunks, index: number): number {
  return chunks.end(index) - chunks.start(index);
}

/** True where two regions hold the same `byteLength` bytes, each from its own place on. */
export function holdSame(
  a: RegionBytes,
  atA: number,
  b: RegionBytes,
  atB: number,
  byteLength: number,
): boolean {
  for (let done = 0; done < byteLength; ) {
    const room = (at: number) => PIECE_BYTES - ((at + done) % PIECE_BYTES);
    const length = Math.min(byteLength - done, room(atA), room(atB));
    const [x, y] = [atA + done, atB + done];
    if (!a.slice(x, x + length).equals(b.slice(y, y + length))) return false;
    done += length;
  }
  return true;
}

/** Bytes `[start, end)` of a region, wherever they lie: a view where that is possible, else a copy. */
export function bytesOf(region: RegionBytes, start: number, end: number): Buffer {
  const stop = (Math.floor(start / PIECE_BYTES) + 1) * PIECE_BYTES;
  if (end <= stop) return region.slice(start, end);
  const bytes = Buffer.allocUnsafeSlow(end - start);
  for (let at = start; at < end; ) {
    const next = Math.min(end, (Math.floor(at / PIECE_BYTES) + 1) * PIECE_BYTES);
    region.slice(at, next).copy(bytes, at - start);
    at = next;
  }
  return bytes;
}
