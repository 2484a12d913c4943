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
import { decodeCommit } from '../format/commit.js';
import { RecordList } from '../format/pack.js';
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
  /** Its records in the scan's list: from this one to before that one. */
  from: number;
  to: number;
  /** The commit record that makes it count; undefined where it was damaged and something was salvaged. */
  commit: SpanCommit | undefined;
}

export interface SpanCommit {
  /** Commit number. */
  number: number;
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
  /** Every record but the commits, also such as do not count. */
  records: RecordList;
  spans: Span[];
  damage: Damage[];
  /** The tail holds a commit record: not just the beginning of a save. */
  tailHasCommit: boolean;
  /** Highest sequence of any record that can be read, counting or not. */
  sequence: number;
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
export function spanIsWhole(packs: Packs, pack: number, { records }: PackScan, { from, to }: Span): boolean {
  for (let index = from; index < to; index++) {
    if (!packs.readRecord(pack, records.offsetAt(index))) return false;
  }
  return true;
}

/** The records of a span as the index takes them in; those whose payload it needs and cannot be read are left out. */
export function* recordsOf(packs: Packs, { records }: PackScan, { from, to }: Span): Generator<Committed> {
  for (let index = from; index < to; index++) {
    const entry = records.at(index);
    const { type, pack, offset } = entry.location;
    const payload = needsPayload(type) ? packs.readRecord(pack, offset)?.payload : undefined;
    if (payload) yield { ...entry, payload };
    else if (!needsPayload(type)) yield entry;
  }
}

class Scan {
  readonly #packs: Packs;
  readonly #pack: number;
  readonly #limit: number;
  readonly #result: PackScan;
  /** The records since the last commit record begin here, and this is the hash of their headers. */
  #openFrom = 0;
  #openHash = new RunningHash();
  /** What is wrong since the last commit that counts, and where the records begin that are no part of one. */
  #suspects: Damage[] = [];
  #orphansFrom = 0;
  /** Where the last commit record lies that does not count, since the last one that does. */
  #badCommit: number | undefined;

  constructor(packs: Packs, pack: number, limit: number) {
    this.#packs = packs;
    this.#pack = pack;
    this.#limit = limit;
    const records = new RecordList(pack);
    this.#result = { records, spans: [], damage: [], tailHasCommit: false, sequence: 0 };
  }

  run(): void {
    for (let position: number | undefined = 0; position !== undefined && position < this.#limit; ) {
      const next = this.#readFrom(position);
      if (next >= this.#limit) break;
      position = this.#packs.resync(this.#pack, next + RECORD_ALIGNMENT, this.#limit);
      this.#beginSpan();
      if (position !== undefined || next + RECORD_ALIGNMENT < this.#limit) {
        this.#suspects.push({ pack: this.#pack, offset: next, reason: UNREADABLE, costs: 'unknown' });
      }
    }
  }

  finish(certain: number): PackScan {
    const { records } = this.#result;
    this.#result.tailHasCommit = this.#badCommit !== undefined && this.#badCommit >= certain;
    this.#openFrom = this.#orphansFrom;
    while (this.#openFrom < records.length && records.offsetAt(this.#openFrom) < certain) this.#openFrom++;
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
      else {
        this.#result.records.add(header.id, header);
        this.#openHash.update(raw);
      }
    }
    return next;
  }

  #close(header: RecordHeader): void {
    const span = this.#readSpan(header);
    if (typeof span === 'string') {
      this.#beginSpan();
      this.#badCommit = header.offset;
      if (span !== MEMBER_DAMAGED)
        this.#suspects.push({ pack: this.#pack, offset: header.offset, reason: span });
      return;
    }
    // What verifies proves that whatever precedes it was synced: suspects before it are damage.
    this.#proveDamage(span.start);
    this.#badCommit = undefined;
    this.#result.spans.push(span);
    this.#beginSpan();
    this.#orphansFrom = this.#openFrom;
  }

  /** The span that a commit record closes, or why it does not count. */
  #readSpan(header: RecordHeader): Span | string {
    const { records } = this.#result;
    const [from, to] = [this.#openFrom, records.length];
    const record = this.#packs.readRecord(header.pack, header.offset);
    if (!record) return 'a commit record is damaged';
    const { number, spanOffset, spanBytes, spanRecords, spanHash } = decodeCommit(record.payload);
    const start = from < to ? records.offsetAt(from) : header.offset;
    if (start !== spanOffset || to - from !== spanRecords) return 'records of a commit are missing';
    if (spanBytes !== header.offset - spanOffset) return 'the length of a commit is wrong';
    if (!this.#openHash.digest().equals(spanHash)) return 'the headers of a commit are damaged';
    for (let index = from; index < to; index++) {
      if (!this.#counts(index)) return MEMBER_DAMAGED;
    }
    const end = header.offset + recordBytes(header.storedLength);
    return { start, end, from, to, commit: { number, id: header.id, sequence: header.sequence } };
  }

  /** False where the index needs a payload that cannot be read. */
  #counts(index: number): boolean {
    const { records } = this.#result;
    if (!needsPayload(records.typeAt(index))) return true;
    return this.#packs.readRecord(this.#pack, records.offsetAt(index)) !== undefined;
  }

  /** What is suspected before `end` is damage, and what can be read of it counts. */
  #proveDamage(end: number): void {
    const { records, spans, damage } = this.#result;
    for (const suspect of this.#suspects) damage.push(suspect);
    const [from, to] = [this.#orphansFrom, this.#openFrom];
    let counted = 0;
    for (let index = from; index < to; index++) {
      if (this.#counts(index)) counted++;
      else damage.push(damageOf(records.at(index).location));
    }
    if (counted > 0) spans.push({ start: records.offsetAt(from), end, from, to, commit: undefined });
    this.#suspects = [];
    this.#orphansFrom = to;
  }

  /** What follows belongs to the next commit record. */
  #beginSpan(): void {
    this.#openFrom = this.#result.records.length;
    this.#openHash = new RunningHash();
  }
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
