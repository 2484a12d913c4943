/**
 * Raw bytes to stored bytes and back, as a record's filter and codec say.
 *
 * Invariants
 *  - what was filtered and compressed was brought back and compared before it is handed out: a compressor that errs (or
 *    memory that does) costs space, never data
 *  - compression is kept only where it pays
 */

import { SnapError } from '../base/errors.js';
import { fitsBase, isPlainDictionary, MAX_FILTERED_BYTES, takesBase } from '../format/bases.js';
import { numberFilter } from '../format/number-filters.js';
import { Codec, Filter } from '../format/record.js';
import type { Compressor } from './compressor.js';
import { type Filters, findFilters } from './filters.js';

/** Compressing has to save at least this share, else the chunk is stored raw and read back without work. */
const WORTHWHILE = 0.97;
/** Frames this small save nothing that a record header does not cost. */
const SMALLEST = 64;

export interface Encoded {
  codec: Codec;
  filter: Filter;
  /** Valid until the next call. */
  stored: Buffer;
}

export class Encoding {
  readonly #compressor: Compressor;
  readonly #forFiltered: Compressor;
  #filters: Filters | undefined;
  #frame = Buffer.alloc(0);
  #check = Buffer.alloc(0);

  /** `compresses: false`: never compress (but still read what others compressed). */
  constructor(
    compressor: Compressor,
    readonly compresses: boolean,
    forFiltered = compressor,
    filters?: Filters,
  ) {
    this.#compressor = compressor;
    this.#forFiltered = forFiltered;
    this.#filters = filters;
  }

  /**
   * With the filter if that pays, else as it is. The base is given where the filter takes one: an earlier version of the
   * bytes, of a length that fits. What takes more than `atMost` bytes that way does not pay.
   */
  encode(
    raw: Buffer,
    filter: Filter = Filter.none,
    base?: Buffer,
    atMost = Number.POSITIVE_INFINITY,
  ): Encoded {
    const stored = this.#compressed(raw, filter, base);
    const check = this.#check.subarray(0, raw.length);
    if (!stored || stored.length > atMost || !this.#decodesTo(filter, stored, check, raw, base)) {
      return { codec: Codec.raw, filter: Filter.none, stored: raw };
    }
    return { codec: Codec.zstd, filter, stored };
  }

  /** How many bytes `encode` would store. */
  sizeOf(raw: Buffer, filter: Filter = Filter.none, base?: Buffer): number {
    return this.#compressed(raw, filter, base)?.length ?? raw.length;
  }

  /** Fills `target` (of the raw length) with what `stored` holds. */
  decode(codec: Codec, filter: Filter, stored: Buffer, target: Buffer, base?: Buffer): void {
    if (filter === Filter.none) {
      this.#decompress(codec, stored, target);
      return;
    }
    if (target.length > MAX_FILTERED_BYTES) throw damaged('a filtered record is too long');
    if (takesBase(filter) && !(base && fitsBase(filter, target.length, base.length))) {
      throw damaged('the base of a record has a length that it cannot have');
    }
    const numbers = numberFilter(filter);
    if (!numbers) {
      if (codec !== Codec.zstd || !base || !isPlainDictionary(base))
        throw damaged('a record has no dictionary');
      this.#compressor.decompress(stored, target, base);
      return;
    }
    const filters = this.#findFilters();
    this.#decompress(codec, stored, filters.planes(target.length));
    filters.unfilter(numbers, target, base);
  }

  #decompress(codec: Codec, stored: Buffer, target: Buffer): void {
    if (codec === Codec.zstd) {
      this.#compressor.decompress(stored, target);
      return;
    }
    if (stored.length !== target.length) throw damaged('a record stored raw has a wrong length');
    stored.copy(target);
  }

  /** A frame of the filtered bytes, if that is worth it. */
  #compressed(raw: Buffer, filter: Filter, base: Buffer | undefined): Buffer | undefined {
    const numbers = numberFilter(filter);
    if (!this.compresses || raw.length < SMALLEST) return undefined;
    if (filter !== Filter.none && raw.length > MAX_FILTERED_BYTES) return undefined;
    if (filter === Filter.dictionary && !(base && isPlainDictionary(base))) return undefined;
    if (this.#check.length < raw.length) {
      this.#frame = Buffer.allocUnsafeSlow(raw.length);
      this.#check = Buffer.allocUnsafeSlow(raw.length);
    }
    const room = this.#frame.subarray(0, Math.floor(raw.length * WORTHWHILE));
    const length = numbers
      ? this.#forFiltered.compress(this.#findFilters().filter(numbers, raw, base), room)
      : this.#compressor.compress(raw, room, base);
    return length > 0 ? room.subarray(0, length) : undefined;
  }

  /** Made when they are first needed: that takes a millisecond. */
  #findFilters(): Filters {
    this.#filters ??= findFilters();
    return this.#filters;
  }

  #decodesTo(filter: Filter, stored: Buffer, check: Buffer, raw: Buffer, base: Buffer | undefined): boolean {
    try {
      this.decode(Codec.zstd, filter, stored, check, base);
    } catch {
      return false;
    }
    return check.equals(raw);
  }
}

function damaged(reason: string): SnapError {
  return new SnapError('SNAP_CORRUPT', reason);
}
