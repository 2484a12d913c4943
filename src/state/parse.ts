/**
 * Skeleton bytes -> graph, checking everything that can be checked without making an object of the state.
 *
 * Invariants
 *  - no recursion, and no time or memory beyond what the input's length justifies
 *  - a graph that is returned can be made: indexes exist, views lie inside their buffers, keys are strings
 *  - damage is SNAP_CORRUPT; nothing else is thrown, but SNAP_FORMAT for a version of another time
 */

import {
  type BufferDetail,
  type ClassRef,
  type Graph,
  GraphNode,
  HoleRun,
  isNode,
  type NodeDetail,
  type RegionEntry,
} from './graph.js';
import { ERROR_TYPES, VIEW_TYPES, viewElementBytes } from './intrinsics.js';
import { openSkeleton } from './region-table.js';
import { corrupt, type Source } from './source.js';
import * as tag from './tags.js';
import { NONE, Words } from './words.js';

/** Nodes that may carry properties beside what they are made of, and those that may be of a registered class. */
const WITH_EXTRAS = new Set<number>([
  tag.T_ARRAY,
  tag.T_INT32_LIST,
  tag.T_FLOAT64_LIST,
  tag.T_MAP,
  tag.T_SET,
  tag.T_DATE,
  tag.T_REGEXP,
  tag.T_BOXED,
  tag.T_VIEW,
]);
const WITH_CLASS = new Set<number>([...WITH_EXTRAS, tag.T_OBJECT, tag.T_DICT, tag.T_ERROR, tag.T_ENCODED]);

export function parseSkeleton(skeleton: Uint8Array): Graph {
  const { source, regions } = openSkeleton(skeleton);
  return new Parser(source, regions).graph();
}

class Parser {
  readonly #source: Source;
  readonly #regions: RegionEntry[];
  readonly #nodes: GraphNode[] = [];
  readonly #byClosing: GraphNode[] = [];
  readonly #words: Words;
  /** Values read and not yet handed to their node; a frame's begin at its base. */
  readonly #values: unknown[] = [];
  readonly #open: GraphNode[] = [];
  readonly #left: number[] = [];
  readonly #base: number[] = [];
  readonly #regionBuffers: BufferDetail[] = [];
  /** From prefixes, for the node that must follow. */
  #cls: ClassRef | undefined = undefined;

  constructor(source: Source, regions: RegionEntry[]) {
    this.#source = source;
    this.#words = new Words(source);
    this.#regions = regions;
  }

  graph(): Graph {
    const source = this.#source;
    const values = this.#values;
    const open = this.#open;
    const left = this.#left;
    do {
      const value = this.#read(source.u8());
      if (value === NONE) continue;
      values.push(value);
      while (open.length > 0) {
        const frame = open.length - 1;
        left[frame] = (left[frame] as number) - 1;
        if (left[frame] !== 0) break;
        values.push(this.#close());
      }
    } while (open.length > 0);
    if (source.left !== 0) throw corrupt(`${source.left} bytes follow the state`);
    this.#checkRegions();
    return { root: values[0], nodes: this.#nodes, byClosing: this.#byClosing, regions: this.#regions };
  }

  #checkRegions(): void {
    if (this.#regionBuffers.length !== this.#regions.length) {
      throw corrupt('its region table lists more regions than it uses');
    }
    for (const [i, { memory }] of this.#regions.entries()) {
      if (memory !== (this.#regionBuffers[i]?.memory !== undefined))
        throw corrupt(`region ${i} is no memory's, or is`);
    }
  }

  /** A whole value, or NONE where a node was opened whose values come next. */
  #read(code: number): unknown {
    const value = this.#words.primitive(code);
    if (value !== NONE) return value;
    switch (code) {
      case tag.T_REF:
        return this.#reference();
      case tag.T_HOLES:
        return this.#holes();
      case tag.T_INSTANCE:
        return this.#instance();
      case tag.T_EXTRA:
        return this.#extra();
      default:
        return this.#node(code);
    }
  }

  #reference(): GraphNode {
    const back = this.#source.varint();
    const node = this.#nodes[this.#nodes.length - back];
    if (back === 0 || node === undefined)
      throw corrupt(`a reference leads nowhere, at byte ${this.#source.at}`);
    if (node.tag === tag.T_ENCODED && node.closed === -1)
      throw corrupt('an encoded instance contains itself');
    return node;
  }

  #holes(): HoleRun {
    const frame = this.#open.length - 1;
    const array = this.#open[frame];
    const count = this.#source.varint();
    const left = this.#left[frame] as number;
    if (array?.tag !== tag.T_ARRAY || count === 0 || count > left)
      throw corrupt(`bad holes, at byte ${this.#source.at}`);
    this.#left[frame] = left - count + 1;
    array.detail ??= {};
    array.detail.length ??= 0;
    return new HoleRun(count);
  }

