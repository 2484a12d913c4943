/**
 * Of which chunks regions consist, as the writer thread tells a restore, and where the last capture holds the same.
 *
 * Entries lie in one buffer as they do in pages: a state of a million chunks needs no million objects.
 */

import type { ChunkId } from '../base/ids.js';
import { ENTRY_BYTES, EntryList } from '../format/page.js';
import type { Extent } from './protocol.js';

/** The reply of `chunks`. */
export interface ChunkTable {
  /** For each region that was asked for, how many chunks it has. */
  counts: number[];
  /** Id and length of every chunk, region after region. */
  entries: Uint8Array;
  captured: CapturedChunks | undefined;
}

/** What the capture that is held for comparison has in common with a snapshot. */
export interface CapturedChunks {
  slot: number;
  /** Where it has the regions; undefined for one that it does not have. */
  regions: (CapturedPlace | undefined)[];
  /** For every chunk 1 where the capture has the same one at the same place, else 0. */
  same: Uint8Array;
}

export interface CapturedPlace {
  extents: readonly Extent[];
  byteLength: number;
  chunkBytes: number;
}

/** The chunks of one region. */
export class RegionChunks {
  /** Number of the region in its snapshot. */
  readonly region: number;
  readonly #entries: EntryList;
  readonly #bytes: Buffer;
  /** Where each begins, and at last where the region ends. */
  readonly #starts: Float64Array;

  constructor(region: number, entries: Buffer) {
    this.region = region;
    this.#bytes = entries;
    this.#entries = new EntryList(entries);
    this.#starts = new Float64Array(this.count + 1);
    for (let index = 0; index < this.count; index++) {
      this.#starts[index + 1] = this.start(index) + this.#entries.byteLength(index);
    }
  }

  get count(): number {
    return this.#entries.count;
  }

  get byteLength(): number {
    return this.start(this.count);
  }

  id(index: number): ChunkId {
    return this.#entries.id(index);
  }

  /** First byte of a chunk in its region. */
  start(index: number): number {
    return this.#starts[index] as number;
  }

  end(index: number): number {
    return this.start(index + 1);
  }

  byteLengthOf(index: number): number {
    return this.end(index) - this.start(index);
  }

  /** The entries of chunks `[from, to)`, as bytes. */
  entries(from: number, to: number): Buffer {
    return this.#bytes.subarray(from * ENTRY_BYTES, to * ENTRY_BYTES);
  }
}

/** The table, region by region. */
export function regionChunks(indexes: readonly number[], { counts, entries }: ChunkTable): RegionChunks[] {
  const bytes = Buffer.from(entries.buffer, entries.byteOffset, entries.byteLength);
  let at = 0;
  return indexes.map((region, position) => {
    const end = at + (counts[position] ?? 0) * ENTRY_BYTES;
    const chunks = new RegionChunks(region, bytes.subarray(at, end));
    at = end;
    return chunks;
  });
}
