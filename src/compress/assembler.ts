/**
 * A small assembler for WebAssembly, of just what the kernels take.
 *
 * An instruction is a function of the code of its operands and returns code, which is a list of bytes: so kernels are
 * written as expressions, and unrolled by ordinary loops. Functions take and keep `i32` first and `v128` after them, and
 * return nothing; the module has one memory, which it exports as `memory`.
 */

export type Code = readonly number[];

export interface Kernel {
  name: string;
  /** All of them i32. */
  params: number;
  /** Locals after the parameters: so many i32, then so many v128. */
  i32s: number;
  v128s: number;
  body: Code;
}

const I32 = 0x7f;
const V128 = 0x7b;
const FUNCTION = 0x60;
const EXPORTED_FUNCTION = 0x00;
const EXPORTED_MEMORY = 0x02;
const PREAMBLE: Code = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** The module with these functions and a memory of so many pages of 64 KiB. */
export function assemble(kernels: readonly Kernel[], pages: number): Uint8Array<ArrayBuffer> {
  const types = kernels.map(({ params }) => [FUNCTION, ...list(Array(params).fill([I32])), 0]);
  const exported = kernels.map(({ name }, index) => [...text(name), EXPORTED_FUNCTION, ...unsigned(index)]);
  const bodies = kernels.map(({ i32s, v128s, body }) => {
    const locals = list([
      [...unsigned(i32s), I32],
      [...unsigned(v128s), V128],
    ]);
    return sized([...locals, ...body, 0x0b]);
  });
  return Uint8Array.from([
    ...PREAMBLE,
    ...section(1, list(types)),
    ...section(3, list(kernels.map((_, index) => unsigned(index)))),
    ...section(5, list([[0x00, ...unsigned(pages)]])),
    ...section(7, list([[...text('memory'), EXPORTED_MEMORY, 0], ...exported])),
    ...section(10, list(bodies)),
  ]);
}

// ---- control and locals -----------------------------------------------------------------------------

export const join = (...parts: readonly Code[]): Code => parts.flat();
export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const tee = (local: number, value: Code): Code => [...value, 0x22, ...unsigned(local)];
/** Begins anew while `condition` at its end is not 0. */
export const loopWhile = (body: Code, condition: Code): Code => [
  ...[0x03, 0x40, ...body, ...condition],
  ...[0x0d, 0x00, 0x0b],
];

// ---- i32 ---------------------------------------------------------------------------------------------

export const i32 = (value: number): Code => [0x41, ...signed(value)];
export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const sub = (a: Code, b: Code): Code => [...a, ...b, 0x6b];
export const shiftRight = (a: Code, bits: number): Code => [...a, ...i32(bits), 0x76];
export const isLess = (a: Code, b: Code): Code => [...a, ...b, 0x49];
/** `a` where `condition` is not 0, else `b`. */
export const select = (a: Code, b: Code, condition: Code): Code => [...a, ...b, ...condition, 0x1b];

// ---- v128 --------------------------------------------------------------------------------------------

export const load = (address: Code, offset: number): Code => [
  ...address,
  ...vector(0),
  0,
  ...unsigned(offset),
];
export const store = (address: Code, value: Code, offset: number): Code => [
  ...address,
  ...value,
  ...vector(11),
  0,
  ...unsigned(offset),
];
/** Bytes of `a` (0 to 15) and of `b` (16 to 31). */
export const shuffle = (a: Code, b: Code, lanes: Code): Code => [...a, ...b, ...vector(13), ...lanes];
export const constant = (bytes: Code): Code => [...vector(12), ...bytes];
export const xor = (a: Code, b: Code): Code => [...a, ...b, ...vector(81)];
export const and = (a: Code, b: Code): Code => [...a, ...b, ...vector(78)];

/** Arithmetic on lanes of integers of `width` bytes. */
export const lanes = (width: 4 | 8) => {
  const first = width === 4 ? 160 : 192;
  return {
    negate: (a: Code): Code => [...a, ...vector(first + 1)],
    shiftLeft: (a: Code, bits: number): Code => [...a, ...i32(bits), ...vector(first + 11)],
    /** Copies the sign into what comes free. */
    shiftRight: (a: Code, bits: number): Code => [...a, ...i32(bits), ...vector(first + 12)],
    /** Zeros come into what comes free. */
    shiftRightZero: (a: Code, bits: number): Code => [...a, ...i32(bits), ...vector(first + 13)],
    add: (a: Code, b: Code): Code => [...a, ...b, ...vector(first + 14)],
    sub: (a: Code, b: Code): Code => [...a, ...b, ...vector(first + 17)],
  };
};

// ---- bytes -------------------------------------------------------------------------------------------

function vector(instruction: number): Code {
  return [0xfd, ...unsigned(instruction)];
}

function section(id: number, content: Code): Code {
  return [id, ...sized(content)];
}

function sized(content: Code): Code {
  return [...unsigned(content.length), ...content];
}

function list(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()];
}

function text(name: string): Code {
  return sized([...Buffer.from(name, 'utf8')]);
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest < -0x40 || rest >= 0x40; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest & 0x7f];
}
