/** Decoders are given what no encoder wrote: they return something or throw a typed error, and take little. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { isSnapError } from '../../src/base/errors.js';
import { asChunkId } from '../../src/base/ids.js';
import { ByteReader, ByteWriter } from '../../src/format/bytes.js';
import { decodeCommit, encodeCommit } from '../../src/format/commit.js';
import {
  checkFeatures,
  decodeDescriptor,
  encodeDescriptor,
  newDescriptor,
} from '../../src/format/descriptor.js';
import {
  decodeManifest,
  decodeRegionTable,
  encodeManifest,
  encodeRegionTable,
} from '../../src/format/manifest.js';
import {
  decodeForget,
  decodeTag,
  decodeTiming,
  encodeForget,
  encodeTag,
  encodeTiming,
} from '../../src/format/notes.js';
import {
  decodePackHeader,
  decodeTrailer,
  encodeFooter,
  encodePackHeader,
  encodeTrailer,
  Footer,
} from '../../src/format/pack.js';
import { decodePage, EntryList } from '../../src/format/page.js';
import { applyPatch, makePatch } from '../../src/format/patch.js';
import {
  checkUnderstood,
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  MAX_FOOTER_BYTES,
  MAX_RECORD_BYTES,
  type RecordHeader,
  RecordType,
} from '../../src/format/record.js';
import { listOf } from '../support/forge.js';
import { fuzz } from '../support/fuzz.js';
import { flip } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import * as any from './arbitraries.js';

const random = new Random(1);
const isTyped = (error: unknown): boolean => isSnapError(error, 'SNAP_CORRUPT');

function samplesOf<T>(arbitrary: fc.Arbitrary<T>, encode: (value: T) => Buffer): Buffer[] {
  return fc.sample(arbitrary, { numRuns: 6, seed: 1 }).map(encode);
}

function survives(name: string, samples: readonly Buffer[], decode: (bytes: Buffer) => unknown): void {
  test(`${name}: damaged, cut off or random bytes give a value or a typed error`, () => {
    fuzz(random, samples, decode);
  });
}

function headerBytes(header: RecordHeader): Buffer {
  const buffer = Buffer.alloc(HEADER_BYTES);
  encodeHeader(header, buffer, 0);
  return buffer;
}

const page = (): Buffer => {
  const list = new EntryList();
  list.resize(5);
  for (let index = 0; index < 5; index++) list.set(index, asChunkId(random.bytes(32)), 64);
  return list.toPage(0, 0, 5);
};

survives('a commit', samplesOf(any.commit, encodeCommit), decodeCommit);
survives('a pack header', samplesOf(any.packHeader, encodePackHeader), decodePackHeader);
survives('a manifest', samplesOf(any.manifest, encodeManifest), decodeManifest);
survives('a region table', samplesOf(any.regions, encodeRegionTable), (bytes) =>
  decodeRegionTable(bytes, random.below(9)),
);
survives('a tag', samplesOf(any.tagNote, encodeTag), decodeTag);
survives('a forget note', samplesOf(any.forgetNote, encodeForget), decodeForget);
survives('a timing', samplesOf(any.timingNote, encodeTiming), decodeTiming);
survives('a descriptor', samplesOf(any.descriptor, encodeDescriptor), decodeDescriptor);
survives('a record header', samplesOf(any.recordHeader, headerBytes), (bytes) => decodeHeader(bytes, 0));
survives('a trailer', [encodeTrailer(123), encodeTrailer(2 ** 40)], decodeTrailer);
survives('a page', [page(), page()], (bytes) => decodePage(bytes, 0, 320));
survives(
  'a footer',
  samplesOf(fc.array(any.footerEntry, { maxLength: 6 }), (entries) =>
    encodeFooter(listOf(entries), listOf(entries)),
  ),
  (bytes) => {
    const footer = new Footer(bytes, 1);
    for (let index = 0; index < footer.contentCount; index++) footer.content(index);
    for (let index = 0; index < footer.otherCount; index++) footer.other(index);
    footer.find(asChunkId(random.bytes(32)));
  },
);
const base = random.bytes(300);
survives(
  'a patch',
  [1, 2, 3].map(() => makePatch(base, Buffer.concat([base, random.bytes(20)]), 1e6) as Buffer),
  (bytes) => applyPatch(base, bytes, 320),
);

test('a record header with any bit flipped is none', () => {
  for (const sample of samplesOf(any.recordHeader, headerBytes)) {
    for (let position = 0; position < HEADER_BYTES * 8; position++) {
      const bytes = Buffer.from(sample);
      flip(bytes, position >> 3, position & 7);
      assert.equal(typeof decodeHeader(bytes, 0), 'string');
    }
  }
});

test('a record header with an impossible length is none, however right its checksum', () => {
  const [header] = fc.sample(any.recordHeader, { numRuns: 1, seed: 1 }) as [RecordHeader];
  const chunk = { ...header, type: RecordType.chunk };
  for (const length of [MAX_RECORD_BYTES + 1, 0xffff_ffff]) {
    assert.equal(decodeHeader(headerBytes({ ...chunk, rawLength: length }), 0), 'length');
    assert.equal(decodeHeader(headerBytes({ ...chunk, storedLength: length }), 0), 'length');
  }
  const footer = { ...header, type: RecordType.footer, rawLength: 1, storedLength: MAX_FOOTER_BYTES + 1 };
  assert.equal(decodeHeader(headerBytes(footer), 0), 'length');
});

test('a record of a newer format says that the program is too old', () => {
  const [header] = fc.sample(any.recordHeader, { numRuns: 1, seed: 1 }) as [RecordHeader];
  const bytes = headerBytes(header);
  bytes[3] = 2;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4);
  assert.throws(
    () => decodeHeader(bytes, 0),
    (error) => isSnapError(error, 'SNAP_FORMAT'),
  );
});

test('a record with a codec, filter or flag of a newer program is refused as such', () => {
  const known = {
    type: RecordType.chunk,
    codec: 0,
    filter: 0,
    flags: 0,
    rawLength: 1,
    storedLength: 1,
  } as const;
  const header = {
    ...known,
    sequence: 1,
    writer: Buffer.alloc(8),
    id: asChunkId(Buffer.alloc(32)),
    check: Buffer.alloc(16),
    offset: 0,
    pack: 1,
  };
  checkUnderstood(header);
  for (const odd of [{ codec: 2 }, { filter: 9 }, { flags: 2 }, { flags: 4 }]) {
    assert.throws(
      () => checkUnderstood({ ...header, ...odd } as RecordHeader),
      (error) => isSnapError(error, 'SNAP_FORMAT'),
    );
  }
});

test('huge counts and lengths are refused before anything is allocated', () => {
  const huge = Buffer.alloc(16, 0xff);
  const before = process.memoryUsage().arrayBuffers;
  const attempts: (() => unknown)[] = [
    () => new ByteReader(huge, 'a test').varint(),
    () => new ByteReader(huge, 'a test').u64(),
    () => new ByteReader(new ByteWriter().varint(2 ** 52).finish(), 'a test').string(),
    () => new Footer(Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 1),
    () => decodeRegionTable(Buffer.alloc(40), Number.MAX_SAFE_INTEGER),
    () => decodePage(Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), 0, 1),
    () => decodePage(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), 0, 0),
    () => applyPatch(Buffer.alloc(0), Buffer.from([0xff, 0xff, 0xff, 0xff]), 10),
    () => applyPatch(Buffer.alloc(8), Buffer.from([8, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 1, 1]), 8),
    () => applyPatch(Buffer.alloc(8), Buffer.from([8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 1]), 8),
    () => applyPatch(Buffer.alloc(8), Buffer.from([8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 8),
  ];
  for (const [index, attempt] of attempts.entries()) assert.throws(attempt, isTyped, `attempt ${index}`);
  assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 20);
});

test('a page tells its height, and that its entries add up and are not empty', () => {
  assert.throws(() => decodePage(page(), 1, 320), isTyped);
  assert.throws(() => decodePage(page(), 0, 321), isTyped);
  const list = new EntryList();
  list.resize(2);
  list.set(0, asChunkId(Buffer.alloc(32)), 0);
  list.set(1, asChunkId(Buffer.alloc(32)), 5);
  assert.throws(() => decodePage(list.toPage(0, 0, 2), 0, 5), isTyped);
  list.set(0, asChunkId(Buffer.alloc(32)), 2 ** 60);
  assert.throws(() => decodePage(list.toPage(0, 0, 2), 0, 2 ** 60 + 5), isTyped);
});

test('a string that is not UTF-8 is refused', () => {
  const bytes = new ByteWriter()
    .varint(2)
    .bytes(Buffer.from([0xc3, 0x28]))
    .finish();
  assert.throws(() => new ByteReader(bytes, 'a test').string(), isTyped);
});

test('bytes that are left over are refused', () => {
  for (const [encoded, decode] of [
    [encodeForget({ snapshot: '0'.repeat(32) as never, forgotten: true }), decodeForget],
    [encodeTag({ name: 'best', snapshot: undefined }), decodeTag],
  ] as const) {
    assert.throws(() => decode(Buffer.concat([encoded, Buffer.alloc(1)])), isTyped);
  }
});

test('a store that takes an unknown feature is refused for that operation and no other', () => {
  const descriptor = newDescriptor('0'.repeat(32), 0);
  for (const operation of ['read', 'write', 'gc'] as const) checkFeatures(descriptor, operation);
  descriptor.features.gc.push('something new');
  checkFeatures(descriptor, 'read');
  checkFeatures(descriptor, 'write');
  assert.throws(
    () => checkFeatures(descriptor, 'gc'),
    (error) => isSnapError(error, 'SNAP_FORMAT'),
  );
  assert.throws(
    () => checkFeatures({ ...descriptor, ids: 'keyed' }, 'read'),
    (error) => isSnapError(error, 'SNAP_FORMAT'),
  );
});

test('a descriptor of a newer format says that the program is too old, whatever its checksum', () => {
  const text = encodeDescriptor({ ...newDescriptor('0'.repeat(32), 0), version: 9 });
  assert.throws(
    () => decodeDescriptor(text),
    (error) => isSnapError(error, 'SNAP_FORMAT'),
  );
});
