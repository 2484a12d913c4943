/**
 * A store: packs that are the truth, an index beside them, and one commit at a time.
 *
 * Invariants
 *  - what a commit made durable stays readable until gc removes it
 *  - a chunk counts as known only when its record is durable, or precedes in the same commit
 *  - the index learns of records only after they are durable
 *  - a failed save leaves nothing behind: everything since the last commit is rolled back
 *
 * Not for two threads: the owner's writer thread calls it, one save at a time.
 */

import { invariant, isSnapError, SnapError } from '../base/errors.js';
import { type ChunkId, chunkKey, type SnapshotId } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import { chunkIdOf } from '../chunker/ids.js';
import { DEFAULT_LEVEL, findCompressor } from '../compress/compressor.js';
import { Encoding } from '../compress/encoding.js';
import { WRITER_ID_BYTES } from '../format/commit.js';
import type { Descriptor } from '../format/descriptor.js';
import { decodeGc, encodeGc, type GcRecord, isAmong, NOTHING_GONE } from '../format/gc.js';
import { decodeManifest, encodeManifest, type Manifest } from '../format/manifest.js';
import { encodeForget, encodeTag, encodeTiming } from '../format/notes.js';
import {
  decodePackHeader,
  encodePackHeader,
  type Footer,
  type FooterEntry,
  type Location,
} from '../format/pack.js';
import { makePatch } from '../format/patch.js';
import { Codec, Filter, isContent, RecordFlag, RecordType, recordBytes } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import type { Io, IoFile } from '../io/io.js';
import { closeQuietly } from '../io/transfer.js';
import { Evacuation, type Wanted } from './evacuate.js';
import { checkUsable, createStore, findStore, makeFolders } from './folder.js';
import { afterPacks, afterSnapshots, type Fate, isGone } from './gone.js';
import { type Committed, Index, type Summary } from './index.js';
import { indexInMemory } from './index-in-memory.js';
import { type CleanState, hashIndex, readSeal, sealHolds, writeSeal } from './index-seal.js';
import { type KeyValues, memoryKeyValues, openLevel } from './key-values.js';
import { Layout } from './layout.js';
import { acquireLock, type Lock } from './lock.js';
import type { Marks } from './mark.js';
import { type Chain, PackWriter, PLAIN } from './pack-writer.js';
import { Packs } from './packs.js';
import { RecordReader, type StoredRecord } from './record-reader.js';
import { type KnownDurable, type RecoveryOptions, type RecoveryProgress, recover } from './recovery.js';
import { giveUpReserve, holdReserve } from './reserve.js';
import { rewrite } from './rewrite.js';
import type { Damage } from './scan.js';
import { moveAside } from './set-aside.js';
import { type Verification, type VerifiedSoFar, type VerifyOptions, verification } from './verify.js';
import { readCursor, writeCursor } from './verify-cursor.js';

/** No honest store comes near: a thousand records a second for a hundred thousand years. */
const HIGHEST_SEQUENCE = 2 ** 52;
/** A pack is sealed when a commit has taken it past this. */
const PACK_BYTES = 256 * MiB;

/** How often a reader looks again where the owner takes packs away while it does. */
const MOST_REFRESHES = 100;

export interface StoreOptions {
  io: Io;
  directory: string;
  create: boolean;
  readOnly: boolean;
  compression: { level: number } | false;
  /** Do not believe the index, make it anew. */
  rebuild?: boolean;
  /** Told of what is odd but not fatal. */
  onWarning(warning: StoreWarning): void;
  /** Told every now and then while the index is rebuilt. */
  onProgress?: ((progress: OpenProgress) => void) | undefined;
  /** Smaller packs, so that a test can roll them. */
  packBytes?: number;
  /** Smaller writes, so that a test can cut them. */
  stagingBytes?: number;
  /** Keep the index in memory and take no lock: for a simulated disk, which LevelDB cannot use. */
  simulated?: boolean;
  /** With `simulated`: where the index is kept, so that a test can look at it. */
  indexValues?: KeyValues;
}

/** How far opening has come, where it has to read the packs: bytes of them. */
export interface OpenProgress extends RecoveryProgress {
  phase: 'rebuild';
}

export interface StoreWarning {
  kind: 'damage' | 'index' | 'compression' | 'leftovers';
  message: string;
  pack?: number;
  offset?: number;
  snapshot?: string;
}

/** A place in the packs. */
export interface Place {
  pack: number;
  offset: number;
}

/** What a put did. */
export interface Stored {
  id: ChunkId;
  /** Bytes appended; 0 where the record was known. */
  written: number;
}

/** A page that a new version of it may be stored as a patch of; stored in full itself. */
export interface PatchBase {
  id: ChunkId;
  raw: Buffer;
}

