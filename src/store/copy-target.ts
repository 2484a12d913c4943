/**
 * Where copied snapshots go: into a store, or nowhere, to find out how much would.
 *
 * Pages that a source keeps as patches of one base are a family. The first of them that has no base here is stored in
 * full and stands in for the base; the others are patches of it. So it does not matter which of them is copied first.
 *
 * A chunk that is a difference is put as it is stored, after its base: that is put too where it is not there.
 */

import { type ChunkId, chunkKey, type SnapshotId } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import { takesBase } from '../format/bases.js';
import { encodeManifest, type Manifest } from '../format/manifest.js';
import type { Location } from '../format/pack.js';
import { Filter, recordBytes } from '../format/record.js';
import type { PatchBase } from './content.js';
import type { CopySource } from './copy-source.js';
import { IdMap } from './id-map.js';
import { unlessDamaged } from './record-reader.js';
import type { Store } from './store.js';

export interface CopyTarget {
  /** Bytes of the records that were, or would be, written. */
  readonly writtenBytes: number;
  /** Raw length of a chunk that is there; undefined where it is not. */
  lengthOf(id: ChunkId): number | undefined;
  /** A page that is there and can be read. */
  page(id: ChunkId): Buffer | undefined;
  putChunk(id: ChunkId, byteLength: number, source: CopySource): Promise<void>;
  /** What the page lists is there already. */
  putPage(id: ChunkId, raw: Buffer, source: CopySource): void;
  /** Everything of the snapshot is there. */
  putSnapshot(manifest: Manifest): void;
  putTiming(id: SnapshotId, durableMs: number): void;
  putTag(name: string, id: SnapshotId): void;
  /** Makes what was put durable where it has become much, or `now`. */
  commit(now?: boolean): Promise<void>;
  /** Undoes everything since the last commit. */
  rollback(): Promise<void>;
}

/** Bytes and snapshots after which a store is committed: what a copy that dies has to do again. */
const BATCH_BYTES = 64 * MiB;
const BATCH_SNAPSHOTS = 64;

export class StoreTarget implements CopyTarget {
  readonly #store: Store;
  /** By base in the source: the page that stands in for it here, stored in full. */
  readonly #standIns = new Map<string, ChunkId>();
  /** Stand-ins that cannot be read from the disk before they are committed. */
  readonly #uncommitted = new Map<string, Buffer>();
  #uncommittedSnapshots = 0;
  #committedBytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  get writtenBytes(): number {
    return this.#committedBytes + this.#store.pendingBytes;
  }

  lengthOf(id: ChunkId): number | undefined {
    return this.#store.knownChunk(id)?.rawLength;
  }

  page(id: ChunkId): Buffer | undefined {
    return readablePage(this.#store, id);
  }

  async putChunk(id: ChunkId, byteLength: number, source: CopySource): Promise<void> {
    const base = source.chunkBaseOf(id, byteLength);
    if (base && this.lengthOf(base.id) === undefined)
      await this.#putStored(base.id, base.location.rawLength, source);
    await this.#putStored(id, byteLength, source);
  }

  /** As it is stored; in full where it takes a base and that is not one here. */
  async #putStored(id: ChunkId, byteLength: number, source: CopySource): Promise<void> {
    await this.#store.makeRoom(source.locate(id, byteLength).storedLength);
    const base = source.chunkBaseOf(id, byteLength);
    const { location, stored, raw } = source.readStored(id);
    this.#store.begin();
    const isReadable = base ? this.#store.mayBeBase(base.id, location) : !takesBase(location.filter);
    if (isReadable) this.#store.putStored(id, location, stored);
    else this.#store.putChunk(raw, id);
  }

  putPage(id: ChunkId, raw: Buffer, source: CopySource): void {
    const family = source.baseOf(id) ?? id;
    const base = this.#baseOf(family);
    this.#store.begin();
    const { written, patched } = this.#store.putPage(raw, base);
    if (written === 0 || patched) return;
    this.#standIns.set(chunkKey(family), id);
    this.#uncommitted.set(chunkKey(id), raw);
  }

  putSnapshot(manifest: Manifest): void {
    this.#store.begin();
    // One that was forgotten there because it was lost has its manifest already.
    if (this.#store.byId(manifest.id)) this.#store.putForget(manifest.id, false);
    else this.#store.adoptManifest(manifest);
    this.#uncommittedSnapshots++;
  }

  putTiming(id: SnapshotId, durableMs: number): void {
    this.#store.begin();
    this.#store.putTiming(id, durableMs);
  }

  putTag(name: string, id: SnapshotId): void {
    this.#store.begin();
    this.#store.putTag(name, id);
  }

  async commit(now = false): Promise<void> {
    const bytes = this.#store.pendingBytes;
    const isMuch = bytes >= BATCH_BYTES || this.#uncommittedSnapshots >= BATCH_SNAPSHOTS;
    if (bytes === 0 || !(now || isMuch)) return;
    await this.#store.commit();
    this.#committedBytes += bytes;
    this.#uncommittedSnapshots = 0;
    this.#uncommitted.clear();
  }

  rollback(): Promise<void> {
    return this.#store.rollback();
  }

  #baseOf(family: ChunkId): PatchBase | undefined {
    const id = this.#standIns.get(chunkKey(family)) ?? this.#wholeOf(family);
    const raw = id && (this.#uncommitted.get(chunkKey(id)) ?? this.page(id));
    return raw && { id, raw };
  }

  /** A base that is here from an earlier copy: itself, or as a patch of what stood in for it. */
  #wholeOf(family: ChunkId): ChunkId | undefined {
    const location = this.#store.known(family);
    if (!location) return undefined;
    if (location.filter === Filter.none) return family;
    return unlessDamaged(() => this.#store.baseOf(family));
  }
}

/** Takes nothing, and knows how much it would have taken. */
export class Rehearsal implements CopyTarget {
  /** Pages are counted as the source has them. */
  writtenBytes = 0;
  readonly #store: Store | undefined;
  readonly #taken = new IdMap();

  constructor(store: Store | undefined) {
    this.#store = store;
  }

  lengthOf(id: ChunkId): number | undefined {
    return this.#taken.get(id) ?? this.#store?.knownChunk(id)?.rawLength;
  }

  page(id: ChunkId): Buffer | undefined {
    return this.#store && readablePage(this.#store, id);
  }

  async putChunk(id: ChunkId, byteLength: number, source: CopySource): Promise<void> {
    const base = source.chunkBaseOf(id, byteLength);
    if (base && this.lengthOf(base.id) === undefined) this.#take(base.id, base.location);
    this.#take(id, source.locate(id, byteLength));
  }

  putPage(id: ChunkId, raw: Buffer, source: CopySource): void {
    this.writtenBytes += recordBytes(source.locate(id, raw.length).storedLength);
  }

  putSnapshot(manifest: Manifest): void {
    this.writtenBytes += recordBytes(encodeManifest(manifest).length);
  }

  putTiming(): void {}

  putTag(): void {}

  async commit(): Promise<void> {}

  async rollback(): Promise<void> {}

  #take(id: ChunkId, { rawLength, storedLength }: Location): void {
    this.writtenBytes += recordBytes(storedLength);
    this.#taken.set(id, rawLength);
  }
}

/** A page that is in a store and can be read; undefined otherwise. */
export function readablePage(store: Store, id: ChunkId): Buffer | undefined {
  return store.known(id) && unlessDamaged(() => store.readPage(id));
}
