/**
 * Writes the objects that are more than their properties, views and buffers apart: dates, regular expressions, boxed
 * primitives, errors, and instances of registered classes.
 *
 * Invariants
 *  - what an object is, is asked of its internal slots, never of its constructor's name or `instanceof`
 *  - own properties beyond the built-in's are written or refused
 */

import { types } from 'node:util';
import type { Encoding } from './encoding.js';
import { F_FIELDS, F_TRANSPARENT } from './frames.js';
import {
  type AnyBuffer,
  BASES,
  type Base,
  baseTag,
  baseType,
  dateTime,
  MemoryPrototype,
  ORDINARY,
  regExpFlags,
  regExpSource,
} from './intrinsics.js';
import { extraNames } from './own-props.js';
import { giveHooks, refuse } from './refuse.js';
import type { ClassEntry } from './registry.js';
import * as tag from './tags.js';
import { writeBuffer, writeMemory, writeView } from './views.js';

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
      giveHooks(entry.name),
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
      encoding.array(value as readonly unknown[]);
      break;
    case tag.T_MAP:
      encoding.map(value as Map<unknown, unknown>);
      break;
    case tag.T_SET:
      encoding.set(value as Set<unknown>);
      break;
    case tag.T_DATE:
      writeDate(encoding, value);
      break;
    case tag.T_REGEXP:
      writeRegExp(encoding, value);
      break;
    case tag.T_BOXED:
      writeBoxed(encoding, value, type);
      break;
    case tag.T_ERROR:
      writeError(encoding, value, type);
      break;
    default:
      writeView(encoding, value, type);
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
  // Read first: a stack is put together when it is asked for, even by its descriptor, and that can throw.
  const values = names.map((name) => encoding.property(value, name));
  encoding.number(value);
  sink.u8(tag.T_ERROR);
  sink.u8(type);
  sink.varint(names.length);
  for (const name of names) {
    encoding.strings.write(sink, name);
    sink.u8(Object.getOwnPropertyDescriptor(value, name)?.enumerable === true ? 1 : 0);
  }
  if (names.length > 0) encoding.frames.push(F_FIELDS, values, names, names.length);
}
