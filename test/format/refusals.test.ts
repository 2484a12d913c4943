/** What a decoder refuses although it could go on: each check by itself, with everything else in order. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSnapError } from '../../src/base/errors.js';
import { asChunkId } from '../../src/base/ids.js';
import { ByteReader, ByteWriter } from '../../src/format/bytes.js';
import { decodeCommit, encodeCommit } from '../../src/format/commit.js';
import { decodeDescriptor, encodeDescriptor, newDescriptor } from '../../src/format/descriptor.js';
import { decodeManifest, encodeManifest } from '../../src/format/manifest.js';
import {
  decodePackHeader,
  decodeTrailer,
  encodePackHeader,
  encodeTrailer,
  TRAILER_BYTES,
} from '../../src/format/pack.js';
import { MAX_TREE_HEIGHT } from '../../src/format/page.js';
import { applyPatch } from '../../src/format/patch.js';
import { decodeHeader, encodeHeader, HEADER_BYTES } from '../../src/format/record.js';
import { ROOT_ENTRIES, readTree, type Tree, writeTree } from '../../src/format/tree.js';
import { flip } from '../support/pack-bytes.js';
import * as any from './arbitraries.js';

const isTyped = (error: unknown): boolean => isSnapError(error, 'SNAP_CORRUPT');

function sampleOf<T>(arbitrary: fc.Arbitrary<T>): T {
  return fc.sample(arbitrary, { numRuns: 1, seed: 1 })[0] as T;
}

test('a trailer with any bit flipped is none', () => {
  const trailer = encodeTrailer(123_456);
  for (let position = 0; position < TRAILER_BYTES * 8; position++) {
    const bytes = Buffer.from(trailer);
    flip(bytes, position >> 3, position & 7);
    assert.equal(decodeTrailer(bytes), undefined);
  }
});

test('a descriptor with any bit flipped is refused', () => {
  const text = encodeDescriptor(newDescriptor('0123456789abcdef'.repeat(2), 1_700_000_000_000));
  decodeDescriptor(text);
  for (let position = 0; position < text.length * 8; position++) {
    const bytes = Buffer.from(text);
    flip(bytes, position >> 3, position & 7);
    // With a higher version it is one that a newer program wrote.
    assert.throws(() => decodeDescriptor(bytes), isSnapError);
  }
});

test('a record header with a number that is not exact is none', () => {
  const header = sampleOf(any.recordHeader);
  for (const lie of [{ sequence: 2 ** 53 }, { offset: 2 ** 60 }]) {
    const bytes = Buffer.alloc(HEADER_BYTES);
    encodeHeader({ ...header, ...lie }, bytes, 0);
    assert.equal(decodeHeader(bytes, 0), 'number');
  }
});

test('a varint that is not exact is refused', () => {
  for (const value of [2 ** 53, 2 ** 55]) {
    const bytes = new ByteWriter().varint(value).finish();
    assert.throws(() => new ByteReader(bytes, 'a test').varint(), isTyped);
  }
});

test('records with a byte left over are refused', () => {
  const extended = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(1)]);
  const commit = encodeCommit(sampleOf(any.commit));
  const header = encodePackHeader(sampleOf(any.packHeader));
  const manifest = encodeManifest(sampleOf(any.manifest));
  decodeCommit(commit);
  assert.throws(() => decodeCommit(extended(commit)), isTyped);
  decodePackHeader(header);
  assert.throws(() => decodePackHeader(extended(header)), isTyped);
  decodeManifest(manifest);
  assert.throws(() => decodeManifest(extended(manifest)), isTyped);
});

test('a root that does not add up, has an empty entry, is too high or too wide is refused', () => {
  const id = asChunkId(Buffer.alloc(32, 1));
  const entries = (count: number): Tree['entries'] =>
    Array.from({ length: count }, () => ({ id, byteLength: 8 }));
  const good: Tree = { byteLength: 16, chunking: 0, chunkBytes: 8, height: 0, entries: entries(2) };
  const read = (tree: Tree): Tree => {
    const out = new ByteWriter();
    writeTree(out, tree);
    return readTree(new ByteReader(out.finish(), 'a test'));
  };
  assert.deepEqual(read(good), good);
  const wide = ROOT_ENTRIES + 1;
  for (const lie of [
    { byteLength: 17 },
    { byteLength: 0 },
    { byteLength: 8, entries: [...entries(1), { id, byteLength: 0 }] },
    { height: MAX_TREE_HEIGHT + 1 },
    { entries: entries(wide), byteLength: 8 * wide },
    { chunking: 2 as Tree['chunking'] },
  ]) {
    assert.throws(() => read({ ...good, ...lie }), isTyped, JSON.stringify(lie));
  }
});

test('a patch whose last run is cut off is refused', () => {
  const patch = new ByteWriter()
    .u32(8)
    .u32(0)
    .u32(5)
    .bytes(Buffer.from([1, 2]))
    .finish();
  assert.throws(() => applyPatch(Buffer.alloc(8), patch, 8), isTyped);
  assert.throws(() => applyPatch(Buffer.alloc(8), patch.subarray(0, 9), 8), isTyped);
});
