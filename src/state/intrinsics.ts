/**
 * Owns what this realm's built-ins are: their prototypes, the codes they have in a skeleton, and the accessors
 * taken from them once at load.
 *
 * Invariants
 *  - everything is captured at load, so that a subclass's overrides or an own property never stand in for a
 *    built-in's internal slot
 *  - codes are part of the format: never renumber
 *
 * A prototype of another realm (a vm context) is not in these tables, and is therefore refused like any
 * unregistered class: its objects would come back as this realm's.
 */

import { Buffer } from 'node:buffer';
import { REGION_KINDS, type RegionKind } from '../format/kinds.js';
import { T_ARRAY, T_BOXED, T_DATE, T_ERROR, T_MAP, T_OBJECT, T_REGEXP, T_SET, T_VIEW } from './tags.js';

// biome-ignore lint/complexity/noBannedTypes: classes are callables of every kind here, and are never called
export type AnyFunction = Function;
export type AnyBuffer = ArrayBuffer | SharedArrayBuffer;
type Constructor = new (...args: never[]) => object;

/** A constructor that older runtimes lack, or undefined. */
function optional(name: string): Constructor | undefined {
  return (globalThis as Record<string, unknown>)[name] as Constructor | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: the getter's own type says what it returns
function getter<T>(prototype: object, name: string | symbol): { call(self: any): T } {
  const get = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  if (get === undefined) throw new TypeError(`this runtime has no getter ${String(name)}`);
  return get as { call(self: unknown): T };
}

const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;

export const typedArrayName = getter<string | undefined>(TypedArrayPrototype, Symbol.toStringTag);
export const typedArrayLength = getter<number>(TypedArrayPrototype, 'length');
export const typedArrayOffset = getter<number>(TypedArrayPrototype, 'byteOffset');
export const typedArrayBuffer = getter<AnyBuffer>(TypedArrayPrototype, 'buffer');
/** Throws for a detached or out-of-bounds view, where `length` just says 0. */
export const typedArrayAt = Uint8Array.prototype.at as unknown as {
  call(self: object, index: number): unknown;
};
export const dataViewLength = getter<number>(DataView.prototype, 'byteLength');
export const dataViewOffset = getter<number>(DataView.prototype, 'byteOffset');
export const dataViewBuffer = getter<AnyBuffer>(DataView.prototype, 'buffer');
export const bufferLength = getter<number>(ArrayBuffer.prototype, 'byteLength');
export const bufferResizable = getter<boolean>(ArrayBuffer.prototype, 'resizable');
export const bufferMaxLength = getter<number>(ArrayBuffer.prototype, 'maxByteLength');
export const sharedLength = getter<number>(SharedArrayBuffer.prototype, 'byteLength');
export const sharedGrowable = getter<boolean>(SharedArrayBuffer.prototype, 'growable');
export const sharedMaxLength = getter<number>(SharedArrayBuffer.prototype, 'maxByteLength');

/** Stands in for WebAssembly.Memory where there is none: its getter is never asked. */
class ArrayBufferOwner {
  get buffer(): AnyBuffer {
    throw new TypeError('this runtime has no WebAssembly');
  }
}

/** WebAssembly.Memory, as much of it as is used here. */
export interface WasmMemory {
  readonly buffer: AnyBuffer;
  grow(pages: number): number;
}
const wasm = (globalThis as { WebAssembly?: { Memory: { prototype: WasmMemory } } }).WebAssembly;
/** Undefined where Node was started without WebAssembly (--jitless): no state can hold a memory then. */
export const MemoryPrototype: WasmMemory | undefined = wasm?.Memory.prototype;
export const memoryBuffer = getter<AnyBuffer>(MemoryPrototype ?? ArrayBufferOwner.prototype, 'buffer');
export const mapForEach = Map.prototype.forEach;
export const setForEach = Set.prototype.forEach;
export const dateTime = Date.prototype.getTime;
export const regExpSource = getter<string>(RegExp.prototype, 'source');

/** The flags in the order that `RegExp.prototype.flags` gives them, each from its own slot. */
const REGEXP_FLAGS = (
  [
    ['hasIndices', 'd'],
    ['global', 'g'],
    ['ignoreCase', 'i'],
    ['multiline', 'm'],
    ['dotAll', 's'],
    ['unicode', 'u'],
    ['unicodeSets', 'v'],
    ['sticky', 'y'],
  ] as const
).map(([name, flag]) => ({ get: getter<boolean>(RegExp.prototype, name), flag }));

export function regExpFlags(value: object): string {
  let flags = '';
  for (const { get, flag } of REGEXP_FLAGS) if (get.call(value)) flags += flag;
  return flags;
}

/** View types by code: 1-13 are also the codes of their region kinds. */
export const VIEW_DATAVIEW = 13;
export const VIEW_BUFFER = 14;
const VIEW_CONSTRUCTORS: readonly (Constructor | undefined)[] = [
  undefined,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  optional('Float16Array'),
  Float32Array,
  Float64Array,
  DataView,
  Buffer as unknown as Constructor,
];
const VIEW_ELEMENT_BYTES = [0, 1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8, 1, 1];

/** Number of view types, the unused code 0 included. */
export const VIEW_TYPES = VIEW_CONSTRUCTORS.length;

/** Constructor of a view type; undefined for one that this runtime lacks. A Buffer is made as a Uint8Array. */
export function viewConstructor(type: number): Constructor | undefined {
  return type === VIEW_BUFFER ? Uint8Array : VIEW_CONSTRUCTORS[type];
}

export function viewPrototype(type: number): object {
  return (VIEW_CONSTRUCTORS[type] as { prototype: object }).prototype;
}

/** What `typedArrayName` says of an intact view of this type; undefined for a DataView. */
export function viewBrand(type: number): string | undefined {
  if (type === VIEW_DATAVIEW) return undefined;
  return type === VIEW_BUFFER ? 'Uint8Array' : REGION_KINDS[type];
}

export function viewName(type: number): string {
  return type === VIEW_BUFFER ? 'Buffer' : (REGION_KINDS[type] as string);
}

export function viewElementBytes(type: number): number {
  return VIEW_ELEMENT_BYTES[type] as number;
}

export function viewKind(type: number): RegionKind {
  return type === VIEW_BUFFER ? 'bytes' : (REGION_KINDS[type] as RegionKind);
}

/** Error types by code. */
const ERROR_CONSTRUCTORS: readonly (Constructor | undefined)[] = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError as unknown as Constructor,
  optional('SuppressedError'),
];
export const ERROR_TYPES = ERROR_CONSTRUCTORS.length;
const ERROR_NAMES = [
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AggregateError',
  'SuppressedError',
];
export function errorName(type: number): string {
  return ERROR_NAMES[type] as string;
}
export function errorConstructor(type: number): Constructor | undefined {
  return ERROR_CONSTRUCTORS[type];
}

