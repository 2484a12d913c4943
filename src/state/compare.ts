/**
 * Two skeletons -> the places where the states differ, but for what lies inside of regions.
 *
 * Both graphs are walked side by side from their roots. What is at the same place is compared: properties by their
 * keys, elements by their index, entries and members by their key where that is a primitive, else by their order.
 *
 * Invariants
 *  - two skeletons of equal states have no differences, and two of different states have at least one, unless only
 *    bytes of regions of equal length and path differ
 *  - no recursion; no node is walked through more than once, so that time and memory follow from the two sizes
 *  - of what is found only `limit` entries are kept; the rest is counted
 */

import { Buffer } from 'node:buffer';
import { isWithin } from '../base/tolerance.js';
import { elementsOf } from './elements.js';
import { type BufferDetail, bufferOf, type Graph, type GraphNode, isNode, type NodeDetail } from './graph.js';
import { type Place, pathOf } from './graph-paths.js';
import { viewElementBytes } from './intrinsics.js';
import { match } from './match.js';
import { builtinName, titleOf } from './node-names.js';
import { parseSkeleton } from './parse.js';
import { indexSegment, keySegment, mapKeySegment, mapValueSegment, memberSegment } from './paths.js';
import { compareElements, type Run } from './sequences.js';
import { firstDifference, shown, shownList } from './shown.js';
import * as tag from './tags.js';

/** A place where two states differ. */
export interface ValueDiff {
  /** Where, as in error messages; '' is the state itself. */
  path: string;
  change: 'added' | 'removed' | 'changed';
  /** How many elements of an array it is, from this one on; else 1. */
  count: number;
  /** What the first state has there, as JavaScript would write it, cut to about 80 characters; undefined: nothing. */
  a: string | undefined;
  /** The same of the second state. */
  b: string | undefined;
}

export interface StateDiff {
  values: ValueDiff[];
  /** How many more there are. */
  more: number;
  /** How many numbers differ, but within the tolerance. */
  tolerated: number;
}

/** `tolerance` 0: numbers are the same where `Object.is` says so. */
export function compareSkeletons(a: Uint8Array, b: Uint8Array, limit: number, tolerance = 0): StateDiff {
  const comparison = new Comparison(parseSkeleton(a), parseSkeleton(b), limit, tolerance);
  comparison.walk();
  const { values, more, tolerated } = comparison;
  return { values, more, tolerated };
}

/** Two objects at one place. */
interface Pair {
  a: GraphNode;
  b: GraphNode;
  at: Place | undefined;
}
type Pairs = Generator<Pair, void, undefined>;

/** Where a node was first met, and what was at that place in the other state. */
interface Meeting {
  at: Place | undefined;
  other: GraphNode;
}

class Comparison {
  readonly values: ValueDiff[] = [];
  more = 0;
  tolerated = 0;
  readonly #a: Graph;
  readonly #b: Graph;
  readonly #limit: number;
  readonly #tolerance: number;
  /** By the number under which a node was closed. */
  readonly #metInA: (Meeting | undefined)[];
  readonly #metInB: (Meeting | undefined)[];

  constructor(a: Graph, b: Graph, limit: number, tolerance: number) {
    this.#a = a;
    this.#b = b;
    this.#limit = limit;
    this.#tolerance = tolerance;
    this.#metInA = new Array<undefined>(a.nodes.length).fill(undefined);
    this.#metInB = new Array<undefined>(b.nodes.length).fill(undefined);
  }

