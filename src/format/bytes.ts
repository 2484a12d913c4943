/**
 * The small vocabulary that records are written in: fixed little-endian numbers, varints, strings.
 *
 * The reader believes nothing: every length is checked against what is left before anything is taken, and
 * every failure is a SNAP_CORRUPT, so a damaged or hostile record can neither allocate nor loop.
 */

import { SnapError } from '../base/errors.js';

/** Appends to a buffer that grows. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  u8(value: number): this {
    this.#room(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
    return this;
  }

  /** An unsigned integer below 2^53 as 8 bytes. */
  u64(value: number): this {
    this.#room(8);
    this.#length = writeU64(this.#buffer, value, this.#length);
    return this;
  }

  f64(value: number): this {
    this.#room(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
    return this;
  }

  /** An unsigned integer below 2^53 in 1 to 8 bytes, 7 bits each, low ones first. */
  varint(value: number): this {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** Length as a varint, then UTF-8. */
  string(value: string): this {
    const encoded = Buffer.from(value, 'utf8');
    return this.varint(encoded.length).bytes(encoded);
  }

  #room(needed: number): void {
    if (this.#length + needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + needed));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** Takes from the front of a buffer, checking every step. */
export class ByteReader {
  readonly #buffer: Buffer;
  readonly #what: string;
  #position = 0;

  /** `what` names the structure in errors: "manifest", "commit record". */
  constructor(buffer: Buffer, what: string) {
    this.#buffer = buffer;
    this.#what = what;
  }

  get remaining(): number {
    return this.#buffer.length - this.#position;
  }

  u8(): number {
    return this.#buffer[this.#take(1)] as number;
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  u64(): number {
    const value = readU64(this.#buffer, this.#take(8));
    if (!Number.isSafeInteger(value)) this.fail('a number is out of range');
    return value;
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#take(8));
  }

  varint(): number {
    let value = 0;
    let unit = 1;
    for (let index = 0; index < 8; index++) {
      const byte = this.u8();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      unit *= 0x80;
    }
    return this.fail('a number is out of range');
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#buffer.subarray(start, start + length);
  }

  string(): string {
    const encoded = this.bytes(this.varint());
    const text = encoded.toString('utf8');
    // A decoder that mends bad UTF-8 would let two different records read alike.
    if (!Buffer.from(text, 'utf8').equals(encoded)) this.fail('a string is not UTF-8');
    return text;
  }

  /** To be called when everything expected was taken. */
  end(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes are left over`);
  }

  fail(reason: string): never {
    throw new SnapError('SNAP_CORRUPT', `${this.#what} cannot be read: ${reason}`);
  }

  #take(length: number): number {
    if (!(length <= this.remaining)) this.fail('it ends too early');
    const start = this.#position;
    this.#position += length;
    return start;
  }
}

/** Writes an unsigned integer below 2^53 as 8 little-endian bytes; returns the position behind it. */
export function writeU64(buffer: Buffer, value: number, position: number): number {
  buffer.writeUInt32LE(value % 0x1_0000_0000, position);
  return buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), position + 4);
}

/** Reads 8 little-endian bytes; the result may exceed 2^53 and is then not exact (callers check). */
export function readU64(buffer: Buffer, position: number): number {
  return buffer.readUInt32LE(position) + buffer.readUInt32LE(position + 4) * 0x1_0000_0000;
}
