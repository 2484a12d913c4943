/**
 * The two slots of one Snap, seen from the caller's thread: which is free, and whether a state fits.
 *
 * A slot is busy from its capture until the writer thread gives it back. Of two, one is held between saves as
 * what the next save is compared with. Where memory allows only one, nothing is held: every save is hashed
 * whole, and waits until the one before it is encoded.
 */

import { SnapError } from '../base/errors.js';
import { formatBytes, MiB } from '../base/sizes.js';
import { availableMemory } from '../io/machine.js';
import type { SlotLayout } from './protocol.js';
import { type LiveRegion, Slot } from './slot.js';

/** What the default limit leaves for queues beside two slots. */
const DEFAULT_MARGIN = 256 * MiB;

export interface Capture {
  slot: number;
  /** Keep the slot for comparison with the next capture. */
  hold: boolean;
  /** Present where the slot's memory or layout changed. */
  segments: SharedArrayBuffer[] | undefined;
  layout: SlotLayout | undefined;
}

/** `busy`: wait until a slot is given back; `release`: ask for the held one, then wait. */
export type CaptureResult = Capture | 'busy' | 'release';

export class Slots {
  readonly #slots: readonly [Slot, Slot] = [new Slot(), new Slot()];
  readonly #busy: [boolean, boolean] = [false, false];
  readonly #limit: number | undefined;

  /** `limit`: bytes of memory for both; undefined: what the machine leaves. */
  constructor(limit: number | undefined) {
    this.#limit = limit;
  }

  /** Copies a state into a free slot, if there is one and it fits. */
  capture(skeleton: Uint8Array, regions: readonly LiveRegion[]): CaptureResult {
    const index = this.#freeSlot(skeleton.length, regions);
    if (index === undefined) return 'busy';
    const slot = this.#slots[index] as Slot;
    let segments: SharedArrayBuffer[] | undefined;
    let layout: SlotLayout | undefined;
    if (!slot.fits(skeleton.length, regions)) {
      const before = slot.segments.length;
      const first = slot.segments[0];
      const result = this.#makeRoom(index, skeleton.length, regions);
      if (result === 'release') return result;
      slot.arrange(skeleton.length, regions);
      layout = slot.layout;
      if (slot.segments.length !== before || slot.segments[0] !== first) segments = [...slot.segments];
    }
    slot.fill(skeleton, regions);
    this.#busy[index] = true;
    return { slot: index, hold: this.#bothFit(slot.capacity), segments, layout };
  }

  /** Sizes and touches the slots for a state, as far as memory allows, so that the first capture costs no more. */
  prepare(skeletonBytes: number, regions: readonly LiveRegion[]): void {
    for (const [index, slot] of this.#slots.entries()) {
      if (this.#busy[index] || slot.fits(skeletonBytes, regions)) continue;
      if (this.#makeRoom(index, skeletonBytes, regions) === 'release') return;
      slot.arrange(skeletonBytes, regions);
      slot.touch();
      if (!this.#bothFit(slot.capacity)) return;
    }
  }

  /** Memory and layout of the slots as they are: for the writer thread after `prepare`. */
  describe(): { slot: number; segments: SharedArrayBuffer[]; layout: SlotLayout }[] {
    return this.#slots.map((slot, index) => ({
      slot: index,
      segments: [...slot.segments],
      layout: slot.layout,
    }));
  }

  released(slot: number): void {
    this.#busy[slot] = false;
  }

  get allBusy(): boolean {
    return this.#busy[0] && this.#busy[1];
  }

  /** Bytes of shared memory held. */
  get capacity(): number {
    return this.#slots[0].capacity + this.#slots[1].capacity;
  }

  /** A free slot, preferably one whose layout is right. */
  #freeSlot(skeletonBytes: number, regions: readonly LiveRegion[]): number | undefined {
    if (this.#busy[0]) return this.#busy[1] ? undefined : 1;
    if (this.#busy[1]) return 0;
    return this.#slots[1].fits(skeletonBytes, regions) && !this.#slots[0].fits(skeletonBytes, regions)
      ? 1
      : 0;
  }

  /** Checks that a slot may grow for a state, giving up the other slot's memory if need be. */
  #makeRoom(index: number, skeletonBytes: number, regions: readonly LiveRegion[]): 'ok' | 'release' {
    const slot = this.#slots[index] as Slot;
    const other = this.#slots[1 - index] as Slot;
    const growth = slot.growthFor(skeletonBytes, regions);
    const limit = this.#limitNow();
    if (this.capacity + growth <= limit) return 'ok';
    const alone = slot.capacity + growth;
    if (alone > limit) {
      throw new SnapError(
        'SNAP_TOO_LARGE',
        `the state takes ${formatBytes(alone)} and memoryLimit leaves ${formatBytes(limit)}; raise memoryLimit or make the state smaller`,
      );
    }
    if (this.#busy[1 - index]) return 'release';
    other.clear();
    return 'ok';
  }

  #bothFit(capacity: number): boolean {
    return this.#limit === undefined || 2 * capacity <= this.#limit;
  }

  #limitNow(): number {
    return this.#limit ?? Math.max(0, this.capacity + availableMemory() - DEFAULT_MARGIN);
  }
}
