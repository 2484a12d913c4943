/**
 * The two slots of one Snap, seen from the caller's thread: which is free, and whether a state fits.
 *
 * A slot is busy from its capture until the writer thread gives it back. Of two, one is held between saves as
 * what the next save is compared with. Where memory allows only one, nothing is held: every save is hashed
 * whole, and waits until the one before it is encoded. Of regions that are tracked, a capture copies only what the
 * slot lacks, and what changed is known without comparing: then nothing is held either, and the same slot serves again.
 */

import { SnapError } from '../base/errors.js';
import { formatBytes, MiB } from '../base/sizes.js';
import { availableMemory } from '../io/machine.js';
import { CapturedRegion } from './captured.js';
import type { CapturedPlace } from './chunk-table.js';
import type { LentPart, SlotLayout } from './protocol.js';
import { type LiveRegion, Slot, sum } from './slot.js';
import type { CapturePlan, Tracker } from './tracker.js';

/** What the default limit leaves for queues beside two slots. */
const DEFAULT_MARGIN = 256 * MiB;

export interface Capture {
  slot: number;
  /** Keep the slot for comparison with the next capture. */
  hold: boolean;
  /** Present where the slot's memory or layout changed. */
  segments: SharedArrayBuffer[] | undefined;
  layout: SlotLayout | undefined;
  /** What the tracker said; undefined where there is nothing that it could track. */
  plan: CapturePlan | undefined;
  copiedBytes: number;
  /** Bytes of the regions of which the kernel tells what was written. */
  trackedBytes: number;
}

/** `busy`: wait until a slot is given back; `release`: ask for the held one, then wait. */
export type CaptureResult = Capture | 'busy' | 'release';

export type SlotIndex = 0 | 1;

const SLOTS: readonly SlotIndex[] = [0, 1];

export class Slots {
  readonly #slots: readonly [Slot, Slot] = [new Slot(), new Slot()];
  readonly #busy: [boolean, boolean] = [false, false];
  readonly #limit: number | undefined;
  readonly #tracker: Tracker | undefined;
  /** The slot that was filled last: of what is tracked, it lacks the least. */
  #last: SlotIndex = 0;
  /** So far: whoever saw a slot held, and finds no more captures since, knows that nothing came into it. */
  captures = 0;

  /** `limit`: bytes of memory for both; undefined: what the machine leaves. */
  constructor(limit: number | undefined, tracker: Tracker | undefined) {
    this.#limit = limit;
    this.#tracker = tracker;
  }

