/**
 * What became of packs and snapshots that are no more, complete in every such record: the last one counts.
 *
 *   version (1 byte: 1)
 *   packs removed: count (varint), ranges: first (varint), how many (varint)
 *   packs set aside because they were damaged: the same
 *   packs that stay and have no footer: count (varint), number (varint), bytes that count (varint)
 *   snapshots collected whose manifest still stands in a pack: count (varint), id (16), number of that pack (varint)
 *
 * Packs are taken away only after this record is durable, so one that is listed here and still there is no part of
 * the store. How much of a pack without a footer counts is otherwise known from the header of the next, which may be
 * among those that went.
 */

import { SNAPSHOT_ID_BYTES, type SnapshotId, snapshotIdFromBytes, snapshotIdToBytes } from '../base/ids.js';
import { ByteReader, ByteWriter } from './bytes.js';

const GC_VERSION = 1;
const HIGHEST_PACK = 0xffff_ffff;

/** Pack numbers `first` to `first + count - 1`. */
export interface PackRange {
  first: number;
  count: number;
}

export interface GcRecord {
  removed: readonly PackRange[];
  setAside: readonly PackRange[];
  unsealed: readonly { pack: number; end: number }[];
  collected: readonly { snapshot: SnapshotId; pack: number }[];
}

export const NOTHING_GONE: GcRecord = { removed: [], setAside: [], unsealed: [], collected: [] };

export function encodeGc(record: GcRecord): Buffer {
  const out = new ByteWriter(256).u8(GC_VERSION);
  for (const ranges of [record.removed, record.setAside]) {
    out.varint(ranges.length);
    for (const { first, count } of ranges) out.varint(first).varint(count);
  }
  out.varint(record.unsealed.length);
  for (const { pack, end } of record.unsealed) out.varint(pack).varint(end);
  out.varint(record.collected.length);
  for (const { snapshot, pack } of record.collected) out.bytes(snapshotIdToBytes(snapshot)).varint(pack);
  return out.finish();
}

export function decodeGc(payload: Buffer): GcRecord {
  const source = new ByteReader(payload, 'a gc record');
  if (source.u8() !== GC_VERSION) source.fail('unknown version');
  const removed = readRanges(source);
  const setAside = readRanges(source);
  const unsealed = readList(source, 2, () => ({ pack: readPack(source), end: source.varint() }));
  const collected = readList(source, SNAPSHOT_ID_BYTES + 1, () => ({
    snapshot: snapshotIdFromBytes(source.bytes(SNAPSHOT_ID_BYTES)),
    pack: readPack(source),
  }));
  source.end();
  return { removed, setAside, unsealed, collected };
}

/** True where a pack is one of these. */
export function isAmong(ranges: readonly PackRange[], pack: number): boolean {
  return ranges.some(({ first, count }) => pack >= first && pack < first + count);
}

/** The ranges with some packs more. */
export function withPacks(ranges: readonly PackRange[], packs: Iterable<number>): PackRange[] {
  const all = [...ranges, ...Array.from(packs, (first) => ({ first, count: 1 }))];
  const joined: PackRange[] = [];
  for (const { first, count } of all.sort((a, b) => a.first - b.first)) {
    const last = joined.at(-1);
    if (last && first <= last.first + last.count) {
      last.count = Math.max(last.count, first + count - last.first);
    } else {
      joined.push({ first, count });
    }
  }
  return joined;
}

function readRanges(source: ByteReader): PackRange[] {
  return readList(source, 2, () => {
    const range = { first: readPack(source), count: source.varint() };
    if (range.count === 0 || range.first + range.count - 1 > HIGHEST_PACK) source.fail('an impossible range');
    return range;
  });
}

function readPack(source: ByteReader): number {
  const pack = source.varint();
  if (pack === 0 || pack > HIGHEST_PACK) source.fail('an impossible pack number');
  return pack;
}

/** A count is believed only as far as the payload goes. */
function readList<T>(source: ByteReader, leastBytes: number, readOne: () => T): T[] {
  const count = source.varint();
  if (count * leastBytes > source.remaining) source.fail('a list is longer than the record');
  return Array.from({ length: count }, readOne);
}