/** Boxed primitives that a class may extend (nothing can construct a subclass of BigInt or Symbol). */
export const BOXED_TYPES = ['number', 'string', 'boolean', 'bigint', 'symbol'] as const;

/**
 * What is inside an object: its node tag and, for errors, views and boxed primitives, which type of it.
 * One number, so that it can be compared.
 */
export type Base = number;
export const baseOf = (tag: number, type = 0): Base => tag * 256 + type;
export const baseTag = (base: Base): number => base >> 8;
export const baseType = (base: Base): number => base & 255;
export const ORDINARY: Base = baseOf(T_OBJECT);

/** Prototypes that say what an object is, without ArrayBuffers, memories and plain objects. */
export const BASES: ReadonlyMap<object, Base> = new Map<object, Base>([
  [Array.prototype, baseOf(T_ARRAY)],
  [Map.prototype, baseOf(T_MAP)],
  [Set.prototype, baseOf(T_SET)],
  [Date.prototype, baseOf(T_DATE)],
  [RegExp.prototype, baseOf(T_REGEXP)],
  [Number.prototype, baseOf(T_BOXED, 0)],
  [String.prototype, baseOf(T_BOXED, 1)],
  [Boolean.prototype, baseOf(T_BOXED, 2)],
  [BigInt.prototype, baseOf(T_BOXED, 3)],
  [Symbol.prototype, baseOf(T_BOXED, 4)],
  ...ERROR_CONSTRUCTORS.flatMap((error, type): [object, Base][] =>
    error === undefined ? [] : [[(error as { prototype: object }).prototype, baseOf(T_ERROR, type)]],
  ),
  ...VIEW_CONSTRUCTORS.flatMap((view, type): [object, Base][] =>
    view === undefined ? [] : [[(view as { prototype: object }).prototype, baseOf(T_VIEW, type)]],
  ),
]);

/** For messages: "a Map", "a Float64Array". */
export function baseName(base: Base): string {
  const type = baseType(base);
  switch (baseTag(base)) {
    case T_ARRAY:
      return 'an Array';
    case T_MAP:
      return 'a Map';
    case T_SET:
      return 'a Set';
    case T_DATE:
      return 'a Date';
    case T_REGEXP:
      return 'a RegExp';
    case T_BOXED:
      return `a boxed ${BOXED_TYPES[type] ?? 'primitive'}`;
    case T_ERROR:
      return `an ${errorName(type)}`;
    case T_VIEW:
      return `a ${viewName(type)}`;
    default:
      return 'an ordinary object';
  }
}
