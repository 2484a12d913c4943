/**
 * Records: all that a pack consists of.
 *
 *   0        3   magic 'HFR'
 *   3        1   format version
 *   4        1   type
 *   5        1   codec of the payload
 *   6        1   filter before the codec
 *   7        1   flags
 *   8        4   raw length: of what the id is the hash of
 *  12        4   stored length: of the payload in the pack
 *  16        8   sequence: position of this record among all of this store
 *  24        8   writer: first half of the id of the process that wrote it
 *  32       32   id: BLAKE3-256 of the raw bytes
 *  64       16   check: BLAKE3 of the stored bytes, first 16 bytes
 *  80        8   offset of this record in its pack
 *  88        4   number of its pack
 *  92        4   CRC-32 of bytes 0 to 91
 *  96        n   payload (stored length), then zero bytes up to a multiple of 8
 *
 * The header's own checksum comes before anything in it is believed; lengths are bounded after it and before
 * anything is allocated. Offset and pack number catch a write that landed in the wrong place and a pack that
 * was replaced by another.
 */

import { crc32 } from 'node:zlib';
import { SnapError } from '../base/errors.js';
import { asChunkId, CHUNK_ID_BYTES, type ChunkId } from '../base/ids.js';
import { MiB, roundUp } from '../base/sizes.js';
import { readU64, writeU64 } from './bytes.js';

export const FORMAT_VERSION = 1;

const MAGIC = Buffer.from('HFR', 'latin1');
const AT_VERSION = 3;
const AT_TYPE = AT_VERSION + 1;
const AT_CODEC = AT_TYPE + 1;
const AT_FILTER = AT_CODEC + 1;
const AT_FLAGS = AT_FILTER + 1;
const AT_RAW_LENGTH = AT_FLAGS + 1;
const AT_STORED_LENGTH = AT_RAW_LENGTH + 4;
const AT_SEQUENCE = AT_STORED_LENGTH + 4;
const AT_WRITER = AT_SEQUENCE + 8;
const AT_ID = AT_WRITER + 8;
const AT_CHECK = AT_ID + CHUNK_ID_BYTES;
export const CHECK_BYTES = 16;
const AT_OFFSET = AT_CHECK + CHECK_BYTES;
const AT_PACK = AT_OFFSET + 8;
const AT_CRC = AT_PACK + 4;
export const HEADER_BYTES = AT_CRC + 4;

export const RECORD_ALIGNMENT = 8;
export const WRITER_TAG_BYTES = 8;

/** No chunk, page or small record is larger than this, raw or stored. */
export const MAX_RECORD_BYTES = 64 * MiB;
/** A footer lists every record of its pack and may be larger. */
export const MAX_FOOTER_BYTES = 1024 * MiB;

/** Codes are part of the format: never renumber. */
export const RecordType = {
  packHeader: 1,
  chunk: 2,
  page: 3,
  manifest: 4,
  commit: 5,
  tag: 6,
  forget: 7,
  timing: 8,
  footer: 9,
  gc: 10,
} as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** What each is called where it is told that one is damaged. */
export const RECORD_NAMES: Readonly<Record<RecordType, string>> = {
  1: 'the pack header',
  2: 'a chunk',
  3: 'a page',
  4: 'a manifest',
  5: 'a commit record',
  6: 'a tag',
  7: 'a note of what is forgotten',
  8: 'a timing',
  9: 'the footer',
  10: 'a gc record',
};

/** True for what is found by its id: chunks and pages. */
export function isContent(type: RecordType): boolean {
  return type === RecordType.chunk || type === RecordType.page;
}

export const Codec = { raw: 0, zstd: 1 } as const;
export type Codec = (typeof Codec)[keyof typeof Codec];

/** What was done to the raw bytes before the codec. A store that holds others than `patch` says so in its descriptor. */
export const Filter = {
  none: 0,
  /** Runs of bytes that replace those of a base record (flag `hasBase`); see patch.ts. */
  patch: 1,
  // For numbers of 4 and 8 bytes; see number-filters.ts. Differences are from a base record.
  shuffle4: 2,
  shuffle8: 3,
  difference4: 4,
  difference8: 5,
  delta4: 6,
  delta8: 7,
  /** Nothing is done to the bytes: a base record is the dictionary of the codec, which is zstd. */
  dictionary: 8,
} as const;
export type Filter = (typeof Filter)[keyof typeof Filter];

export const RecordFlag = {
  /** The payload begins with the 32-byte id of the record it builds on. */
  hasBase: 1,
  /** The payload is encrypted and begins with its nonce. Written by no version yet. */
  encrypted: 2,
} as const;
const KNOWN_FLAGS = RecordFlag.hasBase | RecordFlag.encrypted;

