/**
 * Finds where in a graph a node is, for errors and listings: a walk over the whole graph, so never on the way to a
 * success.
 */

import { type Graph, type GraphNode, HoleRun, isNode } from './graph.js';
import {
  indexSegment,
  joinPath,
  keySegment,
  mapKeySegment,
  mapValueSegment,
  memberSegment,
} from './paths.js';
import { T_ARRAY, T_BOXED, T_ENCODED, T_MAP, T_MEMORY, T_REGEXP, T_SET, T_VIEW } from './tags.js';

/** A place in a state: the segment that leads there from another. */
export interface Place {
  readonly from: Place | undefined;
  readonly segment: string;
}

interface Step extends Place {
  readonly node: GraphNode;
}

/** The node's children with the segments that lead to them, extras included. */
function* childrenOf(node: GraphNode): Generator<[GraphNode, string]> {
  let index = 0;
  for (let i = 0; i < node.children.length; i++) {
    const child = node.children[i];
    if (isNode(child)) yield [child, segmentOf(node, i, index)];
    index += child instanceof HoleRun ? child.count : 1;
  }
  for (const [i, child] of (node.detail?.extraValues ?? []).entries()) {
    if (isNode(child)) yield [child, keySegment(node.detail?.extraKeys?.[i] as string)];
  }
}

function segmentOf(node: GraphNode, position: number, index: number): string {
  switch (node.tag) {
    case T_ARRAY:
      return indexSegment(index);
    case T_MAP: {
      const entry = position >> 1;
      return position % 2 === 0 ? mapKeySegment(entry) : mapValueSegment(node.children[position - 1], entry);
    }
    case T_SET:
      return memberSegment(position);
    case T_REGEXP:
      return '.lastIndex';
    // A region is named by what reached it, so a buffer adds nothing to the path of its view or memory.
    case T_VIEW:
    case T_MEMORY:
    case T_BOXED:
    case T_ENCODED:
      return '';
    default:
      return keySegment(node.keys[position] as string);
  }
}

/** Every node with the path that an encode would have named it by; in the order of the skeleton. */
export function* walkPaths(graph: Graph): Generator<{ node: GraphNode; path: () => string }> {
  if (!isNode(graph.root)) return;
  const met = new Set<GraphNode>();
  const stack: Step[] = [{ node: graph.root, from: undefined, segment: '' }];
  while (stack.length > 0) {
    const step = stack.pop() as Step;
    if (met.has(step.node)) continue;
    met.add(step.node);
    yield { node: step.node, path: () => pathOf(step) };
    const next = [...childrenOf(step.node)];
    for (const [node, segment] of next.reverse()) stack.push({ node, from: step, segment });
  }
}

/** Path of a node; '' for the root, and for a node that an already filled container hides. */
export function findPath(graph: Graph, wanted: GraphNode): string {
  for (const { node, path } of walkPaths(graph)) if (node === wanted) return path();
  return '';
}

/** The path of a place; undefined is the state itself. */
export function pathOf(place: Place | undefined): string {
  const segments: string[] = [];
  for (let at = place; at !== undefined; at = at.from) if (at.segment !== '') segments.push(at.segment);
  return joinPath(segments.reverse());
}
