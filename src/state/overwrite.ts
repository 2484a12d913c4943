/**
 * `into`, second half: makes the content of live objects equal to what was saved.
 *
 * What only the live side has is removed, what only the snapshot has is added, and keys, Map entries and Set members
 * end in the snapshot's order: a live state ends up as a plain restore would be, but for the identity of what was
 * reused. Own accessors of a live object are replaced by the saved value, as restore gives it; properties that no
 * snapshot holds (symbol keys, non-enumerable ones) are left alone.
 *
 * Invariants
 *  - `checkOverwrite` changes nothing, and what it lets pass does not throw here
 *  - bytes are written only where they differ, in ranges of 64 KiB, so that pages nobody changed stay clean
 *  - no setter runs
 */

import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { KiB } from '../base/sizes.js';
import type { Builder } from './build.js';
import { type GraphNode, HoleRun, isNode, NO_KEYS, PARTIAL } from './graph.js';
import { type AnyBuffer, typedArrayLength } from './intrinsics.js';
import { define } from './objects.js';
import { extraArrayNames, extraViewNames } from './own-props.js';
import * as tag from './tags.js';

const { getOwnPropertyDescriptor, getOwnPropertyNames, hasOwn, is, isExtensible } = Object;
const { isArray } = Array;
const isEnumerable = Object.prototype.propertyIsEnumerable;
const RANGE_BYTES = 64 * KiB;

/** Copies `from` over the start of `to` where they differ. */
export function rewriteBytes(to: AnyBuffer, from: AnyBuffer | Uint8Array): void {
  const target = Buffer.from(to);
  const source =
    from instanceof Uint8Array
      ? Buffer.from(from.buffer, from.byteOffset, from.byteLength)
      : Buffer.from(from);
  for (let at = 0; at < source.byteLength; at += RANGE_BYTES) {
    const end = Math.min(at + RANGE_BYTES, source.byteLength);
    if (target.compare(source, at, end, at, end) !== 0) source.copy(target, at, at, end);
  }
}

/** Refuses a live object that a change it needs cannot be made to: frozen, sealed, or with a fixed property. */
export function checkOverwrite(builder: Builder, node: GraphNode): void {
  const live = node.made as object;
  if (isArray(live)) checkArray(builder, node, live);
  else if (isFields(node)) checkFields(builder, node, live, node.keys, node.children);
  if (!isFields(node) && node.want !== PARTIAL) {
    const { extraKeys = NO_KEYS, extraValues = [] } = node.detail ?? {};
    checkFields(builder, node, live, extraKeys, extraValues, true);
  }
}

function checkFields(
  builder: Builder,
  node: GraphNode,
  live: object,
  keys: readonly string[],
  values: readonly unknown[],
  areExtras = false,
): void {
  const partial = node.want === PARTIAL;
  for (let i = 0; i < keys.length; i++) {
    if (partial && node.kept?.has(i) !== true) continue;
    const key = keys[i] as string;
    const property = getOwnPropertyDescriptor(live, key);
    if (property === undefined) {
      if (!isExtensible(live))
        throw fixed(builder, node, `cannot take the key ${JSON.stringify(key)}, being frozen or sealed`);
    } else if (
      property.configurable !== true &&
      property.writable !== true &&
      !is(property.value, finalValue(values[i]))
    ) {
      throw fixed(builder, node, `has a property ${JSON.stringify(key)} that cannot be written`);
    }
  }
  if (partial) return;
  const kept = new Set(keys);
  for (const key of areExtras ? extrasOf(live) : enumerableNames(live)) {
    if (!kept.has(key) && getOwnPropertyDescriptor(live, key)?.configurable !== true) {
      throw fixed(
        builder,
        node,
        `has a property ${JSON.stringify(key)} that the snapshot does not have and that cannot be deleted`,
      );
    }
  }
}

function checkArray(builder: Builder, node: GraphNode, live: readonly unknown[]): void {
  const length = node.detail?.length ?? node.children.length;
  if (isExtensible(live) && getOwnPropertyDescriptor(live, 'length')?.writable === true) return;
  const same =
    live.length === length &&
    node.detail?.length === undefined &&
    node.children.every((child, i) => {
      const property = getOwnPropertyDescriptor(live, i);
      return property !== undefined && (property.writable === true || is(property.value, finalValue(child)));
    });
  if (!same) throw fixed(builder, node, 'is an array that is frozen or sealed and would have to change');
}

/** What will stand there, as far as it is a live object or a primitive; else the node, which equals nothing live. */
function finalValue(child: unknown): unknown {
  return isNode(child) ? (child.made ?? child) : child;
}

function fixed(builder: Builder, node: GraphNode, text: string): Error {
  return builder.error('SNAP_MISMATCH', node, `in the live state ${text}`);
}

/** Makes the live object that stands for this node equal to it. */
export function overwrite(builder: Builder, node: GraphNode): void {
  const live = node.made as object;
  const positions = node.want === PARTIAL ? node.kept : undefined;
  switch (node.tag) {
    case tag.T_ARRAY:
    case tag.T_INT32_LIST:
    case tag.T_FLOAT64_LIST:
      overwriteArray(builder, node, live as unknown[], positions);
      break;
    case tag.T_MAP:
      overwriteMap(builder, node, live as Map<unknown, unknown>, positions);
      break;
    case tag.T_SET:
      overwriteSet(builder, node, live as Set<unknown>);
      break;
    case tag.T_VIEW:
      break;
    default:
      overwriteFields(live, node.keys, (i) => builder.resolve(node.children[i]), positions);
      return;
  }
  if (positions === undefined) overwriteExtras(builder, node, live);
}

