/**
 * The root of a region's tree, as manifests and region tables hold it.
 *
 * A region of few chunks has them right here (height 0), so that a small state needs no pages; a large one has
 * a few pages of height `height - 1`. Lengths are part of every entry, so chunks may differ in size.
 */

import { asChunkId, CHUNK_ID_BYTES } from '../base/ids.js';
import type { ByteReader, ByteWriter } from './bytes.js';
import { type Entry, MAX_TREE_HEIGHT } from './page.js';

/** Most entries that a root holds itself. */
export const ROOT_ENTRIES = 4;

/** How a region is cut. Codes are part of the format: never renumber. */
export const Chunking = { fixed: 0, contentDefined: 1 } as const;
export type Chunking = (typeof Chunking)[keyof typeof Chunking];

/** Content-defined chunks have at most `chunkBytes` times this and, but for the last, at least `chunkBytes` divided by it. */
export const CONTENT_RANGE = 4;

export interface Tree {
  byteLength: number;
  chunking: Chunking;
  /** Bytes of a fixed chunk (the last may be shorter), or what content-defined ones lie around. */
  chunkBytes: number;
  /** 0: entries are chunks; h: they are pages of height h-1. */
  height: number;
  entries: Entry[];
}

export function writeTree(out: ByteWriter, tree: Tree): void {
  out.varint(tree.byteLength).u8(tree.chunking).varint(tree.chunkBytes);
  out.u8(tree.height).u8(tree.entries.length);
  for (const entry of tree.entries) out.bytes(entry.id).varint(entry.byteLength);
}

export function readTree(source: ByteReader): Tree {
  const byteLength = source.varint();
  const chunking = source.u8() as Chunking;
  if (chunking !== Chunking.fixed && chunking !== Chunking.contentDefined) source.fail('unknown chunking');
  const chunkBytes = source.varint();
  const height = source.u8();
  const count = source.u8();
  if (height > MAX_TREE_HEIGHT || count > ROOT_ENTRIES) source.fail('a tree has a wrong shape');
  const entries: Entry[] = [];
  let total = 0;
  for (let index = 0; index < count; index++) {
    const id = asChunkId(Buffer.from(source.bytes(CHUNK_ID_BYTES)));
    const length = source.varint();
    if (length === 0) source.fail('a tree has an empty entry');
    total += length;
    entries.push({ id, byteLength: length });
  }
  if (total !== byteLength) source.fail('a tree does not add up to its length');
  return { byteLength, chunking, chunkBytes, height, entries };
}
