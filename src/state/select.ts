/**
 * `only`: which nodes of a graph are wanted.
 *
 * What comes back has the shape of the state, from the root: objects, arrays, Maps and instances on the way to
 * something asked for are made with just the children that lead there (an array keeps its length, the rest are holes);
 * what is asked for is whole, with everything it refers to. A reference from there back to an object on the way leads
 * to that partial object.
 *
 * Invariants
 *  - a path that leads nowhere is an error: nothing asked for is ever silently absent
 *  - what cannot be made in part (a Set, an Error, a view, an encoded instance) is wanted whole once a path enters it
 */

import { SnapError } from '../base/errors.js';
import { type Graph, type GraphNode, HoleRun, isNode, PARTIAL, UNWANTED, WANTED } from './graph.js';
import { parsePath, type Segment } from './paths.js';
import * as tag from './tags.js';

/** Marks what is wanted in a graph where so far everything was. */
export function selectOnly(graph: Graph, only: readonly string[]): void {
  for (const node of graph.nodes) node.want = UNWANTED;
  const goals: GraphNode[] = [];
  for (const path of only) follow(graph, path, goals);
  wantAll(goals);
  if (isNode(graph.root) && graph.root.want === UNWANTED) {
    graph.root.want = PARTIAL;
    graph.root.kept = new Set();
  }
}

/** Marks the way to a path, and adds what stands at its end to the goals. */
function follow(graph: Graph, path: string, goals: GraphNode[]): void {
  const segments = parsePath(path);
  if (segments === undefined) throw notFound(path);
  let child = graph.root;
  let whole: GraphNode | undefined;
  for (const segment of segments) {
    const step = isNode(child) ? enter(child, segment) : undefined;
    if (step === undefined) throw notFound(path);
    if (whole === undefined && !step.divisible) whole = step.node;
    if (whole === undefined) {
      if (step.node.want === UNWANTED) step.node.want = PARTIAL;
      step.node.kept ??= new Set();
      step.node.kept.add(step.position);
      // A Map's value comes with its key; a key asked for by itself comes with undefined.
      const key =
        step.node.tag === tag.T_MAP && step.position % 2 === 1 ? step.node.children[step.position - 1] : 0;
      if (isNode(key)) goals.push(key);
    }
    child = step.child;
  }
  if (whole !== undefined) goals.push(whole);
  else if (isNode(child)) goals.push(child);
}

interface Entered {
  node: GraphNode;
  position: number;
  child: unknown;
  divisible: boolean;
}

function enter(start: GraphNode, segment: Segment): Entered | undefined {
  let node = start;
  let divisible = true;
  // Paths pass through an encoded instance as if its data stood in its place.
  while (node.tag === tag.T_ENCODED) {
    const data = node.children[0];
    if (!isNode(data)) return undefined;
    divisible = false;
    node = data;
  }
  const position = positionOf(node, segment);
  if (position !== undefined) {
    return {
      node: start,
      position,
      child: node.children[position],
      divisible: divisible && DIVISIBLE.has(node.tag),
    };
  }
  if (segment.kind !== 'key') return undefined;
  const extra = node.detail?.extraKeys?.indexOf(segment.key) ?? -1;
  if (extra === -1) return undefined;
  return { node: start, position: -1, child: node.detail?.extraValues?.[extra], divisible: false };
}

const DIVISIBLE = new Set<number>([
  tag.T_OBJECT,
  tag.T_NULL_OBJECT,
  tag.T_DICT,
  tag.T_NULL_DICT,
  tag.T_ARRAY,
  tag.T_INT32_LIST,
  tag.T_FLOAT64_LIST,
  tag.T_MAP,
]);

/** Position among the node's children; undefined where the segment does not fit the node. */
function positionOf(node: GraphNode, segment: Segment): number | undefined {
  switch (node.tag) {
    case tag.T_ARRAY:
    case tag.T_INT32_LIST:
    case tag.T_FLOAT64_LIST:
      return segment.kind === 'index' ? elementPosition(node, segment.index) : undefined;
    case tag.T_MAP:
      return mapPosition(node, segment);
    case tag.T_SET:
      return segment.kind === 'member' && segment.index < node.children.length ? segment.index : undefined;
    case tag.T_REGEXP:
      return segment.kind === 'key' && segment.key === 'lastIndex' ? 0 : undefined;
    case tag.T_VIEW:
    case tag.T_MEMORY:
      return segment.kind === 'key' && segment.key === 'buffer' ? 0 : undefined;
    default: {
      if (segment.kind !== 'key' && segment.kind !== 'index') return undefined;
      const position = node.keys.indexOf(segment.kind === 'key' ? segment.key : String(segment.index));
      return position === -1 ? undefined : position;
    }
  }
}

function elementPosition(node: GraphNode, wanted: number): number | undefined {
  if (node.detail?.length === undefined) return wanted < node.children.length ? wanted : undefined;
  let index = 0;
  for (let i = 0; i < node.children.length; i++) {
    const child = node.children[i];
    if (child instanceof HoleRun) index += child.count;
    else if (index++ === wanted) return i;
    if (index > wanted) return undefined;
  }
  return undefined;
}

function mapPosition(node: GraphNode, segment: Segment): number | undefined {
  if (segment.kind === 'mapKey' || segment.kind === 'member') {
    const position = segment.index * 2 + (segment.kind === 'member' ? 1 : 0);
    return position < node.children.length ? position : undefined;
  }
  if (segment.kind !== 'get') return undefined;
  for (let i = 0; i < node.children.length; i += 2) {
    const key = node.children[i];
    if (key === segment.key || (Number.isNaN(key) && Number.isNaN(segment.key))) return i + 1;
  }
  return undefined;
}

/** Everything these nodes reach, but for what lies on the way to a goal: that stays partial. */
function wantAll(goals: readonly GraphNode[]): void {
  const stack = [...goals];
  for (const goal of goals) goal.want = WANTED;
  const reach = (child: unknown) => {
    if (isNode(child) && child.want === UNWANTED) {
      child.want = WANTED;
      stack.push(child);
    }
  };
  while (stack.length > 0) {
    const node = stack.pop() as GraphNode;
    for (const child of node.children) reach(child);
    for (const child of node.detail?.extraValues ?? []) reach(child);
  }
}

function notFound(path: string): SnapError {
  return new SnapError(
    'SNAP_NOT_FOUND',
    `the snapshot holds nothing at ${JSON.stringify(path)}: \`snap show\` lists its regions`,
    {
      path,
    },
  );
}
