/**
 * Keys and values of the index.
 *
 *   c <chunk or page id>            where it lies
 *   s <sequence>                    a snapshot: where its manifest lies, and what listing needs
 *   i <snapshot id>                 its sequence
 *   r <run> 0 <sequence>            the snapshots of a run
 *   t <tag>                         the snapshot it points at
 *   g                               where the last gc record lies
 *
 * Sequences are big-endian, so that keys sort by age. Every value ends with the CRC-32 of key and value: LevelDB
 * does not notice every damaged block, and a wrong location must not pass for a right one.
 */

import { crc32 } from 'node:zlib';
import { SnapError } from '../base/errors.js';
import {
  CHUNK_ID_BYTES,
  type ChunkId,
  type SnapshotId,
  snapshotIdFromBytes,
  snapshotIdToBytes,
} from '../base/ids.js';
import { ByteReader, ByteWriter, writeU64 } from '../format/bytes.js';
import type { Location } from '../format/pack.js';
import type { Codec, Filter, RecordType } from '../format/record.js';

const CHUNK = 'c';
const SNAPSHOT = 's';
const ID = 'i';
const RUN = 'r';
const TAG = 't';

/** Key of the last gc record's location. */
export const GC_KEY = Buffer.from('g', 'latin1');

/** What listing and looking up snapshots takes, without their manifests. */
export interface Summary {
  id: SnapshotId;
  sequence: number;
  manifest: Location;
  run: string;
  step: number | undefined;
  createdAt: number;
  forgotten: boolean;
  /** Undefined until the store noted it. */
  durableMs: number | undefined;
}

export function chunkEntryKey(id: ChunkId): Buffer {
  const key = Buffer.allocUnsafe(1 + id.length);
  key.write(CHUNK, 'latin1');
  id.copy(key, 1);
  return key;
}

export function snapshotKey(sequence: number): Buffer {
  return Buffer.concat([Buffer.from(SNAPSHOT), sequenceBytes(sequence)]);
}

export function idKey(id: SnapshotId): Buffer {
  return Buffer.concat([Buffer.from(ID), snapshotIdToBytes(id)]);
}

export function runKey(run: string, sequence: number): Buffer {
  return Buffer.concat([runPrefix(run), sequenceBytes(sequence)]);
}

export function tagKey(name: string): Buffer {
  return Buffer.concat([Buffer.from(TAG), Buffer.from(name, 'utf8')]);
}

/** Name of the tag that a tag key is of. */
export function tagOfKey(key: Buffer): string {
  return key.toString('utf8', 1);
}

export type KeyRange = [from: Buffer, to: Buffer];

/** The first key there may be behind this one. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

const ALL_SNAPSHOTS = prefixRange(Buffer.from(SNAPSHOT));
export const ALL_TAGS = prefixRange(Buffer.from(TAG));
export const ALL_RUNS = prefixRange(Buffer.from(RUN));

/** All snapshots, or those with a smaller sequence. */
export function snapshotsBelow(sequence: number | undefined): KeyRange {
  return sequence === undefined ? ALL_SNAPSHOTS : [ALL_SNAPSHOTS[0], snapshotKey(sequence)];
}

/** The snapshots of one run, or those of them with a smaller sequence. */
export function runRange(run: string, below?: number): KeyRange {
  const all = prefixRange(runPrefix(run));
  return below === undefined ? all : [all[0], runKey(run, below)];
}

/** Run and sequence that a run key is of. */
export function partsOfRunKey(key: Buffer): { run: string; sequence: number } {
  return {
    run: key.toString('utf8', 1, key.length - 9),
    sequence: Number(key.readBigUInt64BE(key.length - 8)),
  };
}

/** Ids that begin with some hexadecimal digits. */
export function idPrefixRange(digits: string): KeyRange {
  const low = Buffer.from(digits.padEnd(32, '0'), 'hex');
  const high = Buffer.from(digits.padEnd(32, 'f'), 'hex');
  const end = Buffer.concat([Buffer.from(ID), high, Buffer.from([0])]);
  return [Buffer.concat([Buffer.from(ID), low]), end];
}

export function idOfKey(key: Buffer): SnapshotId {
  return snapshotIdFromBytes(key.subarray(1));
}

const CHUNK_KEY_BYTES = 1 + CHUNK_ID_BYTES;
const LOCATION_BYTES = 4 + 8 + 4 + 4 + 4;

