/**
 * Writes short strings once: a repeated one is recalled from a table by its slot.
 *
 * Invariants
 *  - a slot follows from the string itself (and, where two collide, from what this encode wrote before), never
 *    from a running counter: a string inserted early leaves every later recall as it was, so that a skeleton
 *    that is chunked and deduplicated changes only where the state did
 *  - the same values in the same order give the same bytes, whatever the encoder encoded before
 *  - the table holds no string after `reset`: a slice of a large string would keep all of it alive
 */

import type { Sink } from './sink.js';
import { T_DEFINE_STRING, T_RECALL_STRING, TABLE_SLOTS, TABLE_STRING_MAX, TABLE_STRING_MIN } from './tags.js';

export class StringTable {
  readonly #slots: (string | undefined)[] = new Array<undefined>(TABLE_SLOTS).fill(undefined);
  /** Of the string in each slot: most comparisons end here, without looking at two strings. */
  readonly #hashes = new Int32Array(TABLE_SLOTS);
  #touched: number[] = [];

  write(sink: Sink, value: string): void {
    const units = value.length;
    if (units < TABLE_STRING_MIN || units > TABLE_STRING_MAX) {
      sink.text(value);
      return;
    }
    let hash = units;
    let seen = 0;
    for (let i = 0; i < units; i++) {
      const unit = value.charCodeAt(i);
      hash = Math.imul(hash, 31) + unit;
      seen |= unit;
    }
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    const slots = this.#slots;
    const hashes = this.#hashes;
    // Two places, so that two strings that collide and alternate are not written out each time.
    let slot = (hash >>> 13) & (TABLE_SLOTS - 1);
    if (hashes[slot] === hash && slots[slot] === value) {
      sink.tagged16(T_RECALL_STRING, slot);
      return;
    }
    if (slots[slot] !== undefined) {
      const other = slot ^ 1;
      if (hashes[other] === hash && slots[other] === value) {
        sink.tagged16(T_RECALL_STRING, other);
        return;
      }
      if (slots[other] === undefined) slot = other;
    }
    if (slots[slot] === undefined) this.#touched.push(slot);
    slots[slot] = value;
    hashes[slot] = hash;
    sink.tagged16(T_DEFINE_STRING, slot);
    if (seen < 256) sink.latin1(value);
    else sink.text(value);
  }

  reset(): void {
    const touched = this.#touched;
    for (let i = 0; i < touched.length; i++) this.#slots[touched[i] as number] = undefined;
    if (touched.length > 0) this.#touched = [];
  }
}
