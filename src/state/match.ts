/**
 * Finds for each key, or member, of one container its counterpart in another: primitives by their value, objects by
 * their order among the objects.
 */

import { isNode } from './graph.js';

export interface Matched {
  /** Positions in the first and in the second, in the order of the first. */
  pairs: [number, number][];
  /** Positions in the first that have no counterpart. */
  removed: number[];
  /** Positions in the second that have none. */
  added: number[];
  /** The pairs stand in another order in the second. */
  reordered: boolean;
}

export function match(a: readonly unknown[], b: readonly unknown[]): Matched {
  const pairs: [number, number][] = [];
  const removed: number[] = [];
  const { positions, objects } = indexOf(b);
  const taken = new Set<number>();
  let nextObject = 0;
  let highest = -1;
  let reordered = false;
  for (const [i, key] of a.entries()) {
    const j = isNode(key) ? objects[nextObject++] : i < b.length && b[i] === key ? i : positions().get(key);
    if (j === undefined) {
      removed.push(i);
      continue;
    }
    pairs.push([i, j]);
    taken.add(j);
    if (j < highest) reordered = true;
    highest = j;
  }
  const added: number[] = [];
  if (taken.size < b.length) for (const j of b.keys()) if (!taken.has(j)) added.push(j);
  return { pairs, removed, added, reordered };
}

/** Positions of the primitives, found only when one is asked for, and of the objects. */
function indexOf(keys: readonly unknown[]): { positions: () => Map<unknown, number>; objects: number[] } {
  let positions: Map<unknown, number> | undefined;
  const objects: number[] = [];
  for (const [index, key] of keys.entries()) if (isNode(key)) objects.push(index);
  return {
    positions: () => {
      positions ??= new Map(keys.map((key, index) => [key, index]));
      return positions;
    },
    objects,
  };
}