export class Store {
  readonly directory: string;
  readonly descriptor: Descriptor;
  readonly readOnly: boolean;
  readonly #io: Io;
  readonly #layout: Layout;
  readonly #packs: Packs;
  readonly #reader: RecordReader;
  readonly #encoding: Encoding;
  readonly #onWarning: (warning: StoreWarning) => void;
  readonly #packBytes: number;
  readonly #stagingBytes: number | undefined;
  readonly #writerId: Buffer;
  readonly #lock: Lock | undefined;
  /** The index lies in LevelDB, not in memory. */
  #indexOnDisk = false;
  #index: Index;
  /** Where chunks and pages lie that the index does not list, the newest pack first: it is then in memory. */
  #footers: readonly Footer[] = [];
  #chain: Chain;
  #writer: PackWriter | undefined;
  /** What the last clean close left. */
  #lastClose: KnownDurable | undefined;
  /** Number of the last pack and how much of it counts, for the header of the next. */
  #lastPack: { number: number; end: number };
  /** Packs that are part of the store: nothing may be built on what the index says of others, deleted or retired. */
  readonly #present = new Set<number>();
  /** A pack was deleted while the store was open: the next open has to look at what is left. */
  #lostPack = false;
  /** Chunks and pages found damaged: to be written again by the next save that holds them. */
  readonly #unreadable = new Set<string>();
  /** Rises with every one that is found. */
  damageSeen = 0;
  /** What opening found wrong. */
  #damage: readonly Damage[] = [];
  /** What the last gc record says. */
  #gc: GcRecord = NOTHING_GONE;
  /** For a reader: the packs that were there when it looked, and their sizes. */
  #seen: Record<number, number> = {};
  /** What a running gc has marked, and from where on everything was written after it condemned the rest. */
  #collection: { marks: Marks; condemnedTo: Place } | undefined;
  #uncommitted = new Map<string, Location>();
  #records: Committed[] = [];

  static async open(options: StoreOptions): Promise<Store> {
    const layout = new Layout(options.directory);
    const { io } = options;
    let descriptor = findStore(io, layout);
    if (!descriptor && (options.readOnly || !options.create)) {
      throw new SnapError('SNAP_NOT_FOUND', `there is no store at ${layout.root}`, { path: layout.root });
    }
    if (descriptor) checkUsable(descriptor, options.readOnly);
    let lock: Lock | undefined;
    try {
      if (!options.readOnly) {
        makeFolders(io, layout);
        if (!options.simulated) lock = await acquireLock(io, layout);
        // Two processes may create at once: whoever holds the lock looks again.
        descriptor = findStore(io, layout) ?? createStore(io, layout);
        // A process that died may have left the descriptor's name where a power cut takes it away again.
        io.syncFolder(layout.root);
      }
      invariant(descriptor, 'a store without a descriptor');
      const store = new Store(options, layout, descriptor, lock);
      try {
        await store.#start(options);
      } catch (error) {
        await store.#abandon();
        throw error;
      }
      return store;
    } catch (error) {
      await lock?.release();
      throw toSnapError(error, `opening ${layout.root}`);
    }
  }

