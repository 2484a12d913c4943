/**
 * Says why a value cannot be in a state, and what to do about it.
 *
 * Invariants
 *  - whatever is not known to be kept exactly is refused: there is no value for which this module's answer is "fine"
 *  - nothing here runs code of the caller; a Proxy is not even asked for its prototype
 */

import { types } from 'node:util';
import { SnapError } from '../base/errors.js';
import { type AnyFunction, BASES } from './intrinsics.js';
import { stateAt } from './paths.js';
import { privateObstacle } from './private-fields.js';

const { getOwnPropertyDescriptor, getOwnPropertySymbols, getPrototypeOf } = Object;

interface Refusal {
  what: string;
  todo: string;
}

const REBUILD = 'rebuild it after restore, or leave it out of the state';

const ANONYMOUS = 'an anonymous class';

const ITERATOR_PROTOTYPE = getPrototypeOf(getPrototypeOf(function* () {}.prototype));

export function refuse(path: string, what: string, todo: string, cause?: unknown): SnapError {
  const fields = cause === undefined ? { path } : { path, cause };
  return new SnapError('SNAP_UNSUPPORTED', `${stateAt(path)} ${what}: ${todo}`, fields);
}

/** The error for a value that no kept kind matches. `registered` has the names of the classes that are. */
export function refuseValue(path: string, value: unknown, registered: Names = NO_NAMES): SnapError {
  const { what, todo } = explain(value, registered);
  return refuse(path, what, todo);
}

/** A set of names. */
interface Names {
  byName(name: string): unknown;
}

const NO_NAMES: Names = { byName: () => undefined };

/** Where an encode is. */
interface Place {
  path(key?: string): string;
}

/** The error for an object whose own properties are not all enumerable and named by strings. */
export function refuseProperties(at: Place, value: object, names: readonly string[]): SnapError {
  const [symbol] = getOwnPropertySymbols(value);
  const prototype = getPrototypeOf(value) as object | null;
  const isPlain = prototype === null || prototype === Object.prototype;
  if (isPlain && disguise(value) !== undefined) return refuseValue(at.path(), value);
  if (symbol !== undefined) {
    const what = `has the symbol key ${String(symbol)}`;
    return refuse(at.path(), what, 'keep what belongs to the state under a string key');
  }
  const hidden = names.find((name) => getOwnPropertyDescriptor(value, name)?.enumerable === false);
  return hidden === undefined ? refuseValue(at.path(), value) : refuseHidden(at, hidden);
}

export function refuseHidden(at: Place, name: string): SnapError {
  const todo = 'make it enumerable, or keep it outside of the state';
  return refuse(at.path(name), 'is a non-enumerable property', todo);
}

/** Why an object with a plain prototype is not a plain object; undefined for one that is. */
export function disguise(value: object): string | undefined {
  if (types.isExternal(value)) return 'a native handle';
  if (types.isArgumentsObject(value)) return 'an arguments object';
  if (types.isModuleNamespaceObject(value)) return 'a module namespace';
  if (types.isPromise(value)) return 'a promise';
  if (types.isGeneratorObject(value)) return 'a generator';
  if (types.isMapIterator(value) || types.isSetIterator(value)) return 'an iterator';
  if (types.isWeakMap(value)) return 'a WeakMap';
  if (types.isWeakSet(value)) return 'a WeakSet';
  if (types.isMap(value)) return 'a Map';
  if (types.isSet(value)) return 'a Set';
  if (types.isDate(value)) return 'a Date';
  if (types.isRegExp(value)) return 'a RegExp';
  if (types.isNativeError(value)) return 'an Error';
  if (types.isBoxedPrimitive(value)) return 'a boxed primitive';
  if (types.isAnyArrayBuffer(value)) return 'a buffer';
  if (ArrayBuffer.isView(value)) return 'a view';
  if (Array.isArray(value)) return 'an array';
  return undefined;
}

