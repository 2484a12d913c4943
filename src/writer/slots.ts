/**
 * The slots of one Snap, seen from the caller's thread: which is free, and whether a state fits.
 *
 * There are two, and for small states a few more, so that saves go on while a sync takes long. A slot is busy from its
 * capture until the writer thread gives it back. One is held between saves as what the next save is compared with. Where
 * memory allows only one, nothing is held: every save is hashed whole, and waits until the one before it is encoded. Of
 * regions that are tracked, a capture copies only what the slot lacks, and what changed is known without comparing: then
 * nothing is held either, and the same slot serves again.
 */

import { SnapError } from '../base/errors.js';
import { formatBytes, MiB } from '../base/sizes.js';
import { availableMemory } from '../io/machine.js';
import { CapturedRegion } from './captured.js';
import type { CapturedPlace } from './chunk-table.js';
import type { LentPart } from './protocol.js';
import { type LiveRegion, Slot, type SlotNews, sum } from './slot.js';
import type { CapturePlan, Tracker } from './tracker.js';

/** What the default limit leaves for queues beside the slots. */
const DEFAULT_MARGIN = 256 * MiB;
/** Every state has two slots; of these the tracker knows. */
const SLOTS = 2;
/** A small one has as many as this leaves room for: syncs that take longer than usual are bridged by them. */
const MOST_SLOTS = 32;
const MOST_BYTES_OF_MANY = 4 * MiB;

export interface Capture extends SlotNews {
  slot: number;
  /** Keep the slot for comparison with the next capture. */
  hold: boolean;
  /** One of many slots: there is time to write it. */
  small: boolean;
  /** What the tracker said; undefined where there is nothing that it could track. */
  plan: CapturePlan | undefined;
  copiedBytes: number;
  /** Bytes of the regions of which the kernel tells what was written. */
  trackedBytes: number;
}

/** `busy`: wait until a slot is given back; `release`: ask for the held one, then wait. */
export type CaptureResult = Capture | 'busy' | 'release';

export class Slots {
  readonly #slots: readonly Slot[] = Array.from({ length: MOST_SLOTS }, () => new Slot());
  readonly #busy: boolean[] = this.#slots.map(() => false);
  /** How many of them the state that came last may take. */
  #count = SLOTS;
  readonly #limit: number | undefined;
  readonly #tracker: Tracker | undefined;
  /** The slot that was filled last: of what is tracked, it lacks the least. */
  #last = 0;
  /** So far: whoever saw a slot held, and finds no more captures since, knows that nothing came into it. */
  captures = 0;

  /** `limit`: bytes of memory for all; undefined: what the machine leaves. */
  constructor(limit: number | undefined, tracker: Tracker | undefined) {
    this.#limit = limit;
    this.#tracker = tracker;
  }

  /** Copies a state into a free slot, if there is one and it fits. `ticket`: the number of the save. */
  capture(skeleton: Uint8Array, regions: readonly LiveRegion[], ticket: number): CaptureResult {
    const all = bytesOf(regions);
    this.#count = this.#slotsFor(skeleton.length + all, regions);
    const index = this.#freeSlot(skeleton.length, regions);
    if (index === undefined) return 'busy';
    const slot = this.#slot(index);
    if (!slot.fits(skeleton.length, regions)) {
      const result = this.#makeRoom(index, skeleton.length, regions);
      if (result !== 'ok') return result;
      slot.arrange(skeleton.length, regions);
    }
    const plan = this.#fill(index, skeleton, regions, ticket);
    this.#busy[index] = true;
    const untracked = bytesOf(regions.filter(({ lent }) => !lent));
    const { trackedBytes = 0, copiedBytes = untracked, missingElsewhere = 0 } = plan ?? {};
    // Comparing saves hashing what is not tracked, and sends the next capture to the slot that lacks more of the rest.
    const isWorthComparing = trackedBytes === 0 || skeleton.length + all - trackedBytes > missingElsewhere;
    return {
      slot: index,
      hold: this.#bothFit(slot.capacity) && isWorthComparing,
      small: this.#count > SLOTS,
      ...slot.takeNews(),
      plan,
      copiedBytes: skeleton.length + copiedBytes,
      trackedBytes,
    };
  }

