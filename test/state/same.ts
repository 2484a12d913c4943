/**
 * Equality as the engine promises it: types, prototypes, own keys in their order and with their enumerability, -0 and
 * NaN, holes, the bytes and nature of buffers, and which parts are one and the same object.
 */

import { types } from 'node:util';

const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get as () => string | undefined;

const typedArrayLength = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  'length',
)?.get as () => number;

interface Pair {
  a: unknown;
  b: unknown;
  at: string;
}

/** Where two values first differ, in words; undefined where they do not. */
export function difference(left: unknown, right: unknown): string | undefined {
  const toRight = new Map<object, object>();
  const toLeft = new Map<object, object>();
  const stack: Pair[] = [{ a: left, b: right, at: 'state' }];
  while (stack.length > 0) {
    const { a, b, at } = stack.pop() as Pair;
    if (typeof a !== typeof b) return `${at}: ${typeof a} / ${typeof b}`;
    if (typeof a !== 'object' || a === null || b === null) {
      if (!Object.is(a, b)) return `${at}: ${String(a)} / ${String(b)}`;
      continue;
    }
    const other = b as object;
    if (toRight.has(a) || toLeft.has(other)) {
      if (toRight.get(a) !== other || toLeft.get(other) !== a) return `${at}: shared differently`;
      continue;
    }
    toRight.set(a, other);
    toLeft.set(other, a);
    const found = objectDifference(a, other, at, stack);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function assertSame(actual: unknown, expected: unknown): void {
  const found = difference(expected, actual);
  if (found !== undefined) throw new Error(`not the same (expected / actual): ${found}`);
}

function objectDifference(a: object, b: object, at: string, stack: Pair[]): string | undefined {
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${at}: prototypes differ`;
  const kind = brand(a);
  if (kind !== brand(b)) return `${at}: ${kind} / ${brand(b)}`;
  switch (kind) {
    case 'Map': {
      const [x, y] = [[...(a as Map<unknown, unknown>)], [...(b as Map<unknown, unknown>)]];
      if (x.length !== y.length) return `${at}: Map of ${x.length} / ${y.length}`;
      for (const [i, [key, value]] of x.entries()) {
        stack.push(
          { a: value, b: y[i]?.[1], at: `${at}.value(${i})` },
          { a: key, b: y[i]?.[0], at: `${at}.key(${i})` },
        );
      }
      break;
    }
    case 'Set': {
      const [x, y] = [[...(a as Set<unknown>)], [...(b as Set<unknown>)]];
      if (x.length !== y.length) return `${at}: Set of ${x.length} / ${y.length}`;
      for (const [i, value] of x.entries()) stack.push({ a: value, b: y[i], at: `${at}.member(${i})` });
      break;
    }
    case 'Date':
    case 'Boxed':
      stack.push({ a: primitiveOf(a), b: primitiveOf(b), at: `${at}.valueOf()` });
      break;
    case 'RegExp':
      if (shown(a) !== shown(b)) return `${at}: ${shown(a)} / ${shown(b)}`;
      break;
    case 'Buffer':
      return bufferDifference(a as ArrayBuffer, b as ArrayBuffer, at);
    default:
      if (ArrayBuffer.isView(a)) {
        const [x, y] = [a as Uint8Array, b as Uint8Array];
        const [i, j] = [`${x.byteOffset}+${x.byteLength}`, `${y.byteOffset}+${y.byteLength}`];
        if (i !== j) return `${at}: view at ${i} / ${j}`;
        stack.push({ a: x.buffer, b: y.buffer, at: `${at}.buffer` });
      }
  }
  return propertyDifference(a, b, at, stack);
}

function propertyDifference(a: object, b: object, at: string, stack: Pair[]): string | undefined {
  const [keys, others] = [keysOf(a), keysOf(b)];
  if (keys.length !== others.length || keys.some((key, i) => key !== others[i])) {
    return `${at}: keys ${keys.map(String)} / ${others.map(String)}`;
  }
  for (const key of keys) {
    const [x, y] = [Object.getOwnPropertyDescriptor(a, key), Object.getOwnPropertyDescriptor(b, key)];
    if (x?.enumerable !== y?.enumerable)
      return `${at}.${String(key)}: enumerable ${x?.enumerable} / ${y?.enumerable}`;
    // An accessor is saved as its value (and a new Node's `stack` is one).
    const read = (owner: object, property: PropertyDescriptor | undefined): unknown =>
      property?.get === undefined ? property?.value : (owner as Record<PropertyKey, unknown>)[key];
    stack.push({ a: read(a, x), b: read(b, y), at: `${at}.${String(key)}` });
  }
  return undefined;
}

/** Own keys; a typed array's indexes are left to its buffer. */
function keysOf(value: object): PropertyKey[] {
  if (!ArrayBuffer.isView(value)) return Reflect.ownKeys(value);
  const length = types.isDataView(value) ? 0 : typedArrayLength.call(value);
  return length > 10_000 ? [] : Reflect.ownKeys(value).slice(length);
}

function bufferDifference(a: ArrayBuffer, b: ArrayBuffer, at: string): string | undefined {
  const nature = (buffer: ArrayBuffer): string => {
    const { resizable, growable, maxByteLength } = buffer as unknown as Record<string, unknown>;
    return `${buffer.byteLength} bytes, ${String(resizable ?? growable ?? false)}, up to ${String(maxByteLength)}`;
  };
  if (nature(a) !== nature(b)) return `${at}: ${nature(a)} / ${nature(b)}`;
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0 ? undefined : `${at}: bytes differ`;
}

function primitiveOf(value: object): unknown {
  if (types.isDate(value)) return Date.prototype.getTime.call(value);
  const prototypes = [Number, String, Boolean, BigInt, Symbol].map((boxed) => boxed.prototype);
  for (const prototype of prototypes) {
    try {
      return (prototype.valueOf as (this: object) => unknown).call(value);
    } catch {
      // Of another type.
    }
  }
  return undefined;
}

const shown = (value: object): string => RegExp.prototype.toString.call(value);

function brand(value: object): string {
  if (Array.isArray(value)) return 'Array';
  if (types.isMap(value)) return 'Map';
  if (types.isSet(value)) return 'Set';
  if (types.isDate(value)) return 'Date';
  if (types.isRegExp(value)) return 'RegExp';
  if (types.isNativeError(value)) return 'Error';
  if (types.isBoxedPrimitive(value)) return 'Boxed';
  if (types.isAnyArrayBuffer(value)) return 'Buffer';
  if (types.isDataView(value)) return 'DataView';
  return typedArrayName.call(value) ?? 'Object';
}
