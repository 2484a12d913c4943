/**
 * A staging slot: shared memory that holds one captured state, as a list of segments.
 *
 * Segments are added as the state grows and never moved, so a slot grows without holding two generations of
 * itself, and a state may be larger than one buffer may be. A region lies in as few extents as fit; between
 * multiples of PIECE_BYTES it is contiguous, so that every chunk is one view.
 */

import { GiB, KiB, roundUp } from '../base/sizes.js';
import { PIECE_BYTES } from '../chunker/fixed.js';
import type { RegionKind } from '../format/kinds.js';
import type { Extent, PlacedRegion, SlotLayout } from './protocol.js';
import type { Ranges } from './ranges.js';

/** What `capture` takes: the live bytes of a region. */
export interface LiveRegion {
  path: string;
  kind: RegionKind;
  bytes: Uint8Array;
  /** Its buffer goes to the writer thread, which copies it: here it only gets its place. */
  lent?: true;
}

/** What the writer thread has to be told of a slot before it is used: what changed. */
export interface SlotNews {
  /** Its memory: all of its segments. */
  segments: SharedArrayBuffer[] | undefined;
  layout: SlotLayout | undefined;
}

const ALIGNMENT = 64;
const LARGEST_SEGMENT = GiB;
const SMALLEST_SEGMENT = 64 * KiB;
/** A slot that has to grow does so by at least this share. */
const GROWTH = 0.25;
/** More segments than this are given back and laid out anew: small ones waste what pieces cannot use. */
const MOST_SEGMENTS = 16;
/** A skeleton may grow this much before the layout changes. */
const SKELETON_SLACK = 1.25;
const SKELETON_UNIT = 4 * KiB;

export class Slot {
  readonly segments: SharedArrayBuffer[] = [];
  readonly #views: Uint8Array[] = [];
  #added: SharedArrayBuffer[] = [];
  #layout: SlotLayout = { skeleton: [], regions: [] };
  #skeletonRoom = 0;
  #capacity = 0;
  #hasNewSegments = false;
  #hasNewLayout = false;

  /** Bytes of shared memory held. */
  get capacity(): number {
    return this.#capacity;
  }

  get layout(): SlotLayout {
    return this.#layout;
  }

  /** Gives the memory back; what was captured is gone. */
  clear(): void {
    this.segments.length = 0;
    this.#views.length = 0;
    this.#added.length = 0;
    this.#layout = { skeleton: [], regions: [] };
    this.#skeletonRoom = 0;
    this.#capacity = 0;
    this.#hasNewSegments = true;
    this.#hasNewLayout = true;
  }

