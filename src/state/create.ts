/**
 * Makes the empty object for a node: of the right kind and prototype, without content but for what cannot be given
 * later (a date's time, a view's place, a boxed primitive).
 *
 * Invariant: no constructor of the program runs; a class's prototype comes in by way of an empty new.target.
 */

import { Buffer } from 'node:buffer';
import type { Builder } from './build.js';
import { type BufferDetail, bufferOf, type GraphNode, PARTIAL } from './graph.js';
import {
  type AnyBuffer,
  errorConstructor,
  errorName,
  VIEW_BUFFER,
  viewConstructor,
  viewElementBytes,
  viewName,
} from './intrinsics.js';
import { createBoxed, emptyArray, trackUnaligned } from './objects.js';
import type { ClassEntry } from './registry.js';
import { corrupt } from './source.js';
import * as tag from './tags.js';

export function create(builder: Builder, node: GraphNode, entry: ClassEntry | undefined): object {
  const detail = node.detail;
  switch (node.tag) {
    case tag.T_OBJECT:
    case tag.T_DICT:
      return entry === undefined ? {} : Object.create(entry.prototype);
    case tag.T_NULL_OBJECT:
    case tag.T_NULL_DICT:
      return Object.create(null);
    case tag.T_ARRAY:
    case tag.T_INT32_LIST:
    case tag.T_FLOAT64_LIST:
      return createArray(node, entry);
    case tag.T_MAP:
      return entry === undefined ? new Map() : Reflect.construct(Map, [], entry.newTarget);
    case tag.T_SET:
      return entry === undefined ? new Set() : Reflect.construct(Set, [], entry.newTarget);
    case tag.T_DATE:
      return Reflect.construct(Date, [detail?.value], entry?.newTarget ?? Date);
    case tag.T_REGEXP:
      return createRegExp(builder, node, entry);
    case tag.T_BOXED:
      return createBoxed(detail?.value, entry);
    case tag.T_ERROR:
      return createError(builder, node, entry);
    case tag.T_VIEW:
      return createView(builder, node, entry);
    case tag.T_BYTES:
      return createBuffer(builder, node, bufferOf(node));
    case tag.T_REGION:
      return builder.regionSource(bufferOf(node).region);
    default:
      throw builder.error(
        'SNAP_MISMATCH',
        node,
        'is a WebAssembly.Memory, which only its own program can make: pass a live state that holds it as `into`',
      );
  }
}

/** A plain array without holes is the list of its children itself, its nodes still to be replaced. */
function createArray(node: GraphNode, entry: ClassEntry | undefined): object {
  const length = node.detail?.length;
  if (node.want === PARTIAL || length !== undefined) {
    const present = node.want === PARTIAL ? 0 : node.children.length;
    return emptyArray(length ?? node.children.length, present, entry);
  }
  if (entry === undefined && node.children.length === 0) return [];
  return entry === undefined ? node.children : Reflect.construct(Array, [], entry.newTarget);
}

function createRegExp(builder: Builder, node: GraphNode, entry: ClassEntry | undefined): object {
  const { source, flags } = node.detail as { source: string; flags: string };
  try {
    return Reflect.construct(RegExp, [source, flags], entry?.newTarget ?? RegExp) as object;
  } catch (error) {
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `is a regular expression that this Node cannot compile: /${source}/${flags}`,
      error,
    );
  }
}

function createError(builder: Builder, node: GraphNode, entry: ClassEntry | undefined): object {
  const type = node.detail?.type as number;
  const native = errorConstructor(type);
  if (native === undefined) {
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `is a ${errorName(type)}, which this Node does not have: use a newer one`,
    );
  }
  const { stackTraceLimit } = Error;
  // A stack would be captured only to be replaced.
  Reflect.set(Error, 'stackTraceLimit', 0);
  // AggregateError takes the errors first, and iterates over them.
  const error = Reflect.construct(native, [[]], entry?.newTarget ?? native) as object;
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  // 'stack', 'message' and the like come back in their own order, or were not there.
  for (const key of Reflect.ownKeys(error)) Reflect.deleteProperty(error, key);
  return error;
}

function createView(builder: Builder, node: GraphNode, entry: ClassEntry | undefined): object {
  const { type, byteOffset, viewLength } = node.detail as {
    type: number;
    byteOffset: number;
    viewLength?: number;
  };
  const native = viewConstructor(type);
  if (native === undefined) {
    throw builder.error(
      'SNAP_UNSUPPORTED',
      node,
      `is a ${viewName(type)}, which this Node does not have: use a newer one`,
    );
  }
  const buffer = node.children[0] as GraphNode;
  builder.make(buffer);
  const range = viewLength === undefined ? [buffer.made, byteOffset] : [buffer.made, byteOffset, viewLength];
  const newTarget = entry?.newTarget ?? (type === VIEW_BUFFER ? Buffer : native);
  const make = (): object => Reflect.construct(native, range, newTarget) as object;
  try {
    return make();
  } catch (error) {
    const { byteLength, shared } = bufferOf(buffer);
    const odd = viewLength === undefined ? (byteLength - byteOffset) % viewElementBytes(type) : 0;
    if (odd === 0) throw corrupt('a view does not fit its buffer', error);
    if (shared)
      throw builder.error(
        'SNAP_UNSUPPORTED',
        node,
        'is a view that this Node cannot make: use a newer one',
        error,
      );
    return trackUnaligned(buffer.made as never, odd, viewElementBytes(type), make);
  }
}

function createBuffer(builder: Builder, node: GraphNode, detail: BufferDetail): AnyBuffer {
  const { byteLength, resizable, maxByteLength } = detail;
  const kind = detail.shared ? SharedArrayBuffer : ArrayBuffer;
  let buffer: AnyBuffer;
  try {
    buffer = Reflect.construct(kind, resizable ? [byteLength, { maxByteLength }] : [byteLength]) as AnyBuffer;
  } catch (error) {
    throw builder.error(
      'SNAP_TOO_LARGE',
      node,
      `needs a buffer that may grow to ${maxByteLength} bytes`,
      error,
    );
  }
  new Uint8Array(buffer).set(detail.bytes as Uint8Array);
  return buffer;
}
