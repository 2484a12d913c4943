/** Which chunks changed, against the most naive way of telling. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkBytesFor, PIECE_BYTES, type RegionBytes, visitChangedChunks } from '../../src/chunker/fixed.js';
import { chunkIdOf, RunningHash } from '../../src/chunker/ids.js';
import { elementBytes, REGION_KINDS } from '../../src/format/kinds.js';
import { budget } from '../support/budget.js';
import { Random } from '../support/random.js';
import { regionBytes } from '../support/saved.js';

function changed(current: Buffer, previous: Buffer, chunkBytes: number, wrap = regionBytes): number[] {
  const found: number[] = [];
  visitChangedChunks(wrap(current), wrap(previous), chunkBytes, (index) => found.push(index));
  return found;
}

function naivelyChanged(current: Buffer, previous: Buffer, chunkBytes: number): number[] {
  const found: number[] = [];
  for (let index = 0; index * chunkBytes < current.length; index++) {
    const slice = (bytes: Buffer): Buffer => bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes);
    if (!slice(current).equals(slice(previous))) found.push(index);
  }
  return found;
}

/** Two versions of a region: the same bytes but for some, and of any two lengths. */
const versions = fc
  .tuple(
    fc.nat(700),
    fc.nat(700),
    fc.boolean(),
    fc.array(fc.tuple(fc.nat(699), fc.nat(255)), { maxLength: 8 }),
  )
  .map(([before, after, same, edits]) => {
    const bytes = new Random(before).bytes(700);
    const previous = Buffer.from(bytes.subarray(0, before));
    const current = Buffer.from(bytes.subarray(0, same ? before : after));
    for (const [at, value] of edits) if (at < current.length) current[at] = value;
    return { previous, current };
  });

test('exactly the chunks whose bytes or length differ are visited, in order', () => {
  fc.assert(
    fc.property(versions, fc.constantFrom(1, 8, 64, 256, 1024), ({ previous, current }, chunkBytes) => {
      assert.deepEqual(changed(current, previous, chunkBytes), naivelyChanged(current, previous, chunkBytes));
    }),
    { numRuns: budget(500) },
  );
});

/** A slot is a list of segments: slices never span a piece, and what lies beyond one is another buffer. */
function segmented(bytes: Buffer): RegionBytes {
  return {
    byteLength: bytes.length,
    slice(start, end) {
      assert.ok(start <= end && end <= bytes.length, 'a slice out of range');
      assert.ok(
        Math.floor(start / PIECE_BYTES) === Math.floor((end - 1) / PIECE_BYTES) || start === end,
        'a slice over pieces',
      );
      return Buffer.from(bytes.subarray(start, end));
    },
  };
}

test('regions of several pieces: changes at the edges of pieces, growth and shrinking across them', () => {
  const random = new Random(3);
  const full = random.bytes(1000);
  const grown = Buffer.alloc(3 * PIECE_BYTES, full);
  const lengths = [
    0,
    1,
    PIECE_BYTES - 1,
    PIECE_BYTES,
    PIECE_BYTES + 1,
    2 * PIECE_BYTES,
    2 * PIECE_BYTES + 70_000,
  ];
  for (const before of lengths) {
    for (const after of lengths) {
      const previous = grown.subarray(0, before);
      const current = Buffer.from(grown.subarray(0, after));
      for (const at of [0, PIECE_BYTES - 1, PIECE_BYTES, after - 1]) {
        if (at >= 0 && at < after && random.chance(0.5)) current[at] = (current[at] as number) ^ 1;
      }
      const expected = naivelyChanged(current, previous, 65_536);
      assert.deepEqual(changed(current, previous, 65_536, segmented), expected, `${before} to ${after}`);
    }
  }
});

test('a chunk size divides a piece and holds whole elements, for every kind of region', () => {
  for (const kind of REGION_KINDS) {
    const size = chunkBytesFor(kind);
    assert.equal(PIECE_BYTES % size, 0);
    assert.equal(size % elementBytes(kind), 0);
  }
});

test('an id is the same whether the bytes come at once or in pieces', () => {
  const bytes = new Random(1).bytes(5000);
  const hash = new RunningHash();
  for (let at = 0; at < bytes.length; at += 777) hash.update(bytes.subarray(at, at + 777));
  assert.ok(hash.digest().equals(chunkIdOf(bytes)));
  assert.equal(
    chunkIdOf(Buffer.alloc(0)).toString('hex'),
    'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
  );
});
