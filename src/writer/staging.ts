/** Shared memory through which what is read passes on its way to the caller's. */

import { GiB } from '../base/sizes.js';
import { checkFits } from '../store/limits.js';
import { DEPTH, type Place } from './chunk-reader.js';
import type { Slots } from './slots.js';

/** For what is taken at once: the place of a piece is that of the DEPTHth after it too. */
export class Ring {
  readonly #places: SharedArrayBuffer[] = [];
  #next = 0;

  place(byteLength: number): Place {
    const index = this.#next++ % DEPTH;
    let memory = this.#places[index];
    if (!memory || memory.byteLength < byteLength) {
      memory = new SharedArrayBuffer(byteLength);
      this.#places[index] = memory;
    }
    return { memory, offset: 0 };
  }
}

/** Pages of memory that is never touched cost nothing, so there may be more of it than is needed in the end. */
const LARGEST_SEGMENT = GiB;

/**
 * For what has to wait until all of it is there: the memory of a free slot where the Snap has one, warm and counted
 * already, then memory of its own.
 */
export class Staging {
  readonly #segments: SharedArrayBuffer[] = [];
  readonly #slot: number | undefined;
  readonly #released: (slot: number) => void;
  /** Of what may still be asked for. */
  #expected: number;
  #segment = 0;
  #offset = 0;

  /**
   * `expected`: bytes that may be asked for, at most. `slots`: undefined for a Snap that does not save. `released`:
   * gives a slot back to whoever waits for one.
   */
  constructor(expected: number, slots: Slots | undefined, released: (slot: number) => void) {
    const taken = slots?.takeFree(expected);
    this.#slot = taken?.slot;
    this.#segments.push(...(taken?.segments ?? []));
    this.#expected = expected;
    this.#released = released;
  }

  place(byteLength: number): Place {
    for (;;) {
      const memory = this.#segments[this.#segment] ?? this.#addSegment(byteLength);
      const offset = this.#offset;
      if (memory.byteLength - offset >= byteLength) {
        this.#offset += byteLength;
        this.#expected -= byteLength;
        return { memory, offset };
      }
      this.#segment++;
      this.#offset = 0;
    }
  }

  #addSegment(byteLength: number): SharedArrayBuffer {
    const wanted = Math.max(byteLength, Math.min(this.#expected, LARGEST_SEGMENT));
    checkFits(byteLength);
    const segment = new SharedArrayBuffer(wanted);
    this.#segments.push(segment);
    return segment;
  }

  /** To be called once nobody needs what was staged any more. */
  release(): void {
    if (this.#slot !== undefined) this.#released(this.#slot);
    this.#segments.length = 0;
  }
}
