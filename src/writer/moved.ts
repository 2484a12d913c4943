/**
 * Regions whose bytes move: an insertion into a text or a serialised graph leaves what follows as it was, at other places,
 * where fixed chunks would all be new.
 *
 * Found out by what happens: a region of bytes is cut into fixed chunks until several side by side have changed and most
 * of them are found elsewhere. From then on its chunks are kept wherever they stand, those that were fixed too, and what
 * is new is cut by content. So nothing is written again for it, and a region that only grows, or changes in its places,
 * stays as it was.
 *
 * Invariant: a chunk is kept only where the region has all of its bytes, compared or hashed.
 */

import { KiB } from '../base/sizes.js';
import { chunkIdOf } from '../chunker/ids.js';
import { withLandmarks } from '../chunker/landmarks.js';
import { type Cut, recut } from '../chunker/recut.js';
import { bytesOf, findKept, haveMoved, holdSame, type Kept, type Versions } from '../chunker/shifted.js';
import type { RegionKind } from '../format/kinds.js';
import type { RegionTree } from '../store/region-tree.js';
import type { ChunkList } from './changes.js';
import type { Client, NamedRegion } from './client.js';

/** Bytes without a type, or of numbers that no chunk can cut in two; skeletons. Pages of a WebAssembly memory do not move. */
const MOVABLE: ReadonlySet<RegionKind> = new Set([
  'bytes',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'DataView',
  'skeleton',
]);
/** Shorter regions are written anew. */
const SHORTEST_REGION_BYTES = 256 * KiB;
/** So many chunks side by side have to have changed before they are looked for elsewhere, and so many are looked for. */
const SAMPLES = 4;

/** True where a region of this kind may be cut by content. */
export function isMovable(kind: RegionKind): boolean {
  return MOVABLE.has(kind);
}

/**
 * For every region whose bytes moved, the chunks that it still has, found by comparing with the slot that is held.
 * `changed`: the fixed chunks that differ.
 */
export function keptChunks(
  { base, trees }: Client,
  captured: readonly NamedRegion[],
  changed: readonly (ChunkList | undefined)[],
): (Kept[] | undefined)[] {
  return captured.map(({ name, kind, bytes: current }, position) => {
    const chunks = trees?.get(name);
    const previous = base?.regions.get(name);
    const differing = changed[position];
    if (!chunks || !previous || !differing || !isMovable(kind)) return undefined;
    const versions: Versions = {
      chunks,
      current,
      previous,
      same: (index, at) => {
        const start = chunks.start(index);
        return holdSame(previous, start, current, at, chunks.end(index) - start);
      },
    };
    return isToBeRecut(versions, chunks, differing) ? withLandmarks(versions, findKept(versions)) : undefined;
  });
}

/** The same where no slot is held: chunks are known by their ids. */
export function keptChunksById(
  chunks: RegionTree,
  { kind, bytes: current }: NamedRegion,
): Kept[] | undefined {
  if (!isMovable(kind)) return undefined;
  const same = (index: number, at: number): boolean => {
    const length = chunks.end(index) - chunks.start(index);
    return chunks.has(index, chunkIdOf(bytesOf(current, at, at + length)));
  };
  const versions: Versions = { chunks, current, previous: undefined, same };
  return isToBeRecut(versions, chunks, undefined) ? findKept(versions) : undefined;
}

/** Cuts a region anew around the chunks that it still has. */
export async function cutAround(
  tree: RegionTree,
  { bytes }: NamedRegion,
  kept: readonly Kept[],
  breathe: () => Promise<void> | undefined,
): Promise<Cut> {
  const cutting = recut(bytes, tree, kept, tree.chunkBytes);
  let step = cutting.next();
  for (; !step.done; step = cutting.next()) {
    const pause = breathe();
    if (pause) await pause;
  }
  tree.recut(step.value);
  return step.value;
}

/** The chunks of a tree that the fixed chunks of these indexes overlap. */
export function overlapped(tree: RegionTree, changed: ChunkList): ChunkList {
  if (!tree.isContentDefined) return changed;
  const indexes: number[] = [];
  let next = 0;
  for (let position = 0; position < changed.length; position++) {
    const start = (changed[position] as number) * tree.chunkBytes;
    while (next < tree.count && tree.end(next) <= start) next++;
    for (; next < tree.count && tree.start(next) < start + tree.chunkBytes; next++) indexes.push(next);
  }
  return indexes;
}

function isToBeRecut(versions: Versions, tree: RegionTree, changed: ChunkList | undefined): boolean {
  const { current } = versions;
  const hasNewLength = tree.byteLength !== current.byteLength;
  if (tree.isContentDefined && hasNewLength) return true;
  if (Math.min(tree.byteLength, current.byteLength) < SHORTEST_REGION_BYTES) return false;
  // The end of a region moves with its length.
  if (!changed) return hasNewLength && haveMoved(versions, [tree.count - 3, tree.count - 2]);
  const [from, to] = longestRun(changed, Math.floor(tree.byteLength / tree.chunkBytes));
  if (to - from < SAMPLES) return false;
  const sampled = Array.from({ length: SAMPLES }, (_, sample) =>
    Math.floor(from + ((sample + 0.5) * (to - from)) / SAMPLES),
  );
  return haveMoved(versions, Array.from(overlapped(tree, sampled)));
}

/** The most chunks below `count` that follow each other in a list. */
function longestRun(indexes: ChunkList, count: number): [from: number, to: number] {
  let longest: [number, number] = [0, 0];
  let from = 0;
  for (let position = 0; position < indexes.length; position++) {
    const index = indexes[position] as number;
    if (index >= count) break;
    if (index - 1 !== indexes[position - 1]) from = index;
    if (index + 1 - from > longest[1] - longest[0]) longest = [from, index + 1];
  }
  return longest;
}
