/**
 * What a capture has to copy: of regions whose pages the kernel watches, only what was written.
 *
 * A region is known by its buffer, the very object: two regions are never mistaken for each other, whatever becomes of
 * their paths and addresses. Each slot holds, for a region it was filled with, the bytes as they were then; what was
 * written since is missing from it, until the region is captured into that slot again.
 *
 * Invariants
 *  - bytes of a region that differ from those in a slot that holds it are noted as missing there, or as written by the
 *    kernel
 *  - every doubt (moved, resized, not tracked any more, another region in its place) means that all of it is copied
 *  - spans that are tracked never overlap: one buffer may hide behind two objects
 */

import { KiB, MiB } from '../base/sizes.js';
import { chunkBytesFor } from '../chunker/fixed.js';
import { DirtyPages, type PageSpan } from '../io/dirty-pages.js';
import type { SlotLayout } from './protocol.js';
import { bytesIn, chunksIn, NOTHING, type Ranges, union } from './ranges.js';
import type { LiveRegion } from './slot.js';

/** `track` begins by tracking, `auto` by copying. */
export type Tracking = 'auto' | 'track';

/** Below this, asking for what was written costs as much as copying does. */
const SMALLEST_BYTES = MiB;
/** A span takes two of the mappings that the kernel allows a process, 65,530 by default. */
const MOST_TRACKED = 512;
/**
 * Of a region's pages, the share from which on it is copied, and that below which it is tracked: the first write to a
 * page costs 0.85 us where it is tracked, copying it 0.24 us.
 */
const DENSE = 0.2;
const SPARSE = 0.1;
/** How often in a row, before anything changes. */
const PATIENCE = 2;
/** Captures until tracking is thought of again, after it did not pay; each time twice as long. */
const FIRST_PAUSE = 8;
const LONGEST_PAUSE = 1024;
/** A region that was in none of so many captures is let go. */
const ABSENT = 16;
/** What is missing from a slot in more pieces is not kept account of: all of it is. */
const MOST_PIECES = 8 * KiB;

/** Who tells which pages were written: the kernel. */
export type PageWatch = Pick<DirtyPages, 'locate' | 'track' | 'written' | 'untrack' | 'close'>;

/** What to do with each region of a capture, by position. */
export interface CapturePlan {
  /** What to copy; undefined: all of it. */
  copies: (Ranges | undefined)[];
  /** The chunks that may differ from those of the save before; undefined: nobody knows. */
  changed: (Uint32Array | undefined)[];
  /** Positions of regions whose changed share is to be measured, to decide whether they should be tracked. */
  measure: number[];
  /** Bytes of the regions that are tracked. */
  trackedBytes: number;
  /** Bytes that are copied now. */
  copiedBytes: number;
  /** Bytes that would have to be copied if the next capture came into the other slot. */
  missingElsewhere: number;
}

/** One buffer that is large enough; tracked while it has a span. */
class Candidate {
  readonly byteLength: number;
  span: PageSpan | undefined;
  /** By slot that holds it: what was written since; undefined: all of it may have been. */
  readonly missing: (Ranges | undefined)[] = [];
  /** Written since the last save it was part of; undefined: perhaps everything. */
  unsaved: Ranges | undefined;
  /** The last save it was part of, and under which path. */
  savedAt = 0;
  savedAs = '';
  /** The last capture it was part of. */
  seenAt = 0;
  /** Captures in a row that found it dense while it was tracked, and sparse while it was not. */
  dense = 0;
  sparse: number;
  /** Captures to let pass before it is tracked, and how many it will be the next time. */
  pause = 0;
  nextPause = FIRST_PAUSE;

  constructor(byteLength: number, sparse: number) {
    this.byteLength = byteLength;
    this.sparse = sparse;
  }
}

