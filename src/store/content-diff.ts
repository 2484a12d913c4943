/**
 * What differs between two regions' bytes, element by element.
 *
 * Invariants
 *  - an element differs where any bit of it does: 0 and -0, and two NaNs of different payload, are different; with a
 *    tolerance, numbers differ where they are further apart than that
 *  - what is kept does not grow with the regions: a few numbers and at most RANGES ranges
 */

import { float16 } from '../base/float16.js';
import { KiB } from '../base/sizes.js';
import { isWithin } from '../base/tolerance.js';
import { elementBytes, type RegionKind } from '../format/kinds.js';
import type { RegionEntry } from '../format/manifest.js';
import { type Range, Runs } from './runs.js';

/** What differs in the bytes that two regions have in common. Indexes and counts are of elements, from 0. */
export interface ContentDiff {
  /** What the bytes were compared as: the kind of both regions, or `bytes` where that does not fit both. */
  kind: string;
  /** How many elements both regions have. */
  elements: number;
  /** How many of them differ: in at least one bit, or by more than the tolerance. */
  changed: number;
  /** How many bytes differ. */
  changedBytes: number;
  first: number;
  last: number;
  /** What the two regions have at `first`. */
  firstPair: ElementPair;
  /** Where they lie: at most 64 ranges `[start, end)`, ascending. */
  ranges: Range[];
  /** Ranges with fewer equal elements than this between them were joined; 1: every range is exact. */
  gap: number;
  /** How many unbroken runs of differing elements there are; more than `ranges` where some were joined. */
  runs: number;
  /** Number arrays: the element with the largest absolute difference, the first of several. */
  largest: LargestDifference | undefined;
  /** Number arrays: differing elements without a difference, because one of the two is NaN. */
  incomparable: number;
}

/** One element of both. */
export interface ElementPair {
  /** The number, or undefined where the elements are no numbers. */
  a: number | bigint | undefined;
  b: number | bigint | undefined;
  /** Its bits, hexadecimal, the highest first. */
  aBits: string;
  bBits: string;
}

export interface LargestDifference {
  index: number;
  /** |a - b|; a bigint for arrays of those. */
  difference: number | bigint;
  a: number | bigint;
  b: number | bigint;
}

const RANGES = 64;
/** Equal stretches are passed over by memcmp, so many bytes at a time. */
const BLOCK_BYTES = 4 * KiB;

type Numbers = (bytes: Buffer) => (index: number) => number | bigint;

const view =
  <T extends { [index: number]: number | bigint }>(
    type: new (buffer: ArrayBufferLike, offset: number, length: number) => T,
    width: number,
  ): Numbers =>
  ({ buffer, byteOffset, length }) => {
    const numbers = new type(buffer, byteOffset, length / width);
    return (index) => numbers[index] as number | bigint;
  };

const NUMBERS: Partial<Record<RegionKind, Numbers>> = {
  Int8Array: view(Int8Array, 1),
  Uint8Array: view(Uint8Array, 1),
  Uint8ClampedArray: view(Uint8Array, 1),
  Int16Array: view(Int16Array, 2),
  Uint16Array: view(Uint16Array, 2),
  Int32Array: view(Int32Array, 4),
  Uint32Array: view(Uint32Array, 4),
  BigInt64Array: view(BigInt64Array, 8),
  BigUint64Array: view(BigUint64Array, 8),
  Float16Array: (bytes) => {
    const bits = view(Uint16Array, 2)(bytes);
    return (index) => float16(bits(index) as number);
  },
  Float32Array: view(Float32Array, 4),
  Float64Array: view(Float64Array, 8),
};

/** What two regions can be compared as: their kind, if both have it and consist of whole elements. */
export function commonKind(a: RegionEntry, b: RegionEntry): RegionKind {
  const width = elementBytes(a.kind);
  const whole = a.tree.byteLength % width === 0 && b.tree.byteLength % width === 0;
  return a.kind === b.kind && whole ? a.kind : 'bytes';
}

export class ContentComparison {
  readonly #kind: RegionKind;
  readonly #width: number;
  readonly #numbers: Numbers | undefined;
  readonly #tolerance: number;
  readonly #runs = new Runs(RANGES);
  #firstPair: ElementPair | undefined;
  #changed = 0;
  #changedBytes = 0;
  #incomparable = 0;
  #largest: LargestDifference | undefined;
  /** Numbers that differ, but within the tolerance. */
  tolerated = 0;

  /** `tolerance` 0: every bit counts. */
  constructor(kind: RegionKind, tolerance: number) {
    this.#kind = kind;
    this.#tolerance = tolerance;
    this.#width = elementBytes(kind);
    this.#numbers = NUMBERS[kind];
  }

  /** Bytes of one element: stretches begin and end on multiples of it. */
  get width(): number {
    return this.#width;
  }

  /** Takes the bytes of both from `start` of the regions on; stretches come in ascending order. */
  add(a: Buffer, b: Buffer, start: number): void {
    for (let at = 0; at < a.length; at += BLOCK_BYTES) {
      const end = Math.min(at + BLOCK_BYTES, a.length);
      if (a.compare(b, at, end, at, end) !== 0)
        this.#block(a.subarray(at, end), b.subarray(at, end), start + at);
    }
  }

  /** What was found in regions that have this many bytes in common; undefined where nothing differs. */
  result(commonBytes: number): ContentDiff | undefined {
    const { ranges, gap, count } = this.#runs;
    const [first] = ranges;
    const last = ranges.at(-1);
    const firstPair = this.#firstPair;
    if (!first || !last || !firstPair) return undefined;
    return {
      kind: this.#kind,
      elements: commonBytes / this.#width,
      changed: this.#changed,
      changedBytes: this.#changedBytes,
      first: first.start,
      last: last.end - 1,
      firstPair,
      ranges,
      gap,
      runs: count,
      largest: this.#largest,
      incomparable: this.#incomparable,
    };
  }

  #block(a: Buffer, b: Buffer, start: number): void {
    const width = this.#width;
    const base = start / width;
    const ours = this.#numbers?.(a);
    const theirs = this.#numbers?.(b);
    for (let at = 0, index = 0; at < a.length; at += width, index++) {
      let bytes = 0;
      for (let byte = at; byte < at + width; byte++) if (a[byte] !== b[byte]) bytes++;
      if (bytes === 0) continue;
      if (ours && theirs && this.#isTolerated(ours(index), theirs(index))) continue;
      this.#firstPair ??= {
        a: ours?.(index),
        b: theirs?.(index),
        aBits: bitsOf(a.subarray(at, at + width)),
        bBits: bitsOf(b.subarray(at, at + width)),
      };
      this.#changed++;
      this.#changedBytes += bytes;
      this.#runs.add(base + index);
      if (ours && theirs) this.#measure(base + index, ours(index), theirs(index));
    }
  }

  #isTolerated(a: number | bigint, b: number | bigint): boolean {
    if (this.#tolerance === 0 || !isWithin(a, b, this.#tolerance)) return false;
    this.tolerated++;
    return true;
  }

  #measure(index: number, a: number | bigint, b: number | bigint): void {
    const difference = distance(a, b);
    if (Number.isNaN(difference)) this.#incomparable++;
    else if (!this.#largest || difference > this.#largest.difference)
      this.#largest = { index, difference, a, b };
  }
}

function bitsOf(littleEndian: Buffer): string {
  return Buffer.from(littleEndian).reverse().toString('hex');
}

function distance(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a > b ? a - b : b - a;
  return Math.abs(Number(a) - Number(b));
}