  #instance(): unknown {
    const source = this.#source;
    this.#cls = { name: this.#words.string(source.u8()), version: source.varint() };
    const code = source.u8();
    if (code === tag.T_EXTRA) return this.#extra();
    if (!WITH_CLASS.has(code)) throw corrupt(`a class on what has none, at byte ${source.at}`);
    return this.#node(code);
  }

  #extra(): unknown {
    const source = this.#source;
    const frame = new GraphNode(tag.T_EXTRA);
    frame.keys = this.#words.keys(source.count());
    if (frame.keys.length === 0) throw corrupt(`no further properties, at byte ${source.at}`);
    this.#push(frame, 1 + frame.keys.length);
    const code = source.u8();
    if (!WITH_EXTRAS.has(code)) throw corrupt(`further properties on what has none, at byte ${source.at}`);
    return this.#node(code);
  }

  #node(code: number): unknown {
    const source = this.#source;
    const node = new GraphNode(code);
    if (this.#cls !== undefined) {
      node.detail = { cls: this.#cls };
      this.#cls = undefined;
    }
    this.#nodes.push(node);
    switch (code) {
      case tag.T_OBJECT:
      case tag.T_NULL_OBJECT:
        node.keys = this.#words.shape();
        return this.#push(node, node.keys.length);
      case tag.T_DICT:
      case tag.T_NULL_DICT:
        node.keys = this.#words.keys(source.count());
        return this.#push(node, node.keys.length);
      case tag.T_ARRAY:
        // Not bounded by what is left: holes are written as a count. Nothing is allocated by it either.
        return this.#push(node, this.#arrayLength(source.varint()));
      case tag.T_INT32_LIST:
        node.children = source.int32List(this.#arrayLength(source.count(4)));
        return this.#closed(node);
      case tag.T_FLOAT64_LIST:
        node.children = source.float64List(this.#arrayLength(source.count(8)));
        return this.#closed(node);
      case tag.T_MAP:
        return this.#push(node, source.count(2) * 2);
      case tag.T_SET:
        return this.#push(node, source.count());
      case tag.T_DATE:
        this.#detail(node).value = source.double();
        return this.#closed(node);
      case tag.T_REGEXP:
        this.#detail(node).source = this.#words.string(source.u8());
        this.#detail(node).flags = this.#words.string(source.u8());
        return this.#push(node, 1);
      case tag.T_BOXED:
        return this.#boxed(node);
      case tag.T_ERROR:
        return this.#error(node);
      case tag.T_VIEW:
        return this.#view(node);
      case tag.T_BYTES:
        return this.#bytes(node);
      case tag.T_REGION:
        return this.#region(node);
      case tag.T_MEMORY:
        return this.#push(node, 1);
      case tag.T_ENCODED:
        if (node.detail?.cls !== undefined) return this.#push(node, 1);
        break;
      default:
    }
    throw corrupt(`unknown tag ${code} at byte ${source.at - 1}`);
  }

  #boxed(node: GraphNode): unknown {
    const value = this.#words.primitive(this.#source.u8());
    if (value === NONE || value === undefined || value === null)
      throw corrupt('a boxed value is no primitive');
    this.#detail(node).value = value;
    return this.#closed(node);
  }

  #error(node: GraphNode): unknown {
    const source = this.#source;
    const detail = this.#detail(node);
    detail.type = source.u8();
    if (detail.type >= ERROR_TYPES) throw corrupt(`unknown type of error ${detail.type}`);
    const count = source.count(3);
    const keys: string[] = [];
    const enumerable: boolean[] = [];
    for (let i = 0; i < count; i++) {
      keys.push(this.#words.string(source.u8()));
      enumerable.push(source.u8() !== 0);
    }
    node.keys = keys;
    detail.enumerable = enumerable;
    return this.#push(node, count);
  }

  #view(node: GraphNode): unknown {
    const source = this.#source;
    const detail = this.#detail(node);
    detail.type = source.u8();
    const flags = source.u8();
    if (detail.type === 0 || detail.type >= VIEW_TYPES) throw corrupt(`unknown type of view ${detail.type}`);
    if ((flags & ~tag.VIEW_TRACKING) !== 0) throw corrupt(`a view has unknown flags`);
    detail.byteOffset = source.varint();
    detail.viewLength = flags === tag.VIEW_TRACKING ? undefined : source.varint();
    return this.#push(node, 1);
  }

  #bytes(node: GraphNode): unknown {
    const source = this.#source;
    const flags = source.u8();
    if ((flags & ~(tag.BUFFER_SHARED | tag.BUFFER_RESIZABLE)) !== 0)
      throw corrupt('a buffer has unknown flags');
    const resizable = (flags & tag.BUFFER_RESIZABLE) !== 0;
    const byteLength = source.varint();
    const maxByteLength = resizable ? source.varint() : byteLength;
    if (maxByteLength < byteLength) throw corrupt('a buffer is longer than it may become');
    const bytes = source.raw(byteLength);
    this.#detail(node).buffer = {
      byteLength,
      shared: (flags & tag.BUFFER_SHARED) !== 0,
      resizable,
      maxByteLength,
      region: -1,
      bytes,
      memory: undefined,
    };
    return this.#closed(node);
  }

  #region(node: GraphNode): unknown {
    const region = this.#regionBuffers.length;
    const entry = this.#regions[region];
    if (entry === undefined) throw corrupt('it uses more regions than its table lists');
    const { byteLength, shared, resizable, maxByteLength } = entry;
    const buffer: BufferDetail = {
      byteLength,
      shared,
      resizable,
      maxByteLength,
      region,
      bytes: undefined,
      memory: undefined,
    };
    this.#regionBuffers.push(buffer);
    this.#detail(node).buffer = buffer;
    return this.#closed(node);
  }

  /** Opens a node whose `count` values come next; returns it at once if there are none. */
  #push(node: GraphNode, count: number): unknown {
    if (count === 0) return this.#closed(node);
    this.#open.push(node);
    this.#left.push(count);
    this.#base.push(this.#values.length);
    return NONE;
  }

  /** The innermost open node has all its values. */
  #close(): GraphNode {
    const node = this.#open.pop() as GraphNode;
    const base = this.#base.pop() as number;
    this.#left.pop();
    const values = this.#values;
    const children = values.slice(base);
    values.length = base;
    if (node.tag === tag.T_EXTRA) {
      const owner = children.shift() as GraphNode;
      const detail = this.#detail(owner);
      detail.extraKeys = node.keys;
      detail.extraValues = children;
      return this.#register(owner);
    }
    node.children = children;
    if (node.detail !== undefined) this.#check(node, node.detail);
    else if (node.tag === tag.T_MEMORY) this.#memory(node);
    return this.#closed(node);
  }

  #check(node: GraphNode, detail: NodeDetail): void {
    if (node.tag === tag.T_VIEW) {
      const buffer = bufferOfChild(node.children[0]);
      const type = detail.type as number;
      const offset = detail.byteOffset as number;
      const end = offset + (detail.viewLength ?? 0) * viewElementBytes(type);
      if (offset % viewElementBytes(type) !== 0 || end > buffer.byteLength)
        throw corrupt('a view lies outside of its buffer');
      if (detail.viewLength === undefined && !buffer.resizable)
        throw corrupt('a view follows a buffer of fixed length');
    } else if (detail.length !== undefined) {
      detail.length = 0;
      for (const child of node.children) detail.length += child instanceof HoleRun ? child.count : 1;
    }
  }

  #memory(node: GraphNode): void {
    const buffer = bufferOfChild(node.children[0]);
    if (buffer.memory !== undefined) throw corrupt('two memories have one buffer');
    buffer.memory = node;
  }

  /** A node with further properties is complete, and counted, only when it has those. */
  #closed(node: GraphNode): GraphNode {
    const frame = this.#open.length - 1;
    const waits =
      frame >= 0 && this.#open[frame]?.tag === tag.T_EXTRA && this.#base[frame] === this.#values.length;
    return waits ? node : this.#register(node);
  }

  #register(node: GraphNode): GraphNode {
    node.closed = this.#byClosing.length;
    this.#byClosing.push(node);
    return node;
  }

  #detail(node: GraphNode): NodeDetail {
    node.detail ??= {};
    return node.detail;
  }

  #arrayLength(length: number): number {
    if (length > 2 ** 32 - 1) throw corrupt(`an array is too long, at byte ${this.#source.at}`);
    return length;
  }
}

function bufferOfChild(child: unknown): BufferDetail {
  const buffer = isNode(child) ? child.detail?.buffer : undefined;
  if (buffer === undefined) throw corrupt('a view has no buffer');
  return buffer;
}
