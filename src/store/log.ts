/**
 * The packs as one log: records are appended to the last pack, a commit at a time, and a new pack is begun where the
 * last one is full, broken or left.
 *
 * Invariants
 *  - what was appended since the last commit is known here and to nobody else: a commit hands it out once it is durable,
 *    a rollback forgets it
 *  - sequences and commits count on through all packs
 *  - the header of a pack says how much counts of the one before it in which anything does
 *  - a number is given to one pack only, even if its file was deleted
 */

import { invariant, isSnapError, SnapError } from '../base/errors.js';
import { asChunkId, CHUNK_ID_BYTES, type ChunkId, chunkKey } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import { chunkIdOf } from '../chunker/ids.js';
import { takesBase } from '../format/bases.js';
import { NO_COMMIT, WRITER_ID_BYTES } from '../format/commit.js';
import { decodePackHeader, encodePackHeader, type Location } from '../format/pack.js';
import { isContent, RecordType, recordBytes } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import type { IoFile } from '../io/io.js';
import { closeQuietly } from '../io/transfer.js';
import type { StoreContext } from './context.js';
import { checkInPlace, movedError } from './folder.js';
import { isGone } from './gone.js';
import type { Committed } from './index.js';
import type { CleanState } from './index-seal.js';
import { type Chain, type Draft, PackWriter, PLAIN } from './pack-writer.js';
import type { PresentPacks } from './present-packs.js';
import type { KnownDurable, RecoveryOptions } from './recovery.js';
import { Staging } from './staging.js';

/** No honest store comes near: a thousand records a second for a hundred thousand years. */
const HIGHEST_SEQUENCE = 2 ** 52;
/** A pack is sealed when a commit has taken it past this. */
const PACK_BYTES = 256 * MiB;
/** Records are gathered in as much; while it is being written as much again is filled. */
const STAGING_BYTES = 4 * MiB;

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

/** A pack, and how much of it counts. */
export interface PackEnd {
  number: number;
  end: number;
}

/** Where the log ends, as a clean close writes it down. */
export type LogEnd = Pick<
  CleanState,
  'openPack' | 'openEnd' | 'lastPack' | 'lastEnd' | 'sequence' | 'commitNumber' | 'commitId'
>;

export class Log {
  readonly #context: StoreContext;
  readonly #present: PresentPacks;
  readonly #writerId: Buffer;
  readonly #packBytes: number;
  readonly #stagingBytes: number;
  #staging: Staging | undefined;
  #chain: Chain = { sequence: 1, commitNumber: 0, commitId: NO_COMMIT };
  /** Of the open pack. */
  #writer: PackWriter | undefined;
  /** The last pack in which anything counts, for the header of the next. */
  #last: PackEnd = { number: 0, end: 0 };
  /** What the last clean close left. */
  #lastClose: KnownDurable | undefined;
  #hasLostPack = false;
  /** What was appended since the last commit, where chunks and pages of it lie, and which bases some are read with. */
  #records: Committed[] = [];
  #uncommitted = new Map<string, Location>();
  #uncommittedBases = new Map<string, ChunkId>();

  constructor(
    context: StoreContext,
    present: PresentPacks,
    { packBytes = PACK_BYTES, stagingBytes = STAGING_BYTES }: { packBytes?: number; stagingBytes?: number },
  ) {
    this.#context = context;
    this.#present = present;
    this.#writerId = context.io.random(WRITER_ID_BYTES);
    this.#packBytes = packBytes;
    this.#stagingBytes = stagingBytes;
  }

  // ---- where it ends -----------------------------------------------------------------------------

  /** Notes what the last clean close left: it is known to have been durable. */
  noteClose(seal: CleanState | undefined): void {
    this.#lastClose = seal && { pack: seal.lastPack, end: seal.lastEnd, chain: chainOf(seal) };
  }

  /** Goes on where a clean close ended. */
  resume(seal: CleanState): void {
    this.goOn(chainOf(seal), { number: seal.lastPack, end: seal.lastEnd });
  }

  goOn(chain: Chain, last: PackEnd): void {
    this.#chain = chain;
    this.#last = last;
  }

