/**
 * Content ids with a number each, in flat memory: 36 bytes a slot, where a Map of strings takes over 150.
 *
 * Ids are hashes already, so their first bytes place them; open addressing, at most 60 % full.
 */

import type { ChunkId } from '../base/ids.js';

const WORDS = 8;
const MOST_FULL = 0.6;
const FIRST_SLOTS = 1024;

export class IdMap {
  #ids = new Int32Array(FIRST_SLOTS * WORDS);
  /** 0 where a slot is free, else the number and 1. */
  #numbers = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(id: ChunkId): boolean {
    return this.#numbers[this.#slotOf(id)] !== 0;
  }

  get(id: ChunkId): number | undefined {
    const number = this.#numbers[this.#slotOf(id)] as number;
    return number === 0 ? undefined : number - 1;
  }

  /** `number`: at most 2^32 - 2. */
  set(id: ChunkId, number: number): void {
    let slot = this.#slotOf(id);
    if (this.#numbers[slot] === 0) {
      if (++this.#size > this.#numbers.length * MOST_FULL) {
        this.#grow();
        slot = this.#slotOf(id);
      }
      for (let word = 0; word < WORDS; word++) this.#ids[slot * WORDS + word] = id.readInt32LE(word * 4);
    }
    this.#numbers[slot] = number + 1;
  }

  /** The slot that holds an id, or the free one where it belongs. */
  #slotOf(id: ChunkId): number {
    const mask = this.#numbers.length - 1;
    for (let slot = id.readInt32LE(0) & mask; ; slot = (slot + 1) & mask) {
      if (this.#numbers[slot] === 0 || this.#isAt(slot, id)) return slot;
    }
  }

  #isAt(slot: number, id: ChunkId): boolean {
    for (let word = 0; word < WORDS; word++) {
      if (this.#ids[slot * WORDS + word] !== id.readInt32LE(word * 4)) return false;
    }
    return true;
  }

  #grow(): void {
    const [ids, numbers] = [this.#ids, this.#numbers];
    this.#ids = new Int32Array(ids.length * 2);
    this.#numbers = new Uint32Array(numbers.length * 2);
    const mask = this.#numbers.length - 1;
    for (let from = 0; from < numbers.length; from++) {
      const number = numbers[from] as number;
      if (number === 0) continue;
      let slot = (ids[from * WORDS] as number) & mask;
      while (this.#numbers[slot] !== 0) slot = (slot + 1) & mask;
      this.#ids.set(ids.subarray(from * WORDS, (from + 1) * WORDS), slot * WORDS);
      this.#numbers[slot] = number;
    }
  }
}