  /** Copies a state into a free slot, if there is one and it fits. `ticket`: the number of the save. */
  capture(skeleton: Uint8Array, regions: readonly LiveRegion[], ticket: number): CaptureResult {
    const index = this.#freeSlot(skeleton.length, regions);
    if (index === undefined) return 'busy';
    const slot = this.#slots[index];
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
    const plan = this.#fill(index, skeleton, regions, ticket);
    this.#busy[index] = true;
    const all = bytesOf(regions);
    const untracked = bytesOf(regions.filter(({ lent }) => !lent));
    const { trackedBytes = 0, copiedBytes = untracked, missingElsewhere = 0 } = plan ?? {};
    // Comparing saves hashing what is not tracked, and sends the next capture to the slot that lacks more of the rest.
    const isWorthComparing = trackedBytes === 0 || skeleton.length + all - trackedBytes > missingElsewhere;
    return {
      slot: index,
      hold: this.#bothFit(slot.capacity) && isWorthComparing,
      segments,
      layout,
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
    for (const index of SLOTS) {
      const slot = this.#slots[index];
      if (this.#busy[index]) continue;
      if (!slot.fits(skeleton.length, regions)) {
        if (this.#makeRoom(index, skeleton.length, regions) === 'release') break;
        slot.arrange(skeleton.length, regions);
      }
      if (this.#tracker?.isEager) this.#fill(index, skeleton, regions, undefined);
      if (!this.#bothFit(slot.capacity)) break;
    }
    return this.#slots.flatMap((slot) => slot.takeAdded());
  }

  /** Memory and layout of the slots as they are: for the writer thread after `prepare`. */
  describe(): { slot: number; segments: SharedArrayBuffer[]; layout: SlotLayout }[] {
    return this.#slots.map((slot, index) => ({
      slot: index,
      segments: [...slot.segments],
      layout: slot.layout,
    }));
  }

  /** What is lent of a capture, and where in the slot it belongs. */
  lentParts(slot: number, regions: readonly LiveRegion[]): LentPart[] {
    const placed = (this.#slots[slot] as Slot).layout.regions;
    return regions.flatMap(({ bytes, lent }, position) =>
      lent ? { buffer: bytes.buffer, extents: placed[position]?.extents ?? [] } : [],
    );
  }

  /** The memory of a slot: all of its segments. */
  segmentsOf(slot: number): readonly SharedArrayBuffer[] {
    return (this.#slots[slot] as Slot).segments;
  }

  released(slot: number): void {
    this.#busy[slot] = false;
  }

  /** The bytes at a place in a slot that is held; undefined where it was given back. */
  held(slot: SlotIndex, { extents, byteLength }: CapturedPlace): CapturedRegion | undefined {
    if (!this.#busy[slot]) return undefined;
    const segments = this.#slots[slot].segments.map((segment) => Buffer.from(segment));
    return new CapturedRegion(segments, extents, byteLength);
  }

  /**
   * The memory of a free slot, for other use until `released`, made larger if need be; undefined where it cannot be, or
   * where the slot holds what spares the next capture the copying.
   */
  takeFree(byteLength: number): { slot: number; segments: readonly SharedArrayBuffer[] } | undefined {
    const index = this.#largestFree();
    if (index === undefined || this.#tracker?.holds(index)) return undefined;
    const slot = this.#slots[index];
    const missing = byteLength - slot.capacity;
    if (missing > 0) {
      if (this.capacity + missing > this.#limitNow() || !slot.grow(missing)) return undefined;
    }
    this.#busy[index] = true;
    return { slot: index, segments: slot.segments };
  }

  #largestFree(): SlotIndex | undefined {
    if (this.#busy[0]) return this.#busy[1] ? undefined : 1;
    if (this.#busy[1]) return 0;
    return this.#slots[0].capacity < this.#slots[1].capacity ? 1 : 0;
  }

  get allBusy(): boolean {
    return this.#busy[0] && this.#busy[1];
  }

  /** Bytes of shared memory held. */
  get capacity(): number {
    return this.#slots[0].capacity + this.#slots[1].capacity;
  }

  #fill(
    index: SlotIndex,
    skeleton: Uint8Array,
    regions: readonly LiveRegion[],
    ticket: number | undefined,
  ): CapturePlan | undefined {
    const slot = this.#slots[index];
    const plan = this.#tracker?.plan(index, slot.layout, regions, ticket);
    slot.fill(skeleton, regions, plan?.copies);
    this.captures++;
    this.#last = index;
    return plan;
  }

  /** A free slot, preferably one whose layout is right, and of two such the one that was filled last. */
  #freeSlot(skeletonBytes: number, regions: readonly LiveRegion[]): SlotIndex | undefined {
    if (this.#busy[0]) return this.#busy[1] ? undefined : 1;
    if (this.#busy[1]) return 0;
    const last = this.#last;
    const other = otherThan(last);
    return this.#slots[other].fits(skeletonBytes, regions) && !this.#slots[last].fits(skeletonBytes, regions)
      ? other
      : last;
  }

  /** Checks that a slot may grow for a state, giving up the other slot's memory if need be. */
  #makeRoom(index: SlotIndex, skeletonBytes: number, regions: readonly LiveRegion[]): 'ok' | 'release' {
    const slot = this.#slots[index];
    const other = this.#slots[otherThan(index)];
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
    if (this.#busy[otherThan(index)]) return 'release';
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

function bytesOf(regions: readonly LiveRegion[]): number {
  return sum(regions.map(({ bytes }) => bytes.length));
}

function otherThan(index: SlotIndex): SlotIndex {
  return index === 0 ? 1 : 0;
}
