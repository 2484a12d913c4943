/**
 * Chunks and pages: where they lie, which of them a new snapshot may rely on, and how they are put.
 *
 * Invariants
 *  - what is known is durable, or precedes in the same commit; it was not found damaged, and gc is not about to take it
 *  - what is known is put once; what is not known any more is put again by the next save that holds it
 *  - a page is stored in full, or as a patch of one that is; a chunk alone, or as a difference from one that is
 *  - a base is known and durable, and its bytes are read back from the packs: what cannot be read is no base
 */

import { invariant, isSnapError } from '../base/errors.js';
import { CHUNK_ID_BYTES, type ChunkId, chunkKey } from '../base/ids.js';
import { chunkIdOf } from '../chunker/ids.js';
import type { Encoding } from '../compress/encoding.js';
import { fitsBase, MAX_FILTERED_BYTES, takesBase } from '../format/bases.js';
import type { Location } from '../format/pack.js';
import { makePatch } from '../format/patch.js';
import { Codec, Filter, payloadWithin, RecordFlag, RecordType, recordBytes } from '../format/record.js';
import type { StoreContext } from './context.js';
import type { Committed } from './index.js';
import type { LiveIndex } from './live-index.js';
import type { Log, Place, Stored } from './log.js';
import type { Marks } from './mark.js';
import { PLAIN } from './pack-writer.js';
import { RecordReader, unlessDamaged } from './record-reader.js';

/** A page that a new version of it may be stored as a patch of; stored in full itself. */
export interface PatchBase {
  id: ChunkId;
  raw: Buffer;
}

/** A chunk that a new version of it may be stored as a difference from; stored alone itself. */
export interface ChunkBase {
  id: ChunkId;
  raw: Buffer;
  /** Of its record. */
  storedBytes: number;
}

/** How a chunk is to be stored. */
export interface ChunkStorage {
  /** By itself. */
  alone: Filter;
  /** Later saves may take it for a base. */
  readAgain?: boolean;
  /** As a difference from the chunk that was in its place, if its record takes at most so much where the base takes `alone`. */
  difference?: { filter: Filter; previous: ChunkId; atMost(alone: number): number } | undefined;
}

/** As it is. */
export const PLAINLY: ChunkStorage = { alone: Filter.none };

export interface StoredChunk extends Stored {
  /** Of the record of its base; undefined where it was known, or is stored alone. */
  baseBytes?: number;
}

export class Content {
  readonly reader: RecordReader;
  readonly #log: Log;
  readonly #index: LiveIndex;
  readonly #encoding: Encoding;
  /** Found damaged: to be written again by the next save that holds them. */
  readonly #unreadable = new Set<string>();
  #damageSeen = 0;
  /** Bytes of the last base. */
  #base = Buffer.alloc(0);
  /** What a running gc has marked, and from where on everything was written after it condemned the rest. */
  #collection: { marks: Marks; condemnedTo: Place } | undefined;

  constructor({ packs }: StoreContext, log: Log, index: LiveIndex, encoding: Encoding) {
    this.#log = log;
    this.#index = index;
    this.#encoding = encoding;
    this.reader = new RecordReader(
      packs,
      encoding,
      (id) => this.locate(id),
      (id) => this.distrust(id),
    );
  }

  // ---- known -------------------------------------------------------------------------------------

  /** Where a chunk or page lies, committed or about to be. */
  locate(id: ChunkId): Location | undefined {
    return this.#log.uncommitted(chunkKey(id)) ?? this.#index.locate(id);
  }

  /** Where a chunk or page lies that a new snapshot may rely on. */
  known(id: ChunkId): Location | undefined {
    const key = chunkKey(id);
    if (this.#unreadable.has(key)) return this.#log.uncommitted(key);
    const location = this.locate(id);
    return location && this.#isCondemned(id, location) ? undefined : location;
  }

  /**
   * The same for a chunk. One that is a difference is worth as much as its base; and who holds it does not hold the base
   * of a page with its bytes that is stored as a patch.
   */
  knownChunk(id: ChunkId): Location | undefined {
    const location = this.known(id);
    if (!location || !takesBase(location.filter)) return location;
    if (location.filter === Filter.patch) return undefined;
    const base = unlessDamaged(() => this.baseOf(id));
    return base && this.mayBeBase(base, location) ? location : undefined;
  }

  /** True where a chunk that is stored so may be a difference from another: that is known, stored alone, and fits. */
  mayBeBase(id: ChunkId, { filter, rawLength }: Pick<Location, 'filter' | 'rawLength'>): boolean {
    const base = this.#knownAlone(id);
    return base !== undefined && fitsBase(filter, rawLength, base.rawLength);
  }

  /** The record with which a chunk or page has to be read; undefined where it is stored alone. */
  baseOf(id: ChunkId): ChunkId | undefined {
    const key = chunkKey(id);
    return this.#log.uncommitted(key) ? this.#log.uncommittedBase(key) : this.reader.baseOf(id);
  }

  #knownAlone(id: ChunkId): Location | undefined {
    const location = this.known(id);
    return location && !takesBase(location.filter) ? location : undefined;
  }

