/**
 * The bounds-checked input of the reader.
 *
 * Invariants
 *  - nothing is read past `end`; a skeleton that asks for more is SNAP_CORRUPT
 *  - a count is believed only as far as the bytes that are left can carry it, so that no allocation exceeds what the
 *    input's size justifies
 */

import { Buffer, isUtf8 } from 'node:buffer';
import { SnapError } from '../base/errors.js';
import { T_LATIN1, T_UTF8, T_UTF16 } from './tags.js';

export function corrupt(what: string, cause?: unknown): SnapError {
  return new SnapError(
    'SNAP_CORRUPT',
    `the skeleton is damaged: ${what}`,
    cause === undefined ? {} : { cause },
  );
}

export class Source {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  at: number;
  /** First byte that is not to be read. */
  end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    this.end = bytes.byteLength;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Asserts that `count` more bytes are there. */
  need(count: number): void {
    if (count > this.end - this.at) throw corrupt(`it ends within a value, at byte ${this.end}`);
  }

  u8(): number {
    if (this.at >= this.end) throw corrupt(`it ends within a value, at byte ${this.end}`);
    return this.#bytes[this.at++] as number;
  }

  u16(): number {
    this.need(2);
    const value = this.#view.getUint16(this.at, true);
    this.at += 2;
    return value;
  }

  u32(): number {
    this.need(4);
    const value = this.#view.getUint32(this.at, true);
    this.at += 4;
    return value;
  }

  int32(): number {
    this.need(4);
    const value = this.#view.getInt32(this.at, true);
    this.at += 4;
    return value;
  }

  double(): number {
    this.need(8);
    const value = this.#view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }

  /** A safe integer; anything longer is damage. */
  varint(): number {
    let byte = this.u8();
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let scale = 128; scale <= 2 ** 49; scale *= 128) {
      byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw corrupt(`a number is too long, at byte ${this.at}`);
  }

  /** A count of things that take at least `bytesEach` bytes each. */
  count(bytesEach = 1): number {
    const value = this.varint();
    if (value * bytesEach > this.end - this.at)
      throw corrupt(`a count exceeds what is left, at byte ${this.at}`);
    return value;
  }

  /** The next `count` bytes, over the input's own memory. */
  raw(count: number): Uint8Array {
    this.need(count);
    const bytes = this.#bytes.subarray(this.at, this.at + count);
    this.at += count;
    return bytes;
  }

  int32List(count: number): number[] {
    this.need(count * 4);
    const list = new Array<number>(count);
    for (let i = 0; i < count; i++, this.at += 4) list[i] = this.#view.getInt32(this.at, true);
    return list;
  }

  float64List(count: number): number[] {
    this.need(count * 8);
    const list = new Array<number>(count);
    for (let i = 0; i < count; i++, this.at += 8) list[i] = this.#view.getFloat64(this.at, true);
    return list;
  }

  /** The rest of a string whose tag was read; undefined for a tag of no string form. */
  text(tag: number): string | undefined {
    switch (tag) {
      case T_LATIN1: {
        const start = this.#skip(this.count());
        return this.#bytes.toString('latin1', start, this.at);
      }
      case T_UTF8: {
        const start = this.#skip(this.count());
        // Buffer would put U+FFFD for what is no UTF-8, and the string would pass for one.
        if (!isUtf8(this.#bytes.subarray(start, this.at)))
          throw corrupt(`a string is no UTF-8, at byte ${start}`);
        return this.#bytes.toString('utf8', start, this.at);
      }
      case T_UTF16: {
        const start = this.#skip(this.count(2) * 2);
        return this.#bytes.toString('utf16le', start, this.at);
      }
      default:
        return undefined;
    }
  }

  #skip(count: number): number {
    const start = this.at;
    this.at += count;
    return start;
  }
}