/** Key and value of a chunk or page. In one piece of memory, because there are millions of them. */
export function chunkEntry(id: ChunkId, location: Location): { key: Buffer; value: Buffer } {
  const entry = Buffer.allocUnsafe(CHUNK_KEY_BYTES + LOCATION_BYTES + 4);
  entry[0] = CHUNK.charCodeAt(0);
  id.copy(entry, 1);
  let position = entry.writeUInt32LE(location.pack, CHUNK_KEY_BYTES);
  position = writeU64(entry, location.offset, position);
  position = entry.writeUInt32LE(location.storedLength, position);
  position = entry.writeUInt32LE(location.rawLength, position);
  for (const byte of [location.type, location.codec, location.filter, location.flags])
    entry[position++] = byte;
  entry.writeUInt32LE(crc32(entry.subarray(0, position)), position);
  return { key: entry.subarray(0, CHUNK_KEY_BYTES), value: entry.subarray(CHUNK_KEY_BYTES) };
}

export function encodeLocation(key: Buffer, location: Location): Buffer {
  return seal(key, writeLocation(new ByteWriter(40), location));
}

export function decodeLocation(entry: ByteReader): Location {
  return readLocation(entry);
}

export function encodeSummary(key: Buffer, summary: Summary): Buffer {
  const out = writeLocation(new ByteWriter(128), summary.manifest);
  out.bytes(snapshotIdToBytes(summary.id)).u64(summary.sequence).string(summary.run);
  out.u8(summary.step === undefined ? 0 : 1).f64(summary.step ?? 0);
  out.f64(summary.createdAt).u8(summary.forgotten ? 1 : 0);
  out.u8(summary.durableMs === undefined ? 0 : 1).f64(summary.durableMs ?? 0);
  return seal(key, out);
}

export function decodeSummary(source: ByteReader): Summary {
  const manifest = readLocation(source);
  const id = snapshotIdFromBytes(source.bytes(16));
  const sequence = source.u64();
  const run = source.string();
  const hasStep = source.u8() === 1;
  const step = source.f64();
  const createdAt = source.f64();
  const forgotten = source.u8() === 1;
  const timed = source.u8() === 1;
  const durableMs = source.f64();
  return {
    id,
    sequence,
    manifest,
    run,
    step: hasStep ? step : undefined,
    createdAt,
    forgotten,
    durableMs: timed ? durableMs : undefined,
  };
}

export function encodeSequence(key: Buffer, sequence: number): Buffer {
  return seal(key, new ByteWriter(16).u64(sequence));
}

export function decodeSequence(entry: ByteReader): number {
  return entry.u64();
}

export function encodeSnapshotId(key: Buffer, id: SnapshotId): Buffer {
  return seal(key, new ByteWriter(24).bytes(snapshotIdToBytes(id)));
}

export function decodeSnapshotId(entry: ByteReader): SnapshotId {
  return snapshotIdFromBytes(entry.bytes(16));
}

function writeLocation(out: ByteWriter, location: Location): ByteWriter {
  out.u32(location.pack).u64(location.offset).u32(location.storedLength).u32(location.rawLength);
  return out.u8(location.type).u8(location.codec).u8(location.filter).u8(location.flags);
}

function readLocation(source: ByteReader): Location {
  return {
    pack: source.u32(),
    offset: source.u64(),
    storedLength: source.u32(),
    rawLength: source.u32(),
    type: source.u8() as RecordType,
    codec: source.u8() as Codec,
    filter: source.u8() as Filter,
    flags: source.u8(),
  };
}

function seal(key: Buffer, out: ByteWriter): Buffer {
  const value = out.u32(0).finish();
  value.writeUInt32LE(checkOf(key, value.subarray(0, -4)), value.length - 4);
  return value;
}

/** What an entry holds, its checksum having been looked at. */
export function openEntry(key: Buffer, value: Buffer): ByteReader {
  if (value.length < 4 || checkOf(key, value.subarray(0, -4)) !== value.readUInt32LE(value.length - 4)) {
    throw new SnapError('SNAP_CORRUPT', 'an entry of the index is damaged');
  }
  return new ByteReader(value.subarray(0, -4), 'an index entry');
}

function checkOf(key: Buffer, value: Buffer): number {
  return crc32(value, crc32(key));
}

function sequenceBytes(sequence: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(sequence));
  return bytes;
}

/** Run names hold no zero byte, so the separator keeps "a" apart from "ab". */
function runPrefix(run: string): Buffer {
  return Buffer.concat([Buffer.from(RUN), Buffer.from(run, 'utf8'), Buffer.from([0])]);
}

function prefixRange(prefix: Buffer): KeyRange {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return [prefix, end];
}
