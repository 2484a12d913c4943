/**
 * State -> skeleton and regions.
 *
 * Invariants
 *  - encoding reads the state and changes nothing in it
 *  - the same state gives the same bytes, from whichever encoder
 *  - after an encode, refused or not, the encoder holds nothing of the state but the bytes it wrote
 */

import { KiB } from '../base/sizes.js';
import { Encoding } from './encoding.js';
import type { Region } from './regions.js';
import type { ClassRegistry } from './registry.js';
import { MAGIC_0, MAGIC_1, MAGIC_2, SKELETON_VERSION } from './tags.js';

export interface EncodedState {
  /** Valid until the next encode by the same encoder, which reuses the memory. */
  skeleton: Uint8Array;
  /** In the order of the skeleton's region table. */
  regions: Region[];
}

export interface EncoderOptions {
  /** Buffers up to this many bytes are written into the skeleton. Default 1 KiB. */
  inlineBytes?: number;
}

/**
 * Turns states into skeletons and regions. Keep one and reuse it: its tables and its output buffer are warm then.
 *
 * @throws SnapError SNAP_UNSUPPORTED, with the path, for a value that cannot be kept exactly; SNAP_TOO_LARGE for a
 *   skeleton beyond what one buffer holds
 */
export class StateEncoder {
  readonly #encoding: Encoding;
  #busy = false;

  constructor(registry: ClassRegistry, options: EncoderOptions = {}) {
    const { inlineBytes = KiB } = options;
    if (!Number.isSafeInteger(inlineBytes) || inlineBytes < 0) {
      throw new RangeError(`inlineBytes must be a whole number of bytes, not ${inlineBytes}`);
    }
    this.#encoding = new Encoding(registry, inlineBytes);
  }

  encode(state: unknown): EncodedState {
    if (this.#busy) throw new TypeError('a getter or [Snap.encode] must not save the state it is part of');
    const encoding = this.#encoding;
    const { sink, regions } = encoding;
    this.#busy = true;
    try {
      sink.length = 0;
      sink.u8(MAGIC_0);
      sink.u8(MAGIC_1);
      sink.u8(MAGIC_2);
      sink.u8(SKELETON_VERSION);
      encoding.write(state);
      regions.writeTable(sink);
      return { skeleton: sink.written(), regions: regions.take() };
    } catch (error) {
      throw encoding.failure(error);
    } finally {
      regions.take();
      encoding.reset();
      this.#busy = false;
    }
  }
}
