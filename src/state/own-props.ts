/**
 * Says which own properties a built-in object has besides those that make it what it is.
 *
 * An array or typed array can carry named properties, which must be kept or refused, never dropped. JavaScript
 * lists own names only together with every index: 75 ms for an array of 10^6 (480 ms with symbols), on each
 * save. `util.inspect` lists the named ones alone, in about a microsecond whatever the length, so its text is
 * used as a test: text that ends as a bare object's does means nothing else is there. Any other text, be it
 * for a further property or because a future Node prints another way, leads to the exact, slow list.
 *
 * Must not call code of the caller: the object's own 'constructor' and symbol keys, which inspect would look at,
 * are ruled out first, and custom inspection is off.
 *
 * A limit: asking for non-enumerable properties of a typed array makes inspect print its buffer too (4 us instead
 * of 1), so a long typed array is asked for those when it is first seen, and afterwards for enumerable ones.
 */

import { type InspectOptions, inspect } from 'node:util';

const { getOwnPropertyNames, getOwnPropertySymbols, hasOwn } = Object;
const { ownKeys } = Reflect;
const NONE: readonly string[] = [];

/** From this length on inspect is quicker than the list of names (100-element arrays: 950 ns either way). */
const INSPECT_ARRAY_MIN = 100;
const INSPECT_VIEW_MIN = 32;

const ENUMERABLE: InspectOptions = {
  breakLength: Number.POSITIVE_INFINITY,
  colors: false,
  compact: 3,
  customInspect: false,
  depth: 0,
  getters: false,
  maxArrayLength: 0,
  maxStringLength: 0,
  numericSeparator: false,
  showHidden: false,
  showProxy: false,
  sorted: false,
};
const ALL: InspectOptions = { ...ENUMERABLE, showHidden: true };

/** How a bare typed array ends, its intrinsic properties shown; a Buffer's prototype adds two getters. */
const BARE_VIEW_END = /\[buffer\]: \w+ \{[^{}\n]*\}(?:, parent: \[Getter\], offset: \[Getter\])?\s\]$/;

/** Long typed arrays once found without any property of their own. */
const vetted = new WeakSet<object>();

/** Empty where inspect fails, as it does on a view that was given another 'length'. */
function shown(value: object, options: InspectOptions): string {
  try {
    return inspect(value, options);
  } catch {
    return '';
  }
}

/** Own names of a built-in beside the first `intrinsic` ones, which the engine itself defines. */
export function extraNames(value: object, intrinsic: number): readonly string[] {
  const names = getOwnPropertyNames(value);
  return names.length === intrinsic ? NONE : names.slice(intrinsic);
}

export function hasSymbolKeys(value: object): boolean {
  return getOwnPropertySymbols(value).length !== 0;
}

/** True of a short array with no property, named or by a symbol, beside its elements and its length. */
export function isBareShortArray(array: readonly unknown[]): boolean {
  if (array.length >= INSPECT_ARRAY_MIN) return false;
  // Indexes come first, then 'length', then all else, symbols last.
  const keys = ownKeys(array);
  return keys[keys.length - 1] === 'length';
}

/** Named own properties of an array. Symbol keys must have been ruled out. */
export function extraArrayNames(array: readonly unknown[]): readonly string[] {
  const length = array.length;
  if (length >= INSPECT_ARRAY_MIN && !hasOwn(array, 'constructor')) {
    if (shown(array, ALL).endsWith(` [length]: ${length} ]`)) return NONE;
  }
  // Indexes come first, then 'length', which every array has from the start, then all else.
  const names = getOwnPropertyNames(array);
  if (names[names.length - 1] === 'length') return NONE;
  return names.slice(names.lastIndexOf('length') + 1);
}

/** Named own properties of a typed array of this length. Symbol keys must have been ruled out. */
export function extraViewNames(view: object, length: number): readonly string[] {
  if (length >= INSPECT_VIEW_MIN && !hasOwn(view, 'constructor')) {
    if (vetted.has(view)) {
      if (shown(view, ENUMERABLE).endsWith(` [ ... ${length} more items ]`)) return NONE;
    } else if (BARE_VIEW_END.test(shown(view, ALL))) {
      vetted.add(view);
      return NONE;
    }
  }
  return extraNames(view, length);
}
