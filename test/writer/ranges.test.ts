/** Ranges are sets of bytes: what they say is what the set says. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesIn, chunksIn, NOTHING, type Ranges, union } from '../../src/writer/ranges.js';
import { budget } from '../support/budget.js';

/** Gaps and lengths of at least 1, so that no two ranges touch. */
const arbitrary: fc.Arbitrary<Ranges> = fc
  .tuple(
    fc.nat(5),
    fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), { maxLength: 8 }),
  )
  .map(([first, steps]) => {
    let at = first;
    return steps.flatMap(([length, gap]) => {
      const range = [at, at + length];
      at += length + gap;
      return range;
    });
  });

function members(ranges: Ranges): number[] {
  const all: number[] = [];
  for (let at = 0; at < ranges.length; at += 2)
    for (let byte = ranges[at] as number; byte < (ranges[at + 1] as number); byte++) all.push(byte);
  return all;
}

function assertWellFormed(ranges: Ranges): void {
  for (let at = 1; at < ranges.length; at++)
    assert.ok((ranges[at - 1] as number) < (ranges[at] as number), `${ranges}`);
}

test('law: a union holds what either holds, in order and in as few ranges as possible', () => {
  fc.assert(
    fc.property(arbitrary, arbitrary, (a, b) => {
      const both = union(a, b);
      assertWellFormed(both);
      assert.deepEqual(
        members(both),
        [...new Set([...members(a), ...members(b)])].sort((x, y) => x - y),
      );
    }),
    { numRuns: budget(500) },
  );
});

test('law: their bytes are as many as they hold, and their chunks those that any of them lies in', () => {
  fc.assert(
    fc.property(arbitrary, fc.integer({ min: 1, max: 12 }), (ranges, chunkBytes) => {
      const bytes = members(ranges);
      assert.equal(bytesIn(ranges), bytes.length);
      assert.deepEqual(
        [...chunksIn(ranges, chunkBytes)],
        [...new Set(bytes.map((byte) => Math.floor(byte / chunkBytes)))],
      );
    }),
    { numRuns: budget(500) },
  );
});

test('nothing is nothing', () => {
  assert.deepEqual(
    [union(NOTHING, NOTHING), bytesIn(NOTHING), chunksIn(NOTHING, 8)],
    [[], 0, new Uint32Array()],
  );
});