  /** Opens a pack that may be appended to, at the end of what counts; what lies behind is cut off. */
  appendTo(pack: number, end: number): void {
    const file = this.#context.io.open(this.#context.layout.pack(pack), 'write');
    try {
      if (file.size() > end) file.truncate(end);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#write(pack, file, end);
  }

  get end(): LogEnd {
    const open = this.#writer?.broken ? undefined : this.#writer;
    return {
      openPack: open?.number ?? 0,
      openEnd: open?.durableEnd ?? 0,
      lastPack: this.#last.number,
      lastEnd: this.#last.end,
      sequence: this.#chain.sequence,
      commitNumber: this.#chain.commitNumber,
      commitId: this.#chain.commitId.toString('hex'),
    };
  }

  /** What recovery may take for certain. */
  get certain(): Omit<RecoveryOptions, 'indexContent'> {
    const { readOnly, uuid } = this.#context;
    const ends = new Map<number, number>();
    if (!readOnly) ends.set(this.#last.number, this.#last.end);
    if (this.#writer) ends.set(this.#writer.number, this.#writer.durableEnd);
    return { store: Buffer.from(uuid, 'hex'), known: this.#lastClose, ends };
  }

  /** How much counts of every pack that is part of the store. */
  ends(): Map<number, number> {
    const numbers = this.#context.packs.numbers();
    const ends = new Map<number, number>();
    for (const [position, number] of numbers.entries()) {
      if (!isGone(this.#present.gc, number)) ends.set(number, this.#endOf(number, numbers[position + 1]));
    }
    return ends;
  }

  /** Of an open pack, or one that was set aside, not everything counts. */
  #endOf(number: number, next: number | undefined): number {
    if (this.#writer?.number === number) return this.#writer.durableEnd;
    if (this.#last.number === number) return this.#last.end;
    const { packs } = this.#context;
    const record = next === undefined ? undefined : packs.readRecord(next, 0);
    const header =
      record?.header.type === RecordType.packHeader ? decodePackHeader(record.payload) : undefined;
    if (header?.previousPack === number) return header.previousPackEnd;
    return this.#present.gc.unsealed.find(({ pack }) => pack === number)?.end ?? packs.size(number);
  }

  /** Where the next record will begin. */
  get next(): Place {
    const writer = this.#writer;
    return writer ? { pack: writer.number, offset: writer.end } : { pack: this.#nextNumber(), offset: 0 };
  }

  /** The pack that is open for appending. */
  get openPack(): number | undefined {
    return this.#writer?.number;
  }

  /** A pack was deleted while the store was open: the next open has to look at what is left. */
  get hasLostPack(): boolean {
    return this.#hasLostPack;
  }

  // ---- appending ---------------------------------------------------------------------------------

  /** Makes ready for appending: to be called before the first record of a save. */
  begin(): void {
    const { readOnly, layout } = this.#context;
    invariant(!readOnly, 'writing to a store opened for reading');
    this.#context.features.settle();
    if (this.#chain.sequence > HIGHEST_SEQUENCE) {
      throw new SnapError(
        'SNAP_CORRUPT',
        'this store has used up its numbers: its packs are damaged or forged',
      );
    }
    const writer = this.#writer;
    if (writer?.misplaced) throw movedError(layout);
    if (writer && !writer.broken && (writer.durableEnd < this.#packBytes || writer.pendingBytes > 0)) return;
    if (writer) this.#closePack(writer);
    this.#openNextPack();
  }

  append(draft: Draft): Stored {
    const writer = this.#writer;
    invariant(writer, 'a put without begin');
    const { id, type, stored } = draft;
    this.#context.features.require(draft.filter);
    const location = writer.append(draft);
    const content = isContent(type);
    if (content) this.#uncommitted.set(chunkKey(id), location);
    if (content && takesBase(draft.filter)) this.#uncommittedBases.set(chunkKey(id), baseIn(stored));
    this.#records.push(content ? { id, location } : { id, location, payload: Buffer.concat(stored) });
    return { id, written: recordBytes(location.storedLength) };
  }

  /** Appends a manifest, a note or the like: stored as it is. */
  appendSmall(type: RecordType, payload: Buffer): void {
    this.append({ ...PLAIN, type, id: chunkIdOf(payload), rawLength: payload.length, stored: [payload] });
  }

  /** A promise where the caller has to wait for the disk before appending `bytes` more. */
  makeRoom(bytes: number): Promise<void> | undefined {
    return this.#writer?.makeRoom(recordBytes(bytes));
  }

  /** Sequence of the next record. */
  get sequence(): number {
    return this.#chain.sequence;
  }

  /** Sequences go on behind one that came from elsewhere. */
  passOver(sequence: number): void {
    this.#chain.sequence = Math.max(this.#chain.sequence, sequence + 1);
  }

  /** Where a chunk or page lies that was appended since the last commit. */
  uncommitted(key: string): Location | undefined {
    return this.#uncommitted.get(key);
  }

  /** The base with which a chunk or page of those has to be read; undefined where it has none. */
  uncommittedBase(key: string): ChunkId | undefined {
    return this.#uncommittedBases.get(key);
  }

  /** Bytes appended since the last commit. */
  get pendingBytes(): number {
    return this.#writer?.pendingBytes ?? 0;
  }

  /** Makes everything since the last commit durable, with one sync; returns what that was. On failure it is all undone. */
  async commit(): Promise<readonly Committed[]> {
    const writer = this.#writer;
    invariant(writer, 'a commit without begin');
    try {
      await writer.commit(this.#context.io.now());
    } catch (error) {
      await this.rollback();
      throw error;
    }
    this.#last = { number: writer.number, end: writer.durableEnd };
    const records = this.#records;
    this.#forgetRecords();
    return records;
  }

  /** Undoes everything since the last commit. */
  async rollback(): Promise<void> {
    this.#forgetRecords();
    const writer = this.#writer;
    if (!writer) return;
    await writer.rollback();
    if (writer.lost) {
      this.#hasLostPack = true;
      this.#present.lose(writer.number);
    }
    if (writer.durableEnd > 0 || writer.broken) return;
    // A pack in which nothing was ever committed lost its header with the rollback.
    writer.close();
    this.#writer = undefined;
    this.#present.discard(writer.number);
  }

  #forgetRecords(): void {
    this.#records = [];
    this.#uncommitted.clear();
    this.#uncommittedBases.clear();
  }

  /** Makes sure that nothing more is appended to a pack. Nothing may be uncommitted. */
  leave(pack: number): void {
    if (this.#writer?.number === pack) this.#closePack(this.#writer);
  }

  /** Lets go of the open pack, which the next process may go on with. */
  close(): void {
    this.#writer?.close();
  }

  // ---- packs -------------------------------------------------------------------------------------

  #nextNumber(): number {
    return Math.max(this.#last.number, this.#context.packs.numbers().at(-1) ?? 0) + 1;
  }

  #openNextPack(): void {
    const { io, layout, uuid } = this.#context;
    checkInPlace(io, layout, uuid);
    const number = this.#nextNumber();
    let file: IoFile | undefined;
    try {
      file = io.open(layout.pack(number), 'create');
      io.syncFolder(layout.packs);
    } catch (error) {
      if (file) {
        closeQuietly(file);
        this.#present.discard(number);
      }
      throw toSnapError(error, `creating pack ${number}`);
    }
    this.#present.add(number);
    this.#write(number, file, 0);
    const header = encodePackHeader({
      store: Buffer.from(uuid, 'hex'),
      writer: this.#writerId,
      time: io.now(),
      previousPack: this.#last.number,
      previousPackEnd: this.#last.end,
      lastCommitNumber: this.#chain.commitNumber,
      lastCommit: this.#chain.commitId,
    });
    this.appendSmall(RecordType.packHeader, header);
  }

  #write(number: number, file: IoFile, end: number): void {
    this.#staging ??= new Staging(this.#context.io, this.#stagingBytes);
    this.#writer = new PackWriter(number, file, end, this.#writerId, this.#chain, this.#staging);
  }

  /** Seals a full pack. One that cannot be sealed is left as it is: the next header says how much of it counts. */
  #closePack(writer: PackWriter): void {
    try {
      writer.seal(this.#context.packs);
    } catch (error) {
      if (isSnapError(error, 'SNAP_CORRUPT')) {
        this.#context.warn({ kind: 'damage', message: error.message, pack: writer.number });
      }
    }
    this.#last = { number: writer.number, end: writer.sealedEnd };
    writer.close();
    this.#writer = undefined;
  }
}

function chainOf({ sequence, commitNumber, commitId }: CleanState): Chain {
  return { sequence, commitNumber, commitId: Buffer.from(commitId, 'hex') as ChunkId };
}

/** The stored bytes of what takes a base begin with its id. */
function baseIn([first]: readonly Buffer[]): ChunkId {
  return asChunkId(Buffer.from((first as Buffer).subarray(0, CHUNK_ID_BYTES)));
}
