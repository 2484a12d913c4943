/**
 * A store: packs that are the truth, an index beside them, and one commit at a time.
 *
 * Invariants
 *  - what a commit made durable stays readable until gc removes it
 *  - a chunk counts as known only when its record is durable, or precedes in the same commit
 *  - the index learns of records only after they are durable
 *  - a failed save leaves nothing behind: everything since the last commit is rolled back
 *
 * The face of its parts, each of which knows only those before it: which packs are present, the log that is appended
 * to, the index, chunks and pages, how it all comes up, and what is taken out of it.
 *
 * Not for two threads: the owner's writer thread calls it, one save at a time.
 */

import { invariant } from '../base/errors.js';
import type { ChunkId, SnapshotId } from '../base/ids.js';
import { chunkIdOf } from '../chunker/ids.js';
import { type Descriptor, hasFeature } from '../format/descriptor.js';
import { decodeManifest, encodeManifest, type Manifest } from '../format/manifest.js';
import { encodeForget, encodeTag, encodeTiming } from '../format/notes.js';
import type { FooterEntry, Location } from '../format/pack.js';
import { Filter, RecordType } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import {
  type ChunkBase,
  type ChunkStorage,
  type Content,
  type PatchBase,
  PLAINLY,
  type StoredChunk,
} from './content.js';
import type { StoreContext } from './context.js';
import type { Index, Summary } from './index.js';
import { Layout } from './layout.js';
import type { LiveIndex } from './live-index.js';
import type { Lock } from './lock.js';
import type { Log, Stored } from './log.js';
import { type Entered, enter, Opening } from './opening.js';
import type { OpenProgress, StoreOptions, StoreWarning } from './options.js';
import { putTogether } from './parts.js';
import type { PresentPacks } from './present-packs.js';
import type { StoredRecord } from './record-reader.js';
import { Removal } from './removal.js';
import { withReserve } from './reserve.js';
import type { Damage } from './scan.js';
import { type Verification, type VerifiedSoFar, type VerifyOptions, verification } from './verify.js';
import { readCursor, writeCursor } from './verify-cursor.js';

export type { OpenProgress, StoreOptions, StoreWarning };

export class Store {
  readonly directory: string;
  readonly readOnly: boolean;
  /** What takes packs and snapshots out of the store: for gc and repair. */
  readonly removal: Removal;
  readonly #context: StoreContext;
  readonly #present: PresentPacks;
  readonly #log: Log;
  readonly #index: LiveIndex;
  readonly #content: Content;
  readonly #opening: Opening;
  readonly #lock: Lock | undefined;

  static async open(options: StoreOptions): Promise<Store> {
    const layout = new Layout(options.directory);
    const entered = await enter(options, layout);
    let store: Store | undefined;
    try {
      store = new Store(options, layout, entered);
      await store.#opening.start(options);
      return store;
    } catch (error) {
      if (store) await store.#abandon();
      await entered.lock?.release();
      throw toSnapError(error, `opening ${layout.root}`);
    }
  }

  private constructor(options: StoreOptions, layout: Layout, { descriptor, lock }: Entered) {
    const parts = putTogether(options, layout, descriptor);
    this.directory = layout.root;
    this.readOnly = options.readOnly;
    this.removal = new Removal(this, parts);
    this.#context = parts.context;
    this.#present = parts.present;
    this.#log = parts.log;
    this.#index = parts.index;
    this.#content = parts.content;
    this.#opening = new Opening(parts);
    this.#lock = lock;
  }

  get descriptor(): Descriptor {
    return this.#context.features.descriptor;
  }

  // ---- snapshots ---------------------------------------------------------------------------------

