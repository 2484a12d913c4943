/**
 * What arrays have that other containers do not: long runs of plain numbers, and holes.
 *
 * Invariant: no step is taken for each hole of a sparse array, which may have 2^32 of them.
 */

import type { Sink } from './sink.js';
import { T_FLOAT64_LIST, T_INT32_LIST } from './tags.js';

const { hasOwn } = Object;

/** Holes are looked for one by one this far before the array's list of names is asked for. */
const STEPPED = 64;

/** Writes four or eight bytes per element, without tags; false, and nothing written, if not all are numbers. */
export function writeNumberList(sink: Sink, list: readonly number[]): boolean {
  const length = list.length;
  let whole = true;
  for (let i = 0; i < length; i++) {
    const value = list[i];
    if (typeof value !== 'number') return false;
    if (whole && ((value | 0) !== value || (value === 0 && 1 / value < 0))) whole = false;
  }
  sink.u8(whole ? T_INT32_LIST : T_FLOAT64_LIST);
  sink.varint(length);
  if (whole) sink.int32List(list, length);
  else sink.float64List(list, length);
  return true;
}

/** Index after the run of holes that begins at `from`. `names` gives the array's own names, which are in order. */
export function endOfHoles(
  array: readonly unknown[],
  from: number,
  end: number,
  names: () => readonly string[],
): number {
  const stepped = Math.min(end, from + STEPPED);
  let to = from + 1;
  while (to < stepped && !hasOwn(array, to)) to++;
  if (to < stepped || to === end) return to;
  const list = names();
  const indexes = list.lastIndexOf('length');
  let low = 0;
  let high = indexes;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Number(list[middle]) < to) low = middle + 1;
    else high = middle;
  }
  return low < indexes ? Math.min(Number(list[low]), end) : end;
}
