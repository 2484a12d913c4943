/**
 * Pieces of a region, as `[start, end, start, end, ...]` in bytes.
 *
 * Invariant: in order, and no two of them overlap or touch.
 */

export type Ranges = readonly number[];

export const NOTHING: Ranges = [];

/** What is in either. */
export function union(a: Ranges, b: Ranges): Ranges {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const all: number[] = [];
  let inA = 0;
  let inB = 0;
  while (inA < a.length || inB < b.length) {
    const fromA = inB === b.length || (inA < a.length && (a[inA] as number) <= (b[inB] as number));
    const ranges = fromA ? a : b;
    const at = fromA ? inA : inB;
    const start = ranges[at] as number;
    const end = ranges[at + 1] as number;
    const last = all.length - 1;
    if (last < 0 || (all[last] as number) < start) all.push(start, end);
    else if ((all[last] as number) < end) all[last] = end;
    if (fromA) inA += 2;
    else inB += 2;
  }
  return all;
}

/** How many bytes they are. */
export function bytesIn(ranges: Ranges): number {
  let total = 0;
  for (let at = 0; at < ranges.length; at += 2) total += (ranges[at + 1] as number) - (ranges[at] as number);
  return total;
}

/** Indexes of the chunks that they touch, in order. */
export function chunksIn(ranges: Ranges, chunkBytes: number): Uint32Array {
  const chunks: number[] = [];
  let next = 0;
  for (let at = 0; at < ranges.length; at += 2) {
    const first = Math.floor((ranges[at] as number) / chunkBytes);
    const end = Math.ceil((ranges[at + 1] as number) / chunkBytes);
    for (let chunk = Math.max(first, next); chunk < end; chunk++) chunks.push(chunk);
    next = Math.max(next, end);
  }
  return Uint32Array.from(chunks);
}
