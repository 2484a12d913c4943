/** Two regions compared: what is found is what a look at every byte finds, and equal chunks are not read. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { float16 } from '../../src/base/float16.js';
import { type ChunkId, chunkKey } from '../../src/base/ids.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { elementBytes, type RegionKind } from '../../src/format/kinds.js';
import type { RegionEntry } from '../../src/format/manifest.js';
import { type Entry, EntryList } from '../../src/format/page.js';
import type { Tree } from '../../src/format/tree.js';
import type { ContentDiff } from '../../src/store/content-diff.js';
import { RegionComparison } from '../../src/store/region-diff.js';
import { type ContentSource, readRange } from '../../src/store/tree-cursor.js';
import { budget } from '../support/budget.js';

/** Chunks and pages in memory, and what was asked for. */
class Shelf implements ContentSource {
  readonly #held = new Map<string, Buffer>();
  readonly chunksRead: string[] = [];
  readonly pagesRead: string[] = [];

  put(bytes: Buffer): ChunkId {
    const id = chunkIdOf(bytes);
    this.#held.set(chunkKey(id), Buffer.from(bytes));
    return id;
  }

  /** A tree of chunks of these sizes in turn, so many entries to a page. */
  tree(bytes: Buffer, sizes: readonly number[], fanOut: number): Tree {
    let entries: Entry[] = [];
    for (let at = 0, index = 0; at < bytes.length; index++) {
      const chunk = bytes.subarray(at, at + (sizes[index % sizes.length] as number));
      entries.push({ id: this.put(chunk), byteLength: chunk.length });
      at += chunk.length;
    }
    let height = 0;
    for (; entries.length > 4; height++) {
      const above: Entry[] = [];
      for (let at = 0; at < entries.length; at += fanOut) {
        const below = EntryList.of(entries.slice(at, at + fanOut));
        const id = this.put(below.toPage(height, 0, below.count));
        above.push({ id, byteLength: below.total() });
      }
      entries = above;
    }
    return { byteLength: bytes.length, chunking: 0, chunkBytes: sizes[0] as number, height, entries };
  }

  readPage(id: ChunkId): Buffer {
    this.pagesRead.push(chunkKey(id));
    return this.#held.get(chunkKey(id)) as Buffer;
  }

  readChunk(id: ChunkId, target: Buffer): void {
    this.chunksRead.push(chunkKey(id));
    const bytes = this.#held.get(chunkKey(id)) as Buffer;
    assert.equal(bytes.length, target.length);
    bytes.copy(target);
  }
}

function compare(
  a: RegionEntry,
  b: RegionEntry,
  shelf: ContentSource,
  tolerance = 0,
): ContentDiff | undefined {
  const comparison = new RegionComparison(a, b, shelf, shelf, tolerance);
  let done = 0;
  while (comparison.step()) {
    assert.ok(comparison.doneBytes >= done);
    done = comparison.doneBytes;
  }
  assert.equal(comparison.doneBytes, Math.min(a.tree.byteLength, b.tree.byteLength));
  return comparison.result;
}

const NUMBERS: Partial<Record<RegionKind, (bytes: Buffer) => ArrayLike<number | bigint>>> = {
  Int8Array: (bytes) => new Int8Array(bytes),
  Int16Array: (bytes) => new Int16Array(Uint8Array.from(bytes).buffer),
  Float16Array: (bytes) => Array.from(new Uint16Array(Uint8Array.from(bytes).buffer), float16),
  Float32Array: (bytes) => new Float32Array(Uint8Array.from(bytes).buffer),
  Float64Array: (bytes) => new Float64Array(Uint8Array.from(bytes).buffer),
  BigUint64Array: (bytes) => new BigUint64Array(Uint8Array.from(bytes).buffer),
};

