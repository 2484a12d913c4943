/**
 * The filters as WebAssembly SIMD: 16 numbers at a time, which become one vector for each of their bytes.
 *
 * Transposing 16 numbers of `width` bytes is interleaving the two halves of the `width` vectors that hold them, four
 * times. Interleaving them log2(width) times more leads back to where they began, so that is the way back. A last block
 * that is not full begins earlier: some numbers are done twice.
 *
 * The memory has three areas of MAX_FILTERED_BYTES: for raw bytes, for those of the base, and for planes. Zeros come
 * before each of them: they are what the first number follows.
 */

import { MAX_FILTERED_BYTES } from '../format/bases.js';
import { NUMBER_FILTERS, type NumberFilter, type Width } from '../format/number-filters.js';
import * as wasm from './assembler.js';
import { type Code, get, i32, join, set } from './assembler.js';

/** Fewer numbers are none of the kernels' business. */
export const BLOCK_NUMBERS = 16;

const GAP_BYTES = 64;
export const AT_RAW = GAP_BYTES;
export const AT_BASE = AT_RAW + MAX_FILTERED_BYTES + GAP_BYTES;
export const AT_PLANES = AT_BASE + MAX_FILTERED_BYTES + GAP_BYTES;
const PAGE_BYTES = 65_536;
const PAGES = Math.ceil((AT_PLANES + MAX_FILTERED_BYTES) / PAGE_BYTES);

/** `shuffle4`, `undifference8`. */
export type KernelName = `${'' | 'un'}${NumberFilter['kind']}${Width}`;

/** All kernels take the bytes of the numbers: at least a block of them. */
export type Kernels = { readonly [name in KernelName]: (byteLength: number) => void } & {
  readonly memory: { readonly buffer: ArrayBuffer };
};

const VECTOR_BYTES = 16;
const LOW_HALVES = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];
const HIGH_HALVES = LOW_HALVES.map((lane) => lane + 8);
const ZEROS = wasm.constant(Array<number>(VECTOR_BYTES).fill(0));

// The locals of a kernel.
const LENGTH = 0;
/** Where the block begins: in the raw bytes, and in a plane. */
const AT = 1;
const PLACE = 2;
/** Bytes of a plane. */
const STRIDE = 3;
const SCRATCH = 4;
/** The sum of all numbers so far, in the last lane. */
const SUM = 5;
const FIRST_VECTOR = 6;

export function kernelModule(): Uint8Array<ArrayBuffer> {
  const kernels = NUMBER_FILTERS.flatMap((filter) => [
    kernel(filter, '', forward(filter)),
    kernel(filter, 'un', backward(filter)),
  ]);
  return wasm.assemble(kernels, PAGES);
}

/** Does the block at AT and PLACE, again and again until all are done. */
function kernel({ kind, width }: NumberFilter, way: '' | 'un', block: Code): wasm.Kernel {
  const name: KernelName = `${way}${kind}${width}`;
  const blockBytes = width * BLOCK_NUMBERS;
  const next = wasm.add(get(AT), i32(blockBytes));
  const last = wasm.sub(get(LENGTH), i32(blockBytes));
  const lastOrEnd = wasm.select(last, get(LENGTH), wasm.isLess(get(AT), last));
  const body = join(
    set(STRIDE, wasm.shiftRight(get(LENGTH), log2(width))),
    wasm.loopWhile(
      join(
        set(PLACE, wasm.shiftRight(get(AT), log2(width))),
        block,
        set(AT, wasm.select(next, lastOrEnd, wasm.isLess(next, last))),
      ),
      wasm.isLess(get(AT), get(LENGTH)),
    ),
  );
  // Vectors twice: those that are interleaved, and what becomes of them.
  return { name, params: 1, i32s: 3, v128s: 2 + 2 * width, body };
}

function forward(filter: NumberFilter): Code {
  const { kind, width } = filter;
  const { sub } = wasm.lanes(width);
  const reduced = (at: number): Code => {
    const numbers = numbersAt(at, filter);
    return kind === 'shuffle' ? numbers : zigzag(width, sub(numbers, numbersAt(at - width, filter)));
  };
  const { code, result } = interleaved(width, 4);
  return join(
    ...range(width).map((i) => set(vector(i), reduced(i * VECTOR_BYTES))),
    code,
    alongPlanes(width, (plane) => wasm.store(get(PLACE), get(result[plane] as number), AT_PLANES)),
  );
}

