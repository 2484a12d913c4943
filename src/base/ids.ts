/** Identities: of content (ChunkId) and of snapshots (SnapshotId). */

import { SnapError } from './errors.js';

declare const chunkIdBrand: unique symbol;
/** BLAKE3-256 of raw bytes, as 32 bytes. */
export type ChunkId = Buffer & { readonly [chunkIdBrand]: true };

declare const snapshotIdBrand: unique symbol;
/** 32 lower-case hexadecimal digits (16 random bytes). */
export type SnapshotId = string & { readonly [snapshotIdBrand]: true };

export const CHUNK_ID_BYTES = 32;
export const SNAPSHOT_ID_BYTES = 16;

/** Shortest prefix of a snapshot id that a reference may use. */
export const SHORTEST_ID_PREFIX = 4;

export function asChunkId(bytes: Buffer): ChunkId {
  if (bytes.length !== CHUNK_ID_BYTES) throw new SnapError('SNAP_CORRUPT', 'a chunk id has a wrong length');
  return bytes as ChunkId;
}

/** A chunk id as a Map key: one latin-1 character a byte, the cheapest unique string. */
export function chunkKey(id: ChunkId): string {
  return id.toString('latin1', 0, CHUNK_ID_BYTES);
}

export function snapshotIdFromBytes(bytes: Buffer): SnapshotId {
  if (bytes.length !== SNAPSHOT_ID_BYTES) {
    throw new SnapError('SNAP_CORRUPT', 'a snapshot id has a wrong length');
  }
  return bytes.toString('hex') as SnapshotId;
}

export function snapshotIdToBytes(id: SnapshotId): Buffer {
  return Buffer.from(id, 'hex');
}

export function isSnapshotId(text: string): text is SnapshotId {
  return /^[0-9a-f]{32}$/.test(text);
}
