/**
 * A skeleton that has been read and checked, before anything of it is made: nodes for its objects, plain values for
 * everything else.
 *
 * Invariants
 *  - in `children`, `keys` and a detail's values an object is a GraphNode, a run of holes a HoleRun, and every other
 *    value stands for itself; a function or foreign object never occurs
 *  - a node's `closed` number is higher than those of all nodes it was written around: ascending order is
 *    children first
 *
 * Having the whole graph first is what lets `only` leave parts unmade and `into` be checked before it changes anything.
 */

import { invariant } from '../base/errors.js';

export class HoleRun {
  readonly count: number;
  constructor(count: number) {
    this.count = count;
  }
}

export interface ClassRef {
  readonly name: string;
  readonly version: number;
}

/** What few nodes have. */
export interface NodeDetail {
  cls?: ClassRef;
  /** Own properties beside what a built-in is made of. */
  extraKeys?: readonly string[];
  extraValues?: readonly unknown[];
  /** Error or view type. */
  type?: number;
  /** Errors: which of `keys` are enumerable. */
  enumerable?: readonly boolean[];
  /** Dates: time. Boxed: the primitive. */
  value?: unknown;
  source?: string;
  flags?: string;
  /** Arrays: their length, where it is not the number of children. */
  length?: number;
  /** Views: in bytes; elements, or undefined for one that follows its buffer. */
  byteOffset?: number;
  viewLength?: number | undefined;
  /** Buffers. */
  buffer?: BufferDetail;
}

export interface BufferDetail {
  byteLength: number;
  shared: boolean;
  resizable: boolean;
  maxByteLength: number;
  /** Index into the regions, or -1 for bytes in the skeleton. */
  region: number;
  bytes: Uint8Array | undefined;
  /** The WebAssembly.Memory whose buffer this is. */
  memory: GraphNode | undefined;
}

/** What a selection (`only`) wants of a node. */
export const UNWANTED = 0;
/** On the way to something wanted: made, with only the children in `GraphNode.kept`. */
export const PARTIAL = 1;
export const WANTED = 2;

const NO_VALUES: unknown[] = [];
export const NO_KEYS: readonly string[] = [];

export class GraphNode {
  readonly tag: number;
  keys: readonly string[] = NO_KEYS;
  children: unknown[] = NO_VALUES;
  detail: NodeDetail | undefined = undefined;
  closed = -1;
  want: typeof UNWANTED | typeof PARTIAL | typeof WANTED = WANTED;
  /** For PARTIAL: positions in `children`. */
  kept: Set<number> | undefined = undefined;
  /** The object that stands for this node, once made or taken from a live state. */
  made: object | undefined = undefined;
  /** `made` is a live object, whose content is still to be made equal. */
  adopted = false;

  constructor(tag: number) {
    this.tag = tag;
  }
}

export interface RegionEntry {
  byteLength: number;
  shared: boolean;
  resizable: boolean;
  maxByteLength: number;
  memory: boolean;
}

export interface Graph {
  root: unknown;
  /** In the order of their tags: ordinals are indexes. */
  nodes: GraphNode[];
  /** Children before the nodes they were written in. */
  byClosing: GraphNode[];
  regions: RegionEntry[];
}

/** The class of a node that is known to name one. */
export function classOf(node: GraphNode): ClassRef {
  const cls = node.detail?.cls;
  invariant(cls !== undefined, 'a node without a class');
  return cls;
}

/** The buffer of a node that is known to be one. */
export function bufferOf(node: GraphNode): BufferDetail {
  const buffer = node.detail?.buffer;
  invariant(buffer !== undefined, 'a node without a buffer');
  return buffer;
}

/** The object for a child, or the child itself. */
export function valueFor(child: unknown): unknown {
  return typeof child === 'object' && child !== null ? (child as GraphNode).made : child;
}

export function isNode(child: unknown): child is GraphNode {
  return child instanceof GraphNode;
}