export interface RecordHeader {
  type: RecordType;
  codec: Codec;
  filter: Filter;
  flags: number;
  rawLength: number;
  storedLength: number;
  sequence: number;
  /** 8 bytes. */
  writer: Buffer;
  id: ChunkId;
  /** 16 bytes. */
  check: Buffer;
  offset: number;
  pack: number;
}

/** Bytes that a record takes in its pack, padding included. */
export function recordBytes(storedLength: number): number {
  return HEADER_BYTES + roundUp(storedLength, RECORD_ALIGNMENT);
}

/** The longest payload whose record takes at most so many bytes; negative where none does. */
export function payloadWithin(bytes: number): number {
  return Math.floor((bytes - HEADER_BYTES) / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** Writes a header at `position` of `target`. */
export function encodeHeader(header: RecordHeader, target: Buffer, position: number): void {
  MAGIC.copy(target, position);
  target[position + AT_VERSION] = FORMAT_VERSION;
  target[position + AT_TYPE] = header.type;
  target[position + AT_CODEC] = header.codec;
  target[position + AT_FILTER] = header.filter;
  target[position + AT_FLAGS] = header.flags;
  target.writeUInt32LE(header.rawLength, position + AT_RAW_LENGTH);
  target.writeUInt32LE(header.storedLength, position + AT_STORED_LENGTH);
  writeU64(target, header.sequence, position + AT_SEQUENCE);
  header.writer.copy(target, position + AT_WRITER, 0, WRITER_TAG_BYTES);
  header.id.copy(target, position + AT_ID);
  header.check.copy(target, position + AT_CHECK, 0, CHECK_BYTES);
  writeU64(target, header.offset, position + AT_OFFSET);
  target.writeUInt32LE(header.pack, position + AT_PACK);
  target.writeUInt32LE(crc32(target.subarray(position, position + AT_CRC)), position + AT_CRC);
}

/**
 * Reads the header at `position` of `source`, or says in a word why there is none. A version newer than this
 * program's is an error, because what follows cannot be understood: everything else is for the caller to judge.
 */
export function decodeHeader(source: Buffer, position: number): RecordHeader | HeaderFault {
  if (source.length - position < HEADER_BYTES) return 'short';
  if (source.compare(MAGIC, 0, MAGIC.length, position, position + MAGIC.length) !== 0) return 'magic';
  const crc = crc32(source.subarray(position, position + AT_CRC));
  if (crc !== source.readUInt32LE(position + AT_CRC)) return 'checksum';
  const version = source[position + AT_VERSION] as number;
  if (version !== FORMAT_VERSION) {
    throw new SnapError(
      'SNAP_FORMAT',
      `this store holds records of format ${version}; this program reads format ${FORMAT_VERSION}: update holdfast`,
    );
  }
  const header: RecordHeader = {
    type: source[position + AT_TYPE] as RecordType,
    codec: source[position + AT_CODEC] as Codec,
    filter: source[position + AT_FILTER] as Filter,
    flags: source[position + AT_FLAGS] as number,
    rawLength: source.readUInt32LE(position + AT_RAW_LENGTH),
    storedLength: source.readUInt32LE(position + AT_STORED_LENGTH),
    sequence: readU64(source, position + AT_SEQUENCE),
    writer: Buffer.from(source.subarray(position + AT_WRITER, position + AT_ID)),
    id: asChunkId(Buffer.from(source.subarray(position + AT_ID, position + AT_CHECK))),
    check: Buffer.from(source.subarray(position + AT_CHECK, position + AT_OFFSET)),
    offset: readU64(source, position + AT_OFFSET),
    pack: source.readUInt32LE(position + AT_PACK),
  };
  const limit = header.type === RecordType.footer ? MAX_FOOTER_BYTES : MAX_RECORD_BYTES;
  if (header.rawLength > limit || header.storedLength > limit) return 'length';
  if (!Number.isSafeInteger(header.sequence) || !Number.isSafeInteger(header.offset)) return 'number';
  return header;
}

export type HeaderFault = 'short' | 'magic' | 'checksum' | 'length' | 'number';

/** What says how a record is to be read, and where it lies. */
type Understood = Pick<RecordHeader, 'codec' | 'filter' | 'flags' | 'pack' | 'offset'>;

/** Refuses what a newer program may have written and this one would misread. */
export function checkUnderstood(record: Understood): void {
  const { codec, filter, flags, pack, offset } = record;
  const understood =
    (codec === Codec.raw || codec === Codec.zstd) &&
    filter <= Filter.dictionary &&
    (flags & ~KNOWN_FLAGS) === 0 &&
    (flags & RecordFlag.encrypted) === 0;
  if (!understood) {
    throw new SnapError(
      'SNAP_FORMAT',
      `a record uses codec ${codec}, filter ${filter}, flags ${flags}, which this program does not know: update holdfast`,
      { pack, offset },
    );
  }
}
