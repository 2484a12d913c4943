/**
 * Writes the objects that are more than their properties: dates, regular expressions, boxed primitives, errors,
 * views, buffers, WebAssembly memories, and instances of registered classes.
 *
 * Invariants
 *  - what an object is, is asked of its internal slots, never of its constructor's name or `instanceof`
 *  - own properties beyond the built-in's are written or refused
 */

import { types } from 'node:util';
import type { RegionKind } from '../format/kinds.js';
import { bufferFacts, isDetached, isLengthTracking, isPool } from './buffers.js';
import type { Encoding } from './encoding.js';
import { F_FIELDS, F_TRANSPARENT } from './frames.js';
import {
  type AnyBuffer,
  BASES,
  type Base,
  baseTag,
  baseType,
  dataViewBuffer,
  dataViewLength,
  dataViewOffset,
  dateTime,
  MemoryPrototype,
  memoryBuffer,
  ORDINARY,
  regExpFlags,
  regExpSource,
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
import type { ClassEntry } from './registry.js';
import * as tag from './tags.js';

/** An encoded instance that encodes to another one, and so on without end, must not fill the memory. */
const OPEN_INSTANCES_MAX = 1_000_000;

export function writeSpecial(encoding: Encoding, value: object, prototype: object): void {
  const base = BASES.get(prototype);
  if (base !== undefined) writeBase(encoding, value, base);
  else if (prototype === ArrayBuffer.prototype || prototype === SharedArrayBuffer.prototype) {
    writeBuffer(encoding, value as AnyBuffer, undefined);
  } else if (prototype === MemoryPrototype) {
    writeMemory(encoding, value);
  } else {
    const entry = encoding.registry.byPrototype(prototype);
    if (entry === undefined) throw encoding.refusal(value);
    writeInstance(encoding, value, entry);
  }
}

function writeInstance(encoding: Encoding, value: object, entry: ClassEntry): void {
  const { sink } = encoding;
  if (entry.obstacle !== undefined) {
    throw refuse(
      encoding.frames.path(),
      `is a ${entry.name}, which cannot be saved by its fields (${entry.obstacle})`,
      `give ${entry.name} static [Snap.encode](instance) and static [Snap.decode](data)`,
    );
  }
  sink.u8(tag.T_INSTANCE);
  encoding.strings.write(sink, entry.name);
  sink.varint(entry.version);
  if (entry.encode !== undefined) writeEncoded(encoding, value, entry);
  else if (entry.base === ORDINARY) encoding.fields(value, tag.T_OBJECT, tag.T_DICT);
  else writeBase(encoding, value, entry.base);
}

function writeEncoded(encoding: Encoding, value: object, entry: ClassEntry): void {
  const { frames } = encoding;
  const ordinal = encoding.number(value);
  encoding.sink.u8(tag.T_ENCODED);
  let data: unknown;
  try {
    data = (entry.encode as (instance: object) => unknown)(value);
  } catch (error) {
    throw refuse(frames.path(), `is a ${entry.name} whose [Snap.encode] threw`, 'see the cause', error);
  }
  if (encoding.openInstances.size >= OPEN_INSTANCES_MAX) {
    throw refuse(
      frames.path(),
      'is encoded to ever more encoded instances',
      `see ${entry.name}[Snap.encode]`,
    );
  }
  encoding.openInstances.add(ordinal);
  frames.push(F_TRANSPARENT, [data], undefined, 1, 0, ordinal);
}

function writeBase(encoding: Encoding, value: object, base: Base): void {
  const type = baseType(base);
  switch (baseTag(base)) {
    case tag.T_ARRAY:
      return encoding.array(value as readonly unknown[]);
    case tag.T_MAP:
      return encoding.map(value as Map<unknown, unknown>);
    case tag.T_SET:
      return encoding.set(value as Set<unknown>);
    case tag.T_DATE:
      return writeDate(encoding, value);
    case tag.T_REGEXP:
      return writeRegExp(encoding, value);
    case tag.T_BOXED:
      return writeBoxed(encoding, value, type);
    case tag.T_ERROR:
      return writeError(encoding, value, type);
    default:
      return writeView(encoding, value, type);
  }
}

function writeDate(encoding: Encoding, value: object): void {
  if (!types.isDate(value)) throw encoding.refusal(value);
  encoding.bare(value, 0);
  encoding.number(value);
  encoding.sink.u8(tag.T_DATE);
  encoding.sink.double(dateTime.call(value));
}

function writeRegExp(encoding: Encoding, value: object): void {
  if (!types.isRegExp(value)) throw encoding.refusal(value);
  encoding.bare(value, 1);
  encoding.number(value);
  encoding.sink.u8(tag.T_REGEXP);
  encoding.sink.text(regExpSource.call(value));
  encoding.sink.text(regExpFlags(value));
  encoding.frames.push(F_FIELDS, [value.lastIndex], ['lastIndex'], 1);
}

const BOXED_BRANDS = [
  types.isNumberObject,
  types.isStringObject,
  types.isBooleanObject,
  types.isBigIntObject,
  types.isSymbolObject,
];
const BOXED_VALUES = [
  Number.prototype.valueOf,
  String.prototype.valueOf,
  Boolean.prototype.valueOf,
  BigInt.prototype.valueOf,
  Symbol.prototype.valueOf,
] as ((this: unknown) => unknown)[];

function writeBoxed(encoding: Encoding, value: object, type: number): void {
  if (BOXED_BRANDS[type]?.(value) !== true) throw encoding.refusal(value);
  const inside = (BOXED_VALUES[type] as (this: unknown) => unknown).call(value);
  encoding.refuseSymbols(value);
  if (typeof inside === 'string') {
    // The characters' indexes, further indexes, 'length', further names: in the order names are listed in.
    const names = Object.getOwnPropertyNames(value);
    names.splice(names.indexOf('length'), 1);
    encoding.extras(value, names.slice(inside.length));
  } else {
    encoding.extras(value, extraNames(value, 0));
  }
  encoding.number(value);
  encoding.sink.u8(tag.T_BOXED);
  encoding.primitive(inside);
}

/** All own properties of an error in their order, with whether each is enumerable: 'message' and 'stack' are not. */
function writeError(encoding: Encoding, value: object, type: number): void {
  const { sink } = encoding;
  if (!types.isNativeError(value)) throw encoding.refusal(value);
  encoding.refuseSymbols(value);
  const names = Object.getOwnPropertyNames(value);
  encoding.number(value);
  sink.u8(tag.T_ERROR);
  sink.u8(type);
  sink.varint(names.length);
  for (const name of names) {
    encoding.strings.write(sink, name);
    sink.u8(Object.getOwnPropertyDescriptor(value, name)?.enumerable === true ? 1 : 0);
  }
  const values = names.map((name) => encoding.property(value, name));
  if (names.length > 0) encoding.frames.push(F_FIELDS, values, names, names.length);
}

function writeView(encoding: Encoding, value: object, type: number): void {
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
  if (type === VIEW_BUFFER && (offset > 0 || unused > 0) && !facts.shared && isPool(buffer as ArrayBuffer)) {
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
        'save it before transferring its buffer, or leave it out',
      )
    : refuse(
        encoding.frames.path(),
        'lies outside of its resized buffer',
        'make it anew over the buffer before saving',
      );
}

/** The buffer of a view or memory, or one that stands by itself (kind undefined): whole, once. */
function writeBuffer(encoding: Encoding, buffer: AnyBuffer, kind: RegionKind | undefined): void {
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

function writeMemory(encoding: Encoding, memory: object): void {
  let buffer: AnyBuffer;
  try {
    buffer = memoryBuffer.call(memory);
  } catch {
    throw encoding.refusal(memory);
  }
  refuseProperties(encoding, memory, 'WebAssembly.Memory');
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