/** The same by looking at every byte. */
function naive(
  a: Buffer,
  b: Buffer,
  kindA: RegionKind,
  kindB: RegionKind,
  tolerance: number,
): ContentDiff | undefined {
  const wide = elementBytes(kindA);
  const kind = kindA === kindB && a.length % wide === 0 && b.length % wide === 0 ? kindA : 'bytes';
  const width = elementBytes(kind);
  const common = Math.min(a.length, b.length);
  const [ours, theirs] = [a, b].map((bytes) => NUMBERS[kind]?.(bytes.subarray(0, common)));
  const element = (bytes: Buffer, index: number) => bytes.subarray(index * width, (index + 1) * width);
  const indexes: number[] = [];
  for (let index = 0; index < common / width; index++) {
    if (element(a, index).equals(element(b, index))) continue;
    const [x, y] = [ours?.[index], theirs?.[index]];
    const isClose =
      typeof x === 'number' &&
      typeof y === 'number' &&
      (Object.is(x, y) || x === y || Math.abs(x - y) / Math.max(1, Math.abs(x), Math.abs(y)) <= tolerance);
    if (tolerance === 0 || !isClose) indexes.push(index);
  }
  if (indexes.length === 0) return undefined;
  const joined = (gap: number) => {
    const ranges: { start: number; end: number }[] = [];
    for (const index of indexes) {
      const last = ranges.at(-1);
      if (last && index - last.end < gap) last.end = index + 1;
      else ranges.push({ start: index, end: index + 1 });
    }
    return ranges;
  };
  let gap = 1;
  while (joined(gap).length > 64) gap *= 2;
  let largest: ContentDiff['largest'];
  let incomparable = 0;
  if (ours && theirs) {
    for (const index of indexes) {
      const [x, y] = [ours[index] as number, theirs[index] as number];
      const difference = x > y ? x - y : y - x;
      if (Number.isNaN(difference)) incomparable++;
      else if (!largest || difference > largest.difference) largest = { index, difference, a: x, b: y };
    }
  }
  return {
    kind,
    elements: common / width,
    changed: indexes.length,
    changedBytes: indexes.reduce(
      (sum, index) => sum + element(a, index).filter((byte, at) => byte !== element(b, index)[at]).length,
      0,
    ),
    first: indexes[0] as number,
    last: indexes.at(-1) as number,
    firstPair: {
      a: ours?.[indexes[0] as number],
      b: theirs?.[indexes[0] as number],
      aBits: [...element(a, indexes[0] as number)].reduceRight((text, byte) => text + hex(byte), ''),
      bBits: [...element(b, indexes[0] as number)].reduceRight((text, byte) => text + hex(byte), ''),
    },
    ranges: joined(gap),
    gap,
    runs: joined(1).length,
    largest,
    incomparable,
  };
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0');

const kind = fc.constantFrom<RegionKind>('bytes', 'DataView', ...(Object.keys(NUMBERS) as RegionKind[]));
const sizes = fc.array(fc.constantFrom(8, 16, 24, 64), { minLength: 1, maxLength: 3 });
/** A region, and another that is it with a few bytes changed, cut or extended. */
const two = fc
  .record({
    length: fc.oneof(
      fc.nat(2500),
      fc.nat(312).map((count) => count * 8),
    ),
    lengthB: fc.option(
      fc.oneof(
        fc.nat(2500),
        fc.nat(312).map((count) => count * 8),
      ),
    ),
    fill: fc.constantFrom(0, 1, 0x7f),
    changes: fc.array(fc.tuple(fc.nat(2500), fc.nat(255), fc.constantFrom(1, 1, 3, 8, 200)), {
      maxLength: 120,
    }),
  })
  .map(({ length, lengthB, fill, changes }) => {
    const a = Buffer.alloc(length);
    for (let at = 0; at < length; at++) a[at] = (at * fill) & 0xff;
    const b = Buffer.alloc(lengthB ?? length);
    a.copy(b);
    for (const [at, value, span] of changes)
      b.fill(value, Math.min(at, b.length), Math.min(at + span, b.length));
    return { a, b };
  });

test('whatever differs is found, as by looking at every byte', () => {
  fc.assert(
    fc.property(
      two,
      kind,
      fc.option(kind),
      sizes,
      fc.option(sizes),
      fc.integer({ min: 2, max: 9 }),
      // Bytes that differ by one in their lowest place are far apart where they are the highest of a number.
      fc.constantFrom(0, 0, 1e-12, 0.01, 0.5),
      ({ a, b }, kindA, otherKind, cutA, otherCut, fanOut, tolerance) => {
        const kindB = otherKind ?? kindA;
        const shelf = new Shelf();
        const entryA = { path: 'u', kind: kindA, tree: shelf.tree(a, cutA, fanOut) };
        const entryB = { path: 'u', kind: kindB, tree: shelf.tree(b, otherCut ?? cutA, fanOut) };
        assert.deepEqual(compare(entryA, entryB, shelf, tolerance), naive(a, b, kindA, kindB, tolerance));
      },
    ),
    { numRuns: budget(800) },
  );
});

test('chunks that are equal at the same place are not read, nor pages above equal chunks', () => {
  const shelf = new Shelf();
  const a = Buffer.alloc(64 * 8);
  for (let at = 0; at < a.length; at++) a[at] = at >>> 3;
  const b = Buffer.from(a);
  for (const chunk of [3, 40, 41]) b[chunk * 8] = 0xff;
  const [x, y] = [shelf.tree(a, [8], 4), shelf.tree(b, [8], 4)];
  assert.deepEqual([x.height, x.entries.length], [2, 4]);
  const found = compare({ path: '', kind: 'bytes', tree: x }, { path: '', kind: 'bytes', tree: y }, shelf);
  assert.equal(found?.changed, 3);
  const id = (bytes: Buffer, chunk: number) => chunkKey(chunkIdOf(bytes.subarray(chunk * 8, chunk * 8 + 8)));
  assert.deepEqual(
    [...shelf.chunksRead].sort(),
    [3, 40, 41].flatMap((chunk) => [id(a, chunk), id(b, chunk)]).sort(),
    'each differing chunk once, on both sides',
  );
  // Of 16 pages and 4 above them: two of the 4, and one below each, on both sides.
  assert.equal(shelf.pagesRead.length, 2 * (2 + 2));
});

test('a region that only grew is compared without reading what both have', () => {
  const shelf = new Shelf();
  const b = Buffer.alloc(100 * 8, 'abcdefg');
  const [x, y] = [shelf.tree(b.subarray(0, 56 * 8), [8], 4), shelf.tree(b, [8], 4)];
  assert.notEqual(x.height, y.height);
  assert.equal(
    compare({ path: '', kind: 'bytes', tree: x }, { path: '', kind: 'bytes', tree: y }, shelf),
    undefined,
  );
  assert.deepEqual(shelf.chunksRead, []);
});

test('a tree that cuts a number in two is damage', () => {
  const shelf = new Shelf();
  const [a, b] = [Buffer.alloc(48), Buffer.alloc(48, 1)];
  const entry = (bytes: Buffer): RegionEntry => ({
    path: 'u',
    kind: 'Float64Array',
    tree: shelf.tree(bytes, [12], 4),
  });
  assert.throws(() => compare(entry(a), entry(b), shelf), { code: 'SNAP_CORRUPT' });
});

test('a chunk that cannot be that long is damage, and nothing is allocated for it', () => {
  const shelf = new Shelf();
  const tree = (text: string): Tree => {
    const id = shelf.put(Buffer.from(text));
    return {
      byteLength: 2 ** 45,
      chunking: 0,
      chunkBytes: 8,
      height: 0,
      entries: [{ id, byteLength: 2 ** 45 }],
    };
  };
  const [a, b] = [tree('a'), tree('b')];
  assert.throws(
    () => compare({ path: '', kind: 'bytes', tree: a }, { path: '', kind: 'bytes', tree: b }, shelf),
    {
      code: 'SNAP_CORRUPT',
    },
  );
});

test('any range of a region is read, with no more chunks than it touches', () => {
  fc.assert(
    fc.property(
      fc.nat(1500),
      fc.nat(1500),
      fc.nat(1500),
      sizes,
      fc.integer({ min: 2, max: 9 }),
      (length, x, y, cut, fanOut) => {
        const bytes = Buffer.alloc(length);
        for (let at = 0; at < length; at++) bytes[at] = (at * 7) & 0xff;
        const [start = 0, end = 0] = [x % (length + 1), y % (length + 1)].sort((p, q) => p - q);
        const shelf = new Shelf();
        const target = Buffer.alloc(end - start);
        readRange(shelf, shelf.tree(bytes, cut, fanOut), start, target);
        assert.ok(target.equals(bytes.subarray(start, end)));
        assert.ok(shelf.chunksRead.length <= (end - start) / 8 + 2);
      },
    ),
    { numRuns: budget(500) },
  );
});
