/**
 * The filters in plain JavaScript: for bytes that the kernels do not take, and where there is no WebAssembly. What the
 * format means by them stands here; the kernels do the same, faster.
 */

import type { Width } from '../format/number-filters.js';

/** Byte b of number n goes to place n of plane b; what is left over after the last number follows as it is. */
export function shuffle(width: Width, from: Buffer, planes: Buffer): void {
  const count = Math.floor(from.length / width);
  for (let byte = 0; byte < width; byte++) {
    for (let at = byte, to = byte * count, end = to + count; to < end; at += width) {
      planes[to++] = from[at] as number;
    }
  }
  planes.set(from.subarray(count * width), count * width);
}

export function unshuffle(width: Width, planes: Buffer, to: Buffer): void {
  const count = Math.floor(to.length / width);
  for (let byte = 0; byte < width; byte++) {
    for (let at = byte, from = byte * count, end = from + count; from < end; at += width) {
      to[at] = planes[from++] as number;
    }
  }
  to.set(planes.subarray(count * width), count * width);
}

/** Takes from each number, an integer of so many bytes, that of the base and then the one before; signs come last. */
export function reduce(width: Width, raw: Buffer, base: Buffer | undefined, to: Buffer): void {
  const end = raw.length - (raw.length % width);
  let before = 0n;
  for (let at = 0; at < end; at += width) {
    const number = read(width, raw, at) - (base ? read(width, base, at) : 0n);
    write(width, to, at, zigzag(width, number - before));
    before = number;
  }
  raw.copy(to, end, end);
}

/** The way back, in place. */
export function restore(width: Width, bytes: Buffer, base: Buffer | undefined): void {
  const end = bytes.length - (bytes.length % width);
  let before = 0n;
  for (let at = 0; at < end; at += width) {
    const value = read(width, bytes, at);
    before = BigInt.asUintN(width * 8, before + ((value >> 1n) ^ -(value & 1n)));
    write(width, bytes, at, before + (base ? read(width, base, at) : 0n));
  }
}

/** Small integers of either sign become small ones without: 0, -1, 1, -2, ... are 0, 1, 2, 3, ... */
function zigzag(width: Width, value: bigint): bigint {
  const signed = BigInt.asIntN(width * 8, value);
  return (signed << 1n) ^ (signed >> BigInt(width * 8 - 1));
}

function read(width: Width, bytes: Buffer, at: number): bigint {
  return width === 4 ? BigInt(bytes.readUInt32LE(at)) : bytes.readBigUInt64LE(at);
}

function write(width: Width, bytes: Buffer, at: number, value: bigint): void {
  const unsigned = BigInt.asUintN(width * 8, value);
  if (width === 4) bytes.writeUInt32LE(Number(unsigned), at);
  else bytes.writeBigUInt64LE(unsigned, at);
}
