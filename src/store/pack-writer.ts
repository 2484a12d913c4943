/**
 * Appends records to the open pack and makes them durable, a commit at a time.
 *
 * Invariants
 *  - bytes before `durableEnd` are synced and never rewritten
 *  - a commit record is written only after everything before it in its span
 *  - after the first failed sync the pack is broken: it is never synced or appended to again, and nothing
 *    beyond `durableEnd` counts (the next pack's header says so)
 *  - `rollback` leaves the file as the last commit left it, or the pack broken
 */

import { invariant, SnapError } from '../base/errors.js';
import type { ChunkId } from '../base/ids.js';
import { chunkIdOf, RunningHash } from '../chunker/ids.js';
import { encodeCommit } from '../format/commit.js';
import { encodeFooter, encodeTrailer, type Location, locationOf, RecordList } from '../format/pack.js';
import {
  Codec,
  encodeHeader,
  Filter,
  HEADER_BYTES,
  isContent,
  type RecordHeader,
  RecordType,
  recordBytes,
} from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import type { IoFile } from '../io/io.js';
import { closeQuietly, writeFully, writeFullyBehind } from '../io/transfer.js';
import { damaged, type Packs } from './packs.js';
import type { Staging } from './staging.js';

/** What the store counts through all of its packs. */
export interface Chain {
  /** Of the next record. */
  sequence: number;
  /** Of the last commit; 0 before the first. */
  commitNumber: number;
  /** Id of the last commit record. */
  commitId: ChunkId;
}

/** A record to append. */
export interface Draft {
  type: RecordType;
  codec: Codec;
  filter: Filter;
  flags: number;
  rawLength: number;
  id: ChunkId;
  /** In parts so that a base id and a patch need not be joined first. */
  stored: readonly Buffer[];
  /** Later saves may read it: it belongs in the page cache. */
  readAgain?: boolean;
}

/** What is written at once and is at least this share of what staging holds may go past the page cache. */
const LARGE = 1 / 4;
/** Unless more of it than this will be read again. */
const FEW = 1 / 8;

export class PackWriter {
  readonly number: number;
  readonly #file: IoFile;
  readonly #writer: Buffer;
  readonly #chain: Chain;
  readonly #staging: Staging;
  #used = 0;
  /** Of those bytes. */
  #readAgain = 0;
  /** File offset at which `#staging` will be written. */
  #stagingOffset: number;
  #inFlight: Promise<void> | undefined;
  #inFlightError: unknown;
  #durableEnd: number;
  #broken = false;
  #lost = false;
  #sealed = false;
  #spanHash = new RunningHash();
  #spanRecords = 0;

