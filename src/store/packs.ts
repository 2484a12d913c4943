/** Reading packs: open files, records checked before they are believed, scans, footers. */

import { SnapError } from '../base/errors.js';
import { asChunkId, type ChunkId } from '../base/ids.js';
import { KiB } from '../base/sizes.js';
import { chunkIdOf } from '../chunker/ids.js';
import {
  decodeTrailer,
  Footer,
  type FooterEntry,
  type Location,
  locationOf,
  TRAILER_BYTES,
} from '../format/pack.js';
import {
  CHECK_BYTES,
  decodeHeader,
  HEADER_BYTES,
  MAX_FOOTER_BYTES,
  MAX_RECORD_BYTES,
  RECORD_ALIGNMENT,
  type RecordHeader,
  RecordType,
  recordBytes,
} from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import type { Io, IoFile } from '../io/io.js';
import { closeQuietly, readFully } from '../io/transfer.js';
import { type Layout, packNumber } from './layout.js';

/** Packs kept open for reading at once. */
const OPEN_FILES = 32;
/** Manifests and notes are hardly ever larger: they take one read. */
const SMALL_RECORD_BYTES = 4 * KiB;
/** Read ahead of a scan: a few hundred small records, or the header of the next large one. */
const SCAN_BYTES = 256 * KiB;

/** The footer of a sealed pack, where its record lies, and its sequence: higher than any other of the pack. */
export interface SealedEnd {
  footer: Footer;
  offset: number;
  sequence: number;
}

export class Packs {
  readonly #io: Io;
  readonly #layout: Layout;
  /** In order of use: the first is the one to close. */
  readonly #open = new Map<number, IoFile>();
  /** Packs seen to end in a footer: they never change. */
  readonly #sealed = new Set<number>();
  #scratch = Buffer.allocUnsafeSlow(SCAN_BYTES);
  /** Bytes of records that were read by their location. */
  readBytes = 0;

  constructor(io: Io, layout: Layout) {
    this.#io = io;
    this.#layout = layout;
  }

  /** Numbers of the packs there are, ascending. */
  numbers(): number[] {
    return this.#list()
      .map(packNumber)
      .filter((number) => number !== undefined)
      .sort((a, b) => a - b);
  }

