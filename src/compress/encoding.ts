/**
 * Raw bytes to stored bytes and back, as a record's codec says.
 *
 * Invariants
 *  - what was compressed was decompressed and compared before it is handed out: a compressor that errs (or
 *    memory that does) costs space, never data
 *  - compression is kept only where it pays
 */

import { SnapError } from '../base/errors.js';
import { Codec } from '../format/record.js';
import type { Compressor } from './compressor.js';

/** Compressing has to save at least this share, else the chunk is stored raw and read back without work. */
const WORTHWHILE = 0.97;
/** Frames this small save nothing that a record header does not cost. */
const SMALLEST = 64;

export interface Encoded {
  codec: Codec;
  /** Valid until the next call. */
  stored: Buffer;
}

export class Encoding {
  readonly #compressor: Compressor;
  #frame = Buffer.alloc(0);
  #check = Buffer.alloc(0);

  /** `undefined`: never compress (but still read what others compressed). */
  constructor(
    compressor: Compressor,
    readonly compresses: boolean,
  ) {
    this.#compressor = compressor;
  }

  encode(raw: Buffer): Encoded {
    if (!this.compresses || raw.length < SMALLEST) return { codec: Codec.raw, stored: raw };
    if (this.#check.length < raw.length) {
      this.#frame = Buffer.allocUnsafeSlow(raw.length);
      this.#check = Buffer.allocUnsafeSlow(raw.length);
    }
    const room = this.#frame.subarray(0, Math.floor(raw.length * WORTHWHILE));
    const length = this.#compressor.compress(raw, room);
    if (length === 0) return { codec: Codec.raw, stored: raw };
    const stored = room.subarray(0, length);
    const check = this.#check.subarray(0, raw.length);
    if (!this.#decodesTo(stored, check, raw)) return { codec: Codec.raw, stored: raw };
    return { codec: Codec.zstd, stored };
  }

  /** Fills `target` (of the raw length) with what `stored` holds. */
  decode(codec: Codec, stored: Buffer, target: Buffer): void {
    if (codec === Codec.zstd) {
      this.#compressor.decompress(stored, target);
      return;
    }
    if (stored.length !== target.length) {
      throw new SnapError('SNAP_CORRUPT', 'a record stored raw has a wrong length');
    }
    stored.copy(target);
  }

  #decodesTo(stored: Buffer, check: Buffer, raw: Buffer): boolean {
    try {
      this.#compressor.decompress(stored, check);
    } catch {
      return false;
    }
    return check.equals(raw);
  }
}
