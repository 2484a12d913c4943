/**
 * Writes views, buffers and WebAssembly memories.
 *
 * Invariants
 *  - a buffer is written where it is first met, whole and once: inline if it is small, else as a region
 *  - a view is written as its place on its buffer, so that views that share one share it again
 *  - a Buffer cut from Node's pool is written as if it had a buffer of its own
 */

import { types } from 'node:util';
import type { RegionKind } from '../format/kinds.js';
import { type BufferFacts, bufferFacts, isDetached, isLengthTracking, isPool } from './buffers.js';
import type { Encoding } from './encoding.js';
import {
  type AnyBuffer,
  dataViewBuffer,
  dataViewLength,
  dataViewOffset,
  memoryBuffer,
  typedArrayAt,
  typedArrayBuffer,
  typedArrayLength,
  typedArrayName,
  typedArrayOffset,
  VIEW_BUFFER,
  VIEW_DATAVIEW,
  viewBrand,
  viewElementBytes,
  viewKind,
} from './intrinsics.js';
import { extraNames, extraViewNames } from './own-props.js';
import { refuse } from './refuse.js';
import { bufferFlags } from './regions.js';
import * as tag from './tags.js';

export function writeView(encoding: Encoding, value: object, type: number): void {
  const { sink } = encoding;
  const isDataView = type === VIEW_DATAVIEW;
  if (isDataView ? !types.isDataView(value) : typedArrayName.call(value) !== viewBrand(type)) {
    throw encoding.refusal(value);
  }
  const length = isDataView ? dataViewLengthOf(value) : typedArrayLength.call(value);
  const buffer = isDataView ? dataViewBuffer.call(value) : typedArrayBuffer.call(value);
  if (length === undefined || (length === 0 && !isDataView && !isInBounds(value)))
    throw refuseGone(encoding, buffer);
  encoding.refuseSymbols(value);
  encoding.extras(value, isDataView ? extraNames(value, 0) : extraViewNames(value, length));

  const offset = isDataView ? dataViewOffset.call(value) : typedArrayOffset.call(value);
  const facts = bufferFacts(buffer, types.isSharedArrayBuffer(buffer));
  const byteLength = length * viewElementBytes(type);
  const unused = facts.byteLength - offset - byteLength;
  encoding.number(value);
  sink.u8(tag.T_VIEW);
  sink.u8(type);
  if (type === VIEW_BUFFER && (offset > 0 || unused > 0) && isForeignPool(encoding, buffer, facts)) {
    sink.u8(0);
    sink.varint(0);
    sink.varint(length);
    writePooled(encoding, new Uint8Array(buffer, offset, byteLength));
    return;
  }
  const tracking =
    facts.resizable &&
    unused < viewElementBytes(type) &&
    isLengthTracking(value as ArrayBufferView, buffer, facts.shared);
  sink.u8(tracking ? tag.VIEW_TRACKING : 0);
  sink.varint(offset);
  if (!tracking) sink.varint(length);
  writeBuffer(encoding, buffer, viewKind(type));
}

/** True for Node's pool, unless the state holds it for another reason too. */
function isForeignPool(
  encoding: Encoding,
  buffer: AnyBuffer,
  { shared, resizable, byteLength }: BufferFacts,
): boolean {
  if (shared || resizable || !isPool(buffer as ArrayBuffer) || encoding.hasMet(buffer)) return false;
  if (byteLength % tag.WASM_PAGE_BYTES === 0) encoding.taken.add(buffer);
  return true;
}

/** Undefined where the view is out of its buffer's bounds or the buffer is detached. */
function dataViewLengthOf(view: object): number | undefined {
  try {
    return dataViewLength.call(view);
  } catch {
    return undefined;
  }
}

function isInBounds(view: object): boolean {
  try {
    typedArrayAt.call(view, 0);
    return true;
  } catch {
    return false;
  }
}

function refuseGone(encoding: Encoding, buffer: AnyBuffer): Error {
  return isDetached(buffer)
    ? refuse(
        encoding.frames.path(),
        'has a detached buffer',
        'where it was lent, make it anew over what ticket.released gives back; else save before transferring its buffer',
      )
    : refuse(
        encoding.frames.path(),
        'lies outside of its resized buffer',
        'make it anew over the buffer before saving',
      );
}

/** The buffer of a view or memory, or one that stands by itself (kind undefined): whole, once. */
export function writeBuffer(encoding: Encoding, buffer: AnyBuffer, kind: RegionKind | undefined): void {
  const { sink, regions } = encoding;
  if (encoding.refer(buffer)) {
    regions.meet(buffer, kind);
    return;
  }
  if (!types.isAnyArrayBuffer(buffer)) throw encoding.refusal(buffer);
  const prototype = Object.getPrototypeOf(buffer) as unknown;
  const shared = types.isSharedArrayBuffer(buffer);
  if (prototype !== (shared ? SharedArrayBuffer.prototype : ArrayBuffer.prototype)) {
    throw refuse(
      encoding.frames.path(),
      'has a buffer of a subclass of ArrayBuffer',
      'use an ArrayBuffer itself',
    );
  }
  refuseProperties(encoding, buffer, 'buffer');
  const facts = bufferFacts(buffer, shared);
  if (facts.byteLength === 0 && isDetached(buffer)) throw refuseGone(encoding, buffer);
  encoding.number(buffer);
  if (facts.byteLength > encoding.inlineBytes) {
    sink.u8(tag.T_REGION);
    regions.add(buffer, kind, encoding.frames.path(), facts);
    return;
  }
  sink.u8(tag.T_BYTES);
  sink.u8(bufferFlags(facts));
  sink.varint(facts.byteLength);
  if (facts.resizable) sink.varint(facts.maxByteLength);
  sink.raw(new Uint8Array(buffer, 0, facts.byteLength));
}

/** A Buffer's own range of Node's pool, as a buffer by itself: the rest of the pool belongs to others. */
function writePooled(encoding: Encoding, bytes: Uint8Array): void {
  const { sink } = encoding;
  encoding.numberUnseen();
  if (bytes.byteLength > encoding.inlineBytes) {
    sink.u8(tag.T_REGION);
    encoding.regions.addRange(bytes, encoding.frames.path());
    return;
  }
  sink.u8(tag.T_BYTES);
  sink.u8(0);
  sink.varint(bytes.byteLength);
  sink.raw(bytes);
}

export function writeMemory(encoding: Encoding, memory: object): void {
  let buffer: AnyBuffer;
  try {
    buffer = memoryBuffer.call(memory);
  } catch {
    throw encoding.refusal(memory);
  }
  refuseProperties(encoding, memory, 'WebAssembly.Memory');
  if (encoding.taken.has(buffer)) {
    throw refuse(
      encoding.frames.path(),
      'comes after a Buffer over its bytes',
      'put the memory before it in the state',
    );
  }
  encoding.number(memory);
  encoding.sink.u8(tag.T_MEMORY);
  writeBuffer(encoding, buffer, 'WebAssembly.Memory');
}

function refuseProperties(encoding: Encoding, value: object, what: string): void {
  encoding.refuseSymbols(value);
  const [name] = Object.getOwnPropertyNames(value);
  if (name === undefined) return;
  throw refuse(
    encoding.frames.path(),
    `is a ${what} with the own property ${name}`,
    'keep it beside, not on it',
  );
}