/** Positions are those of `keys` to write, leaving all else; undefined to make the object have just these keys. */
export function overwriteFields(
  live: object,
  keys: readonly string[],
  valueAt: (i: number) => unknown,
  positions?: ReadonlySet<number>,
): void {
  if (positions === undefined) alignKeys(live, enumerableNames(live), keys);
  for (let i = 0; i < keys.length; i++) {
    if (positions === undefined || positions.has(i)) put(live, keys[i] as string, valueAt(i));
  }
}

/** Deletes what the snapshot does not have, and whatever stands behind the first key that is out of order. */
function alignKeys(live: object, own: readonly string[], keys: readonly string[]): void {
  const wanted = new Set(keys);
  const kept = own.filter((key) => wanted.has(key));
  let ordered = 0;
  while (ordered < kept.length && kept[ordered] === keys[ordered]) ordered++;
  if (ordered === own.length) return;
  for (const key of own) if (!wanted.has(key)) Reflect.deleteProperty(live, key);
  // A property that cannot be deleted keeps its place: its value is what matters.
  for (const key of kept.slice(ordered)) Reflect.deleteProperty(live, key);
}

function put(live: object, key: string | number, value: unknown): void {
  const property = getOwnPropertyDescriptor(live, key);
  if (property === undefined || property.writable === undefined || !property.enumerable)
    define(live, String(key), value, true);
  else if (!is(property.value, value)) {
    if (property.writable) (live as Record<string | number, unknown>)[key] = value;
    else define(live, String(key), value, true);
  }
}

function overwriteArray(
  builder: Builder,
  node: GraphNode,
  live: unknown[],
  positions: ReadonlySet<number> | undefined,
): void {
  const length = node.detail?.length ?? node.children.length;
  if (positions === undefined && live.length !== length) live.length = length;
  let index = 0;
  for (let i = 0; i < node.children.length; i++) {
    const child = node.children[i];
    if (child instanceof HoleRun) {
      if (positions === undefined) clearRange(live, index, index + child.count);
      index += child.count;
      continue;
    }
    if (positions === undefined || positions.has(i)) {
      const value = builder.resolve(child);
      if (!is(live[index], value) || (value === undefined && !hasOwn(live, index))) put(live, index, value);
    }
    index++;
  }
}

/** Makes holes of a range that may be 2^32 long, of which the array has few elements. */
function clearRange(live: unknown[], from: number, to: number): void {
  if (to - from < 1024) {
    for (let i = from; i < to; i++) Reflect.deleteProperty(live, i);
    return;
  }
  for (const key of Object.keys(live)) {
    const index = Number(key);
    if (index >= from && index < to) Reflect.deleteProperty(live, key);
  }
}

const { clear: mapClear, entries: mapEntries, get: mapGet, set: mapSet } = Map.prototype;
const { add: setAdd, clear: setClear, values: setValues } = Set.prototype;

function overwriteMap(
  builder: Builder,
  node: GraphNode,
  live: Map<unknown, unknown>,
  positions: ReadonlySet<number> | undefined,
): void {
  const pairs: [unknown, unknown][] = [];
  for (let i = 0; i < node.children.length; i += 2) {
    if (positions !== undefined && !positions.has(i + 1)) continue;
    pairs.push([builder.resolve(node.children[i]), builder.resolve(node.children[i + 1])]);
  }
  if (positions === undefined) {
    const own = [...mapEntries.call(live)];
    const inOrder = own.length === pairs.length && own.every(([key], i) => is(key, pairs[i]?.[0]));
    if (!inOrder) mapClear.call(live);
  }
  for (const [key, value] of pairs) {
    if (value === undefined || !is(mapGet.call(live, key), value)) mapSet.call(live, key, value);
  }
}

function overwriteSet(builder: Builder, node: GraphNode, live: Set<unknown>): void {
  const members = node.children.map((child) => builder.resolve(child));
  const own = [...setValues.call(live)];
  if (own.length === members.length && own.every((member, i) => is(member, members[i]))) return;
  setClear.call(live);
  for (const member of members) setAdd.call(live, member);
}

function overwriteExtras(builder: Builder, node: GraphNode, live: object): void {
  const { extraKeys = NO_KEYS, extraValues = [] } = node.detail ?? {};
  alignKeys(live, extrasOf(live), extraKeys);
  for (let i = 0; i < extraKeys.length; i++)
    put(live, extraKeys[i] as string, builder.resolve(extraValues[i]));
}

function enumerableNames(live: object): string[] {
  return getOwnPropertyNames(live).filter((name) => isEnumerable.call(live, name));
}

/** Named enumerable own properties of a built-in. */
function extrasOf(live: object): string[] {
  if (isArray(live)) return extraArrayNames(live).filter((name) => isEnumerable.call(live, name));
  if (!ArrayBuffer.isView(live) || types.isDataView(live)) return enumerableNames(live);
  return extraViewNames(live, typedArrayLength.call(live)).filter((name) => isEnumerable.call(live, name));
}

function isFields(node: GraphNode): boolean {
  return (
    node.tag === tag.T_OBJECT ||
    node.tag === tag.T_DICT ||
    node.tag === tag.T_NULL_OBJECT ||
    node.tag === tag.T_NULL_DICT
  );
}
