/** What is encoded is decoded to the same value. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter } from '../../src/format/bytes.js';
import { decodeCommit, encodeCommit } from '../../src/format/commit.js';
import { decodeDescriptor, encodeDescriptor } from '../../src/format/descriptor.js';
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
  TRAILER_BYTES,
} from '../../src/format/pack.js';
import { decodePage, EntryList, PAGE_ENTRIES } from '../../src/format/page.js';
import { applyPatch, makePatch } from '../../src/format/patch.js';
import {
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  payloadWithin,
  recordBytes,
} from '../../src/format/record.js';
import { budget } from '../support/budget.js';
import { listOf } from '../support/forge.js';
import * as any from './arbitraries.js';
import { record } from './arbitraries.js';

const runs = { numRuns: budget(200) };

function roundTrips<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  encode: (value: T) => Buffer,
  decode: (bytes: Buffer) => T,
) {
  test(`${name}: what is encoded is decoded to the same value`, () => {
    fc.assert(
      fc.property(arbitrary, (value) => {
        assert.deepEqual(decode(encode(value)), value);
      }),
      runs,
    );
  });
}

roundTrips('a commit', any.commit, encodeCommit, decodeCommit);
roundTrips('a pack header', any.packHeader, encodePackHeader, decodePackHeader);
roundTrips('a manifest', any.manifest, encodeManifest, decodeManifest);
roundTrips('a tag', any.tagNote, encodeTag, decodeTag);
roundTrips('a forget note', any.forgetNote, encodeForget, decodeForget);
roundTrips('a timing', any.timingNote, encodeTiming, decodeTiming);
roundTrips('a descriptor', any.descriptor, encodeDescriptor, decodeDescriptor);

test('a region table: what is encoded is decoded to the same value', () => {
  fc.assert(
    fc.property(any.regions, (entries) => {
      assert.deepEqual(decodeRegionTable(encodeRegionTable(entries), entries.length), entries);
    }),
    runs,
  );
});

test('a record header: what is encoded anywhere in a buffer is decoded to the same value', () => {
  fc.assert(
    fc.property(any.recordHeader, fc.nat(20), (header, position) => {
      const buffer = Buffer.alloc(position + HEADER_BYTES, 0xee);
      encodeHeader(header, buffer, position);
      assert.deepEqual(decodeHeader(buffer, position), header);
    }),
    runs,
  );
});

test('the longest payload within so many bytes: its record takes no more, that of one byte more does', () => {
  fc.assert(
    fc.property(fc.integer({ min: HEADER_BYTES, max: 2 ** 26 }), (bytes) => {
      const longest = payloadWithin(bytes);
      assert.ok(recordBytes(longest) <= bytes);
      assert.ok(recordBytes(longest + 1) > bytes);
    }),
  );
  assert.ok(payloadWithin(HEADER_BYTES - 1) < 0);
});

test('a trailer: every offset comes back', () => {
  fc.assert(
    fc.property(any.count, (offset) => {
      const trailer = encodeTrailer(offset);
      assert.equal(trailer.length, TRAILER_BYTES);
      assert.equal(decodeTrailer(trailer), offset);
    }),
    runs,
  );
});

test('a footer: every chunk is found by its id, everything else is listed in order', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(any.footerEntry, { selector: ({ id }) => id.toString('hex'), maxLength: 40 }),
      fc.array(any.footerEntry, { maxLength: 10 }),
      any.chunkId,
      (content, others, stranger) => {
        const footer = new Footer(encodeFooter(listOf(content), listOf(others)), 7);
        assert.equal(footer.contentCount, content.length);
        for (const { id, location } of content) assert.deepEqual(footer.find(id), location);
        assert.equal(footer.find(stranger), undefined);
        assert.deepEqual(
          Array.from(others, (_, index) => footer.other(index)),
          others,
        );
        assert.deepEqual(
          [...footer.byOffset()].map(({ location }) => location.offset),
          [...content, ...others].map(({ location }) => location.offset).sort((a, b) => a - b),
        );
      },
    ),
    runs,
  );
});

test('a page: what is written is read, whatever part of the list it holds', () => {
  const entry = record({ id: any.chunkId, byteLength: fc.integer({ min: 1, max: 2 ** 44 }) });
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 1, maxLength: 20 }),
      fc.nat(),
      fc.nat(8),
      (entries, cut, height) => {
        const list = new EntryList();
        list.resize(entries.length);
        for (const [index, { id, byteLength }] of entries.entries()) list.set(index, id, byteLength);
        assert.deepEqual(list.toArray(), entries);
        const start = cut % entries.length;
        const page = decodePage(list.toPage(height, start, entries.length), height, list.total(start));
        assert.deepEqual(page.toArray(), entries.slice(start));
      },
    ),
    runs,
  );
});

test('a page of the most entries it may have is read, one more is refused', () => {
  const list = new EntryList();
  list.resize(PAGE_ENTRIES + 1);
  for (let index = 0; index <= PAGE_ENTRIES; index++) list.set(index, list.id(0), 1);
  assert.equal(decodePage(list.toPage(0, 0, PAGE_ENTRIES), 0, PAGE_ENTRIES).count, PAGE_ENTRIES);
  assert.throws(() => decodePage(list.toPage(0, 0, PAGE_ENTRIES + 1), 0, PAGE_ENTRIES + 1));
});

test('a patch of a base makes the next version, of any two', () => {
  const content = fc.uint8Array({ maxLength: 600 }).map((value) => Buffer.from(value));
  const edits = fc.array(fc.tuple(fc.nat(599), fc.nat(255)), { maxLength: 12 });
  fc.assert(
    fc.property(content, edits, fc.nat(700), (base, changes, length) => {
      const next = Buffer.alloc(length);
      base.copy(next);
      for (const [at, value] of changes) if (at < length) next[at] = value;
      const patch = makePatch(base, next, 1_000_000);
      assert.ok(patch);
      assert.ok(applyPatch(base, patch, length).equals(next));
      assert.equal(makePatch(base, next, patch.length - 1), undefined);
      assert.deepEqual(makePatch(base, next, patch.length), patch);
    }),
    { numRuns: budget(500) },
  );
});

test('a patch follows what changed, not how long the bytes are', () => {
  const base = Buffer.alloc(100_000, 7);
  const next = Buffer.from(base);
  for (const at of [0, 5, 50_000, 99_999]) next[at] = 1;
  assert.ok((makePatch(base, next, 1000) ?? assert.fail('no patch')).length < 4 + 4 * (8 + 8));
  assert.equal(makePatch(base, base, 100)?.length, 4);
});

test('numbers and strings: whatever was written is read, and nothing is left', () => {
  const part = fc.oneof(
    record({ kind: fc.constant('varint' as const), value: any.count }),
    record({ kind: fc.constant('u64' as const), value: any.count }),
    record({ kind: fc.constant('u32' as const), value: fc.nat(0xffff_ffff) }),
    record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
    record({ kind: fc.constant('f64' as const), value: fc.double() }),
    record({ kind: fc.constant('string' as const), value: any.text }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
      const out = new ByteWriter(1);
      for (const { kind, value } of parts) (out[kind] as (value: unknown) => unknown).call(out, value);
      const source = new ByteReader(out.finish(), 'a test');
      for (const { kind, value } of parts) assert.deepEqual(source[kind](), value);
      source.end();
    }),
    runs,
  );
});
