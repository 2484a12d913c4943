/**
 * The classes whose instances a state may hold, and what each of them says about its saving.
 *
 * Invariants
 *  - a class is found by its prototype when saving and by its name when restoring; both are unique
 *  - everything is read from the class once, at registration: later changes to its statics have no effect
 *  - a class that cannot be saved by its fields says why (`obstacle`); it is refused when an instance is met
 *
 * Must not run a constructor, and must not look names up anywhere but here: a name in a store selects among
 * registered classes and nothing else.
 */

import { types } from 'node:util';
import { type AnyFunction, BASES, type Base, ORDINARY } from './intrinsics.js';
import { privateObstacle } from './private-fields.js';
import { isNative, kindOf } from './refuse.js';

/** `static [snapEncode](instance)`: anything a state may hold, from which `snapDecode` makes the instance again. */
export const snapEncode: unique symbol = Symbol.for('holdfast.encode') as never;
/** `static [snapDecode](data)`: an instance made of what `snapEncode` returned. */
export const snapDecode: unique symbol = Symbol.for('holdfast.decode') as never;
/** `static [snapVersion]`: a whole number, 0 where absent; raise it when the fields or the encoded data change. */
export const snapVersion: unique symbol = Symbol.for('holdfast.version') as never;
/** `static [snapMigrate](data, from)`: the fields, or encoded data, of version `from` in the current form. */
export const snapMigrate: unique symbol = Symbol.for('holdfast.migrate') as never;
/** `static [snapName]`: the name written to the store, where the class's own may change (minified code). */
export const snapName: unique symbol = Symbol.for('holdfast.name') as never;

export interface ClassEntry {
  readonly name: string;
  readonly prototype: object;
  readonly version: number;
  /** What is inside an instance: nothing special, or the built-in that the class extends. */
  readonly base: Base;
  /** Why instances cannot be saved by their fields; undefined where they can. */
  readonly obstacle: string | undefined;
  readonly encode: ((instance: object) => unknown) | undefined;
  readonly decode: ((data: unknown) => unknown) | undefined;
  readonly migrate: ((data: unknown, from: number) => unknown) | undefined;
  /** A constructor with the class's prototype and an empty body, for Reflect.construct's new.target. */
  readonly newTarget: new () => object;
}

const VERSION_MAX = 2 ** 31 - 1;

export class ClassRegistry {
  readonly #byPrototype = new Map<object, ClassEntry>();
  readonly #byName = new Map<string, ClassEntry>();

  /**
   * @param own classes of this library, which need not be named by the program
   * @throws TypeError for what is not a class of the program, and for two classes of one name
   */
  constructor(classes: Iterable<AnyFunction> = [], own: Iterable<AnyFunction> = []) {
    for (const cls of [...own, ...listOf(classes)]) this.#register(cls);
  }

  byPrototype(prototype: object): ClassEntry | undefined {
    return this.#byPrototype.get(prototype);
  }

  byName(name: string): ClassEntry | undefined {
    return this.#byName.get(name);
  }

  #register(cls: unknown): void {
    const entry = describeClass(cls);
    if (this.#byPrototype.get(entry.prototype) !== undefined) return;
    if (this.#byName.has(entry.name)) {
      throw new TypeError(
        `two classes of the name ${entry.name} are registered: give one of them another with ` +
          "static [Snap.className] = '...'",
      );
    }
    this.#byPrototype.set(entry.prototype, entry);
    this.#byName.set(entry.name, entry);
  }
}

function listOf(classes: Iterable<AnyFunction>): Iterable<AnyFunction> {
  if (typeof classes === 'object' && typeof classes?.[Symbol.iterator] === 'function') return classes;
  throw new TypeError(`classes takes a list, as in { classes: [Particle] }, not ${kindOf(classes)}`);
}

function describeClass(cls: unknown): ClassEntry {
  if (typeof cls !== 'function' || types.isProxy(cls)) {
    throw new TypeError(`classes must hold classes, as in { classes: [Particle] }, not ${kindOf(cls)}`);
  }
  const statics = cls as unknown as Record<symbol | string, unknown>;
  const prototype = Object.getOwnPropertyDescriptor(cls, 'prototype')?.value as unknown;
  if (typeof prototype !== 'object' || prototype === null) {
    throw new TypeError(`${cls.name || 'an anonymous function'} is not a class: it has no prototype`);
  }
  if (isNative(prototype)) {
    throw new TypeError(`${cls.name} is built in: it is kept without registration or not at all`);
  }
  const name = Object.hasOwn(cls, snapName) ? statics[snapName] : cls.name;
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(
      "a registered class needs a name: give it static [Snap.className] = '...' with a string",
    );
  }
  const version = statics[snapVersion] ?? 0;
  if (!Number.isInteger(version) || (version as number) < 0 || (version as number) > VERSION_MAX) {
    throw new TypeError(`${name}[Snap.version] must be a whole number from 0 to ${VERSION_MAX}`);
  }
  const hook = (symbol: symbol, label: string): AnyFunction | undefined => {
    const value = statics[symbol];
    if (value === undefined && symbol in prototype) {
      throw new TypeError(`[Snap.${label}] of ${name} is a member of its instances: make it static`);
    }
    if (value !== undefined && typeof value !== 'function') {
      throw new TypeError(`${name}[Snap.${label}] must be a static method`);
    }
    return value as AnyFunction | undefined;
  };
  const encode = hook(snapEncode, 'encode');
  const decode = hook(snapDecode, 'decode');
  const migrate = hook(snapMigrate, 'migrate');
  if ((encode === undefined) !== (decode === undefined)) {
    const [has, lacks] = encode === undefined ? ['decode', 'encode'] : ['encode', 'decode'];
    throw new TypeError(`${name} has static [Snap.${has}] but no static [Snap.${lacks}]: it needs both`);
  }
  const inside = findBase(prototype);
  return {
    name,
    prototype,
    version: version as number,
    base: inside.base,
    obstacle: encode === undefined ? (inside.obstacle ?? privateObstacle(cls)) : undefined,
    encode: encode && ((instance) => Reflect.apply(encode, cls, [instance])),
    decode: decode && ((data) => Reflect.apply(decode, cls, [data])),
    migrate: migrate && ((data, from) => Reflect.apply(migrate, cls, [data, from])),
    newTarget: emptyConstructor(prototype),
  };
}

function emptyConstructor(prototype: object): new () => object {
  function Empty() {}
  Empty.prototype = prototype;
  return Empty as unknown as new () => object;
}

/** The built-in that a class extends, and whether that is one whose instances nothing but native code can make. */
function findBase(prototype: object): { base: Base; obstacle?: string } {
  for (let up = Object.getPrototypeOf(prototype); up !== null; up = Object.getPrototypeOf(up)) {
    if (up === Object.prototype) break;
    const base = BASES.get(up);
    if (base !== undefined) return { base };
    if (isNative(up)) return { base: ORDINARY, obstacle: `it extends ${up.constructor.name}` };
  }
  return { base: ORDINARY };
}
