/**
 * Which packs are part of the store: those whose file is there and that the last gc record does not call gone.
 *
 * Invariants
 *  - nothing is found in a pack that is not present, whatever the index still says of it
 *  - a pack's file is taken away only after the gc record that says so is durable, or where nothing in it counts
 */

import { type GcRecord, isAmong, NOTHING_GONE } from '../format/gc.js';
import { toSnapError } from '../io/failure.js';
import type { StoreContext } from './context.js';
import { isGone } from './gone.js';
import { moveAside } from './set-aside.js';

export class PresentPacks {
  readonly #context: StoreContext;
  readonly #present = new Set<number>();
  #gc: GcRecord = NOTHING_GONE;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** What the last gc record says. */
  get gc(): GcRecord {
    return this.#gc;
  }

  has(pack: number): boolean {
    return this.#present.has(pack);
  }

  /** Looks which files there are, once it is known what the last gc record says. */
  look(gc: GcRecord): void {
    this.#gc = gc;
    this.#present.clear();
    for (const pack of this.#context.packs.numbers()) if (!isGone(gc, pack)) this.#present.add(pack);
  }

  add(pack: number): void {
    this.#present.add(pack);
  }

  /** Somebody deleted the file. */
  lose(pack: number): void {
    this.#present.delete(pack);
    this.#context.packs.drop(pack);
  }

  /** Removes a pack in which nothing counts. Where that fails it stays, and the next headers pass it over. */
  discard(pack: number): void {
    const { io, layout, packs } = this.#context;
    this.#present.delete(pack);
    try {
      packs.drop(pack);
      io.remove(layout.pack(pack));
    } catch {
      // It holds nothing: not being able to remove it is no reason to fail.
    }
  }

  /** Takes in a gc record that has become durable. */
  noteGc(gc: GcRecord): void {
    this.#gc = gc;
    for (const pack of this.#present) if (isGone(gc, pack)) this.#present.delete(pack);
  }

  /** Moves or removes the files of packs that are gone; returns where those went that were moved. */
  takeAway(packs: readonly number[]): Map<number, string> {
    const { io, layout } = this.#context;
    const moved = new Map<number, string>();
    const there = new Set(this.#context.packs.numbers());
    for (const pack of packs) {
      if (!there.has(pack)) continue;
      this.#context.packs.drop(pack);
      const path = layout.pack(pack);
      if (isAmong(this.#gc.setAside, pack)) moved.set(pack, moveAside(io, layout, path));
      else io.remove(path);
    }
    return moved;
  }

  /** The same for those that a process which ended had no time for. Where it fails they are just not looked at. */
  takeLeftovers(packs: readonly number[]): void {
    try {
      this.takeAway(packs);
    } catch (error) {
      const message = `files of packs that are no part of the store any more stay: ${toSnapError(error, 'removing them').message}`;
      this.#context.warn({ kind: 'leftovers', message });
    }
  }

  /** Sizes in bytes of all packs whose file is there, by number. */
  sizes(): Record<string, number> {
    const { packs, readOnly } = this.#context;
    const sizes: Record<string, number> = {};
    for (const number of packs.numbers()) {
      try {
        sizes[number] = packs.size(number);
      } catch (error) {
        // Beside an owner that collects, one that was listed may be gone by now.
        if (!readOnly || packs.numbers().includes(number)) throw error;
      }
    }
    return sizes;
  }
}
