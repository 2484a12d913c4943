/**
 * Where records are gathered before they are written: two areas, one of which is filled while the other is being written.
 *
 * Invariant: a byte lies as far behind the beginning of a block in memory as it will in its file, so that whole blocks can
 * be written past the page cache.
 */

import { DIRECT_BLOCK, type Io } from '../io/io.js';

export class Staging {
  readonly #length: number;
  #area: Buffer;
  #spare: Buffer;
  #bytes: Buffer;

  constructor(io: Io, length: number) {
    const areaBytes = Math.ceil(length / DIRECT_BLOCK + 1) * DIRECT_BLOCK;
    const both = io.memory(2 * areaBytes);
    this.#length = length;
    this.#area = both.subarray(0, areaBytes);
    this.#spare = both.subarray(areaBytes);
    this.#bytes = this.#area;
  }

  /** To be filled; always as long. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** What is filled next will be written from this offset on. */
  begin(offset: number): void {
    const phase = offset % DIRECT_BLOCK;
    this.#bytes = this.#area.subarray(phase, phase + this.#length);
  }

  /** The same, and leaves what was filled alone until the next call. */
  swap(offset: number): void {
    [this.#area, this.#spare] = [this.#spare, this.#area];
    this.begin(offset);
  }
}
