/** Records that can be read only with another one, their base; and which records that may be. */

import { MiB } from '../base/sizes.js';
import { numberFilter } from './number-filters.js';
import { Filter } from './record.js';

/** Longer records are not filtered and have no base, but for patches: who reads them knows how much memory it takes. */
export const MAX_FILTERED_BYTES = MiB;

/** True where what is stored can be read only with a base. */
export function takesBase(filter: Filter): boolean {
  return (
    filter === Filter.patch || filter === Filter.dictionary || numberFilter(filter)?.kind === 'difference'
  );
}

/** True where a record of so many raw bytes may have a base of so many. */
export function fitsBase(filter: Filter, byteLength: number, baseBytes: number): boolean {
  if (filter === Filter.patch) return true;
  return filter === Filter.dictionary ? baseBytes <= MAX_FILTERED_BYTES : baseBytes === byteLength;
}

const DICTIONARY_MAGIC = 0xec30a437;
/** Of less zstd makes no dictionary. */
const SHORTEST_DICTIONARY_BYTES = 8;

/** True for bytes of which zstd makes a dictionary as they are: those that say that they are one mean something else. */
export function isPlainDictionary(base: Buffer): boolean {
  return base.length >= SHORTEST_DICTIONARY_BYTES && base.readUInt32LE(0) !== DICTIONARY_MAGIC;
}
