/**
 * How a state says that an array has more than one dimension: by an object that has the array at `data` and beside it,
 * at `shape`, the lengths of its dimensions, the last one running fastest.
 *
 * Invariants
 *  - the product of the lengths is the array's length, and the array is all of its region
 *  - an object that says more of the layout (`stride`, `strides`, `offset`, `order`) is not believed, nor are two that
 *    contradict each other: the region then has one dimension
 */

import { bufferOf, type Graph, type GraphNode, isNode } from './graph.js';
import { viewElementBytes } from './intrinsics.js';
import * as tag from './tags.js';

/** numpy 1 takes no more. */
const DIMENSIONS_MAX = 32;
const OTHER_LAYOUT = ['stride', 'strides', 'offset', 'order'];

/** The shape of each region, undefined where the state says none. */
export function regionShapes(graph: Graph): (readonly number[] | undefined)[] {
  const said = new Map<number, readonly number[]>();
  const contradicted = new Set<number>();
  for (const node of graph.nodes) {
    const found = shapeIn(node);
    if (!found) continue;
    const before = said.get(found.region);
    if (before && before.join() !== found.shape.join()) contradicted.add(found.region);
    said.set(found.region, found.shape);
  }
  return graph.regions.map((_, region) => (contradicted.has(region) ? undefined : said.get(region)));
}

function shapeIn(node: GraphNode): { region: number; shape: readonly number[] } | undefined {
  if (!node.keys.includes('data') || OTHER_LAYOUT.some((key) => node.keys.includes(key))) return undefined;
  const [data, shape] = [node.children[node.keys.indexOf('data')], node.children[node.keys.indexOf('shape')]];
  if (!isNode(data) || data.tag !== tag.T_VIEW || !isNode(shape)) return undefined;
  const { type = 0, byteOffset, viewLength } = data.detail ?? {};
  const { region, byteLength } = bufferOf(data.children[0] as GraphNode);
  if (region === -1 || byteOffset !== 0 || viewLength === undefined) return undefined;
  if (viewLength * viewElementBytes(type) !== byteLength) return undefined;
  const lengths = lengthsIn(shape);
  return lengths && product(lengths) === viewLength ? { region, shape: lengths } : undefined;
}

function lengthsIn({ tag: code, children }: GraphNode): readonly number[] | undefined {
  if (code !== tag.T_ARRAY && code !== tag.T_INT32_LIST) return undefined;
  if (children.length === 0 || children.length > DIMENSIONS_MAX) return undefined;
  return children.every((length) => Number.isSafeInteger(length) && (length as number) >= 0)
    ? (children as number[])
    : undefined;
}

function product(lengths: readonly number[]): number {
  return lengths.reduce((whole, length) => whole * length, 1);
}