  /** Depth first; what is inside of a pair is looked up only when it is its turn. */
  walk(): void {
    const stack: Pairs[] = [this.#children([this.#a.root], [this.#b.root], () => '', undefined)];
    for (let pairs = stack.at(-1); pairs; pairs = stack.at(-1)) {
      const { done, value } = pairs.next();
      if (done) stack.pop();
      else if (this.#isNew(value)) stack.push(this.#inside(value));
    }
  }

  /** Tells of another kind, class or identity; true where it is worth looking inside. */
  #isNew({ a, b, at }: Pair): boolean {
    const metA = this.#metInA[a.closed];
    const metB = this.#metInB[b.closed];
    if (metA?.other === b && metB?.other === a) return false;
    this.#metInA[a.closed] ??= { at, other: b };
    this.#metInB[b.closed] ??= { at, other: a };
    if (metA || metB) this.#report(at, () => [identity(a, metA), identity(b, metB)]);
    if (metA && metB) return false;
    if (kindOf(a) !== kindOf(b)) {
      this.#changed(at, a, b);
      return false;
    }
    if (titleOf(a) !== titleOf(b)) this.#report(at, () => [titleOf(a), titleOf(b)]);
    return true;
  }

  /** What two nodes of one kind are made of. */
  *#inside(pair: Pair): Pairs {
    const { a, b, at } = pair;
    const [x, y]: [NodeDetail, NodeDetail] = [a.detail ?? {}, b.detail ?? {}];
    switch (a.tag) {
      case tag.T_ARRAY:
      case tag.T_INT32_LIST:
      case tag.T_FLOAT64_LIST:
        yield* this.#elements(pair, a.children, b.children);
        break;
      case tag.T_MAP:
        yield* this.#map(pair);
        break;
      case tag.T_SET:
        yield* this.#set(pair);
        break;
      case tag.T_DATE:
        if (!Object.is(x.value, y.value)) this.#changed(at, a, b);
        break;
      case tag.T_BOXED:
        if (!this.#isSame(x.value, y.value)) this.#changed(at, a, b);
        break;
      case tag.T_REGEXP:
        if (x.source !== y.source || x.flags !== y.flags) this.#changed(at, a, b);
        yield* this.#children(a.children, b.children, () => '.lastIndex', at);
        break;
      case tag.T_VIEW:
        yield* this.#view(pair);
        break;
      case tag.T_BYTES:
      case tag.T_REGION:
        this.#buffer(pair);
        break;
      case tag.T_MEMORY:
      case tag.T_ENCODED:
        yield* this.#children(a.children, b.children, () => '', at);
        break;
      default:
        if (a.tag === tag.T_ERROR) this.#enumerability(pair);
        yield* this.#keyed(a.keys, a.children, b.keys, b.children, at);
    }
    if (x.extraKeys || y.extraKeys) {
      yield* this.#keyed(x.extraKeys, x.extraValues, y.extraKeys, y.extraValues, at);
    }
  }

  *#keyed(
    aKeys: readonly string[] = [],
    aValues: readonly unknown[] = [],
    bKeys: readonly string[] = [],
    bValues: readonly unknown[] = [],
    at: Place | undefined,
  ): Pairs {
    const segment = (j: number) => keySegment(bKeys[j] as string);
    if (isSameList(aKeys, bKeys)) {
      yield* this.#children(aValues, bValues, segment, at);
      return;
    }
    const { pairs, removed, added, reordered } = match(aKeys, bKeys);
    const order = (keys: readonly string[]) => `keys in the order ${shownList(keys)}`;
    if (reordered) this.#report(at, () => [order(aKeys), order(bKeys)]);
    for (const i of removed) this.#removed(below(at, keySegment(aKeys[i] as string)), aValues[i]);
    for (const j of added) this.#added(below(at, segment(j)), bValues[j]);
    for (const [i, j] of pairs) yield* this.#child(aValues[i], bValues[j], () => segment(j), at);
  }