  /** True where a state of this shape fits the layout the slot has. */
  fits(skeletonBytes: number, regions: readonly LiveRegion[]): boolean {
    const placed = this.#layout.regions;
    if (skeletonBytes > this.#skeletonRoom || regions.length !== placed.length) return false;
    for (let index = 0; index < placed.length; index++) {
      const a = placed[index] as PlacedRegion;
      const b = regions[index] as LiveRegion;
      if (a.byteLength !== b.bytes.length || a.kind !== b.kind || a.path !== b.path) return false;
    }
    return true;
  }

  /** Bytes of memory to be added before a state of this shape fits; negative where some is given back. */
  growthFor(skeletonBytes: number, regions: readonly LiveRegion[]): number {
    const { restart, added } = this.#plan(placeable(skeletonBytes, regions));
    return sum(added) - (restart ? this.#capacity : 0);
  }

  /** Lays the slot out for a state of this shape, adding segments as needed. */
  arrange(skeletonBytes: number, regions: readonly LiveRegion[]): void {
    const { restart, added, placements } = this.#plan(placeable(skeletonBytes, regions));
    if (restart) this.clear();
    for (const capacity of added) this.#addSegment(capacity);
    const [skeleton = [], ...rest] = placements;
    this.#skeletonRoom = skeletonRoom(skeletonBytes);
    this.#hasNewLayout = true;
    this.#layout = {
      skeleton,
      regions: regions.map(({ path, kind, bytes }, index) => ({
        path,
        kind,
        byteLength: bytes.length,
        extents: rest[index] ?? [],
      })),
    };
  }

  /** Adds memory without laying anything out; false where there are too many segments already. */
  grow(missing: number): boolean {
    if (this.segments.length >= MOST_SEGMENTS) return false;
    for (let rest = missing; rest > 0; ) {
      const capacity = newSegment(rest, this.#capacity);
      this.#addSegment(capacity);
      rest -= capacity;
    }
    return true;
  }

  /**
   * Copies a state in, except for what is lent. The slot must have been arranged for its shape. Of a region for which
   * `pieces` says so, only those pieces: the slot holds the rest.
   */
  fill(
    skeleton: Uint8Array,
    regions: readonly LiveRegion[],
    pieces: readonly (Ranges | undefined)[] = [],
  ): void {
    this.#copy(skeleton, this.#layout.skeleton);
    const placed = this.#layout.regions;
    for (let index = 0; index < regions.length; index++) {
      const { bytes, lent } = regions[index] as LiveRegion;
      if (lent) continue;
      const { extents } = placed[index] as PlacedRegion;
      const ranges = pieces[index];
      if (ranges) this.#copyPieces(bytes, extents, ranges);
      else this.#copy(bytes, extents);
    }
  }

  /** What there is to be told of it, once. */
  takeNews(): SlotNews {
    const segments = this.#hasNewSegments ? [...this.segments] : undefined;
    const layout = this.#hasNewLayout ? this.#layout : undefined;
    this.#hasNewSegments = false;
    this.#hasNewLayout = false;
    return { segments, layout };
  }

  /** Segments that were added since this was last asked: the system has yet to give them pages. */
  takeAdded(): SharedArrayBuffer[] {
    return this.#added.splice(0);
  }

  #copy(source: Uint8Array, extents: readonly Extent[]): void {
    let done = 0;
    for (const { segment, offset, length } of extents) {
      if (done >= source.length) return;
      const whole = done === 0 && source.length <= length;
      const piece = whole ? source : source.subarray(done, done + length);
      (this.#views[segment] as Uint8Array).set(piece, offset);
      done += piece.length;
    }
  }

  #copyPieces(source: Uint8Array, extents: readonly Extent[], ranges: Ranges): void {
    let at = 0;
    let begin = 0;
    for (const { segment, offset, length } of extents) {
      const view = this.#views[segment] as Uint8Array;
      const stop = begin + length;
      // A range that goes beyond this extent goes on in the next.
      for (; at < ranges.length && (ranges[at] as number) < stop; at += 2) {
        const start = Math.max(ranges[at] as number, begin);
        const end = ranges[at + 1] as number;
        view.set(source.subarray(start, Math.min(end, stop)), offset + start - begin);
        if (end > stop) break;
      }
      begin = stop;
    }
  }

  /** Where each size would go, and which segments that takes. */
  #plan(sizes: readonly number[]): Plan {
    const plan = place(
      sizes,
      this.segments.map((segment) => segment.byteLength),
    );
    if (plan.added.length === 0 || this.segments.length < MOST_SEGMENTS) return { ...plan, restart: false };
    return { ...place(sizes, []), restart: true };
  }

  #addSegment(capacity: number): void {
    const segment = new SharedArrayBuffer(capacity);
    this.segments.push(segment);
    this.#added.push(segment);
    this.#views.push(new Uint8Array(segment));
    this.#capacity += capacity;
    this.#hasNewSegments = true;
  }
}

interface Placement {
  /** Extents of each size, in order. */
  placements: Extent[][];
  /** Capacities of the segments to add. */
  added: number[];
}

type Plan = Placement & {
  /** The segments there are have become too many small ones: begin with none. */
  restart: boolean;
};

/** Finds room for each size in turn, in the segments there are and then in new ones. */
function place(sizes: readonly number[], existing: readonly number[]): Placement {
  const segments = [...existing];
  const added: number[] = [];
  let rest = sum(sizes.map((size) => roundUp(size, ALIGNMENT)));
  let segment = 0;
  let offset = 0;
  const placements = sizes.map((size) => {
    const extents: Extent[] = [];
    for (let done = 0; done < size; ) {
      if (segment === segments.length) {
        const capacity = newSegment(rest, sum(segments));
        segments.push(capacity);
        added.push(capacity);
      }
      const room = (segments[segment] as number) - offset;
      const left = size - done;
      // A piece that does not end the region ends on a multiple of PIECE_BYTES of it.
      const length = left <= room ? left : Math.floor(room / PIECE_BYTES) * PIECE_BYTES;
      if (length > 0) extents.push({ segment, offset, length });
      done += length;
      rest -= length;
      offset = roundUp(offset + length, ALIGNMENT);
      if (length < left) {
        segment++;
        offset = 0;
      }
    }
    return extents;
  });
  return { placements, added };
}

/** Room for what is left, and more where a state keeps growing. */
function newSegment(rest: number, capacity: number): number {
  const wanted = Math.max(rest, Math.floor(capacity * GROWTH), SMALLEST_SEGMENT);
  return Math.min(LARGEST_SEGMENT, roundUp(wanted, SMALLEST_SEGMENT));
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function placeable(skeletonBytes: number, regions: readonly LiveRegion[]): number[] {
  return [skeletonRoom(skeletonBytes), ...regions.map(({ bytes }) => bytes.length)];
}

function skeletonRoom(bytes: number): number {
  return roundUp(Math.ceil(bytes * SKELETON_SLACK), SKELETON_UNIT);
}
