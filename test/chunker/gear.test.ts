/** Where content says that a chunk ends: always the same places, whatever stands before. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KiB, MiB } from '../../src/base/sizes.js';
import { firstChunkBytes, longestChunkBytes, shortestChunkBytes } from '../../src/chunker/gear.js';
import { budget } from '../support/budget.js';
import { Random } from '../support/random.js';

const AVERAGES = [16 * KiB, 64 * KiB];

function ends(bytes: Buffer, average = 64 * KiB): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; found.push(at)) at += firstChunkBytes(bytes.subarray(at), average);
  return found;
}

test('every chunk has the length of a chunk, and together they are the bytes', () => {
  const lengths = fc.oneof(fc.nat(600 * KiB), fc.constantFrom(0, 1, 128 * KiB, 128 * KiB + 1, 144 * KiB));
  fc.assert(
    fc.property(
      lengths,
      fc.nat(1000),
      fc.boolean(),
      fc.constantFrom(...AVERAGES),
      (length, seed, isPlain, average) => {
        const found = ends(isPlain ? Buffer.alloc(length, seed) : new Random(seed).bytes(length), average);
        const shortest = shortestChunkBytes(average);
        assert.equal(found.at(-1) ?? 0, length);
        for (const [index, end] of found.entries()) {
          const chunk = end - (found[index - 1] ?? 0);
          assert.ok(chunk <= longestChunkBytes(average));
          assert.ok(chunk >= shortest || length < shortest, `${chunk} bytes`);
        }
      },
    ),
    { numRuns: budget(40) },
  );
});

/** A store that was written by an earlier version is cut as it was then: else all of it would be written again. */
test('the places never change', () => {
  const found = ends(new Random(7).bytes(MiB));
  const places = [
    83549, 135903, 213098, 287808, 371988, 439450, 508104, 577618, 650983, 720444, 808071, 873886, 942537,
  ];
  assert.deepEqual(found, [...places, MiB]);
  assert.deepEqual(ends(new Random(7).bytes(128 * KiB), 16 * KiB), [
    22236,
    42239,
    62785,
    83549,
    110875,
    128 * KiB,
  ]);
});

test('the average is near what it is to be', () => {
  const bytes = new Random(3).bytes(16 * MiB);
  for (const wanted of AVERAGES) {
    const average = bytes.length / ends(bytes, wanted).length;
    assert.ok(average > 0.75 * wanted && average < 1.5 * wanted, `${average}`);
  }
});

test('behind other bytes the same places are found soon', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(200 * KiB), (seed, length) => {
      const random = new Random(seed);
      const bytes = random.bytes(2 * MiB);
      const before = random.bytes(length);
      const plain = new Set(ends(bytes));
      const moved = ends(Buffer.concat([before, bytes])).map((end) => end - length);
      const first = moved.findIndex((end) => plain.has(end));
      assert.ok((moved[first] as number) < 1.5 * MiB, 'they never meet');
      for (const end of moved.slice(first)) assert.ok(plain.has(end));
    }),
    { numRuns: budget(15) },
  );
});
