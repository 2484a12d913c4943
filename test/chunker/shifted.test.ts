/** Chunks of an earlier version are found in a later one wherever they stand; what is found is there, byte for byte. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KiB, MiB } from '../../src/base/sizes.js';
import type { RegionBytes } from '../../src/chunker/fixed.js';
import { longestChunkBytes, shortestChunkBytes } from '../../src/chunker/gear.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { withLandmarks } from '../../src/chunker/landmarks.js';
import { type Cut, NEW, NOWHERE, recut } from '../../src/chunker/recut.js';
import {
  bytesOf,
  type Chunks,
  findKept,
  haveMoved,
  holdSame,
  type Versions,
} from '../../src/chunker/shifted.js';
import { budget } from '../support/budget.js';
import { Random } from '../support/random.js';
import { regionBytes } from '../support/saved.js';

const CHUNK = 64 * KiB;

/** The chunks of a region, by their lengths. */
function chunksOf(lengths: readonly number[]): Chunks {
  const starts = [0];
  for (const length of lengths) starts.push((starts.at(-1) as number) + length);
  return {
    count: lengths.length,
    byteLength: starts.at(-1) as number,
    start: (index) => starts[index] as number,
    end: (index) => starts[index + 1] as number,
  };
}

function fixedLengths(byteLength: number): number[] {
  return Array.from({ length: Math.ceil(byteLength / CHUNK) }, (_, index) =>
    Math.min(CHUNK, byteLength - index * CHUNK),
  );
}

/** Refuses slices that a slot could not give. */
function inPieces(bytes: Buffer): RegionBytes {
  const plain = regionBytes(bytes);
  return {
    byteLength: bytes.length,
    slice(start, end) {
      assert.ok(start <= end && end <= bytes.length, 'a slice lies outside of the region');
      assert.ok(start === end || Math.floor(start / MiB) === Math.floor((end - 1) / MiB), 'two pieces');
      return plain.slice(start, end);
    },
  };
}

function versionsOf(before: Buffer, chunks: Chunks, after: Buffer, isHeld: boolean): Versions {
  const [previous, current] = [inPieces(before), inPieces(after)];
  const byComparison = (index: number, at: number) =>
    holdSame(previous, chunks.start(index), current, at, chunks.end(index) - chunks.start(index));
  const byId = (index: number, at: number) => {
    const length = chunks.end(index) - chunks.start(index);
    const id = chunkIdOf(before.subarray(chunks.start(index), chunks.end(index)));
    return chunkIdOf(bytesOf(current, at, at + length)).equals(id);
  };
  return { chunks, current, previous: isHeld ? previous : undefined, same: isHeld ? byComparison : byId };
}

function cutOf(versions: Versions): Cut {
  const kept = withLandmarks(versions, findKept(versions));
  const cutting = recut(versions.current, versions.chunks, kept, CHUNK);
  for (;;) {
    const { done, value } = cutting.next();
    if (done) return value;
  }
}

/** Bytes of which a chunk has not been kept. */
function newBytes({ lengths, origins }: Cut): number {
  return lengths.reduce((sum, length, index) => sum + (origins[index] === NEW ? length : 0), 0);
}

/** Cuts, and checks that it is a cut of the later version. */
function checkedCut(before: Buffer, lengths: readonly number[], after: Buffer, isHeld: boolean): Cut {
  const chunks = chunksOf(lengths);
  const cut = cutOf(versionsOf(before, chunks, after, isHeld));
  let at = 0;
  for (const [index, length] of cut.lengths.entries()) {
    const isLast = index === cut.lengths.length - 1;
    assert.ok(length > 0 && length <= longestChunkBytes(CHUNK), `a chunk of ${length} bytes`);
    assert.ok(
      isLast || length >= shortestChunkBytes(CHUNK),
      `a chunk of ${length} bytes that is not the last`,
    );
    const origin = cut.origins[index] as number;
    if (origin !== NEW) {
      const kept = before.subarray(chunks.start(origin), chunks.end(origin));
      assert.ok(kept.equals(after.subarray(at, at + length)), 'a chunk is kept where its bytes are not');
    }
    const place = cut.places[index] as number;
    assert.ok(origin === NEW ? place >= NOWHERE && place < chunks.count : place === origin);
    at += length;
  }
  assert.equal(at, after.length);
  return cut;
}

interface Edit {
  at: number;
  removed: number;
  inserted: number;
}

