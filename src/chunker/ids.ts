/** Chunk ids: BLAKE3-256 of the raw bytes. */

import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import { asChunkId, type ChunkId } from '../base/ids.js';

export function chunkIdOf(raw: Buffer): ChunkId {
  return asChunkId(blake3(raw));
}

/** Hashes bytes that arrive in pieces. */
export class RunningHash {
  readonly #hasher = new Blake3Hasher();

  update(bytes: Buffer): void {
    this.#hasher.update(bytes);
  }

  digest(): ChunkId {
    return asChunkId(this.#hasher.digestBuffer());
  }
}
