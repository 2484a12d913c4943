/** Reads records by id or location, decodes them, and checks the raw bytes against the id. */

import { isSnapError, SnapError } from '../base/errors.js';
import { asChunkId, CHUNK_ID_BYTES, type ChunkId } from '../base/ids.js';
import { chunkIdOf } from '../chunker/ids.js';
import type { Encoding } from '../compress/encoding.js';
import { fitsBase, takesBase } from '../format/bases.js';
import type { Location } from '../format/pack.js';
import { applyPatch } from '../format/patch.js';
import { checkUnderstood, Filter, MAX_RECORD_BYTES, RecordFlag, RecordType } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import { damaged, type Packs } from './packs.js';

/** A chunk or page as it is stored, and its raw bytes. */
export interface StoredRecord {
  location: Location;
  stored: Buffer;
  raw: Buffer;
}

export class RecordReader {
  readonly #packs: Packs;
  readonly #encoding: Encoding;
  readonly #locate: (id: ChunkId) => Location | undefined;
  readonly #onDamaged: (id: ChunkId) => void;
  #scratch = Buffer.alloc(0);
  /** Bytes of the last base. */
  #base = Buffer.alloc(0);

  /** `onDamaged` hears of every chunk and page whose record cannot be read. */
  constructor(
    packs: Packs,
    encoding: Encoding,
    locate: (id: ChunkId) => Location | undefined,
    onDamaged: (id: ChunkId) => void,
  ) {
    this.#packs = packs;
    this.#encoding = encoding;
    this.#locate = locate;
    this.#onDamaged = onDamaged;
  }

  /** The raw bytes of a chunk or page. */
  read(id: ChunkId): Buffer {
    const location = this.#find(id);
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

  /** A chunk or page as it is stored, after its raw bytes were checked; valid until something else is read. */
  readStored(id: ChunkId): StoredRecord {
    const location = this.#find(id);
    if (this.#scratch.length < location.rawLength) this.#scratch = Buffer.allocUnsafeSlow(location.rawLength);
    const raw = this.#scratch.subarray(0, location.rawLength);
    const stored = this.#decode(id, location, raw);
    return { location, stored, raw };
  }

  /** The record with which a chunk or page has to be read; undefined where it is stored alone. */
  baseOf(id: ChunkId): ChunkId | undefined {
    const location = this.#find(id);
    if (!takesBase(location.filter)) return undefined;
    return asChunkId(Buffer.from(baseIn(location, this.#packs.readStored(location, id, true))));
  }

  /** Fills `target`, whose length must be the record's; checked against its id, or to be by the caller. */
  readInto(id: ChunkId, target: Buffer, verify = true): void {
    const location = this.#find(id);
    if (location.rawLength !== target.length) {
      throw damaged(location.pack, location.offset, 'a chunk has another length than its page says');
    }
    this.#decode(id, location, target, verify);
  }

  /** Fills `target`, which has the record's length, from where the record with this id lies. */
  readLocatedInto(id: ChunkId, location: Location, target: Buffer): void {
    this.#decode(id, location, target);
  }

  /** The base that a record names, which its header alone vouches for: enough where the base itself is checked. */
  baseNamed(id: ChunkId, location: Location): ChunkId {
    const start = this.#packs.readStart(location, id, CHUNK_ID_BYTES);
    return asChunkId(Buffer.from(baseIn(location, start)));
  }

  /** A small record that is stored as it is, checked against its checksum. */
  readAt(location: Location): Buffer {
    try {
      return Buffer.from(this.#packs.readStored(location, undefined, true));
    } catch (error) {
      throw toSnapError(error, `reading pack ${location.pack}`);
    }
  }

  /**
   * Where the record with this id lies, and that it may be one. A chunk may be found as a page and a page as a chunk:
   * the id says what the bytes are, and a state may well hold the bytes of a page.
   */
  #find(id: ChunkId): Location {
    const location = this.#locate(id);
    if (!location) {
      throw new SnapError('SNAP_CORRUPT', `chunk ${id.toString('hex', 0, 8)} is in none of the packs`);
    }
    const { pack, offset, type, rawLength } = location;
    if (type !== RecordType.chunk && type !== RecordType.page) {
      throw damaged(pack, offset, 'a record has another type than expected');
    }
    if (rawLength > MAX_RECORD_BYTES) throw damaged(pack, offset, 'a record has an impossible length');
    return location;
  }

  /** Returns the stored bytes, valid until something else is read. */
  #decode(id: ChunkId, location: Location, target: Buffer, verify = true): Buffer {
    try {
      const stored = this.#decodeUnchecked(id, location, target);
      if (verify && !chunkIdOf(target).equals(id)) {
        throw damaged(location.pack, location.offset, 'the bytes are not those that were stored');
      }
      return stored;
    } catch (error) {
      const typed = toSnapError(error, `reading pack ${location.pack}`);
      if (isSnapError(typed, 'SNAP_CORRUPT')) this.#onDamaged(id);
      throw typed;
    }
  }

  #decodeUnchecked(id: ChunkId, location: Location, target: Buffer): Buffer {
    const stored = this.#packs.readStored(location, id, false);
    checkUnderstood(location);
    if (!takesBase(location.filter)) {
      this.#encoding.decode(location.codec, location.filter, stored, target);
      return stored;
    }
    // Reading the base takes the place of what was read last.
    const ours = Buffer.from(stored);
    const base = this.#readBase(location, ours);
    const rest = ours.subarray(CHUNK_ID_BYTES);
    if (location.filter === Filter.patch) this.#patch(location, rest, base, target);
    else this.#encoding.decode(location.codec, location.filter, rest, target, base);
    return ours;
  }

  /** A base has none itself, so this goes one level deep. */
  #readBase(location: Location, stored: Buffer): Buffer {
    const id = asChunkId(baseIn(location, stored));
    const base = this.#find(id);
    const { pack, offset, filter, rawLength } = location;
    if (takesBase(base.filter)) throw damaged(pack, offset, 'the base of a record has a base itself');
    if (!fitsBase(filter, rawLength, base.rawLength)) {
      throw damaged(pack, offset, 'the base of a record has a length that it cannot have');
    }
    if (this.#base.length < base.rawLength) this.#base = Buffer.allocUnsafeSlow(base.rawLength);
    const raw = this.#base.subarray(0, base.rawLength);
    this.#decode(id, base, raw);
    return raw;
  }

  #patch({ codec, rawLength, pack, offset }: Location, stored: Buffer, base: Buffer, target: Buffer): void {
    if (stored.length < 4) throw damaged(pack, offset, 'a patch is cut off');
    const patch = Buffer.allocUnsafe(Math.min(stored.readUInt32LE(0), rawLength * 2));
    this.#encoding.decode(codec, Filter.none, stored.subarray(4), patch);
    applyPatch(base, patch, rawLength).copy(target);
  }
}

/** The stored bytes of what takes a base begin with its id. */
function baseIn({ flags, pack, offset }: Location, stored: Buffer): Buffer {
  if ((flags & RecordFlag.hasBase) === 0 || stored.length < CHUNK_ID_BYTES) {
    throw damaged(pack, offset, 'a record that takes a base names none');
  }
  return stored.subarray(0, CHUNK_ID_BYTES);
}

/** What `read` returns; undefined where what it reads is damaged, or gone. */
export function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isSnapError(error, 'SNAP_CORRUPT')) return undefined;
    throw error;
  }
}