function explain(value: unknown, registered: Names): Refusal {
  if (typeof value === 'function') {
    return {
      what: `is a function${nameOf(value)}`,
      todo: 'keep data in the state and functions in the program',
    };
  }
  if (typeof value === 'symbol') {
    return Symbol.keyFor(value) === undefined
      ? {
          what: `is a local symbol (${String(value)})`,
          todo: 'make it with Symbol.for(key), which restore can find again',
        }
      : { what: 'is a symbol', todo: 'leave it out of the state' };
  }
  if (typeof value !== 'object' || value === null)
    return { what: 'cannot be saved', todo: 'leave it out of the state' };
  if (value === globalThis)
    return { what: 'is the global object', todo: 'put into the state what you need of it' };
  if (types.isProxy(value)) {
    return {
      what: 'is a Proxy',
      todo: 'put the object behind it into the state, and make the Proxy anew after restore',
    };
  }
  return explainBranded(value) ?? explainByPrototype(value, registered);
}

function explainBranded(value: object): Refusal | undefined {
  if (types.isPromise(value))
    return { what: 'is a promise', todo: 'await it before saving and keep its result' };
  if (types.isGeneratorObject(value)) {
    return {
      what: 'is a generator',
      todo: 'its position cannot be read: keep what it has produced, and make it anew',
    };
  }
  if (types.isMapIterator(value) || types.isSetIterator(value)) return iterator();
  if (types.isWeakMap(value))
    return { what: 'is a WeakMap', todo: 'it cannot be listed: use a Map, or rebuild it after restore' };
  if (types.isWeakSet(value))
    return { what: 'is a WeakSet', todo: 'it cannot be listed: use a Set, or rebuild it after restore' };
  if (types.isExternal(value)) return { what: 'is a native handle', todo: REBUILD };
  if (types.isCryptoKey?.(value))
    return { what: 'is a CryptoKey', todo: 'export it first, or import it again after restore' };
  if (types.isKeyObject?.(value))
    return { what: 'is a KeyObject', todo: 'export it first, or load it again after restore' };
  return undefined;
}

function iterator(): Refusal {
  return {
    what: 'is an iterator',
    todo: 'its position cannot be read: keep an index or the remaining items',
  };
}

function explainByPrototype(value: object, registered: Names): Refusal {
  const prototype = getPrototypeOf(value);
  const kind = disguise(value);
  if (prototype === null || prototype === Object.prototype) {
    return { what: `is ${kind ?? 'a host object'} behind a plain prototype`, todo: REBUILD };
  }
  for (let up: object | null = prototype; up !== null; up = types.isProxy(up) ? null : getPrototypeOf(up)) {
    if (up === ITERATOR_PROTOTYPE) return iterator();
  }
  const name = constructorName(prototype);
  if (name === undefined && types.isNativeError(value)) {
    // Node's own errors: their prototypes have no constructor, and nothing else leads to them.
    return {
      what: 'is an error of an internal class',
      todo: 'keep its name, message, code and stack in a new Error or a plain object',
    };
  }
  if (name === undefined) {
    return {
      what: 'is an object whose prototype is another object, not a class',
      todo: 'make it a plain object or an instance of a registered class',
    };
  }
  if (BASES.has(prototype)) {
    return {
      what: `has the prototype of ${name} but is no ${name}`,
      todo: 'leave prototypes of built-ins as they are',
    };
  }
  if (name === 'WeakRef') {
    return { what: 'is a WeakRef', todo: 'keep the object itself, or make the reference anew after restore' };
  }
  if (isNative(prototype)) {
    if (!REALM_CLASSES.has(name) || isOwnGlobal(prototype, name))
      return { what: `is a ${name}`, todo: REBUILD };
    return {
      what: `is of the type ${name} of another realm (a vm context)`,
      todo: 'copy it into an object of this realm before saving',
    };
  }
  if (HOST_CLASSES.has(name) && isOwnGlobal(prototype, name)) return { what: `is a ${name}`, todo: REBUILD };
  return explainClass(prototype, name, registered);
}

