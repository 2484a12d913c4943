/**
 * Which chunks of each region may have changed since the save before, as far as that is known without hashing.
 *
 * What the caller's thread was told by the kernel needs no comparison, if it was told about the very save that we go on
 * from. The rest is compared with the slot that is held. `undefined` stands for all chunks.
 */

import { KiB } from '../base/sizes.js';
import { chunkBytesFor, type RegionBytes, visitChangedChunks } from '../chunker/fixed.js';
import type { Client, NamedRegion } from './client.js';
import type { SaveJob } from './protocol.js';

export type ChunkList = ArrayLike<number>;

/** What is copied or tracked is told by shares of such pages. */
const PAGE_BYTES = 4 * KiB;
/** So many changed chunks of a region are looked at page by page. */
const SAMPLES = 64;

/** The chunks of each region, skeleton first, that may have changed. */
export function changedChunks(
  client: Client,
  captured: readonly NamedRegion[],
  { follows, changed }: SaveJob,
): (ChunkList | undefined)[] {
  const isNext = follows !== undefined && follows === client.lineage;
  return captured.map(({ name, kind, bytes }, position) => {
    const told = isNext ? changed[position - 1] : undefined;
    if (told) return told;
    const previous = client.base?.regions.get(name);
    if (!previous) return undefined;
    const indexes: number[] = [];
    visitChangedChunks(bytes, previous, chunkBytesFor(kind), (index) => indexes.push(index));
    return indexes;
  });
}

/**
 * For the regions that a save asks about, the share of pages that changed, judged by some of the chunks that did;
 * undefined where there is nothing to compare with.
 */
export function changedShares(
  client: Client,
  captured: readonly NamedRegion[],
  changed: readonly (ChunkList | undefined)[],
  { measure }: SaveJob,
): (number | undefined)[] {
  return measure.map((position) => {
    const { name, kind, bytes } = captured[position + 1] as NamedRegion;
    const previous = client.base?.regions.get(name);
    const chunks = changed[position + 1];
    if (!previous || !chunks || previous.byteLength !== bytes.byteLength) return undefined;
    return shareOf(bytes, previous, chunks, chunkBytesFor(kind));
  });
}

function shareOf(current: RegionBytes, previous: RegionBytes, chunks: ChunkList, chunkBytes: number): number {
  const stride = Math.ceil(chunks.length / SAMPLES);
  let pages = 0;
  let differing = 0;
  for (let at = 0; at < chunks.length; at += stride) {
    const start = (chunks[at] as number) * chunkBytes;
    const end = Math.min(start + chunkBytes, current.byteLength);
    const ours = current.slice(start, end);
    const theirs = previous.slice(start, end);
    for (let page = 0; page < ours.length; page += PAGE_BYTES) {
      const stop = Math.min(page + PAGE_BYTES, ours.length);
      pages++;
      if (ours.compare(theirs, page, stop, page, stop) !== 0) differing++;
    }
  }
  if (pages === 0) return 0;
  return (differing / pages) * (chunks.length / Math.ceil(current.byteLength / chunkBytes));
}
