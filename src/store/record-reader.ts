/** Reads records by id or location, decodes them, and checks the raw bytes against the id. */

import { SnapError } from '../base/errors.js';
import { asChunkId, CHUNK_ID_BYTES, type ChunkId } from '../base/ids.js';
import { chunkIdOf } from '../chunker/ids.js';
import type { Encoding } from '../compress/encoding.js';
import type { Location } from '../format/pack.js';
import { applyPatch } from '../format/patch.js';
import { checkUnderstood, Filter, RecordFlag, type RecordType } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import { damaged, type Packs } from './packs.js';

export class RecordReader {
  readonly #packs: Packs;
  readonly #encoding: Encoding;
  readonly #locate: (id: ChunkId) => Location | undefined;

  constructor(packs: Packs, encoding: Encoding, locate: (id: ChunkId) => Location | undefined) {
    this.#packs = packs;
    this.#encoding = encoding;
    this.#locate = locate;
  }

  /** The raw bytes of a record. */
  read(id: ChunkId, type: RecordType): Buffer {
    const location = this.#find(id, type);
    const target = Buffer.allocUnsafeSlow(location.rawLength);
    this.#decode(id, location, target);
    return target;
  }

  /** The raw bytes of the record at a location, which must be the one with this id. */
  readLocated(id: ChunkId, location: Location): Buffer {
    const target = Buffer.allocUnsafeSlow(location.rawLength);
    this.#decode(id, location, target);
    return target;
  }

  /** Fills `target`, whose length must be the record's. */
  readInto(id: ChunkId, type: RecordType, target: Buffer): void {
    const location = this.#find(id, type);
    if (location.rawLength !== target.length) {
      throw damaged(location.pack, location.offset, 'a chunk has another length than its page says');
    }
    this.#decode(id, location, target);
  }

  /** A small record that is stored as it is, checked against its checksum. */
  readAt(location: Location): Buffer {
    try {
      return Buffer.from(this.#packs.readStored(location, undefined, true));
    } catch (error) {
      throw toSnapError(error, `reading pack ${location.pack}`);
    }
  }

  #find(id: ChunkId, type: RecordType): Location {
    const location = this.#locate(id);
    if (!location) {
      throw new SnapError('SNAP_CORRUPT', `chunk ${id.toString('hex', 0, 8)} is in none of the packs`);
    }
    if (location.type !== type) {
      throw damaged(location.pack, location.offset, 'a record has another type than expected');
    }
    return location;
  }

  #decode(id: ChunkId, location: Location, target: Buffer): void {
    try {
      const stored = this.#packs.readStored(location, id, false);
      checkUnderstood({ ...location, sequence: 0, writer: EMPTY, id, check: EMPTY });
      if (location.filter === Filter.patch) this.#patch(location, Buffer.from(stored), target);
      else this.#encoding.decode(location.codec, stored, target);
    } catch (error) {
      throw toSnapError(error, `reading pack ${location.pack}`);
    }
    if (!chunkIdOf(target).equals(id)) {
      throw damaged(location.pack, location.offset, 'the bytes are not those that were stored');
    }
  }

  /** A base is never a patch itself, so this goes one level deep. */
  #patch(location: Location, stored: Buffer, target: Buffer): void {
    const { pack, offset } = location;
    const patchStart = CHUNK_ID_BYTES + 4;
    if ((location.flags & RecordFlag.hasBase) === 0 || stored.length < patchStart) {
      throw damaged(pack, offset, 'a patch without a base');
    }
    const base = this.#find(asChunkId(stored.subarray(0, CHUNK_ID_BYTES)), location.type);
    if (base.filter !== Filter.none) throw damaged(pack, offset, 'the base of a patch is a patch');
    const patch = Buffer.allocUnsafe(Math.min(stored.readUInt32LE(CHUNK_ID_BYTES), location.rawLength * 2));
    this.#encoding.decode(location.codec, stored.subarray(patchStart), patch);
    const baseBytes = this.read(asChunkId(stored.subarray(0, CHUNK_ID_BYTES)), location.type);
    applyPatch(baseBytes, patch, location.rawLength).copy(target);
  }
}

const EMPTY = Buffer.alloc(0);
