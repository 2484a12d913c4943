/**
 * Reads a pack that has no footer, commit by commit, and tells what counts from what does not.
 *
 * A commit counts when the hash of its span's headers verifies. The bytes behind the last one that counts are a
 * tail: a save that was never acknowledged, or, where a commit record stands in it, possibly damage. A span that
 * does not verify but is followed by a commit that does is damage for certain: a commit is written only after
 * the one before it was synced. So is one that ends before where the pack is known to have been durable.
 *
 * Of a damaged span everything that verifies by itself counts, so that one wrong bit costs one record: later
 * snapshots share the chunks of earlier ones.
 */

import type { ChunkId } from '../base/ids.js';
import { RunningHash } from '../chunker/ids.js';
import { type Commit, decodeCommit } from '../format/commit.js';
import { locationOf } from '../format/pack.js';
import {
  RECORD_ALIGNMENT,
  RECORD_NAMES,
  type RecordHeader,
  RecordType,
  recordBytes,
} from '../format/record.js';
import { type Committed, needsPayload } from './index.js';
import type { Packs } from './packs.js';

/** What was committed together, or what is left of it. */
export interface Span {
  /** Where it begins, and where its commit record ends. */
  start: number;
  end: number;
  records: Committed[];
  /** The commit record that makes it count; undefined where it was damaged and something was salvaged. */
  commit: SpanCommit | undefined;
}

export interface SpanCommit extends Commit {
  /** Id of the commit record: what the next commit names. */
  id: ChunkId;
  /** Sequence of the commit record. */
  sequence: number;
}

/** Bytes of a pack that should have been readable and are not. */
export interface Damage {
  pack: number;
  offset: number;
  reason: string;
  /** What went with them, where nothing else tells: a snapshot that is not listed any more, a tag, or who knows. */
  costs?: 'snapshot' | 'tag' | 'unknown';
  /** The file is no part of this store, or not under this name. */
  foreign?: true;
}

export interface PackScan {
  spans: Span[];
  damage: Damage[];
  /** The tail holds a commit record: not just the beginning of a save. */
  tailHasCommit: boolean;
  /** Highest sequence of any record that can be read, counting or not. */
  sequence: number;
}

/** A record of the span being read, with the bytes of its header. */
interface SpanRecord {
  header: RecordHeader;
  raw: Buffer;
}

export const UNREADABLE = 'there is no readable record';
/** A manifest or note cannot be read: told by itself, when it is given up. */
const MEMBER_DAMAGED = 'a member is damaged';

/** Reads `[0, limit)` of a pack; what ends before `certain` is known to have been durable. */
export function scanPack(packs: Packs, pack: number, limit: number, certain: number): PackScan {
  const scan = new Scan(packs, pack, limit);
  scan.run();
  return scan.finish(certain);
}

/** True where every payload of a span verifies: for the last one, whose sync may not have finished. */
export function spanIsWhole(packs: Packs, span: Span): boolean {
  return span.records.every(({ location }) => packs.readRecord(location.pack, location.offset) !== undefined);
}

class Scan {
  readonly #packs: Packs;
  readonly #pack: number;
  readonly #limit: number;
  readonly #result: PackScan = { spans: [], damage: [], tailHasCommit: false, sequence: 0 };
  /** Records since the last commit record. */
  #open: SpanRecord[] = [];
  /** What is wrong since the last commit that counts, and the records that are no part of one. */
  #suspects: Damage[] = [];
  #orphans: SpanRecord[] = [];
  /** Where the last commit record lies that does not count, since the last one that does. */
  #badCommit: number | undefined;

  constructor(packs: Packs, pack: number, limit: number) {
    this.#packs = packs;
    this.#pack = pack;
    this.#limit = limit;
  }

