/** Filling a slot in pieces leaves in it what filling it whole would, however its memory is cut into segments. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CapturedRegion } from '../../src/writer/captured.js';
import { copyLent } from '../../src/writer/lent.js';
import type { PlacedRegion } from '../../src/writer/protocol.js';
import type { Ranges } from '../../src/writer/ranges.js';
import { type LiveRegion, Slot } from '../../src/writer/slot.js';
import { replayable, seeds } from '../support/budget.js';
import { Random } from '../support/random.js';

const MiB = 1 << 20;
const SKELETON = new Uint8Array(10);

function regionsOf(...pieces: Uint8Array[]): LiveRegion[] {
  return pieces.map((bytes, index) => ({ path: `r${index}`, kind: 'bytes', bytes }));
}

function contentOf(slot: Slot, position: number): Buffer {
  const { extents, byteLength } = slot.layout.regions[position] as PlacedRegion;
  const captured = new CapturedRegion(
    slot.segments.map((segment) => Buffer.from(segment)),
    extents,
    byteLength,
  );
  const pieces: Buffer[] = [];
  for (let at = 0; at < byteLength; at += MiB)
    pieces.push(captured.slice(at, Math.min(at + MiB, byteLength)));
  return Buffer.concat(pieces);
}

/** Ranges of at most two MiB, in order and apart. */
function someRanges(random: Random, length: number): number[] {
  const ranges: number[] = [];
  for (let at = random.below(MiB); at < length; at += 1 + random.below(MiB)) {
    const end = Math.min(length, at + 1 + random.below(random.pick([10, 2 * MiB])));
    ranges.push(at, end);
    at = end;
  }
  return ranges;
}

test('law: pieces that are copied into a slot come where the whole would have come', async () => {
  let cut = 0;
  for (const seed of seeds(15)) {
    await replayable(seed, 'pieces of regions', () => {
      const random = new Random(seed);
      const slot = new Slot();
      let states: Uint8Array[] = [];
      // A slot that grows is made of several segments, and what lies in it of several extents.
      for (const most of [1, 3, 6]) {
        states = [0, 1].map(() => new Uint8Array(random.between(1, most * MiB)).fill(1));
        if (!slot.fits(SKELETON.length, regionsOf(...states)))
          slot.arrange(SKELETON.length, regionsOf(...states));
      }
      slot.fill(SKELETON, regionsOf(...states));
      cut += slot.layout.regions.filter(({ extents }) => extents.length > 1).length;
      const expected = states.map((bytes) => Buffer.from(bytes));
      const pieces: (Ranges | undefined)[] = states.map((bytes, position) => {
        bytes.fill(2);
        const ranges = random.chance(0.1) ? undefined : someRanges(random, bytes.length);
        const copy = expected[position] as Buffer;
        for (let at = 0; ranges && at < ranges.length; at += 2) copy.fill(2, ranges[at], ranges[at + 1]);
        if (!ranges) copy.fill(2);
        return ranges;
      });
      slot.fill(SKELETON, regionsOf(...states), pieces);
      for (const [position, bytes] of expected.entries()) assert.ok(contentOf(slot, position).equals(bytes));
    });
  }
  // One seed, or few, need not meet any.
  if (seeds(10).length >= 10) assert.ok(cut > 5, 'regions of several extents were met');
});

test('law: what is lent is left to the writer thread, which puts it where a copy would have come', async () => {
  let cut = 0;
  for (const seed of seeds(10)) {
    await replayable(seed, 'lent regions', () => {
      const random = new Random(seed);
      const slot = new Slot();
      let states: Uint8Array[] = [];
      for (const most of [1, 3, 6]) {
        states = [0, 1, 2].map(() => new Uint8Array(random.between(1, most * MiB)).fill(1));
        const regions = regionsOf(...states);
        if (!slot.fits(SKELETON.length, regions)) slot.arrange(SKELETON.length, regions);
      }
      slot.fill(SKELETON, regionsOf(...states));
      for (const bytes of states) for (let at = 0; at < bytes.length; at++) bytes[at] = at + (at >> 20);
      const expected = states.map((bytes) => Buffer.from(bytes));
      const regions = regionsOf(...states).map((region): LiveRegion => {
        return random.chance(0.6) ? { ...region, lent: true } : region;
      });
      slot.fill(SKELETON, regions);
      for (const [position, { lent, bytes }] of regions.entries()) {
        assert.ok(contentOf(slot, position).equals(lent ? Buffer.alloc(bytes.length, 1) : bytes));
      }
      const parts = regions.flatMap(({ lent, bytes }, position) => {
        const { extents } = slot.layout.regions[position] as PlacedRegion;
        if (lent && extents.length > 1) cut++;
        return lent ? { buffer: bytes.buffer, extents } : [];
      });
      const back = copyLent({ type: 'lent', client: 1, ticket: 1, segments: slot.segments, parts });
      assert.deepEqual(
        back,
        parts.map(({ buffer }) => buffer),
      );
      for (const [position, bytes] of expected.entries()) assert.ok(contentOf(slot, position).equals(bytes));
    });
  }
  assert.ok(cut > 0 || seeds(10).length < 10, 'some lay in several segments');
});
