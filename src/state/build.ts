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

import { SnapError } from '../base/errors.js';
import { create } from './create.js';
import { type Graph, type GraphNode, HoleRun, isNode, NO_KEYS, PARTIAL, UNWANTED } from './graph.js';
import { findPath } from './graph-paths.js';
import { decodeInstance, entryOf, finishInstance, isLate } from './instances.js';
import { define } from './objects.js';
import { stateAt } from './paths.js';
import type { RegionSource } from './region-sources.js';
import type { ClassRegistry } from './registry.js';
import { corrupt } from './source.js';
import * as tag from './tags.js';

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
    for (const node of this.graph.nodes) if (node.want !== UNWANTED) this.make(node);
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
    node.made = create(this, node, entry);
  }

  /** What the caller gave for a region. */
  regionSource(region: number): RegionSource {
    const source = this.#regions[region];
    if (source === undefined) throw new TypeError(`region ${region} is needed and was not given`);
    return source;
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
          const isKept = positions === undefined || positions.has(i + 1);
          if (!isKept && !positions.has(i)) continue;
          const value = isKept ? this.resolve(node.children[i + 1]) : undefined;
          mapSet.call(node.made as Map<unknown, unknown>, this.resolve(node.children[i]), value);
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
      const key = extraKeys[i] as string;
      const value = this.resolve(extraValues[i]);
      try {
        define(node.made as object, key, value, true);
      } catch {
        // Only damage makes it so: an index of a typed array, the length of an array.
        throw corrupt(`a further property ${JSON.stringify(key)} on what cannot have it`);
      }
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
