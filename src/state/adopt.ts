/**
 * `into`: finds, for the objects of a graph, the live objects that are to become them, and makes sure of everything
 * that could stand in the way before any of it is changed.
 *
 * A live object is reused where it stands at the same place and is of the same kind: plain objects and instances of
 * one class, arrays, Maps, Sets, views, buffers, WebAssembly memories. Where either side has a primitive, or the
 * snapshot has something that is a value rather than a place (a Date, a RegExp, an Error, a boxed primitive, an
 * encoded instance), the snapshot's is put in its place. Where both have objects and they do not fit: SNAP_MISMATCH.
 *
 * Invariants
 *  - `match` changes nothing but the graph
 *  - a live object stands for at most one node, and a node for at most one live object; where the two disagree about
 *    what is shared, the snapshot's sharing wins and the rest is made anew
 *  - what a class's decode or migrate is given is never a live object not yet rewritten: what such data reaches is made
 *    anew (but for memories, whose bytes are written before)
 */

import { types } from 'node:util';
import type { SnapError } from '../base/errors.js';
import type { Builder } from './build.js';
import { bufferOf, type GraphNode, HoleRun, isNode, PARTIAL, UNWANTED, WANTED } from './graph.js';
import { entryOf, isLate, isMigrating } from './instances.js';
import type { AnyBuffer, WasmMemory } from './intrinsics.js';
import {
  bufferMisfit,
  bufferOfView,
  fits,
  isMemory,
  isPoolCut,
  memoryMisfit,
  nodeName,
  sameGeometry,
} from './live-kinds.js';
import { checkOverwrite } from './overwrite.js';
import { kindOf } from './refuse.js';
import * as tag from './tags.js';

const { getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { entries: mapEntries, get: mapGet } = Map.prototype;
const { values: setValues } = Set.prototype;

export interface MatchedMemory {
  memory: WasmMemory;
  buffer: GraphNode;
}

export class Adoption {
  readonly memories: MatchedMemory[] = [];
  /** Views over a memory, with the live views at their place: whether they stay is known once the memory has grown. */
  readonly memoryViews: { node: GraphNode; live: object }[] = [];
  readonly #builder: Builder;
  readonly #taken = new Set<object>();
  /** Nodes that are made anew whatever stands in their place. */
  readonly #anew = new Set<GraphNode>();
  readonly #searched = new Set<GraphNode>();
  readonly #hasMemories: boolean;
  readonly #pending: { node: GraphNode; live: unknown }[] = [];

  constructor(builder: Builder) {
    this.#builder = builder;
    this.#hasMemories = builder.graph.nodes.some(
      (node) => node.tag === tag.T_MEMORY && node.want !== UNWANTED,
    );
  }

  /** True where a class's decode or migrate may read a memory. */
  readsMemories(): boolean {
    return this.memories.some(({ buffer }) => this.#anew.has(buffer));
  }

  /** @throws SnapError SNAP_MISMATCH, with the path, where the live state does not fit */
  match(live: unknown): void {
    const { root, nodes } = this.#builder.graph;
    if (!isNode(root) || typeof live !== 'object' || live === null) {
      const text = `cannot be restored into ${kindOf(live)}: pass an object like the one that was saved`;
      throw this.#builder.error('SNAP_MISMATCH', undefined, text);
    }
    this.#findReaders();
    this.#later(root, live);
    while (this.#pending.length > 0) {
      const { node, live } = this.#pending.pop() as { node: GraphNode; live: unknown };
      const first = this.#pending.length;
      this.#visit(node, live);
      reverseFrom(this.#pending, first);
    }
    if (root.made !== live)
      throw this.#mismatch(root, `is ${nodeName(root)} that cannot be rewritten in place`);
    for (const node of nodes) this.#checkPlaced(node);
    for (const node of nodes) if (node.adopted) checkOverwrite(this.#builder, node);
  }

  #visit(node: GraphNode, live: unknown): void {
    if (node.want === UNWANTED || node.made !== undefined) return;
    if (node.tag === tag.T_MEMORY) {
      this.#visitMemory(node, live);
      return;
    }
    if (typeof live !== 'object' || live === null) return;
    if (this.#anew.has(node) || !this.#isPlace(node)) {
      if (this.#hasMemories) this.#search(node, live);
      return;
    }
    if (types.isProxy(live))
      throw this.#mismatch(node, 'is a Proxy in the live state: pass the object behind it');
    if (this.#taken.has(live)) return;
    if (node.detail?.buffer !== undefined) {
      if (!types.isAnyArrayBuffer(live)) throw this.#differs(node, live);
      if (node.detail.buffer.memory === undefined) this.#placeBuffer(node, live, node);
      return;
    }
    if (!fits(node, live, this.#prototypeOf(node))) throw this.#differs(node, live);
    if (node.tag === tag.T_VIEW) {
      this.#visitView(node, live);
    } else {
      this.#adopt(node, live);
      this.#visitChildren(node, live);
    }
  }

  #adopt(node: GraphNode, live: object): void {
    node.made = live;
    node.adopted = true;
    this.#taken.add(live);
  }

  /** What has an identity worth keeping; the rest are values, put in place of what was there. */
  #isPlace(node: GraphNode): boolean {
    switch (node.tag) {
      case tag.T_ENCODED:
      case tag.T_DATE:
      case tag.T_REGEXP:
      case tag.T_BOXED:
      case tag.T_ERROR:
        return false;
      default:
        return node.detail?.cls === undefined || !isLate(node, entryOf(this.#builder, node));
    }
  }

  #prototypeOf(node: GraphNode): object | undefined {
    return node.detail?.cls === undefined ? undefined : entryOf(this.#builder, node).prototype;
  }

  /**
   * Looks for memories where nothing else is reused. What a class encodes of its live instance has the memory where
   * the saved data has it.
   */
  #search(node: GraphNode, live: object): void {
    if (this.#searched.has(node) || types.isProxy(live)) return;
    this.#searched.add(node);
    if (node.tag === tag.T_ENCODED) {
      const entry = entryOf(this.#builder, node);
      if (entry.encode !== undefined && getPrototypeOf(live) === entry.prototype) {
        this.#later(node.children[0], entry.encode(live));
      }
    } else if (this.#couldFit(node, live)) {
      this.#visitChildren(node, live);
    }
  }

  /** True for a container like the node, without a complaint where it is none. */
  #couldFit(node: GraphNode, live: unknown): boolean {
    if (typeof live !== 'object' || live === null || types.isProxy(live) || !this.#isPlace(node))
      return false;
    if (node.tag === tag.T_VIEW || node.tag === tag.T_MEMORY || node.detail?.buffer !== undefined)
      return false;
    return fits(node, live, this.#prototypeOf(node));
  }

  #visitChildren(node: GraphNode, live: object): void {
    const { children } = node;
    const wanted = (i: number): boolean => node.want === WANTED || node.kept?.has(i) === true;
    switch (node.tag) {
      case tag.T_INT32_LIST:
      case tag.T_FLOAT64_LIST:
        break;
      case tag.T_ARRAY: {
        let index = 0;
        for (let i = 0; i < children.length; i++) {
          const child = children[i];
          if (isNode(child) && wanted(i)) this.#later(child, ownValue(live, index));
          index += child instanceof HoleRun ? child.count : 1;
        }
        break;
      }
      case tag.T_MAP:
        this.#visitMap(node, live as Map<unknown, unknown>, wanted);
        break;
      case tag.T_SET: {
        const members = [...setValues.call(live as Set<unknown>)];
        for (let i = 0; i < children.length; i++) {
          const child = children[i];
          if (isNode(child) && (child.tag === tag.T_MEMORY || this.#couldFit(child, members[i]))) {
            this.#later(child, members[i]);
          }
        }
        break;
      }
      default:
        for (let i = 0; i < children.length; i++) {
          if (isNode(children[i]) && wanted(i))
            this.#later(children[i], ownValue(live, node.keys[i] as string));
        }
    }
    if (node.want === PARTIAL || node.detail?.extraKeys === undefined) return;
    for (const [i, key] of node.detail.extraKeys.entries()) {
      this.#later(node.detail.extraValues?.[i], ownValue(live, key));
    }
  }

  /** Values go by their keys; where keys are objects, entries go by their order. */
  #visitMap(node: GraphNode, live: Map<unknown, unknown>, wanted: (i: number) => boolean): void {
    const entries = [...mapEntries.call(live)];
    for (let i = 0; i < node.children.length; i += 2) {
      if (!wanted(i) && !wanted(i + 1)) continue;
      const key = node.children[i];
      if (!isNode(key)) {
        this.#later(node.children[i + 1], mapGet.call(live, key));
        continue;
      }
      // An entry of another kind is no misfit: a Map's order says less than a key does.
      const entry = entries[i / 2];
      if (entry === undefined || !this.#couldFit(key, entry[0])) continue;
      this.#later(key, entry[0]);
      this.#later(node.children[i + 1], entry[1]);
    }
  }

  #later(child: unknown, live: unknown): void {
    if (isNode(child)) this.#pending.push({ node: child, live });
  }

  #visitView(node: GraphNode, live: object): void {
    const buffer = node.children[0] as GraphNode;
    if (bufferOf(buffer).memory !== undefined) {
      this.memoryViews.push({ node, live });
      return;
    }
    if (this.#anew.has(buffer)) return;
    const liveBuffer = bufferOfView(live);
    // The rest of a pool belongs to others: such a Buffer is replaced.
    if (isPoolCut(node, live, liveBuffer)) return;
    if (this.#placeBuffer(buffer, liveBuffer, node) && sameGeometry(node, live)) this.#adopt(node, live);
  }

  /** Lets a live buffer stand for a buffer node; false where it, or the node, already has another partner. */
  #placeBuffer(node: GraphNode, live: AnyBuffer, at: GraphNode): boolean {
    if (node.made !== undefined) return node.made === live;
    if (this.#taken.has(live)) return false;
    const misfit = bufferMisfit(bufferOf(node), live);
    if (misfit !== undefined) throw this.#mismatch(at, misfit);
    this.#adopt(node, live);
    return true;
  }

  #visitMemory(node: GraphNode, live: unknown): void {
    if (!isMemory(live)) {
      throw this.#mismatch(
        node,
        `is a WebAssembly.Memory in the snapshot and ${kindOf(live)} in the live state`,
      );
    }
    if (this.#taken.has(live)) {
      throw this.#mismatch(node, 'is one of two memories in the snapshot that are one in the live state');
    }
    const buffer = node.children[0] as GraphNode;
    const misfit = memoryMisfit(bufferOf(buffer), live);
    if (misfit !== undefined) throw this.#mismatch(node, misfit);
    node.made = live;
    this.#taken.add(live);
    this.memories.push({ memory: live, buffer });
  }

  #checkPlaced(node: GraphNode): void {
    if (node.tag === tag.T_MEMORY && node.want !== UNWANTED && node.made === undefined) {
      throw this.#mismatch(
        node,
        'is a WebAssembly.Memory in the snapshot, and its place is missing in the live state',
      );
    }
    if (node.want === PARTIAL && !node.adopted) {
      throw this.#mismatch(node, 'is missing in the live state, and only a part of it was asked for');
    }
  }

  /** What decode and migrate will be given must be made anew: see the invariants. */
  #findReaders(): void {
    const stack: GraphNode[] = [];
    for (const reader of this.#builder.graph.nodes) {
      if (reader.detail?.cls === undefined || reader.want === UNWANTED) continue;
      const entry = entryOf(this.#builder, reader);
      if (reader.tag !== tag.T_ENCODED && !isLate(reader, entry) && !isMigrating(reader, entry)) continue;
      stack.push(reader);
      while (stack.length > 0) {
        const node = stack.pop() as GraphNode;
        for (const child of [...node.children, ...(node.detail?.extraValues ?? [])]) {
          // What encloses the reader is not complete when it runs in any case.
          if (!isNode(child) || child.closed >= reader.closed || this.#anew.has(child)) continue;
          this.#anew.add(child);
          stack.push(child);
        }
      }
    }
  }

  #differs(node: GraphNode, live: object): SnapError {
    return this.#mismatch(node, `is ${nodeName(node)} in the snapshot and ${kindOf(live)} in the live state`);
  }

  #mismatch(node: GraphNode, text: string): SnapError {
    return this.#builder.error('SNAP_MISMATCH', node, text);
  }
}

/** An own data property; what a getter would say is not asked. */
function ownValue(live: object, key: string | number): unknown {
  return getOwnPropertyDescriptor(live, key)?.value as unknown;
}

/** Children were pushed in order and are to be popped in order: the first to reach an object decides its partner. */
function reverseFrom(list: unknown[], first: number): void {
  for (let low = first, high = list.length - 1; low < high; low++, high--) {
    const held = list[low];
    list[low] = list[high];
    list[high] = held;
  }
}