  #list(): string[] {
    try {
      return this.#io.list(this.#layout.packs);
    } catch (error) {
      throw toSnapError(error, 'listing the packs');
    }
  }

  file(pack: number): IoFile {
    let file = this.#open.get(pack);
    if (file) {
      this.#open.delete(pack);
    } else {
      if (this.#open.size >= OPEN_FILES) this.#closeOldest();
      file = this.#openFile(pack);
    }
    this.#open.set(pack, file);
    return file;
  }

  #openFile(pack: number): IoFile {
    try {
      const path = this.#layout.pack(pack);
      if (this.#io.stat(path)?.kind !== 'file') throw damaged(pack, 0, 'the file is missing');
      return this.#io.open(path, 'read');
    } catch (error) {
      throw toSnapError(error, `opening pack ${pack}`);
    }
  }

  size(pack: number): number {
    const file = this.file(pack);
    try {
      return file.size();
    } catch (error) {
      throw toSnapError(error, `looking at pack ${pack}`);
    }
  }

  /** Fills `target` from an offset of a pack; returns how many bytes there were. */
  #read(pack: number, target: Buffer, offset: number): number {
    const file = this.file(pack);
    try {
      return readFully(file, target, offset);
    } catch (error) {
      throw toSnapError(error, `reading pack ${pack}`);
    }
  }

  /**
   * The stored bytes of a record, valid until the next call. They are checked against the location and the
   * header; with `check`, against the payload's checksum too (a reader that verifies the id has no need of it).
   */
  readStored(location: Location, id: ChunkId | undefined, check: boolean): Buffer {
    const { header, stored } = this.#readPart(location, id, location.storedLength);
    if (check && !checkMatches(header, stored)) {
      throw damaged(location.pack, location.offset, 'its checksum is wrong');
    }
    return stored;
  }

  /** The first `length` stored bytes of a record, which nothing but its header vouches for; valid until the next call. */
  readStart(location: Location, id: ChunkId, length: number): Buffer {
    return this.#readPart(location, id, Math.min(length, location.storedLength)).stored;
  }

  #readPart(
    { pack, offset, storedLength, type }: Location,
    id: ChunkId | undefined,
    part: number,
  ): { header: RecordHeader; stored: Buffer } {
    // A location is as trustworthy as the index or footer it comes from: bounded before anything is allocated.
    if (storedLength > MAX_RECORD_BYTES || !Number.isSafeInteger(offset)) {
      throw damaged(pack, 0, 'a record has an impossible place or length');
    }
    const length = HEADER_BYTES + part;
    if (this.#scratch.length < length) this.#scratch = Buffer.allocUnsafeSlow(length);
    const bytes = this.#scratch.subarray(0, length);
    if (this.#read(pack, bytes, offset) !== length) throw damaged(pack, offset, 'the pack ends too early');
    this.readBytes += length;
    const header = decodeHeader(bytes, 0);
    if (typeof header === 'string') throw damaged(pack, offset, `there is no record (${header})`);
    if (!isAt(header, pack, offset) || header.storedLength !== storedLength || header.type !== type) {
      throw damaged(pack, offset, 'another record stands there');
    }
    if (id && !header.id.equals(id)) throw damaged(pack, offset, 'another record stands there');
    return { header, stored: bytes.subarray(HEADER_BYTES) };
  }

  /** Header and payload of the record at an offset, or undefined where there is none that verifies. */
  readRecord(pack: number, offset: number): { header: RecordHeader; payload: Buffer } | undefined {
    if (!Number.isSafeInteger(offset)) return undefined;
    const bytes = this.#scratch.subarray(0, SMALL_RECORD_BYTES);
    const length = this.#read(pack, bytes, offset);
    const header = decodeHeader(bytes.subarray(0, length), 0);
    if (typeof header === 'string' || !isAt(header, pack, offset)) return undefined;
    const end = HEADER_BYTES + header.storedLength;
    if (end <= length) {
      const payload = Buffer.from(bytes.subarray(HEADER_BYTES, end));
      return checkMatches(header, payload) ? { header, payload } : undefined;
    }
    // A length is believed only as far as the file goes, before anything is allocated.
    if (offset + end > this.size(pack)) return undefined;
    const payload = Buffer.allocUnsafeSlow(header.storedLength);
    if (this.#read(pack, payload, offset + HEADER_BYTES) !== payload.length) return undefined;
    return checkMatches(header, payload) ? { header, payload } : undefined;
  }

  /** The header at an offset, or undefined where there is none that verifies and belongs there. */
  headerAt(pack: number, offset: number): RecordHeader | undefined {
    if (!Number.isSafeInteger(offset)) return undefined;
    const bytes = this.#scratch.subarray(0, HEADER_BYTES);
    if (this.#read(pack, bytes, offset) !== HEADER_BYTES) return undefined;
    const header = decodeHeader(bytes, 0);
    return typeof header !== 'string' && isAt(header, pack, offset) ? header : undefined;
  }

  /** The number that the first record which can be read gives to the file of a pack, wherever that record is. */
  numberInside(pack: number): number | undefined {
    return this.#findHeader(pack, 0, this.size(pack), () => true)?.pack;
  }

  /** Headers of the records from `start`, one after another, until one does not verify or `end` is reached. */
  *headers(pack: number, start: number, end: number): Generator<{ header: RecordHeader; raw: Buffer }> {
    const window = Buffer.allocUnsafeSlow(Math.max(0, Math.min(SCAN_BYTES, end - start)));
    let windowStart = 0;
    let windowLength = 0;
    for (let offset = start; offset + HEADER_BYTES <= end; ) {
      if (offset < windowStart || offset + HEADER_BYTES > windowStart + windowLength) {
        windowStart = offset;
        windowLength = this.#read(pack, window.subarray(0, Math.min(window.length, end - offset)), offset);
      }
      const at = offset - windowStart;
      const header = decodeHeader(window.subarray(0, windowLength), at);
      if (typeof header === 'string' || !isAt(header, pack, offset)) return;
      const next = offset + recordBytes(header.storedLength);
      if (next > end) return;
      yield { header, raw: window.subarray(at, at + HEADER_BYTES) };
      offset = next;
    }
  }

  /** Offset of the next record at or after `start` that verifies, or undefined: the way past a damaged one. */
  resync(pack: number, start: number, end: number): number | undefined {
    return this.#findHeader(pack, start, end, isAt)?.offset;
  }

  #findHeader(
    pack: number,
    start: number,
    end: number,
    accepts: (header: RecordHeader, pack: number, offset: number) => boolean,
  ): RecordHeader | undefined {
    const window = Buffer.allocUnsafeSlow(Math.max(0, Math.min(SCAN_BYTES, end - start)));
    for (let from = start; from + HEADER_BYTES <= end; from += SCAN_BYTES - HEADER_BYTES) {
      const length = this.#read(pack, window.subarray(0, Math.min(window.length, end - from)), from);
      for (let at = 0; at + HEADER_BYTES <= length; at += RECORD_ALIGNMENT) {
        const header = decodeHeader(window.subarray(0, length), at);
        if (typeof header !== 'string' && accepts(header, pack, from + at)) return header;
      }
    }
    return undefined;
  }

  /**
   * The records of a pack of which `[0, end)` counts, by offset: as its footer lists them, or as they stand there.
   * None of them was looked at beyond its header.
   */
  *records(pack: number, end: number): Generator<FooterEntry> {
    const sealed = this.footer(pack);
    if (sealed) {
      yield* sealed.footer.byOffset();
      return;
    }
    const limit = Math.min(end, this.size(pack));
    for (let start: number | undefined = 0; start !== undefined && start < limit; ) {
      let next: number = start;
      for (const { header } of this.headers(pack, start, limit)) {
        next = header.offset + recordBytes(header.storedLength);
        yield { id: asChunkId(Buffer.from(header.id)), location: locationOf(header) };
      }
      start = this.resync(pack, next + RECORD_ALIGNMENT, limit);
    }
  }

  /** True where a pack ends in a footer that verifies. */
  isSealed(pack: number): boolean {
    if (this.#sealed.has(pack)) return true;
    if (!this.footer(pack)) return false;
    this.#sealed.add(pack);
    return true;
  }

  /** The footer of a sealed pack that ends at `size`, or undefined where the pack has none that verifies. */
  footer(pack: number, size: number = this.size(pack)): SealedEnd | undefined {
    if (size < TRAILER_BYTES + HEADER_BYTES) return undefined;
    const trailer = Buffer.allocUnsafe(TRAILER_BYTES);
    if (this.#read(pack, trailer, size - TRAILER_BYTES) !== TRAILER_BYTES) return undefined;
    const offset = decodeTrailer(trailer);
    if (offset === undefined || size - offset > MAX_FOOTER_BYTES) return undefined;
    const record = this.readRecord(pack, offset);
    if (record?.header.type !== RecordType.footer) return undefined;
    return { footer: new Footer(record.payload, pack), offset, sequence: record.header.sequence };
  }

  /** Forgets a file, because it was truncated, removed or replaced. */
  drop(pack: number): void {
    this.#sealed.delete(pack);
    const file = this.#open.get(pack);
    this.#open.delete(pack);
    if (file) closeQuietly(file);
  }

  close(): void {
    for (const file of this.#open.values()) closeQuietly(file);
    this.#open.clear();
  }

  #closeOldest(): void {
    const oldest = this.#open.keys().next();
    if (!oldest.done) this.drop(oldest.value);
  }
}

function isAt(header: RecordHeader, pack: number, offset: number): boolean {
  return header.pack === pack && header.offset === offset;
}

export function checkMatches(header: RecordHeader, stored: Buffer): boolean {
  return chunkIdOf(stored).compare(header.check, 0, CHECK_BYTES, 0, CHECK_BYTES) === 0;
}

export function damaged(pack: number, offset: number, reason: string): SnapError {
  return new SnapError('SNAP_CORRUPT', `${damagedAt(pack, offset)}${reason}`, { pack, offset });
}

/** How the message of such an error begins. */
export function damagedAt(pack: number, offset: number): string {
  return `pack ${pack} is damaged at byte ${offset}: `;
}