export class Tracker {
  readonly #mode: Tracking;
  readonly #smallest: number;
  readonly #open: (insist: boolean) => PageWatch | undefined;
  /** Undefined: not asked yet; null: not offered here. */
  #pages: PageWatch | null | undefined;
  readonly #candidates = new WeakMap<object, Candidate>();
  readonly #tracked = new Set<Candidate>();
  /** Buffers that were collected leave their mappings to others. */
  readonly #collected = new FinalizationRegistry<Candidate>((candidate) => this.#stop(candidate));
  /** What each of the first two slots holds, by position, as long as its layout stays; others hold nothing tracked. */
  readonly #held: { layout: SlotLayout | undefined; regions: (Candidate | undefined)[] }[] = [
    { layout: undefined, regions: [] },
    { layout: undefined, regions: [] },
  ];
  #captures = 0;
  #saves = 0;
  /** By ticket, the regions that a save asked to be measured. */
  readonly #measuring = new Map<number, Candidate[]>();

  /** `smallest`: regions with fewer bytes are copied. `open`: who watches pages; what it returns is closed. */
  constructor(
    mode: Tracking,
    smallest = SMALLEST_BYTES,
    open: (insist: boolean) => PageWatch | undefined = DirtyPages.open,
  ) {
    this.#mode = mode;
    this.#smallest = smallest;
    this.#open = open;
  }

  /**
   * Plans a capture into a slot, which then has to be made: what the kernel noted is taken from it here. `ticket`:
   * number of the save that it is for; undefined where it only makes ready.
   */
  plan(
    slot: number,
    layout: SlotLayout,
    regions: readonly LiveRegion[],
    ticket: number | undefined,
  ): CapturePlan | undefined {
    if (this.#pages === null) return undefined;
    this.#captures++;
    if (ticket !== undefined) this.#saves++;
    if (!this.concerns(regions) && (this.#tracked.size === 0 || slot >= this.#held.length)) return undefined;
    if (this.#held[slot]?.layout !== layout) this.#held[slot] = { layout, regions: [] };
    const candidates = regions.map((region) => this.#candidateFor(region));
    this.#startThose(candidates, regions);
    const plan: CapturePlan = {
      copies: [],
      changed: [],
      measure: [],
      trackedBytes: 0,
      copiedBytes: 0,
      missingElsewhere: 0,
    };
    for (const [position, region] of regions.entries()) {
      this.#planRegion(plan, slot, position, region, candidates[position], ticket !== undefined);
    }
    if (ticket !== undefined && plan.measure.length > 0) {
      this.#measuring.set(
        ticket,
        plan.measure.flatMap((position) => candidates[position] ?? []),
      );
    }
    this.#stopAbsent();
    return plan;
  }

  /** What the writer thread found of the regions that a save asked it to measure: shares of their pages. */
  measured(ticket: number, shares: readonly (number | undefined)[]): void {
    for (const [index, candidate] of (this.#measuring.get(ticket) ?? []).entries()) {
      const share = shares[index];
      if (share === undefined) continue;
      candidate.sparse = share < SPARSE ? candidate.sparse + 1 : 0;
      if (share > DENSE) candidate.pause = FIRST_PAUSE;
    }
    for (const older of this.#measuring.keys()) if (older <= ticket) this.#measuring.delete(older);
  }

  /** True where one of these regions is, or may come to be, tracked. */
  concerns(regions: readonly LiveRegion[]): boolean {
    return this.#pages !== null && regions.some(({ bytes }) => bytes.length >= this.#smallest);
  }

  /** True where a slot holds a region of which a capture would copy only what was written. */
  holds(slot: number): boolean {
    return this.#held[slot]?.regions.some((candidate) => candidate?.span !== undefined) ?? false;
  }

  /** True where regions are tracked without having been measured before. */
  get isEager(): boolean {
    return this.#mode === 'track';
  }

  /** Lets all memory go; from now on everything is copied. */
  close(): void {
    this.#pages?.close();
    this.#pages = null;
    this.#tracked.clear();
  }

  #candidateFor({ bytes, lent }: LiveRegion): Candidate | undefined {
    const { buffer, byteLength } = bytes;
    if (lent || byteLength < this.#smallest || byteLength !== buffer.byteLength) return undefined;
    let candidate = this.#candidates.get(buffer);
    if (candidate?.byteLength !== byteLength) {
      // A buffer that was resized is as good a candidate as it was before.
      const sparse = this.#mode === 'track' || candidate?.span ? PATIENCE : 0;
      if (candidate) this.#stop(candidate);
      candidate = new Candidate(byteLength, sparse);
      this.#candidates.set(buffer, candidate);
    }
    candidate.seenAt = this.#captures;
    return candidate;
  }

  /** Begins to track the candidates that are due. */
  #startThose(candidates: readonly (Candidate | undefined)[], regions: readonly LiveRegion[]): void {
    const due: { candidate: Candidate; buffer: object }[] = [];
    const spans: PageSpan[] = [];
    for (const [position, candidate] of candidates.entries()) {
      if (!candidate || candidate.span || candidate.sparse < PATIENCE || candidate.pause > 0) continue;
      if (this.#tracked.size + due.length >= MOST_TRACKED) break;
      if (this.#pages === undefined) this.#pages = this.#open(this.#mode === 'track') ?? null;
      const { bytes } = regions[position] as LiveRegion;
      const span = this.#pages?.locate(bytes);
      if (span && this.#makeRoom(span) && !spans.some((other) => overlap(other, span))) {
        due.push({ candidate, buffer: bytes.buffer });
        spans.push(span);
      } else {
        delay(candidate);
      }
    }
    if (due.length === 0) return;
    for (const [index, tracks] of (this.#pages?.track(spans) ?? []).entries()) {
      const { candidate, buffer } = due[index] as { candidate: Candidate; buffer: object };
      if (!tracks) {
        delay(candidate);
        continue;
      }
      candidate.span = spans[index];
      candidate.dense = 0;
      this.#tracked.add(candidate);
      this.#collected.register(buffer, candidate, candidate);
    }
  }

  #stop(candidate: Candidate): void {
    if (!candidate.span) return;
    this.#tracked.delete(candidate);
    this.#collected.unregister(candidate);
    this.#pages?.untrack(candidate.span);
    candidate.span = undefined;
    candidate.missing.length = 0;
    candidate.unsaved = undefined;
    candidate.sparse = 0;
  }

  /** False where a region of this capture is tracked there already; what else is in the way goes. */
  #makeRoom(span: PageSpan): boolean {
    for (const other of this.#tracked) {
      if (!other.span || !overlap(other.span, span)) continue;
      if (other.seenAt === this.#captures) return false;
      this.#stop(other);
    }
    return true;
  }

  #stopAbsent(): void {
    for (const candidate of this.#tracked) {
      if (this.#captures - candidate.seenAt > ABSENT) this.#stop(candidate);
    }
  }

  #planRegion(
    plan: CapturePlan,
    slot: number,
    position: number,
    { path, kind, bytes, lent }: LiveRegion,
    candidate: Candidate | undefined,
    isSave: boolean,
  ): void {
    const { regions: held } = this.#held[slot] as { regions: (Candidate | undefined)[] };
    const written = candidate && this.#writtenIn(candidate, bytes);
    if (!candidate || !written) {
      held[position] = undefined;
      if (!lent) plan.copiedBytes += bytes.byteLength;
      if (candidate && isSave) {
        if (candidate.pause > 0) candidate.pause--;
        else plan.measure.push(position);
      }
      return;
    }
    for (const [index, missing] of candidate.missing.entries()) {
      candidate.missing[index] = missing && bounded(union(missing, written));
    }
    const copies = held[position] === candidate ? candidate.missing[slot] : undefined;
    held[position] = candidate;
    candidate.missing[slot] = NOTHING;
    candidate.unsaved &&= union(candidate.unsaved, written);
    plan.copies[position] = copies;
    plan.copiedBytes += copies ? bytesIn(copies) : bytes.byteLength;
    plan.trackedBytes += bytes.byteLength;
    const elsewhere = candidate.missing[1 - slot];
    plan.missingElsewhere += elsewhere ? bytesIn(elsewhere) : bytes.byteLength;
    if (!isSave) return;
    const { unsaved } = candidate;
    if (unsaved && candidate.savedAt === this.#saves - 1 && candidate.savedAs === path && !isCutPath(path)) {
      plan.changed[position] = chunksIn(unsaved, chunkBytesFor(kind));
    }
    candidate.unsaved = NOTHING;
    candidate.savedAt = this.#saves;
    candidate.savedAs = path;
    if (unsaved) this.#judge(candidate, bytesIn(written));
  }

  /** What was written to a tracked region since the last time; undefined where it is not tracked, or not any more. */
  #writtenIn(candidate: Candidate, bytes: Uint8Array): Ranges | undefined {
    const { span } = candidate;
    const pages = this.#pages;
    if (!span || !pages) return undefined;
    const now = pages.locate(bytes);
    const found = now?.address === span.address ? pages.written(span) : undefined;
    if (!found) {
      this.#stop(candidate);
      delay(candidate);
      return undefined;
    }
    // The ends of the region share their pages with others, and are copied each time.
    const edges: number[] = [];
    if (span.address < span.start) edges.push(0, span.start - span.address);
    const tail = span.end - span.address;
    if (tail < bytes.byteLength) edges.push(tail, bytes.byteLength);
    return union(edges, found);
  }

  /** Stops what does not pay. */
  #judge(candidate: Candidate, written: number): void {
    if (written <= DENSE * candidate.byteLength) {
      candidate.dense = 0;
      candidate.nextPause = FIRST_PAUSE;
      return;
    }
    candidate.dense++;
    if (candidate.dense < PATIENCE) return;
    this.#stop(candidate);
    delay(candidate);
  }
}

/** Several regions may have such a path. */
function isCutPath(path: string): boolean {
  return path.includes('…');
}

function delay(candidate: Candidate): void {
  candidate.pause = candidate.nextPause;
  candidate.nextPause = Math.min(2 * candidate.nextPause, LONGEST_PAUSE);
}

function overlap(a: PageSpan, b: PageSpan): boolean {
  return a.start < b.end && b.start < a.end;
}

function bounded(ranges: Ranges): Ranges | undefined {
  return ranges.length > 2 * MOST_PIECES ? undefined : ranges;
}
