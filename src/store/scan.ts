/**
 * Reads a pack that has no footer, commit by commit, and tells what counts from what does not.
 *
 * A commit counts when the hash of its span's headers verifies. The bytes behind the last one that counts are a
 * tail: a save that was never acknowledged, or, where a commit record stands in it, possibly damage. A span that
 * does not verify but is followed by a commit that does is damage for certain: a commit is written only after
 * the one before it was synced.
 */

import type { ChunkId } from '../base/ids.js';
import { RunningHash } from '../chunker/ids.js';
import { type Commit, decodeCommit } from '../format/commit.js';
import { locationOf } from '../format/pack.js';
import { RECORD_ALIGNMENT, type RecordHeader, RecordType, recordBytes } from '../format/record.js';
import { type Committed, needsPayload } from './index.js';
import type { Packs } from './packs.js';

/** A commit that counts. */
export interface CommittedSpan {
  commit: Commit;
  /** Id of the commit record: what the next commit names. */
  id: ChunkId;
  /** Sequence of the commit record. */
  sequence: number;
  /** Where the span begins and where the commit record ends. */
  start: number;
  end: number;
  records: Committed[];
}

/** Bytes of a pack that should have been readable and are not. */
export interface Damage {
  pack: number;
  offset: number;
  reason: string;
}

export interface PackScan {
  spans: CommittedSpan[];
  damage: Damage[];
  /** Where the last commit that counts ends. */
  end: number;
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

export function scanPack(packs: Packs, pack: number, limit: number): PackScan {
  const scan: PackScan = { spans: [], damage: [], end: 0, tailHasCommit: false, sequence: 0 };
  let suspects: Damage[] = [];
  let open: SpanRecord[] = [];
  let position: number | undefined = 0;
  while (position !== undefined && position < limit) {
    let next: number = position;
    for (const { header, raw } of packs.headers(pack, position, limit)) {
      next = header.offset + recordBytes(header.storedLength);
      scan.sequence = Math.max(scan.sequence, header.sequence);
      if (header.type === RecordType.footer) break;
      if (header.type !== RecordType.commit) {
        open.push({ header, raw: Buffer.from(raw) });
        continue;
      }
      const span = readSpan(packs, header, open);
      open = [];
      if (typeof span === 'string') {
        scan.tailHasCommit = true;
        suspects.push({ pack, offset: header.offset, reason: span });
        continue;
      }
      // What verifies proves that whatever precedes it was synced: suspects before it are damage.
      scan.damage.push(...suspects);
      suspects = [];
      scan.tailHasCommit = false;
      scan.spans.push(span);
      scan.end = next;
    }
    if (next >= limit) break;
    position = packs.resync(pack, next + RECORD_ALIGNMENT, limit);
    if (position !== undefined) suspects.push({ pack, offset: next, reason: 'there is no readable record' });
    open = [];
  }
  return scan;
}

/** True where every payload of a span verifies: for the last one, whose sync may not have finished. */
export function spanIsWhole(packs: Packs, span: CommittedSpan): boolean {
  return span.records.every(({ location }) => packs.readRecord(location.pack, location.offset) !== undefined);
}

/** The span that a commit record closes, or why it does not count. */
function readSpan(packs: Packs, header: RecordHeader, records: SpanRecord[]): CommittedSpan | string {
  const record = packs.readRecord(header.pack, header.offset);
  if (!record) return 'a commit record is damaged';
  const commit = decodeCommit(record.payload);
  const first = records[0]?.header.offset ?? header.offset;
  if (first !== commit.spanOffset || records.length !== commit.spanRecords) {
    return 'records of a commit are missing';
  }
  if (commit.spanBytes !== header.offset - commit.spanOffset) return 'the length of a commit is wrong';
  const hash = new RunningHash();
  for (const { raw } of records) hash.update(raw);
  if (!hash.digest().equals(commit.spanHash)) return 'the headers of a commit are damaged';
  const committed: Committed[] = [];
  for (const { header: member } of records) {
    const entry: Committed = { id: member.id, location: locationOf(member) };
    if (needsPayload(member.type)) {
      const payload = packs.readRecord(member.pack, member.offset)?.payload;
      if (!payload) return 'a manifest or note of a commit is damaged';
      entry.payload = payload;
    }
    committed.push(entry);
  }
  return {
    commit,
    id: header.id,
    sequence: header.sequence,
    start: first,
    end: header.offset + recordBytes(header.storedLength),
    records: committed,
  };
}
