/**
 * Graph -> values. First every node's object is made, empty; then each is filled, children first. So a cycle needs
 * nothing special, and a class's decode and migrate find what they are given complete.
 *
 * Invariants
 *  - of the program's code only [Snap.decode] and [Snap.migrate] of registered classes run; constructors and setters
 *    do not
 *  - an object gets a key by definition where a prototype could answer to it, so that no key (`__proto__`) reaches
 *    a prototype
 *  - nodes that are not wanted are not made, and what stands for live objects is left alone here (see overwrite.ts)
 */

import { Buffer } from 'node:buffer';
import { types } from 'node:util';
import { SnapError } from '../base/errors.js';
import { bufferFacts } from './buffers.js';
import {
  type BufferDetail,
  type Graph,
  type GraphNode,
  HoleRun,
  isNode,
  NO_KEYS,
  PARTIAL,
  type RegionEntry,
  UNWANTED,
} from './graph.js';
import { findPath } from './graph-paths.js';
import { decodeInstance, entryOf, finishInstance, isLate } from './instances.js';
import {
  type AnyBuffer,
  errorConstructor,
  errorName,
  VIEW_BUFFER,
  viewConstructor,
  viewName,
} from './intrinsics.js';
import { createBoxed, define, emptyArray } from './objects.js';
import { stateAt } from './paths.js';
import type { ClassEntry, ClassRegistry } from './registry.js';
import { corrupt } from './source.js';
import * as tag from './tags.js';

export type RegionSource = ArrayBuffer | SharedArrayBuffer;

const mapSet = Map.prototype.set;
const setAdd = Set.prototype.add;

export class Builder {
  readonly graph: Graph;
  readonly registry: ClassRegistry;
  readonly #regions: readonly (RegionSource | undefined)[];
  /** Key lists found to clash with nothing on the prototype they were last used with. */
  readonly #plain = new Map<readonly string[], object | null>();

  constructor(graph: Graph, regions: readonly (RegionSource | undefined)[], registry: ClassRegistry) {
    this.graph = graph;
    this.registry = registry;
    this.#regions = regions;
  }

  /** Makes and fills all wanted nodes that no live object stands for. */
  build(): void {
    this.makeAll();
    for (const node of this.graph.byClosing) if (node.want !== UNWANTED && !node.adopted) this.fill(node);
  }

  makeAll(): void {
    const { stackTraceLimit } = Error;
    // A stack is captured for every Error that is made, only to be replaced.
    Reflect.set(Error, 'stackTraceLimit', 0);
    try {
      for (const node of this.graph.nodes) if (node.want !== UNWANTED) this.make(node);
    } finally {
      Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
    }
  }

  /** The object for a child, or the child itself. */
  resolve(child: unknown): unknown {
    if (typeof child !== 'object' || child === null) return child;
    const { made } = child as GraphNode;
    if (made === undefined) throw this.#unmade(child as GraphNode);
    return made;
  }

  make(node: GraphNode): void {
    if (node.made !== undefined || node.tag === tag.T_ENCODED) return;
    const entry = node.detail?.cls === undefined ? undefined : entryOf(this, node);
    if (entry !== undefined && isLate(node, entry)) return;
    node.made = this.#create(node, entry);
  }

  error(
    code: 'SNAP_UNSUPPORTED' | 'SNAP_MISMATCH' | 'SNAP_TOO_LARGE',
    node: GraphNode | undefined,
    text: string,
    cause?: unknown,
  ): SnapError {
    const path = node === undefined ? '' : findPath(this.graph, node);
    return new SnapError(code, `${stateAt(path)} ${text}`, cause === undefined ? { path } : { path, cause });
  }

  /** Gives an object the properties; positions are those of `keys` to take, all of them where undefined. */
  assign(
    target: object,
    keys: readonly string[],
    values: readonly unknown[],
    positions?: ReadonlySet<number>,
  ): void {
    const fields = target as Record<string, unknown>;
    const direct = this.#clashesWithNothing(keys, Object.getPrototypeOf(target) as object | null);
    for (let i = 0; i < keys.length; i++) {
      if (positions !== undefined && !positions.has(i)) continue;
      const key = keys[i] as string;
      const value = this.resolve(values[i]);
      if (direct) fields[key] = value;
      else define(target, key, value, true);
    }
  }

