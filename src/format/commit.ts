/**
 * Commit records: what makes everything before them in a pack count.
 *
 *   0    1   version (1)
 *   1   16   writer
 *  17    8   commit number, counted through the store
 *  25   32   id of the commit record before it (zero for the first)
 *  57    8   offset in this pack at which the span begins
 *  65    8   bytes of the span
 *  73    8   records in the span
 *  81   32   BLAKE3-256 of the headers of the span's records, in order
 * 113    8   time (f64, ms since 1970)
 *
 * A header holds the checksum of its payload, so the hash of the headers stands for every byte of the span. A
 * commit is appended only after the one before it was synced: what follows a commit proves it durable.
 */

import { asChunkId, CHUNK_ID_BYTES, type ChunkId } from '../base/ids.js';
import { ByteReader, ByteWriter } from './bytes.js';

const COMMIT_VERSION = 1;
export const WRITER_ID_BYTES = 16;
export const NO_COMMIT = asChunkId(Buffer.alloc(CHUNK_ID_BYTES));

export interface Commit {
  writer: Buffer;
  number: number;
  previous: ChunkId;
  spanOffset: number;
  spanBytes: number;
  spanRecords: number;
  spanHash: Buffer;
  time: number;
}

export function encodeCommit(commit: Commit): Buffer {
  return new ByteWriter(128)
    .u8(COMMIT_VERSION)
    .bytes(commit.writer)
    .u64(commit.number)
    .bytes(commit.previous)
    .u64(commit.spanOffset)
    .u64(commit.spanBytes)
    .u64(commit.spanRecords)
    .bytes(commit.spanHash)
    .f64(commit.time)
    .finish();
}

export function decodeCommit(payload: Buffer): Commit {
  const source = new ByteReader(payload, 'a commit record');
  if (source.u8() !== COMMIT_VERSION) source.fail('unknown version');
  const commit: Commit = {
    writer: source.bytes(WRITER_ID_BYTES),
    number: source.u64(),
    previous: asChunkId(source.bytes(CHUNK_ID_BYTES)),
    spanOffset: source.u64(),
    spanBytes: source.u64(),
    spanRecords: source.u64(),
    spanHash: source.bytes(CHUNK_ID_BYTES),
    time: source.f64(),
  };
  source.end();
  return commit;
}
