/**
 * Back-pressure: captures at once where a slot is free, else waits, skips or lets a newer save overtake.
 *
 * Invariants
 *  - saves are captured in the order they were made
 *  - every submitted save ends in exactly one of captured, skipped or refused
 *  - while saves wait, none is captured out of turn
 */

import type { SnapshotId } from '../base/ids.js';
import { sharedMilliseconds } from '../io/machine.js';
import type { Access } from './access.js';
import type { SaveJob } from './protocol.js';
import type { LiveRegion } from './slot.js';
import type { Capture, Slots } from './slots.js';

export type OnBusy = 'wait' | 'skip' | 'coalesce';

/** A state taken apart, ready to be copied. */
export interface TakenApart {
  skeleton: Uint8Array;
  regions: LiveRegion[];
}

export interface Submission {
  ticket: number;
  id: SnapshotId;
  onBusy: OnBusy;
  step: number | undefined;
  tags: string[];
  meta: string;
  /** `performance.now()` when `save` was called. */
  calledAt: number;
  /** Called when a slot is free, so that a save that waited captures the state as it then is. */
  takeApart(): TakenApart;
  captured(stallMs: number, capture: Capture): void;
  skipped(): void;
  /** The state cannot be saved, or the wait was given up. */
  refused(error: unknown): void;
}

export class SaveQueue {
  readonly #owner: Access;
  readonly #client: number;
  readonly #slots: Slots;
  #waiting: Submission[] = [];
  /** The save that was captured last. */
  #last: SnapshotId | undefined;

  constructor(owner: Access, client: number, slots: Slots) {
    this.#owner = owner;
    this.#client = client;
    this.#slots = slots;
  }

  submit(save: Submission): void {
    if (this.#waiting.length === 0 && this.#capture(save)) return;
    if (save.onBusy === 'skip') {
      save.skipped();
      return;
    }
    if (save.onBusy === 'coalesce') {
      const overtaken = this.#waiting.filter((other) => other.onBusy === 'coalesce');
      this.#waiting = this.#waiting.filter((other) => other.onBusy !== 'coalesce');
      for (const other of overtaken) other.skipped();
    }
    this.#waiting.push(save);
    this.#owner.hurry();
  }

  /** A slot came free: whoever waits first gets it. */
  released(slot: number): void {
    this.#slots.released(slot);
    for (let next = this.#waiting[0]; next && this.#capture(next); next = this.#waiting[0])
      this.#waiting.shift();
  }

  /** Gives up a save that still waits. */
  abandon(ticket: number, reason: unknown): void {
    const save = this.#waiting.find((other) => other.ticket === ticket);
    this.#waiting = this.#waiting.filter((other) => other !== save);
    save?.refused(reason);
  }

  /** Gives up everything that waits. */
  abandonAll(reason: unknown): void {
    for (const save of this.#waiting.splice(0)) save.refused(reason);
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** True when the save is settled: captured, or refused for what it is. */
  #capture(save: Submission): boolean {
    if (this.#slots.allBusy) return false;
    try {
      const { skeleton, regions } = save.takeApart();
      const result = this.#slots.capture(skeleton, regions, save.ticket);
      if (result === 'release') this.#owner.send({ type: 'release', client: this.#client });
      if (result === 'busy' || result === 'release') return false;
      this.#lend(save, result, regions);
      const stallMs = performance.now() - save.calledAt;
      this.#send(save, skeleton.length, result, stallMs);
      save.captured(stallMs, result);
    } catch (error) {
      save.refused(error);
    }
    return true;
  }

  /** Hands over what is lent: from here on the caller's views of it are detached. */
  #lend({ ticket }: Submission, { slot }: Capture, regions: readonly LiveRegion[]): void {
    const parts = this.#slots.lentParts(slot, regions);
    if (parts.length === 0) return;
    const buffers = parts.map(({ buffer }) => buffer);
    const segments = this.#slots.segmentsOf(slot);
    this.#owner.send(
      { type: 'lent', client: this.#client, ticket, segments, parts },
      buffers.filter((buffer) => buffer instanceof ArrayBuffer),
    );
  }

  #send(save: Submission, skeletonBytes: number, capture: Capture, stallMs: number): void {
    const owner = this.#owner;
    const client = this.#client;
    const { slot, hold, small, segments, layout, plan } = capture;
    const { ticket, id, step, tags, meta } = save;
    const job: SaveJob = {
      ticket,
      id,
      slot,
      skeletonBytes,
      follows: this.#last,
      changed: plan?.changed ?? [],
      measure: plan?.measure ?? [],
      step,
      tags,
      meta,
      stallMs,
      createdAt: Date.now(),
      savedAt: sharedMilliseconds() - stallMs,
    };
    if (segments) owner.send({ type: 'segments', client, slot, segments });
    if (layout) owner.send({ type: 'layout', client, slot, layout });
    this.#last = id;
    const message = { type: 'save', client, job, hold } as const;
    if (small) owner.sendSoon(message);
    else owner.send(message);
    owner.saveBegan();
  }
}