  /** Values that stand in for each other in their order. Most of two states is equal primitives: those cost least. */
  *#children(
    a: readonly unknown[],
    b: readonly unknown[],
    segment: (index: number) => string,
    at: Place | undefined,
  ): Pairs {
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [a[i], b[i]];
      if (isNode(x) || !Object.is(x, y)) yield* this.#child(x, y, () => segment(i), at);
    }
  }

  *#child(a: unknown, b: unknown, segment: () => string, at: Place | undefined): Pairs {
    if (isNode(a) && isNode(b)) yield { a, b, at: below(at, segment()) };
    else if (!this.#isSame(a, b)) this.#changed(below(at, segment()), a, b);
  }

  readonly #isSame = (a: unknown, b: unknown): boolean => {
    if (Object.is(a, b)) return true;
    if (this.#tolerance === 0 || !isWithin(a, b, this.#tolerance)) return false;
    this.tolerated++;
    return true;
  };

  /** Keys of an error that only one of the two lists in a loop; all others are told as keys. */
  #enumerability({ a, b, at }: Pair): void {
    const said = (is: boolean | undefined) => (is ? 'enumerable' : 'not enumerable');
    for (const [i, j] of match(a.keys, b.keys).pairs) {
      const [x, y] = [a.detail?.enumerable?.[i], b.detail?.enumerable?.[j]];
      if (x !== y) this.#report(below(at, keySegment(a.keys[i] as string)), () => [said(x), said(y)]);
    }
  }

  *#elements({ a, b, at }: Pair, ours: readonly unknown[], theirs: readonly unknown[]): Pairs {
    const compared = compareElements(ours, theirs, this.#isSame);
    for (let next = compared.next(); ; next = compared.next()) {
      if (next.done) {
        if (!next.value) this.#changed(at, a, b);
        return;
      }
      if ('change' in next.value) this.#run(next.value, at);
      else {
        const { a: x, b: y, index } = next.value;
        yield { a: x, b: y, at: below(at, indexSegment(index)) };
      }
    }
  }

  *#map({ a, b, at }: Pair): Pairs {
    const [ours, theirs] = [keysOfMap(a), keysOfMap(b)];
    const { pairs, removed, added, reordered } = match(ours, theirs);
    const order = (keys: readonly unknown[]) => `keys in the order ${shownList(keys)}`;
    if (reordered) this.#report(at, () => [order(ours), order(theirs)]);
    for (const i of removed) this.#removed(below(at, mapValueSegment(ours[i], i)), a.children[2 * i + 1]);
    for (const j of added) this.#added(below(at, mapValueSegment(theirs[j], j)), b.children[2 * j + 1]);
    for (const [i, j] of pairs) {
      if (isNode(ours[i])) yield* this.#child(ours[i], theirs[j], () => mapKeySegment(j), at);
      const segment = () => mapValueSegment(theirs[j], j);
      yield* this.#child(a.children[2 * i + 1], b.children[2 * j + 1], segment, at);
    }
  }

  *#set({ a, b, at }: Pair): Pairs {
    const { pairs, removed, added, reordered } = match(a.children, b.children);
    const order = (node: GraphNode) => `members in the order ${shownList(node.children)}`;
    if (reordered) this.#report(at, () => [order(a), order(b)]);
    for (const i of removed) this.#removed(below(at, memberSegment(i)), a.children[i]);
    for (const j of added) this.#added(below(at, memberSegment(j)), b.children[j]);
    for (const [i, j] of pairs) yield* this.#child(a.children[i], b.children[j], () => memberSegment(j), at);
  }

  *#view(pair: Pair): Pairs {
    const { a, b, at } = pair;
    const [x, y] = [a.detail as NodeDetail, b.detail as NodeDetail];
    const [ours, theirs] = [bufferBelow(a), bufferBelow(b)];
    const whole = showsAll(a) && showsAll(b) && this.#meetBuffers(pair);
    if (whole && ours.bytes && theirs.bytes) {
      yield* this.#bytes(pair, ours.bytes, theirs.bytes);
    } else if (!whole || ours.bytes || theirs.bytes) {
      const samePlace = x.byteOffset === y.byteOffset && x.viewLength === y.viewLength;
      if (!samePlace) this.#changed(at, a, b);
      if (!whole) yield* this.#children(a.children, b.children, () => '', at);
    }
  }

  /** True where these views are the first over their buffers, and those are alike but for their bytes. */
  #meetBuffers({ a, b, at }: Pair): boolean {
    const [x, y] = [a.children[0] as GraphNode, b.children[0] as GraphNode];
    if (this.#metInA[x.closed] || this.#metInB[y.closed]) return false;
    if (kindOf(x) !== kindOf(y) || !isSamePower(bufferOf(x), bufferOf(y))) return false;
    this.#metInA[x.closed] = { at, other: y };
    this.#metInB[y.closed] = { at, other: x };
    return true;
  }

  /** Small buffers, each shown whole by a view. */
  *#bytes(pair: Pair, ours: Uint8Array, theirs: Uint8Array): Pairs {
    if (isEqual(ours, theirs)) return;
    const type = pair.a.detail?.type as number;
    const [x, y] = [elementsOf(type, ours), elementsOf(type, theirs)];
    const before = this.values.length + this.more + this.tolerated;
    if (x && y) yield* this.#elements(pair, x, y);
    // A DataView has no elements, and NaNs of different payload are no different numbers.
    const told = this.values.length + this.more + this.tolerated > before;
    if (!told && (this.#tolerance === 0 || !x)) this.#differingBytes(ours, theirs, pair.at);
  }

  #buffer({ a, b, at }: Pair): void {
    const [x, y] = [bufferOf(a), bufferOf(b)];
    // A region says by itself that it has become longer.
    const sameLength = x.byteLength === y.byteLength || (!x.bytes && !y.bytes);
    if (!sameLength || !isSamePower(x, y)) this.#changed(at, a, b);
    else if (x.bytes && y.bytes && !isEqual(x.bytes, y.bytes)) this.#differingBytes(x.bytes, y.bytes, at);
  }

  #differingBytes(a: Uint8Array, b: Uint8Array, at: Place | undefined): void {
    const from = a.findIndex((byte, index) => byte !== b[index]);
    const start = from === -1 ? Math.min(a.length, b.length) : from;
    this.#report(at, () => [hex(a, start), hex(b, start)]);
  }

  #run({ index, count, a, b }: Run, at: Place | undefined): void {
    const place = below(at, indexSegment(index));
    if (count === 1 && a.length === b.length) {
      this.#changed(place, a[0], b[0]);
      return;
    }
    const said = (values: readonly unknown[]) => {
      if (values.length === 0) return undefined;
      return count === 1 ? shown(values[0]) : shownList(values, count);
    };
    this.#report(place, () => [said(a), said(b)], count);
  }

  #changed(at: Place | undefined, a: unknown, b: unknown): void {
    this.#report(at, () => {
      const from = firstDifference(a, b);
      return [shown(a, from), shown(b, from)];
    });
  }

  #removed(at: Place, value: unknown): void {
    this.#report(at, () => [shown(value), undefined]);
  }

  #added(at: Place, value: unknown): void {
    this.#report(at, () => [undefined, shown(value)]);
  }

  /** `say` puts into words what the two states have there; undefined: nothing. */
  #report(at: Place | undefined, say: () => [string | undefined, string | undefined], count = 1): void {
    if (this.values.length >= this.#limit) {
      this.more++;
      return;
    }
    const [a, b] = say();
    const change = a === undefined ? 'added' : b === undefined ? 'removed' : 'changed';
    this.values.push({ path: pathOf(at), change, count, a, b });
  }
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key, index) => key === b[index]);
}