  /**
   * Sizes the slots for a state, as far as memory allows. Where regions are tracked from the beginning, it begins here.
   * Returns memory that is to be touched, so that the first capture costs no more than later ones.
   */
  prepare(skeleton: Uint8Array, regions: readonly LiveRegion[]): SharedArrayBuffer[] {
    this.#count = this.#slotsFor(skeleton.length + bytesOf(regions), regions);
    for (let index = 0; index < this.#count; index++) {
      const slot = this.#slot(index);
      if (this.#busy[index]) continue;
      if (!slot.fits(skeleton.length, regions)) {
        if (this.#makeRoom(index, skeleton.length, regions) !== 'ok') break;
        slot.arrange(skeleton.length, regions);
      }
      if (this.#tracker?.isEager) this.#fill(index, skeleton, regions, undefined);
      if (!this.#bothFit(slot.capacity)) break;
    }
    return this.#slots.flatMap((slot) => slot.takeAdded());
  }

  /** What the writer thread has to be told of the slots after `prepare`. */
  takeNews(): ({ slot: number } & SlotNews)[] {
    return this.#slots.map((slot, index) => ({ slot: index, ...slot.takeNews() }));
  }

  /** What is lent of a capture, and where in the slot it belongs. */
  lentParts(slot: number, regions: readonly LiveRegion[]): LentPart[] {
    const placed = this.#slot(slot).layout.regions;
    return regions.flatMap(({ bytes, lent }, position) =>
      lent ? { buffer: bytes.buffer, extents: placed[position]?.extents ?? [] } : [],
    );
  }

  /** The memory of a slot: all of its segments. */
  segmentsOf(slot: number): readonly SharedArrayBuffer[] {
    return this.#slot(slot).segments;
  }

  released(slot: number): void {
    this.#busy[slot] = false;
  }

  /** The bytes at a place in a slot that is held; undefined where it was given back. */
  held(slot: number, { extents, byteLength }: CapturedPlace): CapturedRegion | undefined {
    if (!this.#busy[slot]) return undefined;
    const segments = this.#slot(slot).segments.map((segment) => Buffer.from(segment));
    return new CapturedRegion(segments, extents, byteLength);
  }

  /**
   * The memory of a free slot of the first two, for other use until `released`, made larger if need be; undefined where it
   * cannot be, or where the slot holds what spares the next capture the copying.
   */
  takeFree(byteLength: number): { slot: number; segments: readonly SharedArrayBuffer[] } | undefined {
    const index = this.#largestFree();
    if (index === undefined || this.#tracker?.holds(index)) return undefined;
    const slot = this.#slot(index);
    const missing = byteLength - slot.capacity;
    if (missing > 0) {
      if (this.capacity + missing > this.#limitNow() || !slot.grow(missing)) return undefined;
    }
    this.#busy[index] = true;
    return { slot: index, segments: slot.segments };
  }

  #largestFree(): number | undefined {
    if (this.#busy[0]) return this.#busy[1] ? undefined : 1;
    if (this.#busy[1]) return 0;
    return this.#slot(0).capacity < this.#slot(1).capacity ? 1 : 0;
  }

  /** True where a state like the one that came last finds no slot. */
  get allBusy(): boolean {
    for (let index = 0; index < this.#count; index++) if (!this.#busy[index]) return false;
    return true;
  }

  /** Bytes of shared memory held. */
  get capacity(): number {
    return sum(this.#slots.map((slot) => slot.capacity));
  }

  #slot(index: number): Slot {
    return this.#slots[index] as Slot;
  }

  /** What is tracked, or may be, is known of two slots only. */
  #slotsFor(byteLength: number, regions: readonly LiveRegion[]): number {
    const count = Math.floor(MOST_BYTES_OF_MANY / byteLength);
    if (count <= SLOTS || this.#tracker?.concerns(regions)) return SLOTS;
    return Math.min(count, MOST_SLOTS);
  }

  #fill(
    index: number,
    skeleton: Uint8Array,
    regions: readonly LiveRegion[],
    ticket: number | undefined,
  ): CapturePlan | undefined {
    const slot = this.#slot(index);
    const plan = this.#tracker?.plan(index, slot.layout, regions, ticket);
    slot.fill(skeleton, regions, plan?.copies);
    this.captures++;
    this.#last = index;
    return plan;
  }

  /**
   * A free slot, preferably one whose layout is right, and of such the one that was filled last. Of the others the first,
   * so that no more of them are in use, and in the processor's cache, than are needed.
   */
  #freeSlot(skeletonBytes: number, regions: readonly LiveRegion[]): number | undefined {
    const last = this.#last;
    let free = last < this.#count && !this.#busy[last] ? last : undefined;
    if (free !== undefined && this.#slot(free).fits(skeletonBytes, regions)) return free;
    for (let index = 0; index < this.#count; index++) {
      if (this.#busy[index] || index === last) continue;
      if (this.#slot(index).fits(skeletonBytes, regions)) return index;
      free ??= index;
    }
    return free;
  }

  /** Checks that a slot may grow for a state, giving up the other slots' memory if need be. */
  #makeRoom(index: number, skeletonBytes: number, regions: readonly LiveRegion[]): 'ok' | 'busy' | 'release' {
    const slot = this.#slot(index);
    const growth = slot.growthFor(skeletonBytes, regions);
    const limit = this.#limitNow();
    if (this.capacity + growth <= limit) return 'ok';
    if (index >= SLOTS) return 'busy';
    const alone = slot.capacity + growth;
    if (alone > limit) {
      throw new SnapError(
        'SNAP_TOO_LARGE',
        `the state takes ${formatBytes(alone)} and memoryLimit leaves ${formatBytes(limit)}; raise memoryLimit or make the state smaller`,
      );
    }
    for (const [other, { capacity }] of this.#slots.entries()) {
      if (other !== index && !this.#busy[other] && capacity > 0) this.#slot(other).clear();
      if (this.capacity + growth <= limit) return 'ok';
    }
    return 'release';
  }

  #bothFit(capacity: number): boolean {
    return this.#limit === undefined || 2 * capacity <= this.#limit;
  }

  #limitNow(): number {
    return this.#limit ?? Math.max(0, this.capacity + availableMemory() - DEFAULT_MARGIN);
  }
}

function bytesOf(regions: readonly LiveRegion[]): number {
  let total = 0;
  for (const { bytes } of regions) total += bytes.length;
  return total;
}