function edited(bytes: Buffer, edits: readonly Edit[], random: Random): Buffer {
  let result = bytes;
  for (const { at, removed, inserted } of edits) {
    const start = Math.floor(at * result.length);
    const rest = result.subarray(Math.min(result.length, start + removed));
    result = Buffer.concat([result.subarray(0, start), random.bytes(inserted), rest]);
  }
  return result;
}

const amount = fc.oneof(fc.nat(1000), fc.nat(200 * KiB), fc.constant(0));
const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: amount,
  inserted: amount,
});
/** Random bytes; and such in which everything is found everywhere. */
const texture = fc.constantFrom('random', 'random', 'zero', 'periodic');

function bytesLike(kind: string, length: number, random: Random): Buffer {
  if (kind === 'random') return random.bytes(length);
  return kind === 'zero' ? Buffer.alloc(length) : Buffer.alloc(length, random.bytes(100));
}

test('whatever happens to a region, it is cut into chunks; those kept are where they are said to be', () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      texture,
      fc.nat(2.5 * MiB),
      fc.array(fc.array(edit, { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (seed, kind, length, steps, isHeld) => {
        const random = new Random(seed);
        let before = bytesLike(kind, length, random);
        let lengths = fixedLengths(length);
        for (const edits of steps) {
          const after = edited(before, edits, random);
          lengths = checkedCut(before, lengths, after, isHeld).lengths;
          before = after;
        }
      },
    ),
    { numRuns: budget(60) },
  );
});

test('one edit of any size costs little more than what it inserted', () => {
  fc.assert(
    fc.property(fc.nat(1000), edit, fc.boolean(), (seed, one, isHeld) => {
      const random = new Random(seed);
      const before = random.bytes(2.2 * MiB);
      const after = edited(before, [one], random);
      const cut = checkedCut(before, fixedLengths(before.length), after, isHeld);
      const most = one.inserted + 3 * CHUNK;
      assert.ok(newBytes(cut) <= most, `${newBytes(cut)} new bytes for ${one.inserted}`);
    }),
    { numRuns: budget(60) },
  );
});

test('chunks of which all were edited a little are cut where they were, each in its place, again and again', () => {
  const random = new Random(8);
  let before = random.bytes(3 * MiB);
  let lengths = fixedLengths(before.length);
  for (let step = 0; step < 8; step++) {
    const edits = Array.from({ length: 600 }, () => ({
      at: random.next(),
      removed: random.below(30),
      inserted: random.below(60),
    }));
    const after = edited(before, edits, random);
    const cut = checkedCut(before, lengths, after, true);
    assert.deepEqual(cut.places, [...lengths.keys()], `step ${step}`);
    for (const [index, length] of cut.lengths.entries()) {
      assert.ok(Math.abs(length - (lengths[index] as number)) < 2 * KiB, `step ${step}: ${length} bytes`);
    }
    ({ lengths } = cut);
    before = after;
  }
});

test('what is left of chunks that were cut short is cut into chunks that are long enough', () => {
  const random = new Random(8);
  const lengths = Array(40).fill(20 * KiB);
  const before = random.bytes(40 * 20 * KiB);
  const left = lengths.map((_, index) => before.subarray(index * 20 * KiB, index * 20 * KiB + 12 * KiB));
  checkedCut(before, lengths, Buffer.concat(left), true);
});

test('a chunk is not sought before the one that is before it, nor behind what is kept', () => {
  const random = new Random(8);
  const lengths = [64 * KiB, 20 * KiB, 128 * KiB, 64 * KiB];
  const before = random.bytes(276 * KiB);
  const after = Buffer.from(before);
  for (const at of [1000, 70_000, 100_000]) after[at]! ^= 1;
  const head = { start: 84 * KiB, bytes: before.subarray(84 * KiB, 85 * KiB) };
  random.bytes(KiB).copy(after, head.start);
  for (const decoy of [30 * KiB, 214 * KiB]) {
    const misled = Buffer.from(after);
    head.bytes.copy(misled, decoy);
    const versions = versionsOf(before, chunksOf(lengths), misled, true);
    const last = { at: 212 * KiB, from: 3, to: 4 };
    const marks = withLandmarks(versions, [last]);
    assert.deepEqual(marks, [{ at: 64 * KiB, from: 1, to: 1 }, last]);
  }
});