  /** `end` is where the last commit ends; `file` is open for writing and holds nothing that counts beyond. */
  constructor(number: number, file: IoFile, end: number, writer: Buffer, chain: Chain, staging: Staging) {
    this.number = number;
    this.#staging = staging;
    staging.begin(end);
    this.#file = file;
    this.#durableEnd = end;
    this.#stagingOffset = end;
    this.#writer = writer;
    this.#chain = chain;
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** The file was deleted: nothing in it can be counted on. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The file is there, but not where a reader would look for it. */
  get misplaced(): boolean {
    try {
      return this.#file.isNamed() && !this.#file.isInPlace();
    } catch {
      // What may not be looked at is not known to be elsewhere.
      return false;
    }
  }

  /** Where the last commit ends. */
  get durableEnd(): number {
    return this.#durableEnd;
  }

  /** Where the next record will begin. */
  get end(): number {
    return this.#stagingOffset + this.#used;
  }

  /** Bytes appended since the last commit. */
  get pendingBytes(): number {
    return this.end - this.#durableEnd;
  }

  append(draft: Draft): Location {
    invariant(!this.#broken, 'append to a broken pack');
    const storedLength = draft.stored.reduce((sum, part) => sum + part.length, 0);
    const header: RecordHeader = {
      type: draft.type,
      codec: draft.codec,
      filter: draft.filter,
      flags: draft.flags,
      rawLength: draft.rawLength,
      storedLength,
      sequence: this.#chain.sequence++,
      writer: this.#writer,
      id: draft.id,
      check: checkOf(draft),
      offset: this.end,
      pack: this.number,
    };
    if (this.#used + HEADER_BYTES > this.#staging.bytes.length) this.#writeStaging();
    encodeHeader(header, this.#staging.bytes, this.#used);
    this.#spanHash.update(this.#staging.bytes.subarray(this.#used, this.#used + HEADER_BYTES));
    this.#spanRecords++;
    this.#used += HEADER_BYTES;
    for (const part of draft.stored) this.#put(part);
    this.#put(ZEROS.subarray(0, recordBytes(storedLength) - HEADER_BYTES - storedLength));
    if (draft.readAgain) this.#readAgain += storedLength;
    return locationOf(header);
  }

  /**
   * Resolves when the next record of `bytes` finds room without waiting for the disk. Returns undefined where
   * it does already, so that the caller need not await.
   */
  makeRoom(bytes: number): Promise<void> | undefined {
    if (this.#used + bytes <= this.#staging.bytes.length || this.#used === 0) return undefined;
    return this.#writeBehind();
  }

  /** Appends a commit record for everything since the last one and makes it all durable. */
  async commit(time: number): Promise<void> {
    const payload = encodeCommit({
      writer: this.#writer,
      number: this.#chain.commitNumber + 1,
      previous: this.#chain.commitId,
      spanOffset: this.#durableEnd,
      spanBytes: this.pendingBytes,
      spanRecords: this.#spanRecords,
      spanHash: this.#spanHash.digest(),
      time,
    });
    const id = chunkIdOf(payload);
    this.append({ ...PLAIN, type: RecordType.commit, rawLength: payload.length, id, stored: [payload] });
    if (this.#isUncached) await this.#writeBehind();
    await this.#settle();
    this.#writeStaging();
    this.#sync();
    this.#durableEnd = this.end;
    this.#chain.commitNumber++;
    this.#chain.commitId = id;
    this.#beginSpan();
  }

  /** Undoes everything since the last commit. */
  async rollback(): Promise<void> {
    await this.#inFlight?.catch(() => {});
    this.#inFlight = undefined;
    this.#inFlightError = undefined;
    this.#cutBack();
  }

  /** Appends footer and trailer: from then on the pack never changes. Where it throws the pack is as it was. */
  seal(packs: Packs): void {
    if (this.#broken) return;
    invariant(this.pendingBytes === 0, 'sealing a pack with uncommitted records');
    try {
      const payload = footerOf(packs, this.number, this.#durableEnd);
      const id = chunkIdOf(payload);
      const offset = this.end;
      this.append({ ...PLAIN, type: RecordType.footer, rawLength: payload.length, id, stored: [payload] });
      this.#put(encodeTrailer(offset));
      this.#writeStaging();
      this.#sync();
      this.#sealed = true;
    } catch (error) {
      this.#cutBack();
      throw error;
    }
  }

  /** Where what counts ends: the footer included, if there is one. */
  get sealedEnd(): number {
    return this.#sealed ? this.end : this.#durableEnd;
  }

  close(): void {
    closeQuietly(this.#file);
  }

  /** Forgets what was appended since the last commit, and cuts it off. */
  #cutBack(): void {
    this.#goOn(this.#durableEnd);
    this.#staging.begin(this.#durableEnd);
    this.#beginSpan();
    try {
      this.#file.truncate(this.#durableEnd);
    } catch {
      this.#broken = true;
    }
  }

  #beginSpan(): void {
    this.#spanHash = new RunningHash();
    this.#spanRecords = 0;
  }

  #put(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) {
      if (this.#used === this.#staging.bytes.length) this.#writeStaging();
      const copied = bytes.copy(this.#staging.bytes, this.#used, done);
      this.#used += copied;
      done += copied;
    }
  }

  /** Writes what is staged, here and now. */
  #writeStaging(): void {
    if (this.#used === 0) return;
    try {
      writeFully(this.#file, this.#staging.bytes.subarray(0, this.#used), this.#stagingOffset);
    } catch (error) {
      throw toSnapError(error, `appending to pack ${this.number}`);
    }
    this.#goOn(this.end);
    this.#staging.begin(this.#stagingOffset);
  }

  /** What is staged is large, and hardly any of it will be read again. */
  get #isUncached(): boolean {
    return this.#used >= this.#staging.bytes.length * LARGE && this.#readAgain <= this.#used * FEW;
  }

  /** Nothing is staged; what is next will be written at `offset`. */
  #goOn(offset: number): void {
    this.#stagingOffset = offset;
    this.#used = 0;
    this.#readAgain = 0;
  }

  /** Hands what is staged to the system's threads and goes on in the other area. */
  async #writeBehind(): Promise<void> {
    await this.#settle();
    const full = this.#staging.bytes.subarray(0, this.#used);
    const offset = this.#stagingOffset;
    const uncached = this.#isUncached;
    this.#goOn(this.end);
    this.#staging.swap(this.#stagingOffset);
    this.#inFlight = writeFullyBehind(this.#file, full, offset, uncached).catch((error: unknown) => {
      this.#inFlightError = toSnapError(error, `appending to pack ${this.number}`);
    });
  }

  async #settle(): Promise<void> {
    await this.#inFlight;
    this.#inFlight = undefined;
    if (this.#inFlightError) throw this.#inFlightError;
  }

  #sync(): void {
    try {
      this.#file.sync();
    } catch (error) {
      // The kernel may have dropped the pages and called them clean: syncing again would prove nothing.
      this.#broken = true;
      throw new SnapError(
        'SNAP_IO',
        `the disk could not make pack ${this.number} durable; what was being saved is not, and saving goes on in a new pack`,
        { pack: this.number, cause: error },
      );
    }
    this.#checkNamed();
  }

  /** A sync of a file that was deleted succeeds and saves nothing. */
  #checkNamed(): void {
    try {
      if (this.#file.isNamed()) return;
    } catch (error) {
      throw toSnapError(error, `looking at pack ${this.number}`);
    }
    this.#broken = true;
    this.#lost = true;
    throw new SnapError(
      'SNAP_IO',
      `pack ${this.number} was deleted while it was being written; what it held is lost, and the next save is written whole`,
      { pack: this.number },
    );
  }
}

/** How small records are stored: as they are. */
export const PLAIN = { codec: Codec.raw, filter: Filter.none, flags: 0 } as const;

const ZEROS = Buffer.alloc(8);

/** The payload's checksum; of a payload stored raw the id already is the hash. */
function checkOf({ codec, filter, id, stored }: Draft): Buffer {
  if (codec === Codec.raw && filter === Filter.none) return id;
  return chunkIdOf(joined(stored));
}

let scratch = Buffer.alloc(0);

/** Side by side, because in parts they are hashed at a third of the speed; valid until the next call. */
function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const part of parts) at += part.copy(scratch, at);
  return scratch.subarray(0, length);
}

/**
 * Lists what a pack holds by reading it back: what a footer says is what is there. A pack with a record that cannot
 * be read has no footer, because readers would never again look for what lies behind that record.
 */
function footerOf(packs: Packs, pack: number, end: number): Buffer {
  const content = new RecordList(pack);
  const others = new RecordList(pack);
  let next = 0;
  for (const { header } of packs.headers(pack, 0, end)) {
    (isContent(header.type) ? content : others).add(header.id, header);
    next = header.offset + recordBytes(header.storedLength);
  }
  if (next !== end) throw damaged(pack, next, 'there is no readable record, so it is not sealed');
  return encodeFooter(content, others);
}
