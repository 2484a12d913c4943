/**
 * Which filter suits a region: found out by trying all of them on some of its chunks, now and then.
 *
 * Never assumed: shuffling makes most arrays of numbers smaller, but where values repeat exactly it may hide it.
 */

import { elementBytes, type RegionKind } from '../format/kinds.js';
import { filtersFor, type Width } from '../format/number-filters.js';
import { Filter } from '../format/record.js';

/** Chunks that are tried, and how often a region is saved with changes between two trials. */
const SAMPLES = 6;
const SAVES_BETWEEN = 32;
/** Filtered chunks are compressed and read twice as fast: what is not filtered has to be smaller by this. */
const AS_GOOD = 1.03;

/** The stored length of a chunk with a filter. */
export type SizeOf = (raw: Buffer, filter: Filter) => number;

export class FilterChoice {
  /** For a chunk by itself. */
  alone: Filter = Filter.none;
  readonly #candidates: readonly Filter[];
  #savesLeft = 0;

  constructor(kind: RegionKind) {
    this.#candidates = widthsOf(kind).flatMap((width) => filtersFor(width, false));
  }

  /** Before a save of `count` chunks: which of them to try. */
  samples(count: number): number[] {
    if (this.#candidates.length === 0 || count === 0 || this.#savesLeft-- > 0) return [];
    this.#savesLeft = SAVES_BETWEEN - 1;
    const length = Math.min(count, SAMPLES);
    return Array.from({ length }, (_, sample) => Math.floor(((sample + 0.5) * count) / length));
  }

  learn(samples: readonly Buffer[], sizeOf: SizeOf): void {
    const total = (filter: Filter) => samples.reduce((sum, raw) => sum + sizeOf(raw, filter), 0);
    this.alone = Filter.none;
    let least = total(Filter.none) * AS_GOOD;
    for (const filter of this.#candidates) {
      const size = total(filter);
      if (size >= least) continue;
      this.alone = filter;
      least = size;
    }
  }
}

/** How wide the numbers of a region may be; of bytes without a type nobody knows, so both are tried. */
function widthsOf(kind: RegionKind): Width[] {
  if (kind === 'bytes' || kind === 'DataView' || kind === 'WebAssembly.Memory') return [8, 4];
  const width = elementBytes(kind);
  return width === 4 || width === 8 ? [width] : [];
}
