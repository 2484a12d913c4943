/**
 * The growing output of an encoder: one buffer, kept from one encode to the next.
 *
 * Invariants
 *  - every method makes room for what it writes; nothing outside it writes past `length`
 *  - what `written()` returned is overwritten by the next encode
 *  - numbers are little-endian whatever the machine
 */

import { Buffer, constants } from 'node:buffer';
import { SnapError } from '../base/errors.js';
import { formatBytes } from '../base/sizes.js';
import {
  T_BIGINT_NEGATIVE,
  T_BIGINT_POSITIVE,
  T_FLOAT64,
  T_INT32,
  T_LATIN1,
  T_UTF8,
  T_UTF16,
} from './tags.js';

/** Above this, the native writer's fixed cost is paid back (measured: crossing at 20-40 characters). */
const NATIVE_STRING_MIN = 32;
const WIDE = /[\u0100-\uffff]/;

export class Sink {
  #bytes: Buffer;
  #view: DataView;
  #capacity: number;
  length = 0;

  constructor(capacity = 4096) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.#capacity = capacity;
  }

  /** The bytes so far, over the sink's own memory. */
  written(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, 0, this.length);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.#capacity - this.length < count) this.#grow(count);
  }

  u8(value: number): void {
    this.reserve(1);
    this.#bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.#view.setUint16(this.length, value, true);
    this.length += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** A tag and two bytes. */
  tagged16(tag: number, value: number): void {
    this.reserve(3);
    const bytes = this.#bytes;
    const at = this.length;
    bytes[at] = tag;
    bytes[at + 1] = value;
    bytes[at + 2] = value >>> 8;
    this.length = at + 3;
  }

  /**
   * A tagged number: five bytes for an int32, nine for any other, so that a counter that counts moves nothing behind
   * it. Every NaN is written as the same one: a scalar's payload is no value in JavaScript.
   */
  number(value: number): void {
    this.reserve(9);
    const at = this.length;
    const small = value | 0;
    if (small === value && (small !== 0 || 1 / value > 0)) {
      this.#bytes[at] = T_INT32;
      this.#view.setInt32(at + 1, small, true);
      this.length = at + 5;
    } else {
      this.#bytes[at] = T_FLOAT64;
      this.#view.setFloat64(at + 1, Number.isNaN(value) ? Number.NaN : value, true);
      this.length = at + 9;
    }
  }

  /** A double without a tag. */
  double(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.length, Number.isNaN(value) ? Number.NaN : value, true);
    this.length += 8;
  }

  /** Int32 without tags; every element must be one. */
  int32List(list: readonly number[], count: number): void {
    this.reserve(count * 4);
    const view = this.#view;
    let at = this.length;
    for (let i = 0; i < count; i++, at += 4) view.setInt32(at, list[i] as number, true);
    this.length = at;
  }

  float64List(list: readonly number[], count: number): void {
    this.reserve(count * 8);
    const view = this.#view;
    let at = this.length;
    for (let i = 0; i < count; i++, at += 8) {
      const value = list[i] as number;
      view.setFloat64(at, Number.isNaN(value) ? Number.NaN : value, true);
    }
    this.length = at;
  }

  /** Unsigned LEB128 of a safe integer. */
  varint(value: number): void {
    this.reserve(8);
    const bytes = this.#bytes;
    let rest = value;
    while (rest > 0x7fffffff) {
      bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      bytes[this.length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[this.length++] = rest;
  }

  /** Tagged by its sign; the magnitude's bytes, the lowest first. */
  bigint(value: bigint): void {
    const magnitude = value < 0n ? -value : value;
    let hex = magnitude === 0n ? '' : magnitude.toString(16);
    if (hex.length % 2 === 1) hex = `0${hex}`;
    this.u8(value < 0n ? T_BIGINT_NEGATIVE : T_BIGINT_POSITIVE);
    this.varint(hex.length / 2);
    this.raw(Buffer.from(hex, 'hex').reverse());
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.byteLength);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.byteLength;
  }

  /** A whole string, tagged with the form that is both exact and shortest. */
  text(value: string): void {
    const units = value.length;
    if (units < NATIVE_STRING_MIN) {
      let seen = 0;
      for (let i = 0; i < units; i++) seen |= value.charCodeAt(i);
      if (seen < 256) this.latin1(value);
      else this.#wide(value);
    } else if (WIDE.test(value)) {
      this.#wide(value);
    } else {
      this.u8(T_LATIN1);
      this.varint(units);
      this.reserve(units);
      this.length += this.#bytes.write(value, this.length, 'latin1');
    }
  }

  /** A short string known to hold no unit above 255. */
  latin1(value: string): void {
    const units = value.length;
    this.reserve(units + 9);
    this.#bytes[this.length++] = T_LATIN1;
    this.varint(units);
    const bytes = this.#bytes;
    let at = this.length;
    for (let i = 0; i < units; i++) bytes[at++] = value.charCodeAt(i);
    this.length = at;
  }

  /** UTF-8 where it is shorter; never for a lone surrogate, which UTF-8 cannot hold. */
  #wide(value: string): void {
    const units = value.length;
    const utf8 = Buffer.byteLength(value, 'utf8');
    if (utf8 < units * 2 && (value as string & { isWellFormed(): boolean }).isWellFormed()) {
      this.u8(T_UTF8);
      this.varint(utf8);
      this.reserve(utf8);
      this.length += this.#bytes.write(value, this.length, 'utf8');
    } else {
      this.u8(T_UTF16);
      this.varint(units);
      this.reserve(units * 2);
      this.length += this.#bytes.write(value, this.length, 'utf16le');
    }
  }

  #grow(count: number): void {
    const needed = this.length + count;
    const capacity = Math.min(Math.max(this.#capacity * 2, needed), constants.MAX_LENGTH);
    let grown: Buffer | undefined;
    try {
      if (needed <= capacity) grown = Buffer.allocUnsafeSlow(capacity);
    } catch {
      // No memory for it: said below, with the size.
    }
    if (grown === undefined) {
      throw new SnapError(
        'SNAP_TOO_LARGE',
        `the state without its buffers takes more than ${formatBytes(this.#capacity)}: ` +
          'keep large data in typed arrays, which are saved out of band',
      );
    }
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
    this.#capacity = capacity;
  }
}
