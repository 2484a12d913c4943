/**
 * Filters for arrays of numbers: what each of their codes stands for.
 *
 * The bytes are taken for little-endian integers of `width` bytes, whatever they are.
 *
 *   difference   the number in the same place of the base is taken away from each, then as for a delta
 *   delta        the number before is taken away from each, and its sign moved to its lowest bit; then as for a shuffle
 *   shuffle      byte 0 of all numbers comes first, then byte 1 of all of them, and so on
 *
 * Bytes that are left over after the last number follow as they are.
 */

import { Filter } from './record.js';

/** Bytes of a number. */
export type Width = 4 | 8;

export interface NumberFilter {
  kind: 'shuffle' | 'delta' | 'difference';
  width: Width;
}

const CODES: readonly (NumberFilter & { code: Filter })[] = [
  { code: Filter.shuffle4, kind: 'shuffle', width: 4 },
  { code: Filter.shuffle8, kind: 'shuffle', width: 8 },
  { code: Filter.difference4, kind: 'difference', width: 4 },
  { code: Filter.difference8, kind: 'difference', width: 8 },
  { code: Filter.delta4, kind: 'delta', width: 4 },
  { code: Filter.delta8, kind: 'delta', width: 8 },
];

/** All there are. */
export const NUMBER_FILTERS: readonly NumberFilter[] = CODES;

/** What a filter does to numbers; undefined where it is for other things. */
export function numberFilter(filter: Filter): NumberFilter | undefined {
  return CODES.find(({ code }) => code === filter);
}

/** The filters for numbers of so many bytes, with or without a base. */
export function filtersFor(width: Width, base: boolean): Filter[] {
  return CODES.filter((one) => one.width === width && (one.kind === 'difference') === base).map(
    ({ code }) => code,
  );
}
