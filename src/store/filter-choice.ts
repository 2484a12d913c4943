/**
 * How the chunks of a region are stored: which filter suits them, found out by trying all of them on some, now and then.
 *
 * Never assumed: shuffling makes most arrays of numbers smaller, but where values repeat exactly it may hide it. And a
 * difference from an earlier version is small only where little changed, or slowly.
 *
 * A chunk goes on from one base for as long as that pays: its differences grow, and once one takes more than its versions
 * took on average since the base, another base is due. That makes the average the least it can be.
 */

import type { ChunkId } from '../base/ids.js';
import { chunkIdOf } from '../chunker/ids.js';
import { fitsBase } from '../format/bases.js';
import { elementBytes, type RegionKind } from '../format/kinds.js';
import { filtersFor, type Width } from '../format/number-filters.js';
import { Filter } from '../format/record.js';
import type { Store } from './store.js';

/** Chunks that are tried, and how often a region is saved with changes between two trials at most. */
const SAMPLES = 6;
const SAVES_BETWEEN = 32;
/** Filtered chunks are compressed and read twice as fast: what is not filtered has to be smaller by this. */
const AS_GOOD = 1.03;
/** Two records are read for a difference: it has to be smaller than a chunk that is stored alone by this. */
const CLEARLY = 0.85;

/** A chunk that may have changed, and what was in its place. */
export interface Sample {
  raw: Buffer;
  previous: ChunkId | undefined;
}

/** What a base and the differences from it took. */
interface Versions {
  count: number;
  bytes: number;
}

export class FilterChoice {
  /** For a chunk by itself. */
  alone: Filter = Filter.none;
  /** For a chunk with a base; undefined where that does not pay. */
  difference: Filter | undefined;
  readonly #alone: readonly Filter[];
  readonly #differences: readonly Filter[];
  readonly #versions = new Map<number, Versions>();
  /** Until the next trial. */
  readonly #savesLeft = { alone: 0, difference: 0 };
  /** What was tried in vain is tried again soon, then later and later: it may have been a save like no other. */
  #patience = 1;
  #isInVain = false;

  constructor(kind: RegionKind) {
    this.#alone = widthsOf(kind).flatMap((width) => filtersFor(width, false));
    // Where little changed the difference is mostly zeros, whatever is made of the rest.
    const widths = widthsOf(kind).length > 0 ? widthsOf(kind) : UNKNOWN_WIDTHS;
    this.#differences = [...widths.flatMap((width) => filtersFor(width, true)), Filter.dictionary];
  }

  /** What is put now may be a base of what is put later. Until that was tried nobody knows. */
  get readsAgain(): boolean {
    return !this.#isInVain;
  }

  /** Before a save of `count` chunks: which of them to try. */
  samples(count: number): number[] {
    const left = this.#savesLeft;
    if (count === 0 || Math.min(left.alone--, left.difference--) > 0) return [];
    const length = Math.min(count, SAMPLES);
    return Array.from({ length }, (_, sample) => Math.floor(((sample + 0.5) * count) / length));
  }

  learn(store: Store, samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    if (this.#savesLeft.alone < 0) this.#learnAlone(store, samples);
    if (this.#savesLeft.difference < 0) this.#learnDifference(store, samples);
  }

  #learnAlone(store: Store, samples: readonly Sample[]): void {
    this.#savesLeft.alone = SAVES_BETWEEN - 1;
    const total = (filter: Filter) => samples.reduce((sum, { raw }) => sum + store.sizeWith(filter, raw), 0);
    this.alone = Filter.none;
    let least = this.#alone.length > 0 ? total(Filter.none) * AS_GOOD : 0;
    for (const filter of this.#alone) {
      const size = total(filter);
      if (size >= least) continue;
      this.alone = filter;
      least = size;
    }
  }

  /** As long as nothing has a base this costs nothing, and is done again with the next save. */
  #learnDifference(store: Store, samples: readonly Sample[]): void {
    const pairs = samples.flatMap(({ raw, previous }) => {
      if (!previous || chunkIdOf(raw).equals(previous)) return [];
      const base = store.chunkBase(previous);
      return base ? [{ raw, base: Buffer.from(base.raw), alone: store.sizeWith(this.alone, raw) }] : [];
    });
    if (pairs.length === 0) return;
    this.difference = undefined;
    let least = CLEARLY * pairs.reduce((sum, { alone }) => sum + alone, 0);
    for (const filter of this.#differences) {
      const sizes = pairs.map(({ raw, base, alone }) =>
        fitsBase(filter, raw.length, base.length) ? store.sizeWith(filter, raw, base) : alone,
      );
      const size = sizes.reduce((sum, one) => sum + one, 0);
      if (size >= least) continue;
      this.difference = filter;
      least = size;
    }
    this.#isInVain = this.difference === undefined;
    this.#patience = this.#isInVain ? Math.min(2 * this.#patience, SAVES_BETWEEN) : 1;
    this.#savesLeft.difference = (this.#isInVain ? this.#patience : SAVES_BETWEEN) - 1;
  }

  /** Puts the chunk at `index` unless it is known; returns how many bytes were appended. */
  put(store: Store, index: number, raw: Buffer, id: ChunkId, previous: ChunkId | undefined): number {
    const { alone, difference: filter, readsAgain: readAgain } = this;
    const atMost = (bytes: number) => this.#worthwhile(index, bytes);
    const difference = filter && previous ? { filter, previous, atMost } : undefined;
    const { written, baseBytes } = store.putChunk(raw, id, { alone, difference, readAgain });
    if (filter && written > 0) this.#note(index, written, baseBytes);
    return written;
  }

  /** The region was cut anew: each chunk goes on from the one in whose place it is. */
  follow(places: readonly number[]): void {
    const before = new Map(this.#versions);
    this.#versions.clear();
    for (const [index, place] of places.entries()) {
      const versions = before.get(place);
      if (versions) this.#versions.set(index, versions);
    }
  }

  /** The most that the record of a difference may take where the base takes `alone`. */
  #worthwhile(index: number, alone: number): number {
    const { count, bytes } = this.#versions.get(index) ?? { count: 1, bytes: alone };
    return Math.min(bytes / count, alone * CLEARLY);
  }

  #note(index: number, written: number, baseBytes: number | undefined): void {
    const versions = baseBytes === undefined ? undefined : this.#versions.get(index);
    const { count, bytes } = versions ?? { count: baseBytes ? 1 : 0, bytes: baseBytes ?? 0 };
    this.#versions.set(index, { count: count + 1, bytes: bytes + written });
  }
}

/** Of bytes without a type nobody knows how wide the numbers in them are: both are tried. */
const UNKNOWN_WIDTHS: readonly Width[] = [8, 4];

/** How wide the numbers of a region may be, if it has such. */
function widthsOf(kind: RegionKind): readonly Width[] {
  if (kind === 'bytes' || kind === 'DataView' || kind === 'WebAssembly.Memory') return UNKNOWN_WIDTHS;
  const width = elementBytes(kind);
  return width === 4 || width === 8 ? [width] : [];
}