  #create(node: GraphNode, entry: ClassEntry | undefined): object {
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
        return this.#createArray(node, entry);
      case tag.T_MAP:
        return entry === undefined ? new Map() : Reflect.construct(Map, [], entry.newTarget);
      case tag.T_SET:
        return entry === undefined ? new Set() : Reflect.construct(Set, [], entry.newTarget);
      case tag.T_DATE:
        return Reflect.construct(Date, [detail?.value], entry?.newTarget ?? Date);
      case tag.T_REGEXP:
        return this.#createRegExp(node, entry);
      case tag.T_BOXED:
        return createBoxed(detail?.value, entry);
      case tag.T_ERROR:
        return this.#createError(node, entry);
      case tag.T_VIEW:
        return this.#createView(node, entry);
      case tag.T_BYTES:
        return this.#createBuffer(node, detail?.buffer as BufferDetail);
      case tag.T_REGION:
        return this.#adoptRegion(detail?.buffer as BufferDetail);
      default:
        throw this.error(
          'SNAP_MISMATCH',
          node,
          'is a WebAssembly.Memory, which only its own program can make: pass a live state that holds it as `into`',
        );
    }
  }

  /** A plain array without holes is the list of its children itself, its nodes still to be replaced. */
  #createArray(node: GraphNode, entry: ClassEntry | undefined): object {
    const length = node.detail?.length;
    if (node.want === PARTIAL || length !== undefined) {
      const present = node.want === PARTIAL ? 0 : node.children.length;
      return emptyArray(length ?? node.children.length, present, entry);
    }
    return entry === undefined ? node.children : Reflect.construct(Array, [], entry.newTarget);
  }

  #createRegExp(node: GraphNode, entry: ClassEntry | undefined): object {
    const { source, flags } = node.detail as { source: string; flags: string };
    try {
      return Reflect.construct(RegExp, [source, flags], entry?.newTarget ?? RegExp) as object;
    } catch (error) {
      throw this.error(
        'SNAP_UNSUPPORTED',
        node,
        `is a regular expression that this Node cannot compile: /${source}/${flags}`,
        error,
      );
    }
  }

  #createError(node: GraphNode, entry: ClassEntry | undefined): object {
    const type = node.detail?.type as number;
    const constructor = errorConstructor(type);
    if (constructor === undefined) {
      throw this.error(
        'SNAP_UNSUPPORTED',
        node,
        `is a ${errorName(type)}, which this Node does not have: use a newer one`,
      );
    }
    // AggregateError takes the errors first, and iterates over them.
    const error = Reflect.construct(constructor, [[]], entry?.newTarget ?? constructor) as object;
    // 'stack', 'message' and the like come back in their own order, or were not there.
    for (const key of Reflect.ownKeys(error)) Reflect.deleteProperty(error, key);
    return error;
  }

  #createView(node: GraphNode, entry: ClassEntry | undefined): object {
    const { type, byteOffset, viewLength } = node.detail as {
      type: number;
      byteOffset: number;
      viewLength?: number;
    };
    const constructor = viewConstructor(type);
    if (constructor === undefined) {
      throw this.error(
        'SNAP_UNSUPPORTED',
        node,
        `is a ${viewName(type)}, which this Node does not have: use a newer one`,
      );
    }
    const buffer = node.children[0] as GraphNode;
    this.make(buffer);
    const range =
      viewLength === undefined ? [buffer.made, byteOffset] : [buffer.made, byteOffset, viewLength];
    try {
      return Reflect.construct(
        constructor,
        range,
        entry?.newTarget ?? (type === VIEW_BUFFER ? Buffer : constructor),
      ) as object;
    } catch (error) {
      throw corrupt('a view does not fit its buffer', error);
    }
  }

  #createBuffer(node: GraphNode, detail: BufferDetail): AnyBuffer {
    const { byteLength, resizable, maxByteLength } = detail;
    const constructor = detail.shared ? SharedArrayBuffer : ArrayBuffer;
    let buffer: AnyBuffer;
    try {
      buffer = Reflect.construct(
        constructor,
        resizable ? [byteLength, { maxByteLength }] : [byteLength],
      ) as AnyBuffer;
    } catch (error) {
      throw this.error(
        'SNAP_TOO_LARGE',
        node,
        `needs a buffer that may grow to ${maxByteLength} bytes`,
        error,
      );
    }
    new Uint8Array(buffer).set(detail.bytes as Uint8Array);
    return buffer;
  }

  #adoptRegion(detail: BufferDetail): AnyBuffer {
    const source = this.#regions[detail.region];
    if (source === undefined) throw new TypeError(`region ${detail.region} is needed and was not given`);
    return source;
  }

  fill(node: GraphNode): void {
    const positions = node.want === PARTIAL ? node.kept : undefined;
    switch (node.tag) {
      case tag.T_OBJECT:
      case tag.T_DICT:
        if (node.detail?.cls !== undefined) {
          finishInstance(this, node, positions);
          return;
        }
        this.assign(node.made as object, node.keys, node.children, positions);
        return;
      case tag.T_NULL_OBJECT:
      case tag.T_NULL_DICT:
        this.assign(node.made as object, node.keys, node.children, positions);
        return;
      case tag.T_ARRAY:
      case tag.T_INT32_LIST:
      case tag.T_FLOAT64_LIST:
        this.#fillArray(node, node.made as unknown[], positions);
        break;
      case tag.T_MAP:
        for (let i = 0; i < node.children.length; i += 2) {
          if (positions !== undefined && !positions.has(i + 1)) continue;
          mapSet.call(
            node.made as Map<unknown, unknown>,
            this.resolve(node.children[i]),
            this.resolve(node.children[i + 1]),
          );
        }
        break;
      case tag.T_SET:
        for (const child of node.children) setAdd.call(node.made as Set<unknown>, this.resolve(child));
        break;
      case tag.T_REGEXP:
        (node.made as RegExp).lastIndex = this.resolve(node.children[0]) as number;
        break;
      case tag.T_ERROR:
        for (let i = 0; i < node.keys.length; i++) {
          const enumerable = node.detail?.enumerable?.[i] === true;
          define(node.made as object, node.keys[i] as string, this.resolve(node.children[i]), enumerable);
        }
        return;
      case tag.T_ENCODED:
        decodeInstance(this, node);
        return;
      default:
    }
    if (node.detail?.extraKeys !== undefined && positions === undefined) this.#fillExtras(node);
  }

  #fillExtras(node: GraphNode): void {
    const { extraKeys = NO_KEYS, extraValues = [] } = node.detail ?? {};
    for (let i = 0; i < extraKeys.length; i++) {
      define(node.made as object, extraKeys[i] as string, this.resolve(extraValues[i]), true);
    }
  }

  #fillArray(node: GraphNode, array: unknown[], positions: ReadonlySet<number> | undefined): void {
    const { children } = node;
    if (array === children) {
      for (let i = 0; i < children.length; i++) {
        const child = children[i];
        if (typeof child === 'object' && child !== null) children[i] = this.resolve(child);
      }
      return;
    }
    let index = 0;
    for (let i = 0; i < children.length; i++) {
      const child = children[i];
      if (child instanceof HoleRun) {
        index += child.count;
      } else {
        if (positions === undefined || positions.has(i)) array[index] = this.resolve(child);
        index++;
      }
    }
    array.length = index;
  }

  #clashesWithNothing(keys: readonly string[], prototype: object | null): boolean {
    if (prototype === null || this.#plain.get(keys) === prototype) return true;
    for (const key of keys) if (key in prototype) return false;
    this.#plain.set(keys, prototype);
    return true;
  }

  #unmade(node: GraphNode): Error {
    if (isNode(node) && node.want === UNWANTED)
      return new Error('holdfast: a node was left out that is needed');
    return this.error(
      'SNAP_UNSUPPORTED',
      node,
      'refers to itself, and its class now has [Snap.decode]: an instance cannot be in the data it is made of',
    );
  }
}

/** Region buffers must be of the very kind that the skeleton's table says: views keep what the buffer can do. */
export function checkSources(graph: Graph, sources: readonly (RegionSource | undefined)[]): void {
  if (sources.length !== graph.regions.length) {
    throw new TypeError(`the skeleton has ${graph.regions.length} regions, and ${sources.length} were given`);
  }
  for (const [i, source] of sources.entries()) {
    if (source === undefined) continue;
    const { byteLength, shared, resizable, maxByteLength } = graph.regions[i] as RegionEntry;
    const isShared = types.isSharedArrayBuffer(source);
    const facts = types.isAnyArrayBuffer(source) ? bufferFacts(source, isShared) : undefined;
    if (facts?.byteLength !== byteLength || isShared !== shared) {
      throw new TypeError(
        `region ${i} must be a ${shared ? 'SharedArrayBuffer' : 'ArrayBuffer'} of ${byteLength} bytes`,
      );
    }
    if (facts.resizable !== resizable || facts.maxByteLength !== maxByteLength) {
      throw new TypeError(
        `region ${i} must be ${resizable ? `resizable up to ${maxByteLength} bytes` : 'of fixed length'}`,
      );
    }
  }
}