test('what was made anew is not searched for all that it was; behind a chunk that is gone the next ones are found', () => {
  const random = new Random(8);
  const before = random.bytes(4 * MiB);
  const chunks = chunksOf(fixedLengths(before.length));
  const versions = versionsOf(before, chunks, random.bytes(4 * MiB + 1), true);
  let slices = 0;
  const previous = versions.previous as RegionBytes;
  const counted: RegionBytes = {
    byteLength: previous.byteLength,
    slice(start, end) {
      slices++;
      return previous.slice(start, end);
    },
  };
  assert.deepEqual(withLandmarks({ ...versions, previous: counted }, []), []);
  assert.ok(slices < 40, `${slices} looks`);
  const after = Buffer.from(before);
  for (let at = 100; at < after.length; at += 5000) after[at]! ^= 1;
  for (const lost of [9, 20]) random.bytes(CHUNK).copy(after, lost * CHUNK);
  const marks = withLandmarks(versionsOf(before, chunks, after, true), []).map(({ from }) => from);
  const expected = Array.from({ length: 63 }, (_, index) => index + 1).filter(
    (index) => index !== 9 && index !== 20,
  );
  assert.deepEqual(marks, expected);
});

test('without the earlier bytes each new chunk is in the place of one that was about there', () => {
  const random = new Random(8);
  const before = random.bytes(3 * MiB);
  const edits = Array.from({ length: 400 }, () => ({
    at: random.next(),
    removed: 0,
    inserted: random.below(100),
  }));
  const after = edited(before, edits, random);
  const cut = checkedCut(before, fixedLengths(before.length), after, false);
  let at = 0;
  for (const [index, length] of cut.lengths.entries()) {
    const middle = ((at + length / 2) * before.length) / after.length;
    assert.equal(cut.places[index], Math.floor(middle / CHUNK));
    at += length;
  }
});

test('many edits cost a chunk or two each, again and again, where the earlier bytes are at hand', () => {
  for (const seed of [1, 2, 3]) {
    const random = new Random(seed);
    let before = random.bytes(4 * MiB);
    let lengths = fixedLengths(before.length);
    for (let step = 0; step < 6; step++) {
      const edits = Array.from({ length: 6 }, () => ({
        at: random.next(),
        removed: random.below(300),
        inserted: random.below(1000),
      }));
      const after = edited(before, edits, random);
      const cut = checkedCut(before, lengths, after, true);
      assert.ok(newBytes(cut) <= 6 * 3 * CHUNK, `step ${step}: ${newBytes(cut)} new bytes`);
      ({ lengths } = cut);
      before = after;
    }
    assert.ok(lengths.length < 2 * fixedLengths(before.length).length, `${lengths.length} chunks`);
  }
});

test('a log that grows by little is not cut into little', () => {
  const random = new Random(1);
  let before = random.bytes(300 * KiB);
  let lengths = fixedLengths(before.length);
  for (let step = 0; step < 200; step++) {
    const after = Buffer.concat([before, random.bytes(500)]);
    const cut = checkedCut(before, lengths, after, step % 2 === 0);
    assert.ok(newBytes(cut) <= CHUNK + 500);
    ({ lengths } = cut);
    before = after;
  }
  assert.ok(lengths.length <= before.length / CHUNK + 3, `${lengths.length} chunks`);
});

test('bytes have moved where they stand elsewhere, and have not where they are new or stand where they stood', () => {
  const random = new Random(5);
  const before = random.bytes(2 * MiB);
  const chunks = chunksOf(fixedLengths(before.length));
  const some = [5, 12, 20, 28];
  const moved = (after: Buffer, isHeld = true) => haveMoved(versionsOf(before, chunks, after, isHeld), some);
  const inserted = edited(before, [{ at: 0.1, removed: 0, inserted: 77 }], random);
  const sameLength = Buffer.concat([inserted.subarray(0, before.length - 10), Buffer.alloc(10)]);
  assert.ok(moved(inserted));
  assert.ok(moved(inserted, false), 'by ids, where the end has moved');
  assert.ok(moved(sameLength), 'in a buffer that keeps its length');
  const edits = Array.from({ length: 500 }, () => ({ at: random.next(), removed: 0, inserted: 9 }));
  assert.ok(moved(edited(before, edits, random)), 'all of them edited too');
  assert.ok(!moved(before));
  assert.ok(!moved(Buffer.concat([before, random.bytes(500)])));
  assert.ok(!moved(random.bytes(before.length)));
  assert.ok(!moved(random.bytes(before.length + 500)));
  assert.ok(!moved(random.bytes(before.length + 500), false));
});
