/**
 * What JavaScript does not say directly about buffers and the views on them: whether a buffer is detached, whether
 * it is Node's pool, whether a view follows its buffer's length.
 *
 * Invariant: nothing here changes a byte, a length or the attachment of a buffer.
 */

import { Buffer } from 'node:buffer';
import { Serializer } from 'node:v8';
import {
  type AnyBuffer,
  bufferLength,
  bufferMaxLength,
  bufferResizable,
  sharedGrowable,
  sharedLength,
  sharedMaxLength,
} from './intrinsics.js';
import { WASM_PAGE_BYTES } from './tags.js';

/** A buffer's own slots, whatever its prototype says. */
export interface BufferFacts {
  byteLength: number;
  shared: boolean;
  resizable: boolean;
  /** Equal to byteLength for a buffer of fixed length. */
  maxByteLength: number;
}

export function bufferFacts(buffer: AnyBuffer, shared: boolean): BufferFacts {
  const byteLength = shared ? sharedLength.call(buffer) : bufferLength.call(buffer);
  const resizable = shared ? sharedGrowable.call(buffer) : bufferResizable.call(buffer);
  if (!resizable) return { byteLength, shared, resizable, maxByteLength: byteLength };
  const maxByteLength = shared ? sharedMaxLength.call(buffer) : bufferMaxLength.call(buffer);
  return { byteLength, shared, resizable, maxByteLength };
}

/** For a buffer whose length reads as 0 (`ArrayBuffer.prototype.detached` came with Node 21). */
export function isDetached(buffer: AnyBuffer): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/**
 * True for a view that grows and shrinks with its resizable buffer. No property says so; V8's own serializer writes
 * it down, and with the buffer declared as transferred (a declaration only) it copies no content.
 */
export function isLengthTracking(view: ArrayBufferView, buffer: AnyBuffer, shared: boolean): boolean {
  const serializer = new Serializer();
  if (shared) {
    const delegate = serializer as unknown as { _getSharedArrayBufferId: () => number };
    delegate._getSharedArrayBufferId = () => 0;
  } else {
    serializer.transferArrayBuffer(0, buffer as ArrayBuffer);
  }
  serializer.writeValue(view);
  // 'V' type byteOffset byteLength flags, the last a one-byte varint whose lowest bit is the answer.
  const written = serializer.releaseBuffer();
  return ((written[written.length - 1] as number) & 1) === 1;
}

const transferables = new WeakSet<AnyBuffer>();

/**
 * False for Node's pool, for memory of WebAssembly, and for what the program marked as not transferable. Asking takes
 * 5 us, because the answer is an error; a buffer that has been transferred is known to be one that can be.
 */
export function isTransferable(buffer: ArrayBuffer): boolean {
  if (transferables.has(buffer)) return true;
  const isOrdinary = transferAnswer(buffer) === ordinary();
  if (isOrdinary) transferables.add(buffer);
  return isOrdinary;
}

/** Says that a buffer came out of a transfer. */
export function noteTransferred(buffer: ArrayBuffer): void {
  transferables.add(buffer);
}

const pools = new WeakMap<AnyBuffer, boolean>();
let ordinaryAnswer: string | undefined;

/**
 * True for the buffer that Node cuts small Buffers from. Node marks it as not transferable, which a clone that names
 * it twice in its transfer list brings out: an ordinary buffer is refused as a duplicate, before anything is
 * transferred; the pool is refused for itself (Node >= 21) or passed over (Node 20). What an ordinary buffer is
 * told is asked of one, so that no wording is relied upon.
 * WebAssembly memory is not transferable either. It comes in whole pages, which the pool does not, unless it happens
 * to have the length of one (8 KiB in Node 20, 64 KiB in 24, 64 KiB and 64 bytes in 26): then nothing tells them apart,
 * and the answer is the likelier one.
 */
export function isPool(buffer: ArrayBuffer): boolean {
  const known = pools.get(buffer);
  if (known !== undefined) return known;
  const byteLength = bufferLength.call(buffer);
  let pool = false;
  if (byteLength % WASM_PAGE_BYTES !== 0 || byteLength === Buffer.allocUnsafe(1).buffer.byteLength) {
    pool = transferAnswer(buffer) !== ordinary();
  }
  pools.set(buffer, pool);
  return pool;
}

function ordinary(): string {
  ordinaryAnswer ??= transferAnswer(new ArrayBuffer(8));
  return ordinaryAnswer;
}

function transferAnswer(buffer: ArrayBuffer): string {
  try {
    structuredClone(undefined, { transfer: [buffer, buffer] });
    return '';
  } catch (error) {
    return String((error as Error).message);
  }
}