function below(from: Place | undefined, segment: string): Place {
  return { from, segment };
}

/** Nodes of one kind are made of the same parts, whatever their class. */
function kindOf(node: GraphNode): string {
  return node.tag === tag.T_ENCODED ? 'encoded' : builtinName(node);
}

function identity(node: GraphNode, met: Meeting | undefined): string {
  return met ? `the ${titleOf(node)} at ${pathOf(met.at) || 'the root'}` : `its own ${titleOf(node)}`;
}

function keysOfMap(node: GraphNode): unknown[] {
  return node.children.filter((_, position) => position % 2 === 0);
}

function bufferBelow(view: GraphNode): BufferDetail {
  return bufferOf(view.children[0] as GraphNode);
}

/** True for a view of fixed length over all of its buffer. */
function showsAll(view: GraphNode): boolean {
  const { type, byteOffset, viewLength } = view.detail as NodeDetail;
  if (byteOffset !== 0 || viewLength === undefined) return false;
  return viewLength * viewElementBytes(type as number) === bufferBelow(view).byteLength;
}

function isSamePower(a: BufferDetail, b: BufferDetail): boolean {
  return a.resizable === b.resizable && (!a.resizable || a.maxByteLength === b.maxByteLength);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

const HEX_BYTES = 16;

function hex(bytes: Uint8Array, start: number): string {
  const part = Buffer.from(bytes.subarray(start, start + HEX_BYTES)).toString('hex');
  return `bytes from ${start}: ${part}${start + HEX_BYTES < bytes.length ? '…' : ''}`;
}
