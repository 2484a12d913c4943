/**
 * Where snapshots of one store come in the order of another.
 *
 * Invariants
 *  - snapshots of the source are in the same order in the target, however many of them are there, and whichever
 *    came first: so `latest` means the same in both
 *  - what is newer than everything that was copied before comes after all that is in the target
 *  - a place is free: what is in the target keeps its own
 *
 * An order is one of sequences. Those of the source keep their distances as far as they can, so that there is room
 * for what is copied later. Only where others have taken all of the room does a snapshot come further down: it is then
 * older than it should be, and never the latest.
 */

import type { SnapshotId } from '../base/ids.js';

/** A wider gap is not kept: a store whose sequences are forged must not use up those of the target. */
const WIDEST_GAP = 2 ** 32;

export interface Ordered {
  id: SnapshotId;
  sequence: number;
}

/** What is asked of the target. */
export interface TargetOrder {
  /** Sequence of a snapshot that is there. */
  sequenceOf(id: SnapshotId): number | undefined;
  isTaken(sequence: number): boolean;
  /** Higher than any sequence there. */
  next(): number;
}

/** A snapshot that is in both: its position among those of the source, and its sequences. */
interface Anchor {
  position: number;
  here: number;
  there: number;
}

const BEFORE_ALL: Anchor = { position: -1, here: 0, there: 0 };

export class Places {
  readonly #source: readonly Ordered[];
  readonly #target: TargetOrder;
  /** For each snapshot of the source the nearest older one that was in the target from the start. */
  readonly #older: Anchor[] = [];
  /** Given by us, and perhaps not committed yet. */
  readonly #given = new Set<number>();
  #newer: Anchor | undefined;
  #position: number;

  /** `source`: all of its snapshots, the oldest first. */
  constructor(source: readonly Ordered[], target: TargetOrder) {
    this.#source = source;
    this.#target = target;
    this.#position = source.length;
    let older = BEFORE_ALL;
    for (const [position, { id, sequence: here }] of source.entries()) {
      this.#older.push(older);
      const there = target.sequenceOf(id);
      if (there !== undefined) older = { position, here, there };
    }
  }

  /** The sequence to give to a snapshot, which is put there before the next one is asked for. The newest come first. */
  placeOf(id: SnapshotId): number {
    while (this.#source[--this.#position]?.id !== id) this.#pass();
    const position = this.#position;
    const { sequence: here } = this.#source[position] as Ordered;
    const there = this.#placeOf(position, here, this.#older[position] as Anchor);
    this.#newer = { position, here, there };
    this.#given.add(there);
    return there;
  }

  /** One that is not copied now, but may have been before. */
  #pass(): void {
    const { id, sequence: here } = this.#source[this.#position] as Ordered;
    const there = this.#target.sequenceOf(id);
    if (there !== undefined) this.#newer = { position: this.#position, here, there };
  }

  #placeOf(position: number, here: number, older: Anchor): number {
    const newer = this.#newer;
    // Room for those between, which may be copied later.
    const room = position - older.position;
    if (!newer) return this.#target.next() - 1 + Math.max(room, Math.min(here - older.here, WIDEST_GAP));
    const wanted = Math.max(newer.there - (newer.here - here), older.there + room);
    const start = Math.min(wanted, newer.there - 1);
    return (
      this.#free(start, older.there, -1) ??
      this.#free(start + 1, newer.there, 1) ??
      this.#free(Math.min(older.there, newer.there - 1), 0, -1) ??
      this.#target.next()
    );
  }

  /** The first free sequence from `start` on, before `end`. */
  #free(start: number, end: number, step: 1 | -1): number | undefined {
    for (let sequence = start; step * (end - sequence) > 0; sequence += step) {
      if (!this.#given.has(sequence) && !this.#target.isTaken(sequence)) return sequence;
    }
    return undefined;
  }
}