  private constructor(options: StoreOptions, layout: Layout, descriptor: Descriptor, lock: Lock | undefined) {
    this.directory = layout.root;
    this.descriptor = descriptor;
    this.readOnly = options.readOnly;
    this.#io = options.io;
    this.#layout = layout;
    this.#lock = lock;
    this.#onWarning = options.onWarning;
    this.#packBytes = options.packBytes ?? PACK_BYTES;
    this.#stagingBytes = options.stagingBytes;
    this.#writerId = options.io.random(WRITER_ID_BYTES);
    this.#packs = new Packs(options.io, layout);
    const compression = options.compression;
    const compressor = findCompressor(compression ? compression.level : DEFAULT_LEVEL);
    this.#encoding = new Encoding(compressor, compression !== false);
    this.#reader = new RecordReader(
      this.#packs,
      this.#encoding,
      (id) => this.locate(id),
      (id) => this.distrust(id),
    );
    this.#index = this.#newIndex(memoryKeyValues());
    this.#chain = { sequence: 1, commitNumber: 0, commitId: EMPTY_ID };
    this.#lastPack = { number: 0, end: 0 };
    if (compressor.name === 'none' && compression !== false && !options.readOnly) {
      options.onWarning({
        kind: 'compression',
        message:
          'no zstd here, so chunks are stored uncompressed; use Node >= 22.15, or allow the install script of zstd-napi and reinstall',
      });
    }
  }

  // ---- reading -----------------------------------------------------------------------------------

  /** What is in the store, newest first; forgotten snapshots too. */
  summaries(run?: string, below?: number): AsyncGenerator<Summary> {
    return this.#index.summaries(run, below);
  }

  /** Names of all runs. */
  runs(): Promise<string[]> {
    return this.#index.runs();
  }

  byId(id: SnapshotId): Summary | undefined {
    return this.#index.byId(id);
  }

  bySequence(sequence: number): Summary | undefined {
    return this.#index.summary(sequence);
  }

  idsWithPrefix(digits: string, limit: number): Promise<SnapshotId[]> {
    return this.#index.idsWithPrefix(digits, limit);
  }

  tagged(name: string): SnapshotId | undefined {
    return this.#index.tag(name);
  }

  /** The tags of every snapshot that has any; not to be changed. */
  tagNames(): Promise<ReadonlyMap<SnapshotId, ReadonlySet<string>>> {
    return this.#index.tagNames();
  }

  tags(): AsyncGenerator<{ name: string; snapshot: SnapshotId }> {
    return this.#index.tags();
  }

  manifest(summary: Summary): Manifest {
    return decodeManifest(this.#reader.readAt(summary.manifest));
  }

  /** Where a chunk or page lies, committed or about to be. */
  locate(id: ChunkId): Location | undefined {
    const location = this.#uncommitted.get(chunkKey(id)) ?? this.#index.locate(id);
    if (location) return this.#present.has(location.pack) ? location : undefined;
    for (const footer of this.#footers) {
      const found = footer.find(id);
      if (found && this.#present.has(found.pack)) return found;
    }
    return undefined;
  }

  /** A chunk or page was found damaged: no new snapshot may rely on it. */
  distrust(id: ChunkId): void {
    if (this.#unreadable.has(chunkKey(id))) return;
    this.#unreadable.add(chunkKey(id));
    this.damageSeen++;
  }

  /** Where a chunk or page lies that a new snapshot may rely on. */
  known(id: ChunkId): Location | undefined {
    const key = chunkKey(id);
    if (this.#unreadable.has(key)) return this.#uncommitted.get(key);
    const location = this.locate(id);
    return location && this.#isCondemned(id, location) ? undefined : location;
  }

  /** The same for a chunk: who holds it does not hold the base of a page with its bytes that is stored as a patch. */
  knownChunk(id: ChunkId): Location | undefined {
    const location = this.known(id);
    return location?.filter === Filter.patch ? undefined : location;
  }

  /** About to be taken away by gc. */
  #isCondemned(id: ChunkId, { pack, offset }: Place): boolean {
    const end = this.#collection?.condemnedTo;
    if (!end || pack > end.pack || (pack === end.pack && offset >= end.offset)) return false;
    return !this.#collection?.marks.has(id);
  }

  /** A patch is worth as much as its base, which may be damaged, or gone with a pack that was. */
  #isUsable(id: ChunkId, { filter }: Location): boolean {
    if (filter === Filter.none || this.#uncommitted.has(chunkKey(id))) return true;
    try {
      this.#reader.read(id);
      return true;
    } catch (error) {
      if (!isSnapError(error, 'SNAP_CORRUPT')) throw error;
      return false;
    }
  }

  /** The raw bytes of a page, checked against its id. */
  readPage(id: ChunkId): Buffer {
    return this.#reader.read(id);
  }

  /** Fills `target` with a chunk, checked against its id; `target` must have the chunk's length. */
  readChunk(id: ChunkId, target: Buffer): void {
    this.#reader.readInto(id, target);
  }

  /** Bytes of chunks, pages and manifests that were read since the store was opened. */
  get readBytes(): number {
    return this.#packs.readBytes;
  }

  /** A chunk or page as it is stored, checked against its id; valid until something else is read. */
  readStored(id: ChunkId): StoredRecord {
    return this.#reader.readStored(id);
  }

  /** True where a page is stored in full, so that another may be a patch of it. */
  isWhole(id: ChunkId): boolean {
    return this.locate(id)?.filter === Filter.none;
  }

  /** Where an unfinished verification of this share of the data ended. */
  verifiedSoFar(share: number): VerifiedSoFar {
    return readCursor(this.#io, this.#layout, share);
  }

  /** Notes how far a verification came; undefined: to the end. A reader that may not write begins anew each time. */
  noteVerified(share: number, soFar: VerifiedSoFar | undefined): void {
    try {
      writeCursor(this.#io, this.#layout, share, soFar);
    } catch (error) {
      if (!this.readOnly) throw toSnapError(error, 'noting how far verification came');
    }
  }

  /** Begins a verification of everything that is committed now. */
  verification(options: Omit<VerifyOptions, 'known'>): Verification {
    return verification(this, this.#packs, this.#reader, this.ends(), { ...options, known: this.#damage });
  }

  /** How much counts of every pack that is part of the store. */
  ends(): Map<number, number> {
    const numbers = this.#packs.numbers();
    const ends = new Map(
      numbers.map((number, position) => [number, this.#endOf(number, numbers[position + 1])]),
    );
    for (const number of numbers) if (isGone(this.#gc, number)) ends.delete(number);
    return ends;
  }

  /** What opening found damaged, now or before: there may be snapshots in it that nobody knows of. */
  get damage(): readonly Damage[] {
    return this.#damage;
  }

  // ---- writing -----------------------------------------------------------------------------------

  /** Makes ready for appending: to be called before the first put of a save. */
  begin(): void {
    invariant(!this.readOnly, 'writing to a store opened for reading');
    if (this.#chain.sequence > HIGHEST_SEQUENCE) {
      throw new SnapError(
        'SNAP_CORRUPT',
        'this store has used up its numbers: its packs are damaged or forged',
      );
    }
    const writer = this.#writer;
    if (writer?.misplaced) throw movedError(this.#layout);
    if (writer && !writer.broken && (writer.durableEnd < this.#packBytes || writer.pendingBytes > 0)) return;
    if (writer) this.#closePack(writer);
    this.#openNextPack();
  }

  /**
   * Appends a chunk unless it is known. The id may be given where the caller has it already.
   */
  putChunk(raw: Buffer, id: ChunkId = chunkIdOf(raw)): Stored {
    if (this.knownChunk(id)) return { id, written: 0 };
    const { codec, stored } = this.#encoding.encode(raw);
    return this.#append(RecordType.chunk, id, raw.length, codec, Filter.none, 0, [stored]);
  }

  /** Appends a page unless it is known: as a patch of `base` where that is much smaller. */
  putPage(raw: Buffer, base: PatchBase | undefined): Stored & { patched: boolean } {
    const id = chunkIdOf(raw);
    const known = this.known(id);
    if (known && this.#isUsable(id, known)) return { id, written: 0, patched: known.filter !== Filter.none };
    const patch = base && this.#mayBePatch(id, base) && makePatch(base.raw, raw, raw.length >>> 1);
    if (!base || !patch) {
      const stored = this.#append(RecordType.page, id, raw.length, Codec.raw, Filter.none, 0, [raw]);
      return { ...stored, patched: false };
    }
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32LE(patch.length);
    const parts = [base.id, length, patch];
    const flags = RecordFlag.hasBase;
    const stored = this.#append(RecordType.page, id, raw.length, Codec.raw, Filter.patch, flags, parts);
    return { ...stored, patched: true };
  }

  /** What was found damaged may be known to others as a chunk: it is written in full. */
  #mayBePatch(id: ChunkId, base: PatchBase): boolean {
    return !this.#unreadable.has(chunkKey(id)) && this.known(base.id)?.filter === Filter.none;
  }

  /** A promise where the caller has to wait for the disk before putting `bytes` more. */
  makeRoom(bytes: number): Promise<void> | undefined {
    return this.#writer?.makeRoom(recordBytes(bytes));
  }

  putManifest(manifest: Omit<Manifest, 'sequence'>): Manifest {
    const complete = { ...manifest, sequence: this.#chain.sequence };
    this.#appendSmall(RecordType.manifest, encodeManifest(complete));
    return complete;
  }

  /** Puts a manifest of another store. It keeps its sequence, which must be free; the next save comes after it. */
  adoptManifest(manifest: Manifest): void {
    const { sequence } = manifest;
    invariant(!this.bySequence(sequence), 'two snapshots with one sequence');
    this.#chain.sequence = Math.max(this.#chain.sequence, sequence + 1);
    this.#appendSmall(RecordType.manifest, encodeManifest(manifest));
  }

  /** Higher than the sequence of any snapshot: that of the next one to be saved is at least this. */
  get nextSequence(): number {
    return this.#chain.sequence;
  }

  /** Bytes appended since the last commit. */
  get pendingBytes(): number {
    return this.#writer?.pendingBytes ?? 0;
  }

  putTag(name: string, snapshot: SnapshotId | undefined): void {
    this.#appendSmall(RecordType.tag, encodeTag({ name, snapshot }));
  }

  putForget(snapshot: SnapshotId, forgotten: boolean): void {
    this.#appendSmall(RecordType.forget, encodeForget({ snapshot, forgotten }));
  }

  putTiming(snapshot: SnapshotId, durableMs: number): void {
    this.#appendSmall(RecordType.timing, encodeTiming({ snapshot, durableMs }));
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
  async withReserve(work: () => Promise<void>): Promise<void> {
    const { reserve } = this.#layout;
    const gifts = [() => giveUpReserve(this.#io, reserve), (reason: unknown) => this.#giveUpIndex(reason)];
    for (let isFull = false; ; isFull = true) {
      try {
        await this.#orRollback(work);
        if (isFull) holdReserve(this.#io, reserve);
        return;
      } catch (error) {
        if (!isSnapError(error, 'SNAP_NO_SPACE')) throw error;
        let given = false;
        while (!given && gifts.length > 0) given = (await gifts.shift()?.(error)) ?? false;
        if (!given) throw error;
      }
    }
  }

  /** Says whether there was an index on disk. */
  async #giveUpIndex(reason: unknown): Promise<boolean> {
    if (!this.#indexOnDisk) return false;
    this.#indexOnDisk = false;
    await this.#index.leaveDisk(reason);
    try {
      this.#io.removeFolder(this.#layout.index);
    } catch {
      // What could be removed is of use all the same.
    }
    return true;
  }

  async #orRollback(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.rollback();
      throw error;
    }
  }

  /** Makes everything since the last commit durable, with one sync. On failure it is all undone. */
  async commit(): Promise<void> {
    const writer = this.#writer;
    invariant(writer, 'a commit without begin');
    try {
      await writer.commit(this.#io.now());
    } catch (error) {
      await this.rollback();
      throw error;
    }
    this.#lastPack = { number: writer.number, end: writer.durableEnd };
    for (const record of this.#records) this.#index.apply(record);
    if (this.#unreadable.size > 0) for (const { id } of this.#records) this.#unreadable.delete(chunkKey(id));
    this.#records = [];
    this.#uncommitted.clear();
    void this.#index.flush();
  }

  /** Appends what is stored elsewhere once more, as it is stored there. */
  putStored(id: ChunkId, elsewhere: Location, stored: Buffer): void {
    const { type, rawLength, codec, filter, flags } = elsewhere;
    this.#append(type, id, rawLength, codec, filter, flags, [stored]);
  }

  // ---- collecting --------------------------------------------------------------------------------

  /**
   * Everything that is held was marked: from now on what is not marked is not known any more, and written again by
   * a save that holds it. Returns where that begins: whatever lies before and is not marked may go.
   */
  condemn(marks: Marks): Place {
    invariant(!this.#collection, 'two collections at once');
    const writer = this.#writer;
    invariant(!writer || writer.pendingBytes === 0, 'condemning in the middle of a save');
    const condemnedTo = writer
      ? { pack: writer.number, offset: writer.end }
      : { pack: Math.max(this.#lastPack.number, this.#packs.numbers().at(-1) ?? 0) + 1, offset: 0 };
    this.#collection = { marks, condemnedTo };
    return condemnedTo;
  }

  /** What is still there is known again. */
  absolve(): void {
    this.#collection = undefined;
    holdReserve(this.#io, this.#layout.reserve);
  }

  /** The id of the record that a page is stored as a patch of; undefined where it is stored in full. */
  baseOf(id: ChunkId): ChunkId | undefined {
    return this.#reader.baseOf(id);
  }

  /** The records of a pack, by offset, and how much of it counts. */
  recordsOf(pack: number, end: number): Generator<FooterEntry> {
    return this.#packs.records(pack, end);
  }

  packSize(pack: number): number {
    return this.#packs.size(pack);
  }

  /** Drops what the index still says of records whose pack was retired. */
  unindex(entries: Iterable<FooterEntry>): void {
    for (const { id, location } of entries) this.#index.drop(id, location);
    void this.#index.flush();
  }

  /** Carries what is wanted out of packs, so that they may be retired. */
  evacuation(wanted: Wanted = () => true): Evacuation {
    return new Evacuation(this, this.#packs, wanted);
  }

  /** Makes sure that nothing more is appended to a pack. Nothing may be uncommitted. */
  leave(pack: number): void {
    if (this.#writer?.number === pack) this.#closePack(this.#writer);
  }

  /**
   * Takes packs out of the store, durably, and only then their files away. Their chunks and pages were carried
   * elsewhere where they count; their manifests and notes are now. Returns where files that were set aside went. Packs
   * with something that cannot be read may be set aside, not removed: SNAP_CORRUPT.
   */
  async retire(packs: readonly number[], fate: Fate, evacuation: Evacuation): Promise<Map<number, string>> {
    await this.#commitGc(() => {
      const ends = [...this.ends()];
      const staying = ends.filter(([pack]) => !packs.includes(pack));
      const going = new Map(ends.filter(([pack]) => packs.includes(pack)));
      evacuation.rest(going, Math.min(...staying.map(([pack]) => pack)));
      if (fate === 'removed' && evacuation.unreadable > 0) throw unreadableError(packs);
      const unsealed = staying
        .filter(([pack]) => pack !== this.#writer?.number && !this.#packs.isSealed(pack))
        .map(([pack, end]) => ({ pack, end }));
      return afterPacks(this.#goneStill(), packs, fate, unsealed);
    });
    for (const pack of packs) this.#present.delete(pack);
    if (fate === 'setAside') return this.#takeAway(packs);
    this.#takeLeftovers(packs);
    return new Map();
  }

  /** Takes snapshots out of the store, durably and for good, and the tags that point at them. */
  async collect(snapshots: readonly Summary[]): Promise<void> {
    const ids = new Set(snapshots.map(({ id }) => id));
    const names: string[] = [];
    for await (const { name, snapshot } of this.tags()) if (ids.has(snapshot)) names.push(name);
    await this.#commitGc(() => {
      for (const name of names) this.putTag(name, undefined);
      const where = snapshots.map(({ id, manifest }) => ({ snapshot: id, pack: manifest.pack }));
      return afterSnapshots(this.#goneStill(), where);
    });
  }

  /** The last gc record, without snapshots that were copied here again since: into the pack of their old manifest. */
  #goneStill(): GcRecord {
    const isBack = ({ snapshot, pack }: { snapshot: SnapshotId; pack: number }) =>
      this.byId(snapshot)?.manifest.pack === pack;
    return { ...this.#gc, collected: this.#gc.collected.filter((entry) => !isBack(entry)) };
  }

  async #commitGc(put: () => GcRecord): Promise<void> {
    let gc = this.#gc;
    await this.note(() => {
      gc = put();
      this.#appendSmall(RecordType.gc, encodeGc(gc));
    });
    this.#gc = gc;
  }

  /** Moves or removes the files of packs that are no part of the store any more. */
  #takeAway(packs: readonly number[]): Map<number, string> {
    const moved = new Map<number, string>();
    const present = new Set(this.#packs.numbers());
    for (const pack of packs) {
      if (!present.has(pack)) continue;
      this.#packs.drop(pack);
      const path = this.#layout.pack(pack);
      if (isAmong(this.#gc.setAside, pack)) moved.set(pack, moveAside(this.#io, this.#layout, path));
      else this.#io.remove(path);
    }
    return moved;
  }

  /** The same for those that a process which ended had no time for. Where it fails they are just not looked at. */
  #takeLeftovers(packs: readonly number[]): void {
    try {
      this.#takeAway(packs);
    } catch (error) {
      const message = `files of packs that are no part of the store any more stay: ${toSnapError(error, 'removing them').message}`;
      this.#onWarning({ kind: 'leftovers', message });
    }
  }

  /** Undoes everything since the last commit. */
  async rollback(): Promise<void> {
    this.#records = [];
    this.#uncommitted.clear();
    const writer = this.#writer;
    if (!writer) return;
    await writer.rollback();
    if (writer.lost) {
      this.#lostPack = true;
      this.#present.delete(writer.number);
      this.#packs.drop(writer.number);
    }
    if (writer.durableEnd > 0 || writer.broken) return;
    // A pack in which nothing was ever committed lost its header with the rollback.
    writer.close();
    this.#writer = undefined;
    this.#discard(writer.number);
  }

  /** Tells whoever has the store open of something odd. */
  warn(warning: StoreWarning): void {
    this.#onWarning(warning);
  }

  /** Notes where the owner can be asked, so that other processes find it. */
  announce(socket: string): void {
    this.#lock?.announce(socket);
  }

  /** Packs and their sizes in bytes, by number. */
  packSizes(): Record<string, number> {
    const sizes: Record<string, number> = {};
    for (const number of this.#packs.numbers()) {
      try {
        sizes[number] = this.#packs.size(number);
      } catch (error) {
        // Beside an owner that collects, one that was listed may be gone by now.
        if (!this.readOnly || this.#packs.numbers().includes(number)) throw error;
      }
    }
    return sizes;
  }

  /** Bytes of the index's files; 0 where it is in memory. */
  indexBytes(): number {
    try {
      if (!this.#io.stat(this.#layout.index)) return 0;
      const names = this.#io.list(this.#layout.index);
      return names.reduce(
        (sum, name) => sum + (this.#io.stat(`${this.#layout.index}/${name}`)?.size ?? 0),
        0,
      );
    } catch (error) {
      throw toSnapError(error, 'looking at the index');
    }
  }

  /** Closes cleanly: the index is sealed, so that the next open can trust it. Uncommitted records are dropped. */
  async close(): Promise<void> {
    try {
      if (this.#writer && this.#writer.pendingBytes > 0) await this.rollback();
      this.#writer?.close();
      const whole = (await this.#index.close()) && !this.#lostPack;
      if (this.#indexOnDisk && whole) this.#sealIndex();
    } catch (error) {
      throw toSnapError(error, `closing ${this.directory}`);
    } finally {
      this.#packs.close();
      await this.#lock?.release();
    }
  }

  #sealIndex(): void {
    try {
      this.#checkFolder();
      writeSeal(this.#io, this.#layout, this.#cleanState());
    } catch (error) {
      const message = `the index cannot be sealed (${toSnapError(error, 'sealing it').message}); it is rebuilt when the store is next opened`;
      this.#onWarning({ kind: 'index', message });
    }
  }

  /** Lets go of everything that opening had taken when it failed. */
  async #abandon(): Promise<void> {
    this.#packs.close();
    this.#writer?.close();
    await this.#index.close().catch(() => {});
  }

  // ---- opening -----------------------------------------------------------------------------------

  async #start(options: StoreOptions): Promise<void> {
    if (this.readOnly) return this.refresh(options.onProgress);
    const seal = this.#readSeal();
    if (options.simulated) {
      return this.#rebuild(options.indexValues ?? memoryKeyValues(), true, options.onProgress);
    }
    if (seal && !options.rebuild && sealHolds(this.#io, this.#layout, seal, this.packSizes())) {
      const values = await openLevel(this.#io, this.#layout.index, false).catch(() => undefined);
      if (values) {
        this.#resume(values, seal);
        return;
      }
    }
    // Whatever it is: what is not believed must not be in the way of the next one.
    this.#io.removeFolder(this.#layout.clean);
    const values = await this.#newLevel();
    this.#indexOnDisk = values !== undefined;
    await this.#rebuild(values ?? memoryKeyValues(), this.#indexOnDisk, options.onProgress);
  }

  /** An empty LevelDB for the index; undefined where there cannot be one, on a full disk for example. */
  async #newLevel(): Promise<KeyValues | undefined> {
    try {
      this.#io.removeFolder(this.#layout.index);
      this.#io.makeFolder(this.#layout.index);
      return await openLevel(this.#io, this.#layout.index, true);
    } catch (error) {
      this.#warnOfIndex(error);
      return undefined;
    }
  }

  /** For a reader: true where a pack that it knows is gone, because the owner has collected or repaired since. */
  isOvertaken(): boolean {
    const there = new Set(this.#packs.numbers());
    return this.readOnly && Object.keys(this.#seen).some((number) => !there.has(Number(number)));
  }

  /** For a reader: true where the packs are not what they were when it looked. */
  isOutdated(): boolean {
    return this.readOnly && JSON.stringify(this.packSizes()) !== JSON.stringify(this.#seen);
  }

  /** What the last clean close left, which the packs have to agree with. */
  #readSeal(): CleanState | undefined {
    const seal = readSeal(this.#io, this.#layout, this.descriptor.uuid);
    this.#lastClose = seal && { pack: seal.lastPack, end: seal.lastEnd, chain: chainOf(seal) };
    return seal;
  }

  /** For a reader: looks at the packs as they are now, again and again where the owner takes some away meanwhile. */
  async refresh(onProgress?: StoreOptions['onProgress']): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#packs.close();
      // By number first: one of them may be gone before its size is known.
      this.#seen = Object.fromEntries(this.#packs.numbers().map((number) => [number, 0]));
      try {
        this.#seen = this.packSizes();
        this.#readSeal();
        await this.#rebuild(memoryKeyValues(), false, onProgress);
        if (!this.isOvertaken()) break;
      } catch (error) {
        if (attempt === MOST_REFRESHES || !this.isOvertaken()) throw error;
      }
      if (attempt === MOST_REFRESHES) break;
    }
    this.#tellOfDamage();
  }

  #resume(values: KeyValues, seal: CleanState): void {
    this.#index = this.#newIndex(values);
    this.#indexOnDisk = true;
    this.#io.remove(this.#layout.clean);
    this.#chain = chainOf(seal);
    this.#lastPack = { number: seal.lastPack, end: seal.lastEnd };
    const gc = this.#index.gc();
    if (gc) this.#gc = decodeGc(this.#reader.readAt(gc));
    this.#lookForPacks();
    this.#damage = seal.damage;
    this.#tellOfDamage();
    if (seal.openPack > 0) this.#appendTo(seal.openPack, seal.openEnd);
    this.#takeLeftovers(this.#packs.numbers().filter((number) => isGone(this.#gc, number)));
    holdReserve(this.#io, this.#layout.reserve);
  }

  async #rebuild(
    values: KeyValues,
    indexContent: boolean,
    onProgress?: StoreOptions['onProgress'],
  ): Promise<void> {
    this.#index = this.#newIndex(values);
    const steps = recover(this.#packs, this.#index, { ...this.#recoveryOptions(), indexContent });
    let step = steps.next();
    for (; !step.done; step = steps.next()) {
      onProgress?.({ phase: 'rebuild', ...step.value });
      await this.#index.flush();
    }
    const recovered = step.value;
    this.#chain = recovered.chain;
    if (!indexContent) this.#footers = recovered.footers;
    this.#gc = recovered.gc;
    this.#lookForPacks();
    this.#damage = recovered.damage;
    const { tail, misplaced } = recovered;
    this.#lastPack = { number: tail?.number ?? 0, end: tail?.end ?? 0 };
    if (this.readOnly) return;
    this.#tellOfDamage();
    const [stray] = misplaced;
    if (stray) throw misplacedError(this.#layout, stray);
    // What cannot be shown to be durable may exist in memory only: write it again before building on it.
    for (const range of recovered.unproved) rewrite(this.#io, this.#layout.pack(range.pack), range);
    for (const number of recovered.leftovers) this.#discard(number);
    this.#takeLeftovers(recovered.gone);
    holdReserve(this.#io, this.#layout.reserve);
    if (tail?.setAside) {
      this.#warnOf({ pack: tail.number, offset: tail.end, reason: 'it is set aside; a new pack is begun' });
    } else if (tail?.appendable) {
      this.#appendTo(tail.number, tail.end);
    }
  }

  #lookForPacks(): void {
    this.#present.clear();
    for (const number of this.#packs.numbers()) if (!isGone(this.#gc, number)) this.#present.add(number);
  }

  /** Removes a pack in which nothing counts. Where that fails it stays, and the next headers pass it over. */
  #discard(number: number): void {
    try {
      this.#packs.drop(number);
      this.#io.remove(this.#layout.pack(number));
    } catch {
      // It holds nothing: not being able to remove it is no reason to fail.
    }
  }

  #appendTo(number: number, end: number): void {
    const file = this.#io.open(this.#layout.pack(number), 'write');
    try {
      if (file.size() > end) file.truncate(end);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#writer = new PackWriter(number, file, end, this.#writerId, this.#chain, this.#stagingBytes);
  }

  /** How much of a pack counts: of an open one, or one that was set aside, not all. */
  #endOf(number: number, next: number | undefined): number {
    if (this.#writer?.number === number) return this.#writer.durableEnd;
    if (this.#lastPack.number === number) return this.#lastPack.end;
    const record = next === undefined ? undefined : this.#packs.readRecord(next, 0);
    const header =
      record?.header.type === RecordType.packHeader ? decodePackHeader(record.payload) : undefined;
    if (header?.previousPack === number) return header.previousPackEnd;
    return this.#gc.unsealed.find(({ pack }) => pack === number)?.end ?? this.#packs.size(number);
  }

  #newIndex(values: KeyValues): Index {
    return new Index(values, {
      needed: (reason) => this.#warnOfIndex(reason),
      make: () => {
        const made = indexInMemory(this.#packs, this.#recoveryOptions());
        this.#footers = made.footers;
        return made.values;
      },
    });
  }

  #recoveryOptions(): Omit<RecoveryOptions, 'indexContent'> {
    const ends = new Map<number, number>();
    if (!this.readOnly) ends.set(this.#lastPack.number, this.#lastPack.end);
    if (this.#writer) ends.set(this.#writer.number, this.#writer.durableEnd);
    return { store: Buffer.from(this.descriptor.uuid, 'hex'), known: this.#lastClose, ends };
  }

  #warnOfIndex(reason: unknown): void {
    const { message } = toSnapError(reason, 'using the index');
    this.#onWarning({
      kind: 'index',
      message: `the index is kept in memory until the store is closed, and rebuilt when it is next opened: ${message}`,
    });
  }

  #tellOfDamage(): void {
    for (const damage of this.#damage) this.#warnOf(damage);
  }

  #warnOf({ pack, offset, reason }: Damage): void {
    this.#onWarning({ kind: 'damage', message: `pack ${pack}, byte ${offset}: ${reason}`, pack, offset });
  }

  // ---- appending ---------------------------------------------------------------------------------

  #openNextPack(): void {
    this.#checkFolder();
    const number = Math.max(this.#lastPack.number, this.#packs.numbers().at(-1) ?? 0) + 1;
    let file: IoFile | undefined;
    try {
      file = this.#io.open(this.#layout.pack(number), 'create');
      this.#io.syncFolder(this.#layout.packs);
    } catch (error) {
      if (file) {
        closeQuietly(file);
        this.#discard(number);
      }
      throw toSnapError(error, `creating pack ${number}`);
    }
    this.#present.add(number);
    this.#writer = new PackWriter(number, file, 0, this.#writerId, this.#chain, this.#stagingBytes);
    const header = encodePackHeader({
      store: Buffer.from(this.descriptor.uuid, 'hex'),
      writer: this.#writerId,
      time: this.#io.now(),
      previousPack: this.#lastPack.number,
      previousPackEnd: this.#lastPack.end,
      lastCommitNumber: this.#chain.commitNumber,
      lastCommit: this.#chain.commitId,
    });
    this.#appendSmall(RecordType.packHeader, header);
  }

  /** Seals a full pack. One that cannot be sealed is left as it is: the next header says how much of it counts. */
  #closePack(writer: PackWriter): void {
    try {
      writer.seal(this.#packs);
    } catch (error) {
      if (isSnapError(error, 'SNAP_CORRUPT'))
        this.#onWarning({ kind: 'damage', message: error.message, pack: writer.number });
    }
    this.#lastPack = { number: writer.number, end: writer.sealedEnd };
    writer.close();
    this.#writer = undefined;
  }

  /** Another store may stand in the place of this one. */
  #checkFolder(): void {
    if (findStore(this.#io, this.#layout)?.uuid !== this.descriptor.uuid) throw movedError(this.#layout);
  }

  #appendSmall(type: RecordType, payload: Buffer): void {
    this.#append(type, chunkIdOf(payload), payload.length, Codec.raw, Filter.none, 0, [payload]);
  }

  #append(
    type: RecordType,
    id: ChunkId,
    rawLength: number,
    codec: Codec,
    filter: Filter,
    flags: number,
    stored: readonly Buffer[],
  ): Stored {
    const writer = this.#writer;
    invariant(writer, 'a put without begin');
    const location = writer.append({ ...PLAIN, type, id, rawLength, codec, filter, flags, stored });
    const content = isContent(type);
    if (content) this.#uncommitted.set(chunkKey(id), location);
    this.#records.push(content ? { id, location } : { id, location, payload: Buffer.concat(stored) });
    return { id, written: recordBytes(location.storedLength) };
  }

  #cleanState(): CleanState {
    return {
      store: this.descriptor.uuid,
      index: hashIndex(this.#io, this.#layout),
      packs: this.packSizes(),
      openPack: this.#writer && !this.#writer.broken ? this.#writer.number : 0,
      openEnd: this.#writer && !this.#writer.broken ? this.#writer.durableEnd : 0,
      lastPack: this.#lastPack.number,
      lastEnd: this.#lastPack.end,
      sequence: this.#chain.sequence,
      commitNumber: this.#chain.commitNumber,
      commitId: this.#chain.commitId.toString('hex'),
      damage: this.#damage,
    };
  }
}

function unreadableError(packs: readonly number[]): SnapError {
  return new SnapError(
    'SNAP_CORRUPT',
    `pack ${packs.join(', ')} holds something that cannot be read, so it stays; snap repair keeps what can be`,
    { ...(packs[0] !== undefined && { pack: packs[0] }) },
  );
}

function movedError(layout: Layout): SnapError {
  return new SnapError(
    'SNAP_IO',
    `the store is not at ${layout.root} any more; was it moved or deleted? Saving goes on when it is back`,
    { path: layout.root },
  );
}

function misplacedError(layout: Layout, stray: { number: number; belongsTo: number }): SnapError {
  const path = layout.pack(stray.number);
  return new SnapError(
    'SNAP_CORRUPT',
    `${path} is the file of pack ${stray.belongsTo} under a wrong name; give it its name back, or take it away if it is a copy`,
    { path, pack: stray.number },
  );
}

function chainOf({ sequence, commitNumber, commitId }: CleanState): Chain {
  return { sequence, commitNumber, commitId: Buffer.from(commitId, 'hex') as ChunkId };
}

const EMPTY_ID = Buffer.alloc(32) as ChunkId;
