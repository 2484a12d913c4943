/**
 * Byte shuffle and differences: what is done to arrays of numbers so that zstd finds more in them.
 *
 * Bytes of the same weight are put side by side, a plane for each: the high ones of smooth numbers are much alike, and
 * more so if of each number only that is kept by which it differs from the one before, or from what stood in its place
 * in a base, an earlier version of the same bytes. In WebAssembly where that is to be had, else in JavaScript.
 *
 * Invariant: `unfilter` makes of `filter`'s bytes what that was given, whichever of the two languages did either.
 */

import { invariant } from '../base/errors.js';
import { MAX_FILTERED_BYTES } from '../format/bases.js';
import type { NumberFilter } from '../format/number-filters.js';
import { AT_BASE, AT_PLANES, AT_RAW, BLOCK_NUMBERS, type Kernels, kernelModule } from './kernels.js';
import * as plain from './plain.js';

/** Node's types leave WebAssembly to those of browsers. */
interface Machine {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: object };
}

export class Filters {
  readonly #kernels: Kernels | undefined;
  readonly #raw: Buffer;
  readonly #base: Buffer;
  readonly #planes: Buffer;

  /** Without kernels everything is done in JavaScript. */
  constructor(kernels: Kernels | undefined) {
    this.#kernels = kernels;
    const area = (at: number): Buffer =>
      kernels
        ? Buffer.from(kernels.memory.buffer, at, MAX_FILTERED_BYTES)
        : Buffer.allocUnsafeSlow(MAX_FILTERED_BYTES);
    this.#raw = area(AT_RAW);
    this.#base = area(AT_BASE);
    this.#planes = area(AT_PLANES);
  }

  /** Where filtered bytes stand: `filter` leaves them there, `unfilter` takes them from there. */
  planes(byteLength: number): Buffer {
    return this.#planes.subarray(0, byteLength);
  }

  /** The filtered bytes of at most MAX_FILTERED_BYTES, valid until the next call; the base is as long. */
  filter(filter: NumberFilter, raw: Buffer, base: Buffer | undefined): Buffer {
    const { kind, width } = filter;
    check(filter, raw, base);
    const planes = this.planes(raw.length);
    const numberBytes = raw.length - (raw.length % width);
    if (this.#kernels && numberBytes >= width * BLOCK_NUMBERS) {
      raw.copy(this.#raw);
      base?.copy(this.#base);
      this.#kernels[`${kind}${width}`](numberBytes);
      raw.copy(planes, numberBytes, numberBytes);
    } else if (kind === 'shuffle') {
      plain.shuffle(width, raw, planes);
    } else {
      const reduced = this.#raw.subarray(0, raw.length);
      plain.reduce(width, raw, base, reduced);
      plain.shuffle(width, reduced, planes);
    }
    return planes;
  }

  /** Fills `target` with that which, filtered, stands in `planes`. */
  unfilter(filter: NumberFilter, target: Buffer, base: Buffer | undefined): void {
    const { kind, width } = filter;
    check(filter, target, base);
    const planes = this.planes(target.length);
    const numberBytes = target.length - (target.length % width);
    if (this.#kernels && numberBytes >= width * BLOCK_NUMBERS) {
      base?.copy(this.#base);
      this.#kernels[`un${kind}${width}`](numberBytes);
      this.#raw.copy(target, 0, 0, numberBytes);
      planes.copy(target, numberBytes, numberBytes);
    } else {
      plain.unshuffle(width, planes, target);
      if (kind !== 'shuffle') plain.restore(width, target, base);
    }
  }
}

function check(filter: NumberFilter, bytes: Buffer, base: Buffer | undefined): void {
  invariant(bytes.length <= MAX_FILTERED_BYTES, 'more bytes than can be filtered');
  const baseBytes = filter.kind === 'difference' ? bytes.length : undefined;
  invariant(base?.length === baseBytes, 'a base that does not fit');
}

let shared: Filters | undefined;

/** Those of this thread. */
export function findFilters(): Filters {
  shared ??= new Filters(makeKernels());
  return shared;
}

/** Undefined where there is no WebAssembly (`--jitless`), or none with vectors. */
export function makeKernels(): Kernels | undefined {
  const { WebAssembly: machine } = globalThis as unknown as { WebAssembly?: Machine };
  if (!machine) return undefined;
  try {
    return new machine.Instance(new machine.Module(kernelModule())).exports as Kernels;
  } catch {
    return undefined;
  }
}
