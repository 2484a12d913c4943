/**
 * Makes instances of registered classes from what was saved of them: their own fields, or what [Snap.encode] gave;
 * brought to the current version first where it differs.
 *
 * Invariants
 *  - a class that is not registered, or is no longer what it was, is refused with what to do about it
 *  - an instance of a class with [Snap.decode] exists only after its data is complete; all others exist from the start,
 *    so that they may be in cycles
 */

import type { Builder } from './build.js';
import { classOf, type GraphNode } from './graph.js';
import { type Base, baseName, baseOf, ORDINARY } from './intrinsics.js';
import { define } from './objects.js';
import { kindOf, register } from './refuse.js';
import type { ClassEntry } from './registry.js';
import * as tag from './tags.js';

/** The registered class of a node that names one. */
export function entryOf(builder: Builder, node: GraphNode): ClassEntry {
  const { name } = classOf(node);
  const entry = builder.registry.byName(name);
  if (entry === undefined) {
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `was saved as an instance of ${name}, a class that is not registered: ${register(name)}`,
    );
  }
  const base = baseOfNode(node);
  if (base !== undefined && base === entry.base && base !== ORDINARY) refuseChanged(builder, node, entry);
  if (base !== undefined && base !== entry.base) {
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `was saved as ${baseName(base)}, and ${name} is now ${baseName(entry.base)}: restore it with the class it was saved with`,
    );
  }
  return entry;
}

/** A subclass of a built-in that was saved as one is restored as one or not at all: it has no fields to migrate. */
function refuseChanged(builder: Builder, node: GraphNode, entry: ClassEntry): void {
  if (entry.decode !== undefined)
    throw changedForm(builder, node, `as ${baseName(entry.base)}`, 'has [Snap.decode]');
  if (!isMigrating(node, entry)) return;
  throw builder.error(
    'SNAP_UNSUPPORTED',
    node,
    `was saved by version ${classOf(node).version} of ${entry.name}, which is now at version ${entry.version}, and a ` +
      'subclass of a built-in cannot be migrated by its fields: save such classes through [Snap.encode] and [Snap.decode]',
  );
}

/** True for an instance that only [Snap.decode] can make, from complete data. */
export function isLate(node: GraphNode, entry: ClassEntry): boolean {
  return entry.decode !== undefined && (node.tag === tag.T_OBJECT || node.tag === tag.T_DICT);
}

/** An instance saved by its fields. */
export function finishInstance(
  builder: Builder,
  node: GraphNode,
  positions: ReadonlySet<number> | undefined,
): void {
  const entry = entryOf(builder, node);
  if (!isMigrating(node, entry)) {
    if (entry.decode !== undefined) throw changedForm(builder, node, 'by its fields', 'has [Snap.decode]');
    builder.assign(node.made as object, node.keys, node.children, positions);
    return;
  }
  if (positions !== undefined) {
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `was saved by another version of ${entry.name} and is migrated as a whole: ask for it, not for parts of it`,
    );
  }
  const fields = {};
  builder.assign(fields, node.keys, node.children);
  const data = migrated(builder, node, entry, fields);
  if (entry.decode !== undefined) node.made = decoded(builder, node, entry, data);
  else takeFields(builder, node, entry, data);
}

/** The fields, in their current form, of an instance that a live object stands for. */
export function migrateFields(builder: Builder, node: GraphNode): object {
  const entry = entryOf(builder, node);
  const fields = {};
  builder.assign(fields, node.keys, node.children);
  return fieldsOf(builder, node, entry, migrated(builder, node, entry, fields));
}

/** An instance saved as what [Snap.encode] gave. */
export function decodeInstance(builder: Builder, node: GraphNode): void {
  const entry = entryOf(builder, node);
  let data = builder.resolve(node.children[0]);
  if (isMigrating(node, entry)) data = migrated(builder, node, entry, data);
  else if (entry.decode === undefined)
    throw changedForm(builder, node, 'through [Snap.encode]', 'has no [Snap.decode]');
  if (entry.decode !== undefined) {
    node.made = decoded(builder, node, entry, data);
  } else {
    if (entry.base !== ORDINARY)
      throw changedForm(builder, node, 'through [Snap.encode]', `is ${baseName(entry.base)}`);
    node.made = Object.create(entry.prototype) as object;
    takeFields(builder, node, entry, data);
  }
}

export function isMigrating(node: GraphNode, entry: ClassEntry): boolean {
  return classOf(node).version !== entry.version;
}

function migrated(builder: Builder, node: GraphNode, entry: ClassEntry, data: unknown): unknown {
  const { version } = classOf(node);
  if (entry.migrate === undefined) {
    const advice =
      version > entry.version
        ? 'restore it with a program of that version'
        : `give ${entry.name} static [Snap.migrate](data, from)`;
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `was saved by version ${version} of ${entry.name}, which is now at version ${entry.version}: ${advice}`,
    );
  }
  try {
    return entry.migrate(data, version);
  } catch (error) {
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `is a ${entry.name} whose [Snap.migrate] threw: see the cause`,
      error,
    );
  }
}

function decoded(builder: Builder, node: GraphNode, entry: ClassEntry, data: unknown): object {
  let instance: unknown;
  try {
    instance = entry.decode?.(data);
  } catch (error) {
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `is a ${entry.name} whose [Snap.decode] threw: see the cause`,
      error,
    );
  }
  if (
    typeof instance === 'object' &&
    instance !== null &&
    Object.getPrototypeOf(instance) === entry.prototype
  ) {
    return instance;
  }
  throw builder.error(
    'SNAP_UNSUPPORTED',
    node,
    `is a ${entry.name} whose [Snap.decode] returned ${kindOf(instance)}, not an instance of ${entry.name} itself`,
  );
}

function takeFields(builder: Builder, node: GraphNode, entry: ClassEntry, data: unknown): void {
  for (const [key, value] of Object.entries(fieldsOf(builder, node, entry, data))) {
    define(node.made as object, key, value, true);
  }
}

function fieldsOf(builder: Builder, node: GraphNode, entry: ClassEntry, data: unknown): object {
  if (typeof data === 'object' && data !== null) return data;
  throw builder.error(
    'SNAP_UNSUPPORTED',
    node,
    `is a ${entry.name} whose [Snap.migrate] returned no object of fields`,
  );
}

function changedForm(builder: Builder, node: GraphNode, was: string, now: string): Error {
  const { name } = classOf(node);
  return builder.error(
    'SNAP_UNSUPPORTED',
    node,
    `was saved ${was}, and ${name} now ${now}: raise its [Snap.version] and give it static [Snap.migrate](data, from)`,
  );
}

/** What an instance was saved as; undefined for encoded data, which fits any class. */
function baseOfNode(node: GraphNode): Base | undefined {
  switch (node.tag) {
    case tag.T_OBJECT:
    case tag.T_DICT:
      return ORDINARY;
    case tag.T_INT32_LIST:
    case tag.T_FLOAT64_LIST:
      return baseOf(tag.T_ARRAY);
    case tag.T_ENCODED:
      return undefined;
    case tag.T_BOXED:
      return baseOf(
        tag.T_BOXED,
        ['number', 'string', 'boolean', 'bigint', 'symbol'].indexOf(typeof node.detail?.value),
      );
    case tag.T_ERROR:
    case tag.T_VIEW:
      return baseOf(node.tag, node.detail?.type);
    default:
      return baseOf(node.tag);
  }
}