function backward(filter: NumberFilter): Code {
  const { kind, width } = filter;
  const { add } = wasm.lanes(width);
  const { code, result } = interleaved(width, log2(width));
  const restored = (local: number, at: number): Code => {
    if (kind === 'shuffle') return get(local);
    const sum = add(sums(width, unzigzag(width, get(local))), lastLane(width, get(SUM)));
    const numbers = wasm.tee(SUM, sum);
    return kind === 'difference' ? add(numbers, wasm.load(get(AT), AT_BASE + at)) : numbers;
  };
  return join(
    alongPlanes(width, (plane) => set(vector(plane), wasm.load(get(PLACE), AT_PLANES))),
    code,
    // The number before the block is in the last lane.
    kind === 'shuffle' ? [] : set(SUM, numbersAt(-VECTOR_BYTES, filter)),
    ...result.map((local, i) => {
      const at = i * VECTOR_BYTES;
      return wasm.store(get(AT), restored(local, at), AT_RAW + at);
    }),
  );
}

/** The numbers so far from the beginning of the block, those of the base taken away if there is one. */
function numbersAt(at: number, { kind, width }: NumberFilter): Code {
  const raw = wasm.load(get(AT), AT_RAW + at);
  if (kind !== 'difference') return raw;
  return wasm.lanes(width).sub(raw, wasm.load(get(AT), AT_BASE + at));
}

function alongPlanes(width: Width, visit: (plane: number) => Code): Code {
  const next = set(PLACE, wasm.add(get(PLACE), get(STRIDE)));
  return range(width).flatMap((plane) => (plane === 0 ? visit(plane) : join(next, visit(plane))));
}

/** Interleaves the first half of the vectors with the second, `rounds` times; says which locals hold the result. */
function interleaved(width: Width, rounds: number): { code: Code; result: number[] } {
  let from = range(width).map(vector);
  let to = range(width).map((i) => vector(width + i));
  const code: Code[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < width / 2; i++) {
      const [first, second] = [get(from[i] as number), get(from[i + width / 2] as number)];
      code.push(set(to[2 * i] as number, wasm.shuffle(first, second, LOW_HALVES)));
      code.push(set(to[2 * i + 1] as number, wasm.shuffle(first, second, HIGH_HALVES)));
    }
    [from, to] = [to, from];
  }
  return { code: join(...code), result: from };
}

/** Small integers of either sign become small ones without: 0, -1, 1, -2, ... are 0, 1, 2, 3, ... */
function zigzag(width: Width, value: Code): Code {
  const { shiftLeft, shiftRight } = wasm.lanes(width);
  return wasm.xor(shiftLeft(wasm.tee(SCRATCH, value), 1), shiftRight(get(SCRATCH), width * 8 - 1));
}

function unzigzag(width: Width, value: Code): Code {
  const { negate, shiftRightZero } = wasm.lanes(width);
  const one = range(VECTOR_BYTES).map((byte) => (byte % width === 0 ? 1 : 0));
  const half = shiftRightZero(wasm.tee(SCRATCH, value), 1);
  return wasm.xor(half, negate(wasm.and(get(SCRATCH), wasm.constant(one))));
}

/** In each lane the sum of it and those before. */
function sums(width: Width, value: Code): Code {
  const { add } = wasm.lanes(width);
  let result = value;
  for (let bytes: number = width; bytes < VECTOR_BYTES; bytes *= 2) {
    const moved = range(VECTOR_BYTES).map((byte) => VECTOR_BYTES - bytes + byte);
    result = add(wasm.tee(SCRATCH, result), wasm.shuffle(ZEROS, get(SCRATCH), moved));
  }
  return result;
}

function lastLane(width: Width, value: Code): Code {
  const last = range(VECTOR_BYTES).map((byte) => VECTOR_BYTES - width + (byte % width));
  return wasm.shuffle(wasm.tee(SCRATCH, value), get(SCRATCH), last);
}

function vector(index: number): number {
  return FIRST_VECTOR + index;
}

function log2(width: Width): number {
  return width === 4 ? 2 : 3;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