  get #snapshots(): Index {
    return this.#index.current;
  }

  /** What is in the store, newest first; forgotten snapshots too. */
  summaries(run?: string, below?: number): AsyncGenerator<Summary> {
    return this.#snapshots.summaries(run, below);
  }

  /** Names of all runs. */
  runs(): Promise<string[]> {
    return this.#snapshots.runs();
  }

  /** The newest snapshot of a run, or of all, that is not forgotten; null: there is none. */
  newest(run?: string): Promise<Summary | null> {
    return this.#snapshots.newest(run);
  }

  byId(id: SnapshotId): Summary | undefined {
    return this.#snapshots.byId(id);
  }

  bySequence(sequence: number): Summary | undefined {
    return this.#snapshots.summary(sequence);
  }

  idsWithPrefix(digits: string, limit: number): Promise<SnapshotId[]> {
    return this.#snapshots.idsWithPrefix(digits, limit);
  }

  tagged(name: string): SnapshotId | undefined {
    return this.#snapshots.tag(name);
  }

  /** The tags of every snapshot that has any; not to be changed. */
  tagNames(): Promise<ReadonlyMap<SnapshotId, ReadonlySet<string>>> {
    return this.#snapshots.tagNames();
  }

  tags(): AsyncGenerator<{ name: string; snapshot: SnapshotId }> {
    return this.#snapshots.tags();
  }

  manifest(summary: Summary): Manifest {
    return decodeManifest(this.#content.reader.readAt(summary.manifest));
  }

  // ---- chunks and pages --------------------------------------------------------------------------

  /** Where a chunk or page lies, committed or about to be. */
  locate(id: ChunkId): Location | undefined {
    return this.#content.locate(id);
  }

  /** Where a chunk or page lies that a new snapshot may rely on. */
  known(id: ChunkId): Location | undefined {
    return this.#content.known(id);
  }

  /** The same for a chunk, which may need another to be read with. */
  knownChunk(id: ChunkId): Location | undefined {
    return this.#content.knownChunk(id);
  }

  /** A chunk or page was found damaged: no new snapshot may rely on it. */
  distrust(id: ChunkId): void {
    this.#content.distrust(id);
  }

  /** Rises with every chunk or page that is found damaged. */
  get damageSeen(): number {
    return this.#content.damageSeen;
  }

  /** The raw bytes of a page, checked against its id. */
  readPage(id: ChunkId): Buffer {
    return this.#content.reader.read(id);
  }

  /** Fills `target`, which must have the chunk's length; checked against its id, or to be by the caller. */
  readChunk(id: ChunkId, target: Buffer, verify = true): void {
    this.#content.reader.readInto(id, target, verify);
  }

  /** A chunk or page as it is stored, checked against its id; valid until something else is read. */
  readStored(id: ChunkId): StoredRecord {
    return this.#content.reader.readStored(id);
  }

  /** True where chunks may be stored as differences, so that who holds one holds another: beside an owner at any time. */
  get hasBases(): boolean {
    return this.readOnly || hasFeature(this.descriptor, 'base');
  }

  /** True where a page is stored in full, so that another may be a patch of it. */
  isWhole(id: ChunkId): boolean {
    return this.locate(id)?.filter === Filter.none;
  }

  /** The record with which a chunk or page has to be read; undefined where it is stored alone. */
  baseOf(id: ChunkId): ChunkId | undefined {
    return this.#content.baseOf(id);
  }

  /** True where a chunk that is stored so may be a difference from another: that is known, stored alone, and fits. */
  mayBeBase(id: ChunkId, chunk: Location): boolean {
    return this.#content.mayBeBase(id, chunk);
  }

  /**
   * What a new version of a chunk may be stored as a difference from, where it fits: `previous`, or what that is one from
   * itself. Its bytes are valid until the next call.
   */
  chunkBase(previous: ChunkId): ChunkBase | undefined {
    return this.#content.chunkBase(previous);
  }

  /** Bytes of chunks, pages and manifests that were read since the store was opened. */
  get readBytes(): number {
    return this.#context.packs.readBytes;
  }

  // ---- packs -------------------------------------------------------------------------------------

  /** How much counts of every pack that is part of the store. */
  ends(): Map<number, number> {
    return this.#log.ends();
  }

  /** Packs and their sizes in bytes, by number. */
  packSizes(): Record<string, number> {
    return this.#present.sizes();
  }

  packSize(pack: number): number {
    return this.#context.packs.size(pack);
  }

  /** The records of a pack, by offset, and how much of it counts. */
  recordsOf(pack: number, end: number): Generator<FooterEntry> {
    return this.#context.packs.records(pack, end);
  }

  /** Bytes of the index's files; 0 where it is in memory. */
  indexBytes(): number {
    return this.#index.bytes();
  }

  /** What opening found damaged, now or before: there may be snapshots in it that nobody knows of. */
  get damage(): readonly Damage[] {
    return this.#opening.damage;
  }

  /** Begins a verification of everything that is committed now. */
  verification(options: Omit<VerifyOptions, 'known'>): Verification {
    const { packs } = this.#context;
    return verification(this, packs, this.#content.reader, this.ends(), { ...options, known: this.damage });
  }

  /** Where an unfinished verification of this share of the data ended. */
  verifiedSoFar(share: number): VerifiedSoFar {
    return readCursor(this.#context.io, this.#context.layout, share);
  }

  /** Notes how far a verification came; undefined: to the end. A reader that may not write begins anew each time. */
  noteVerified(share: number, soFar: VerifiedSoFar | undefined): void {
    try {
      writeCursor(this.#context.io, this.#context.layout, share, soFar);
    } catch (error) {
      if (!this.readOnly) throw toSnapError(error, 'noting how far verification came');
    }
  }

  // ---- saving ------------------------------------------------------------------------------------

  /** Makes ready for appending: to be called before the first put of a save. */
  begin(): void {
    this.#log.begin();
  }

  /** Appends a chunk unless it is known. The id may be given where the caller has it already. */
  putChunk(raw: Buffer, id: ChunkId = chunkIdOf(raw), how: ChunkStorage = PLAINLY): StoredChunk {
    return this.#content.putChunk(raw, id, how);
  }

  /** How many bytes the record of a chunk takes when it is stored with a filter, and a base where that takes one. */
  sizeWith(filter: Filter, raw: Buffer, base?: Buffer): number {
    return this.#content.sizeWith(filter, raw, base);
  }

  /** Appends a page unless it is known: as a patch of `base` where that is much smaller. */
  putPage(raw: Buffer, base: PatchBase | undefined): Stored & { patched: boolean } {
    return this.#content.putPage(raw, base);
  }

  /** Appends what is stored elsewhere once more, as it is stored there. */
  putStored(id: ChunkId, elsewhere: Location, stored: Buffer): void {
    this.#content.putStored(id, elsewhere, stored);
  }

  /** A promise where the caller has to wait for the disk before putting `bytes` more. */
  makeRoom(bytes: number): Promise<void> | undefined {
    return this.#log.makeRoom(bytes);
  }

  putManifest(manifest: Omit<Manifest, 'sequence'>): Manifest {
    const complete = { ...manifest, sequence: this.#log.sequence };
    this.#log.appendSmall(RecordType.manifest, encodeManifest(complete));
    return complete;
  }

  /** Puts a manifest of another store. It keeps its sequence, which must be free; the next save comes after it. */
  adoptManifest(manifest: Manifest): void {
    const { sequence } = manifest;
    invariant(!this.bySequence(sequence), 'two snapshots with one sequence');
    this.#log.passOver(sequence);
    this.#log.appendSmall(RecordType.manifest, encodeManifest(manifest));
  }

  /** Higher than the sequence of any snapshot: that of the next one to be saved is at least this. */
  get nextSequence(): number {
    return this.#log.sequence;
  }

  putTag(name: string, snapshot: SnapshotId | undefined): void {
    this.#log.appendSmall(RecordType.tag, encodeTag({ name, snapshot }));
  }

  putForget(snapshot: SnapshotId, forgotten: boolean): void {
    this.#log.appendSmall(RecordType.forget, encodeForget({ snapshot, forgotten }));
  }

  putTiming(snapshot: SnapshotId, durableMs: number): void {
    this.#log.appendSmall(RecordType.timing, encodeTiming({ snapshot, durableMs }));
  }

  /** Bytes appended since the last commit. */
  get pendingBytes(): number {
    return this.#log.pendingBytes;
  }

  /** Makes everything since the last commit durable, with one sync. On failure it is all undone. */
  async commit(): Promise<void> {
    const records = await this.#log.commit();
    const index = this.#index.current;
    for (const record of records) index.apply(record);
    this.#content.trust(records);
    void index.flush();
  }

  /** Undoes everything since the last commit. */
  rollback(): Promise<void> {
    return this.#log.rollback();
  }

  /** A commit of its own for what `put` puts: also on a full disk, while there is space held back. */
  note(put: () => void): Promise<void> {
    return this.withReserve(async () => {
      this.begin();
      put();
      await this.commit();
    });
  }

  /**
   * Does what helps on a full disk. Where it finds no space it is done again, with that which is held back, and then with
   * that of the index, which can be made anew. What fails is rolled back; what is left of the space is held again.
   */
  withReserve(work: () => Promise<void>): Promise<void> {
    const { io, layout } = this.#context;
    const undoable = async () => {
      try {
        await work();
      } catch (error) {
        await this.rollback();
        throw error;
      }
    };
    return withReserve(io, layout.reserve, undoable, (reason) => this.#index.leaveDisk(reason));
  }

  // ---- open and closed ---------------------------------------------------------------------------

  /** For a reader: looks at the packs as they are now, again and again where the owner takes some away meanwhile. */
  refresh(onProgress?: StoreOptions['onProgress']): Promise<void> {
    return this.#opening.refresh(onProgress);
  }

  /** For a reader: true where a pack that it knows is gone, because the owner has collected or repaired since. */
  isOvertaken(): boolean {
    return this.#opening.isOvertaken();
  }

  /** For a reader: true where the packs are not what they were when it looked. */
  isOutdated(): boolean {
    return this.#opening.isOutdated();
  }

  /** Tells whoever has the store open of something odd. */
  warn(warning: StoreWarning): void {
    this.#context.warn(warning);
  }

  /** Notes where the owner can be asked, so that other processes find it. */
  announce(socket: string): void {
    this.#lock?.announce(socket);
  }

  /** Closes cleanly: the index is sealed, so that the next open can trust it. Uncommitted records are dropped. */
  async close(): Promise<void> {
    try {
      if (this.#log.pendingBytes > 0) await this.rollback();
      this.#log.close();
      const isOnDisk = await this.#index.close();
      if (isOnDisk && !this.#log.hasLostPack) this.#opening.seal();
    } catch (error) {
      throw toSnapError(error, `closing ${this.directory}`);
    } finally {
      this.#context.packs.close();
      await this.#lock?.release();
    }
  }

  /** Lets go of everything that opening had taken when it failed. */
  async #abandon(): Promise<void> {
    this.#context.packs.close();
    this.#log.close();
    await this.#index.close().catch(() => {});
  }
}
