/**
 * Pages: content-addressed lists of what a region consists of.
 *
 *   0     1   page version (1)
 *   1     1   height: 0 where the entries are chunks, h where they are pages of height h-1
 *   2     2   zero
 *   4     4   number of entries
 *   8    40n  entries: id (32), bytes of the region below it (8)
 *
 * Entries have a fixed size so that a changed one leaves the others where they were, and a patch stays small.
 */

import { SnapError } from '../base/errors.js';
import { asChunkId, CHUNK_ID_BYTES, type ChunkId } from '../base/ids.js';
import { readU64, writeU64 } from './bytes.js';

export const ENTRY_BYTES = CHUNK_ID_BYTES + 8;
const PAGE_VERSION = 1;
const PAGE_HEADER_BYTES = 8;

/** Most entries of one page. 256 of 64 KiB chunks describe 16 MiB in a 10 KiB page. */
export const PAGE_ENTRIES = 256;
/** A tree of this height already describes more than any machine's memory. */
export const MAX_TREE_HEIGHT = 8;

export interface Entry {
  id: ChunkId;
  byteLength: number;
}

/** Entries as they lie in a page, so that thousands of them need no objects. */
export class EntryList {
  #bytes: Buffer;
  #count: number;

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#bytes = bytes;
    this.#count = bytes.length / ENTRY_BYTES;
  }

  static of(entries: readonly Entry[]): EntryList {
    const list = new EntryList();
    list.resize(entries.length);
    for (const [index, { id, byteLength }] of entries.entries()) list.set(index, id, byteLength);
    return list;
  }

  get count(): number {
    return this.#count;
  }

  /** Cuts the list or extends it with entries of zero bytes. */
  resize(count: number): void {
    const needed = count * ENTRY_BYTES;
    if (needed > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#count * ENTRY_BYTES);
      this.#bytes = larger;
    } else if (count < this.#count) {
      this.#bytes.fill(0, needed, this.#count * ENTRY_BYTES);
    }
    this.#count = count;
  }

  /** The entries as they lie in a page. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#count * ENTRY_BYTES);
  }

  /** A view of the id at `index`. */
  id(index: number): ChunkId {
    const start = index * ENTRY_BYTES;
    return asChunkId(this.#bytes.subarray(start, start + CHUNK_ID_BYTES));
  }

  byteLength(index: number): number {
    return readU64(this.#bytes, index * ENTRY_BYTES + CHUNK_ID_BYTES);
  }

  set(index: number, id: ChunkId, byteLength: number): void {
    const start = index * ENTRY_BYTES;
    id.copy(this.#bytes, start);
    writeU64(this.#bytes, byteLength, start + CHUNK_ID_BYTES);
  }

  /** Sum of the lengths of entries `[start, end)`. */
  total(start = 0, end = this.#count): number {
    let sum = 0;
    for (let index = start; index < end; index++) sum += this.byteLength(index);
    return sum;
  }

  toArray(): Entry[] {
    return Array.from({ length: this.#count }, (_, index) => ({
      id: asChunkId(Buffer.from(this.id(index))),
      byteLength: this.byteLength(index),
    }));
  }

  /** The page that holds entries `[start, end)`. */
  toPage(height: number, start: number, end: number): Buffer {
    const page = Buffer.alloc(PAGE_HEADER_BYTES + (end - start) * ENTRY_BYTES);
    page[0] = PAGE_VERSION;
    page[1] = height;
    page.writeUInt32LE(end - start, 4);
    this.#bytes.copy(page, PAGE_HEADER_BYTES, start * ENTRY_BYTES, end * ENTRY_BYTES);
    return page;
  }
}

/** The entries of a page, which must have this height and describe this many bytes. */
export function decodePage(page: Buffer, height: number, byteLength: number): EntryList {
  if (page.length < PAGE_HEADER_BYTES || page[0] !== PAGE_VERSION || page.readUInt16LE(2) !== 0) {
    throw damaged('its header is wrong');
  }
  if (page[1] !== height) throw damaged('its height is wrong');
  const count = page.readUInt32LE(4);
  if (count === 0 || count > PAGE_ENTRIES) throw damaged('its number of entries is wrong');
  if (page.length !== PAGE_HEADER_BYTES + count * ENTRY_BYTES) throw damaged('its length is wrong');
  const entries = new EntryList(page.subarray(PAGE_HEADER_BYTES));
  for (let index = 0; index < count; index++) {
    const length = entries.byteLength(index);
    if (!Number.isSafeInteger(length) || length === 0) throw damaged('an entry has a wrong length');
  }
  if (entries.total() !== byteLength) throw damaged('its entries do not add up');
  return entries;
}

function damaged(reason: string): SnapError {
  return new SnapError('SNAP_CORRUPT', `a page cannot be read: ${reason}`);
}
