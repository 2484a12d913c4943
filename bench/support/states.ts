/** States to save, and ways to change them. Data is smooth, in full double precision, as physics leaves it. */

import { KiB, MiB } from '../../src/base/sizes.js';
import { seededRandom } from './samples.js';

/** The arrays' chunk size in the engine; the floors cut their data alike. */
export const CHUNK_BYTES = 64 * KiB;
const ROW = 8192;

export interface BenchState {
  step: number;
  field: Float64Array;
}

/** Says in a report what the data is. */
export const DATA =
  'smooth f64: 300 + a(t) sin(x) cos(y) + b(t) sin(3x + y/7), every value computed in full double precision';

export class SmoothField {
  readonly state: BenchState;
  readonly bytes: Buffer;
  readonly #random = seededRandom(1);
  readonly #along = new Float64Array(ROW);
  readonly #ripple = new Float64Array(ROW);
  #time = 0;

  constructor(byteLength: number) {
    const field = new Float64Array(byteLength / Float64Array.BYTES_PER_ELEMENT);
    this.state = { step: 0, field };
    this.bytes = Buffer.from(field.buffer);
    for (let column = 0; column < ROW; column++) {
      this.#along[column] = Math.cos(column / 517);
      this.#ripple[column] = Math.sin((3 * column) / 517);
    }
    this.changeAll();
  }

  changeAll(): void {
    this.#begin();
    this.#compute(0, this.state.field.length);
  }

  /** One contiguous piece of so many bytes, at a random place. */
  changeContiguous(byteLength: number): void {
    this.#begin();
    const length = Math.min(this.state.field.length, Math.ceil(byteLength / 8));
    const start = Math.floor(this.#random() * (this.state.field.length - length + 1));
    this.#compute(start, start + length);
  }

  /** So many bytes in pieces of one chunk each, or of another length, at random multiples of it. */
  changeScattered(byteLength: number, pieceBytes = CHUNK_BYTES): void {
    this.#begin();
    const count = Math.round(byteLength / pieceBytes);
    const total = this.bytes.length / pieceBytes;
    const places = new Set<number>();
    while (places.size < count) places.add(Math.floor(this.#random() * total));
    for (const place of places) {
      const start = (place * pieceBytes) / 8;
      this.#compute(start, start + pieceBytes / 8);
    }
  }

  #begin(): void {
    this.#time++;
    this.state.step++;
  }

  /** Values of this moment; no two moments give a place the same value. */
  #compute(start: number, end: number): void {
    const { field } = this.state;
    const a = 40 + Math.sin(this.#time / 100) + this.#time * 1e-6;
    const b = 7 + Math.cos(this.#time / 50);
    for (let index = start; index < end; ) {
      const row = Math.floor(index / ROW);
      const stop = Math.min(end, (row + 1) * ROW);
      const across = a * Math.sin(row / 301);
      const phase = b * Math.cos(row / 43);
      for (let column = index - row * ROW; index < stop; index++, column++) {
        field[index] = 300 + across * this.#along[column]! + phase * this.#ripple[column]!;
      }
    }
  }
}

/**
 * What a program does between its saves: a few milliseconds of it, as where saves are frequent enough to matter. After a
 * rest, or half a second of other work, the next save or restore takes several times as long, and a memcpy hardly longer:
 * its code has to come from memory, and threads that sleep deeply have to be woken.
 */
export function computeFor(millis: number): void {
  computeUntil(performance.now() + millis);
}

export function computeUntil(deadline: number): void {
  kernel ??= new SmallHeat();
  do kernel.advance();
  while (performance.now() < deadline);
}

let kernel: SmallHeat | undefined;

/** Jacobi on 100 x 100 cells: some 20 us a step, all of it in the nearest cache. */
export class SmallHeat {
  readonly state = { step: 0, u: new Float64Array(100 * 100) };
  #next = new Float64Array(100 * 100);

  constructor() {
    for (let cell = 0; cell < 10_000; cell++) this.state.u[cell] = 20 + 5 * Math.sin(cell / 77);
    this.#next.set(this.state.u);
  }

  advance(): void {
    const { state } = this;
    const now = state.u;
    const next = this.#next;
    for (let row = 1; row < 99; row++) {
      for (let cell = row * 100 + 1; cell < row * 100 + 99; cell++) {
        const here = now[cell]!;
        next[cell] =
          here + 0.2 * (now[cell - 100]! + now[cell + 100]! + now[cell - 1]! + now[cell + 1]! - 4 * here);
      }
    }
    this.#next = now as Float64Array<ArrayBuffer>;
    state.u = next;
    state.step++;
    // Keeps the plate from settling, so that every save has something to write.
    next[5050] = 20 + 10 * Math.sin(state.step / 1000);
  }
}

/** Streams over more memory than the caches hold: what such a loop does is limited by memory alone. */
export class MemoryBound {
  readonly #a = new Float64Array((64 * MiB) / 8).fill(1);
  readonly #b = new Float64Array((64 * MiB) / 8).fill(2);
  #at = 0;

  /** One block of 2 MiB in each array. */
  advance(): void {
    const a = this.#a;
    const b = this.#b;
    const length = (2 * MiB) / 8;
    const end = this.#at + length;
    for (let index = this.#at; index < end; index++) a[index] = b[index]! + 0.5 * a[index]!;
    this.#at = end === a.length ? 0 : end;
  }
}
