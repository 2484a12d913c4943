/**
 * Retention policies as people write them, and checked.
 *
 * A policy that would keep nothing, or has a key that is mistyped, is refused: what gc drops is gone. A checked
 * policy is plain data and a policy itself, so it may be sent to a thread, stored, and checked again.
 */

import { parseDuration, parseSize } from '../base/units.js';
import { compileGlob } from './retention-tags.js';

/**
 * Which snapshots to keep: those that any rule keeps. Counts and durations hold for each run by itself.
 *
 * Always kept besides: the newest snapshot of each run, and what is in use. `docs/retention.md` explains each rule.
 */
export interface RetentionPolicy {
  /** The newest so many. */
  last?: number | undefined;
  /** Those whose step is a multiple of this. */
  every?: number | undefined;
  /** Those made at most so long before the newest: `'7d'`, or milliseconds. */
  within?: string | number | undefined;
  /** The newest of each of the last so many hours (UTC) that have one. */
  hourly?: number | undefined;
  /** The same for days (UTC). */
  daily?: number | undefined;
  /** The same for weeks (Monday to Sunday, UTC). */
  weekly?: number | undefined;
  /** Globs: only tags that match one keep their snapshot. Default: every tag does. */
  tags?: string | readonly string[] | undefined;
  /** Of what the rules keep, drop the oldest until the rest fits: `'20GB'`, or bytes. Alone: keep all that fits. */
  maxBytes?: number | string | undefined;
}

/** A checked policy: durations in milliseconds, sizes in bytes, rules that keep nothing left out. */
export interface Policy {
  readonly last?: number;
  readonly every?: number;
  readonly within?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly tags?: readonly string[];
  readonly maxBytes?: number;
}

type Key = keyof RetentionPolicy;
type Checks = { [K in Key]: (value: unknown, key: K) => Policy[K] };

const CHECKS: Checks = {
  last: checkCount,
  every: checkEvery,
  within: checkWithin,
  hourly: checkCount,
  daily: checkCount,
  weekly: checkCount,
  tags: checkTags,
  maxBytes: checkMaxBytes,
};
const KEYS = Object.keys(CHECKS) as Key[];

/**
 * The policy, checked. What has a wrong type or form is a TypeError, a number that cannot be meant a RangeError;
 * each names the key, what was given, and what is right.
 */
export function parsePolicy(input: unknown): Policy {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new TypeError(`a retention policy is an object, as in { last: 10, daily: 7 }, not ${show(input)}`);
  }
  const policy: Record<string, unknown> = {};
  let given = 0;
  for (const key in input) {
    if (!isKey(key)) throw unknownKey(key);
    const value: unknown = (input as RetentionPolicy)[key];
    if (value === undefined) continue;
    if (key !== 'maxBytes') given++;
    const checked = (CHECKS[key] as (value: unknown, key: Key) => unknown)(value, key);
    if (checked !== 0) policy[key] = checked;
  }
  const rules = Object.keys(policy).filter((key) => key !== 'maxBytes');
  if (given > 0 && rules.length === 0) {
    throw new RangeError('a retention policy whose rules are all 0 keeps nothing; write a number above 0');
  }
  if (Object.keys(policy).length === 0) {
    throw new RangeError(`a retention policy has at least one of ${KEYS.join(', ')}, as in { last: 10 }`);
  }
  return policy;
}

function checkCount(value: unknown, key: Key): number {
  if (isWhole(value, 0)) return value;
  throw wrongNumber(key, value, `it takes a whole number of snapshots, as in { ${key}: 10 }`);
}

function checkEvery(value: unknown, key: Key): number {
  if (isWhole(value, 1)) return value;
  throw wrongNumber(key, value, 'it takes a whole number of steps from 1, as in { every: 1000 }');
}

function checkWithin(value: unknown, key: Key): number {
  const ms = typeof value === 'string' ? named(key, () => parseDuration(value)) : value;
  if (typeof ms === 'number' && ms > 0 && Number.isFinite(ms)) return ms;
  throw wrongNumber(key, value, "it takes a duration above 0, as in { within: '7d' }, or milliseconds");
}

function checkMaxBytes(value: unknown, key: Key): number {
  const bytes = typeof value === 'string' ? named(key, () => parseSize(value)) : value;
  if (isWhole(bytes, 1)) return bytes;
  throw wrongNumber(key, value, "it takes a size above 0, as in { maxBytes: '20GB' }, or bytes");
}

function checkTags(value: unknown, key: Key): readonly string[] {
  const globs: unknown[] = Array.isArray(value) ? value : [value];
  if (globs.length === 0 || !globs.every((glob) => typeof glob === 'string' && glob !== '')) {
    throw new TypeError(`tags is ${show(value)}; it takes a glob or several, as in { tags: 'good-*' }`);
  }
  for (const glob of globs as string[]) named(key, () => compileGlob(glob));
  return [...(globs as string[])];
}

/** Anything but a number or a text has the wrong type; NaN and what is out of range are wrong values. */
function wrongNumber(key: Key, value: unknown, right: string): Error {
  const message = `${key} is ${show(value)}; ${right}`;
  const isText = typeof value === 'string' && (key === 'within' || key === 'maxBytes');
  return typeof value === 'number' || isText ? new RangeError(message) : new TypeError(message);
}

function isWhole(value: unknown, lowest: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= lowest;
}

/** What `parse` returns; what it throws begins with the key. */
function named<T>(key: Key, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const Kind = error instanceof RangeError ? RangeError : TypeError;
    throw new Kind(`${key} ${error instanceof Error ? error.message : String(error)}`);
  }
}

function isKey(name: string): name is Key {
  return Object.hasOwn(CHECKS, name);
}

function unknownKey(name: string): TypeError {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z]/g, '')
    .replace(/^keep/, '');
  const near = KEYS.find((key) => editDistance(plain, key.toLowerCase()) <= 2);
  const hint = near ? `did you mean ${near}? ` : '';
  return new TypeError(`a retention policy has no ${show(name)}; ${hint}there are: ${KEYS.join(', ')}`);
}

/** How many letters must be put in, taken out or replaced (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] as number) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** A value in a message: `"7d"`, `NaN`, `an object`. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'function' ? 'a function' : String(value);
}