  run(): void {
    for (let position: number | undefined = 0; position !== undefined && position < this.#limit; ) {
      const next = this.#readFrom(position);
      if (next >= this.#limit) break;
      position = this.#packs.resync(this.#pack, next + RECORD_ALIGNMENT, this.#limit);
      this.#orphan();
      if (position !== undefined || next + RECORD_ALIGNMENT < this.#limit) {
        this.#suspects.push({ pack: this.#pack, offset: next, reason: UNREADABLE, costs: 'unknown' });
      }
    }
  }

  finish(certain: number): PackScan {
    this.#orphan();
    this.#result.tailHasCommit = this.#badCommit !== undefined && this.#badCommit >= certain;
    this.#orphans = this.#orphans.filter(({ header }) => header.offset < certain);
    this.#suspects = this.#suspects.filter(({ offset }) => offset < certain);
    this.#proveDamage(certain);
    return this.#result;
  }

  /** Takes records until one cannot be read; returns where that is. */
  #readFrom(position: number): number {
    let next = position;
    for (const { header, raw } of this.#packs.headers(this.#pack, position, this.#limit)) {
      next = header.offset + recordBytes(header.storedLength);
      this.#result.sequence = Math.max(this.#result.sequence, header.sequence);
      if (header.type === RecordType.footer) return this.#limit;
      if (header.type === RecordType.commit) this.#close(header);
      else this.#open.push({ header, raw: Buffer.from(raw) });
    }
    return next;
  }

  #close(header: RecordHeader): void {
    const span = readSpan(this.#packs, header, this.#open);
    if (typeof span === 'string') {
      this.#orphan();
      this.#badCommit = header.offset;
      if (span !== MEMBER_DAMAGED)
        this.#suspects.push({ pack: this.#pack, offset: header.offset, reason: span });
      return;
    }
    this.#open = [];
    // What verifies proves that whatever precedes it was synced: suspects before it are damage.
    this.#proveDamage(span.start);
    this.#badCommit = undefined;
    this.#result.spans.push(span);
  }

  /** What is suspected before `end` is damage, and what can be read of it counts. */
  #proveDamage(end: number): void {
    this.#result.damage.push(...this.#suspects);
    const records: Committed[] = [];
    for (const { header } of this.#orphans) {
      const entry = committed(this.#packs, header);
      if (entry) records.push(entry);
      else this.#result.damage.push(damageOf(header));
    }
    if (records.length > 0) {
      this.#result.spans.push({ start: records[0]?.location.offset ?? end, end, records, commit: undefined });
    }
    this.#suspects = [];
    this.#orphans = [];
  }

  /** The records since the last commit record belong to none that can be read. */
  #orphan(): void {
    this.#orphans.push(...this.#open);
    this.#open = [];
  }
}

/** The span that a commit record closes, or why it does not count. */
function readSpan(packs: Packs, header: RecordHeader, records: readonly SpanRecord[]): Span | string {
  const record = packs.readRecord(header.pack, header.offset);
  if (!record) return 'a commit record is damaged';
  const commit = decodeCommit(record.payload);
  const start = records[0]?.header.offset ?? header.offset;
  if (start !== commit.spanOffset || records.length !== commit.spanRecords) {
    return 'records of a commit are missing';
  }
  if (commit.spanBytes !== header.offset - commit.spanOffset) return 'the length of a commit is wrong';
  const hash = new RunningHash();
  for (const { raw } of records) hash.update(raw);
  if (!hash.digest().equals(commit.spanHash)) return 'the headers of a commit are damaged';
  const entries: Committed[] = [];
  for (const { header: member } of records) {
    const entry = committed(packs, member);
    if (!entry) return MEMBER_DAMAGED;
    entries.push(entry);
  }
  const end = header.offset + recordBytes(header.storedLength);
  return { start, end, records: entries, commit: { ...commit, id: header.id, sequence: header.sequence } };
}

/** The damage of a pack that ends before it should. */
export function cutOff(pack: number, offset: number): Damage {
  return { pack, offset, reason: 'the pack was cut off', costs: 'unknown' };
}

/** The damage of a record whose header can be read, and its payload not. */
export function damageOf({ pack, offset, type }: Pick<RecordHeader, 'pack' | 'offset' | 'type'>): Damage {
  const damage = { pack, offset, reason: `${RECORD_NAMES[type]} is damaged` };
  if (type === RecordType.manifest) return { ...damage, costs: 'snapshot' };
  return type === RecordType.tag ? { ...damage, costs: 'tag' } : damage;
}

/** A record as the index takes it in; undefined where its payload is needed and damaged. */
function committed(packs: Packs, header: RecordHeader): Committed | undefined {
  const entry: Committed = { id: header.id, location: locationOf(header) };
  if (!needsPayload(header.type)) return entry;
  const payload = packs.readRecord(header.pack, header.offset)?.payload;
  return payload && { ...entry, payload };
}
