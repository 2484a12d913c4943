/**
 * Messages between processes: frames of JSON that keeps what JSON loses.
 *
 *   0   4   length n of what follows, at least 1
 *   4   n   JSON, UTF-8
 *
 * undefined, dates, and the numbers that JSON does not know travel as {"$": kind, "value": ...}, and so does an object
 * that has a key "$" itself. Everything else is itself. What structured cloning would also take (maps, buffers) is
 * refused: a message is for what people ask and are told, not for bytes.
 *
 * Invariant: nothing is allocated for a length before it was compared with the reader's limit, and whatever is no
 * message throws SNAP_CORRUPT.
 */

import { SnapError } from '../base/errors.js';

const HEADER_BYTES = 4;
const TAG = '$';
/** Beyond what a report holds; what a user's own JSON (`meta`) may come to. */
const DEEPEST = 1000;

/** A message as a frame. Throws SNAP_TOO_LARGE, and a TypeError for what no message holds. */
export function encodeMessage(message: unknown, limit: number): Buffer {
  const body = Buffer.from(JSON.stringify(toJson(message, 0)), 'utf8');
  if (body.length > limit) {
    throw new SnapError('SNAP_TOO_LARGE', `a message of ${body.length} bytes; at most ${limit} are sent`);
  }
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(body.length);
  return Buffer.concat([header, body]);
}

/** What a frame holds behind its length. */
export function decodeMessage(body: Buffer): unknown {
  const text = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable('it is not JSON', error);
  }
  return fromJson(value, 0);
}

/** Cuts a stream of bytes into messages. */
export class FrameReader {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #held = 0;
  /** Of the frame that is being read, its length included; until that is known, of the length. */
  #wanted = HEADER_BYTES;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True where a frame has begun and not ended. */
  get isInside(): boolean {
    return this.#held > 0;
  }

  /** The messages that are complete with these bytes. After it threw, the stream is of no use any more. */
  push(bytes: Buffer): unknown[] {
    const messages: unknown[] = [];
    this.#parts.push(bytes);
    this.#held += bytes.length;
    while (this.#held >= this.#wanted) {
      const held = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
      this.#parts = [held];
      if (this.#wanted === HEADER_BYTES) {
        this.#wanted += this.#checked(held.readUInt32LE(0));
      } else {
        messages.push(decodeMessage(held.subarray(HEADER_BYTES, this.#wanted)));
        this.#parts = [held.subarray(this.#wanted)];
        this.#held -= this.#wanted;
        this.#wanted = HEADER_BYTES;
      }
    }
    return messages;
  }

  #checked(length: number): number {
    if (length === 0) throw unreadable('it is empty');
    if (length > this.#limit) throw unreadable(`it claims ${length} bytes; at most ${this.#limit} are taken`);
    return length;
  }
}

function toJson(value: unknown, depth: number): unknown {
  if (depth > DEEPEST) throw new TypeError('a message is nested too deeply');
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : special('number', numberName(value));
    case 'undefined':
      return special('undefined', null);
    case 'object':
      return value === null ? null : objectToJson(value, depth);
    default:
      throw new TypeError(`a message cannot hold a ${typeof value}`);
  }
}

function objectToJson(value: object, depth: number): unknown {
  if (Array.isArray(value)) return Array.from(value, (item) => toJson(item, depth + 1));
  if (value instanceof Date) return special('date', toJson(value.getTime(), depth));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`a message cannot hold a ${value.constructor?.name}`);
  }
  const plain = mapValues(value, (item) => toJson(item, depth + 1));
  return Object.hasOwn(value, TAG) ? special('object', plain) : plain;
}

function special(kind: string, value: unknown): object {
  return { [TAG]: kind, value };
}

function numberName(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function fromJson(value: unknown, depth: number): unknown {
  if (depth > DEEPEST) throw unreadable('it is nested too deeply');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => fromJson(item, depth + 1));
  if (Object.hasOwn(value, TAG)) return fromSpecial(value as { $: unknown; value: unknown }, depth);
  return mapValues(value, (item) => fromJson(item, depth + 1));
}

const NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ['-0', -0],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

function fromSpecial({ $: kind, value }: { $: unknown; value: unknown }, depth: number): unknown {
  if (kind === 'undefined') return undefined;
  const number = NUMBERS.get(value);
  if (kind === 'number' && number !== undefined) return number;
  if (kind === 'date') {
    const time = fromJson(value, depth + 1);
    if (typeof time === 'number') return new Date(time);
  }
  if (kind === 'object' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return mapValues(value, (item) => fromJson(item, depth + 1));
  }
  throw unreadable('it holds something unheard of');
}

/** Keys stay what they are: fromEntries makes a key `__proto__` a property like any other. */
function mapValues(value: object, map: (item: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, map(item)]));
}

function unreadable(reason: string, cause?: unknown): SnapError {
  return new SnapError('SNAP_CORRUPT', `a message cannot be read: ${reason}`, { cause });
}