  /** A chunk or page was found damaged: no new snapshot may rely on it. */
  distrust(id: ChunkId): void {
    if (this.#unreadable.has(chunkKey(id))) return;
    this.#unreadable.add(chunkKey(id));
    this.#damageSeen++;
  }

  /** Rises with every one that is found. */
  get damageSeen(): number {
    return this.#damageSeen;
  }

  /** What was found damaged has been written again. */
  trust(records: readonly Committed[]): void {
    if (this.#unreadable.size > 0) for (const { id } of records) this.#unreadable.delete(chunkKey(id));
  }

  /** From now on what is not marked is not known; returns where that begins. */
  condemn(marks: Marks): Place {
    invariant(!this.#collection, 'two collections at once');
    invariant(this.#log.pendingBytes === 0, 'condemning in the middle of a save');
    const condemnedTo = this.#log.next;
    this.#collection = { marks, condemnedTo };
    return condemnedTo;
  }

  absolve(): void {
    this.#collection = undefined;
  }

  /** About to be taken away by gc. */
  #isCondemned(id: ChunkId, { pack, offset }: Place): boolean {
    const end = this.#collection?.condemnedTo;
    if (!end || pack > end.pack || (pack === end.pack && offset >= end.offset)) return false;
    return !this.#collection?.marks.has(id);
  }

  // ---- put ---------------------------------------------------------------------------------------

  /** Appends a chunk unless it is known. */
  putChunk(raw: Buffer, id: ChunkId, { alone, difference, readAgain = false }: ChunkStorage): StoredChunk {
    if (this.knownChunk(id)) return { id, written: 0 };
    const different = difference && this.#putDifference(raw, id, difference);
    if (different) return different;
    const { codec, filter, stored } = this.#encoding.encode(raw, alone);
    const chunk = { type: RecordType.chunk, id, rawLength: raw.length };
    return this.#log.append({ ...PLAIN, ...chunk, codec, filter, stored: [stored], readAgain });
  }

  /** What was found damaged may be a base of others: it is stored alone. */
  #putDifference(
    raw: Buffer,
    id: ChunkId,
    { filter: wanted, previous, atMost }: NonNullable<ChunkStorage['difference']>,
  ): StoredChunk | undefined {
    if (this.#unreadable.has(chunkKey(id))) return undefined;
    const base = this.chunkBase(previous);
    if (!base || !fitsBase(wanted, raw.length, base.raw.length)) return undefined;
    const most = payloadWithin(atMost(base.storedBytes)) - CHUNK_ID_BYTES;
    const { codec, filter, stored } = this.#encoding.encode(raw, wanted, base.raw, most);
    if (filter !== wanted) return undefined;
    const how = { codec, filter, flags: RecordFlag.hasBase, stored: [base.id, stored], readAgain: true };
    const put = this.#log.append({ type: RecordType.chunk, id, rawLength: raw.length, ...how });
    return { ...put, baseBytes: base.storedBytes };
  }

  /**
   * What a new version of a chunk may be stored as a difference from, where it fits: `previous`, or what that is one from
   * itself. Its bytes are valid until the next call.
   */
  chunkBase(previous: ChunkId): ChunkBase | undefined {
    try {
      const id = this.#ownBaseOf(previous);
      const location = id && this.#knownAlone(id);
      if (!location || location.rawLength > MAX_FILTERED_BYTES) return undefined;
      // What is not committed may not be on the disk yet.
      if (this.#log.uncommitted(chunkKey(id))) return undefined;
      if (this.#base.length < location.rawLength) this.#base = Buffer.allocUnsafeSlow(location.rawLength);
      const raw = this.#base.subarray(0, location.rawLength);
      this.reader.readLocatedInto(id, location, raw);
      return { id, raw, storedBytes: recordBytes(location.storedLength) };
    } catch (error) {
      if (!isSnapError(error)) throw error;
      return undefined;
    }
  }

  /** What a chunk is a difference from, or the chunk itself; undefined where it lies nowhere. */
  #ownBaseOf(id: ChunkId): ChunkId | undefined {
    const location = this.locate(id);
    if (!location || !takesBase(location.filter)) return location && id;
    const key = chunkKey(id);
    return this.#log.uncommitted(key) ? this.#log.uncommittedBase(key) : this.reader.baseNamed(id, location);
  }

  sizeWith(filter: Filter, raw: Buffer, base: Buffer | undefined): number {
    return recordBytes((base ? CHUNK_ID_BYTES : 0) + this.#encoding.sizeOf(raw, filter, base));
  }

  /** Appends a page unless it is known: as a patch of `base` where that is much smaller. */
  putPage(raw: Buffer, base: PatchBase | undefined): Stored & { patched: boolean } {
    const id = chunkIdOf(raw);
    const known = this.known(id);
    if (known && this.#isUsable(id, known)) return { id, written: 0, patched: known.filter !== Filter.none };
    const page = { type: RecordType.page, id, rawLength: raw.length };
    const patch = base && this.#mayBePatch(id, base) && makePatch(base.raw, raw, raw.length >>> 1);
    if (!base || !patch) {
      return { ...this.#log.append({ ...PLAIN, ...page, stored: [raw] }), patched: false };
    }
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32LE(patch.length);
    const stored = [base.id, length, patch];
    const how = { codec: Codec.raw, filter: Filter.patch, flags: RecordFlag.hasBase };
    return { ...this.#log.append({ ...page, ...how, stored }), patched: true };
  }

  /** Appends what is stored elsewhere once more, as it is stored there. */
  putStored(id: ChunkId, elsewhere: Location, stored: Buffer): void {
    const { type, rawLength, codec, filter, flags } = elsewhere;
    this.#log.append({ type, id, rawLength, codec, filter, flags, stored: [stored], readAgain: true });
  }

  /** A patch is worth as much as its base, which may be damaged, or gone with a pack that was. */
  #isUsable(id: ChunkId, { filter }: Location): boolean {
    if (filter === Filter.none || this.#log.uncommitted(chunkKey(id))) return true;
    return unlessDamaged(() => this.reader.read(id)) !== undefined;
  }

  /** What was found damaged may be known to others as a chunk: it is written in full. */
  #mayBePatch(id: ChunkId, base: PatchBase): boolean {
    return !this.#unreadable.has(chunkKey(id)) && this.known(base.id)?.filter === Filter.none;
  }
}