function explainClass(prototype: object, name: string, registered: Names): Refusal {
  const made = getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
  if (registered.byName(name) !== undefined) {
    return {
      what: `is an instance of another ${name} than the class of that name that is registered`,
      todo: "register it too, with a static [Snap.className] = '...' of its own, or load its module only once",
    };
  }
  if (name === ANONYMOUS) {
    return {
      what: 'is an instance of an anonymous class, which is not registered',
      todo: 'give the class a name and register it, or leave its instances out of the state',
    };
  }
  const what = `is an instance of ${name}, a class that is not registered`;
  const obstacle = typeof made === 'function' ? privateObstacle(made as AnyFunction) : undefined;
  if (obstacle === undefined) return { what, todo: `${register(name)}, or leave it out of the state` };
  return { what, todo: `${register(name)}; and as ${obstacle}, ${giveHooks(name)}` };
}

/** What to do about a class that is not registered. */
export function register(name: string): string {
  return `add it where the store is opened, as in Snap.open(directory, { classes: [${name}] })`;
}

/** What to do about a class that cannot be saved by its fields. */
export function giveHooks(name: string): string {
  return `give ${name} static [Snap.encode](instance) and static [Snap.decode](data)`;
}

/** True for the prototype of a constructor written in native code: only that can make or read its instances. */
export function isNative(prototype: object): boolean {
  const made = types.isProxy(prototype)
    ? undefined
    : getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  return typeof made === 'function' && sourceOf.call(made).endsWith('{ [native code] }');
}

const sourceOf = Function.prototype.toString;

/** Globals that Node writes in JavaScript: registering them would keep an empty shell. */
const HOST_CLASSES = new Set(
  `AbortController AbortSignal Blob BroadcastChannel CompressionStream CryptoKey DecompressionStream DOMException Event
  EventTarget File FormData Headers MessageChannel MessagePort Performance ReadableStream Request Response TextDecoder
  TextEncoder TransformStream URL URLSearchParams WebSocket WritableStream`.split(/\s+/),
);

function isOwnGlobal(prototype: object, name: string): boolean {
  const value = (globalThis as Record<string, unknown>)[name];
  return typeof value === 'function' && getOwnPropertyDescriptor(value, 'prototype')?.value === prototype;
}

/** Built-ins that every realm has its own of. */
const REALM_CLASSES = new Set(
  `Object Array Map Set Date RegExp Error EvalError RangeError ReferenceError SyntaxError TypeError URIError
  AggregateError Number String Boolean BigInt Symbol ArrayBuffer SharedArrayBuffer DataView Int8Array Uint8Array
  Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array Float16Array Float32Array
  Float64Array`.split(/\s+/),
);

function constructorName(prototype: object): string | undefined {
  if (types.isProxy(prototype)) return undefined;
  const made = getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown;
  if (typeof made === 'function') return nameOf(made).trim() || ANONYMOUS;
  // Temporal, Intl and host prototypes without a constructor still carry a tag.
  const tag = getOwnPropertyDescriptor(prototype, Symbol.toStringTag)?.value as unknown;
  return typeof tag === 'string' && tag !== '' ? tag : undefined;
}

/** What a value is, in a few words: "a Map", "null", "an instance of Foo". */
export function kindOf(value: unknown): string {
  if (value === null || typeof value === 'undefined') return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (types.isProxy(value)) return 'a Proxy';
  const prototype = getPrototypeOf(value);
  if (prototype === null) return 'an object without a prototype';
  if (prototype === Object.prototype) return 'a plain object';
  const name = constructorName(prototype);
  if (name === undefined) return 'an object of another prototype';
  if (!isNative(prototype) && name !== 'Buffer') return `an instance of ${name}`;
  return `${/^[AEIOU]/.test(name) && !name.startsWith('Uint') ? 'an' : 'a'} ${name}`;
}

function nameOf(fn: object): string {
  const name = types.isProxy(fn) ? undefined : (getOwnPropertyDescriptor(fn, 'name')?.value as unknown);
  return typeof name === 'string' && name !== '' ? ` ${name}` : '';
}
