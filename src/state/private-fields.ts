/**
 * Finds out whether a class declares private instance members (`#x`).
 *
 * They are invisible from outside: an instance restored by its fields would lack them and throw at first use, long
 * after the save that lost them. The only witness is the class's source text, which `Function.prototype.toString`
 * gives. Strings, comments and templates are blanked first, so that a '#' in them is not taken for a field.
 *
 * A limit: members that a compiler turned into WeakMaps leave no trace here.
 */

import type { AnyFunction } from './intrinsics.js';

const ENCODE = Symbol.for('holdfast.encode');
const sourceOf = Function.prototype.toString;

/** Comments, strings and whole template literals (with what they interpolate). */
const BLANKED =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|`(?:[^`\\]|\\[\s\S])*`/g;

/** A private name where a class member begins and as a member ends; `static` ones belong to no instance. */
const MEMBER =
  /(?:^|[{};\n])\s*(?:(?:async|get|set|accessor)\s+|\*\s*)*(#[\p{ID_Start}$_][\p{ID_Continue}$]*)\s*[=;({}\n]/u;

/** Name of a private instance member that this class itself declares; undefined where there is none. */
export function privateFieldOf(cls: AnyFunction): string | undefined {
  const source = sourceOf.call(cls);
  if (!source.startsWith('class') || !source.includes('#')) return undefined;
  return MEMBER.exec(source.replace(BLANKED, ' '))?.[1];
}

/**
 * Why instances of a class cannot be saved by their fields, of which nobody outside the class can read some; undefined
 * where they can, or where the class brings [Snap.encode].
 */
export function privateObstacle(cls: AnyFunction): string | undefined {
  if (ENCODE in cls) return undefined;
  for (let up: unknown = cls; typeof up === 'function'; up = Object.getPrototypeOf(up)) {
    const field = privateFieldOf(up as AnyFunction);
    if (field !== undefined) return `its private ${field} cannot be read from outside`;
  }
  return undefined;
}
