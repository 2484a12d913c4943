/** How many slots a state finds, and what memory they take. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveRegion } from '../../src/writer/slot.js';
import { Slots } from '../../src/writer/slots.js';
import { Tracker } from '../../src/writer/tracker.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const SKELETON = new Uint8Array(100);

const regionsOf = (byteLength: number): LiveRegion[] => [
  { path: 'u', kind: 'Float64Array', bytes: new Uint8Array(byteLength) },
];

/** Captures until no slot is free, without giving one back. */
function fill(slots: Slots, byteLength: number): number[] {
  const taken: number[] = [];
  for (;;) {
    const capture = slots.capture(SKELETON, regionsOf(byteLength), taken.length + 1);
    if (typeof capture === 'string') return taken;
    taken.push(capture.slot);
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

test('a state has two slots, a small one as many as 4 MiB hold, 32 at most', () => {
  for (const [byteLength, count] of [
    [10, 32],
    [80_000, 32],
    [200 * KiB, 20],
    [512 * KiB, 7],
    [MiB, 3],
    [2 * MiB, 2],
    [5 * MiB, 2],
  ] as const) {
    const slots = new Slots(undefined, undefined);
    assert.deepEqual(fill(slots, byteLength), upTo(count), `${byteLength} bytes`);
    assert.ok(slots.allBusy);
    slots.released(1);
    assert.ok(!slots.allBusy);
    assert.deepEqual(fill(slots, byteLength), [1]);
  }
});

test('the slot that was filled last comes first, then the others from the front', () => {
  const slots = new Slots(undefined, undefined);
  assert.deepEqual(fill(slots, 80_000).length, 32);
  for (const slot of [30, 7, 31]) slots.released(slot);
  assert.deepEqual(fill(slots, 80_000), [31, 7, 30]);
});

test('slots take no more memory than the limit leaves', () => {
  for (const count of [1, 2, 3, 5]) {
    // One such slot takes 128 KiB.
    const limit = count * 128 * KiB + 64 * KiB;
    const slots = new Slots(limit, undefined);
    slots.prepare(SKELETON, regionsOf(80_000));
    assert.deepEqual(fill(slots, 80_000), upTo(count));
    assert.ok(slots.capacity <= limit, `${slots.capacity} of ${limit} bytes`);
  }
});

test('a state that became large takes the memory of the slots that it does not have', () => {
  const slots = new Slots(5 * MiB, undefined);
  assert.equal(fill(slots, 100_000).length, 32);
  for (const slot of upTo(32)) slots.released(slot);
  assert.deepEqual(fill(slots, 2 * MiB), [0, 1]);
  assert.ok(slots.capacity <= 5 * MiB);
});

test('what may be tracked has the two slots that the tracker knows', () => {
  const tracker = new Tracker('track', 64 * KiB, () => undefined);
  assert.deepEqual(fill(new Slots(undefined, tracker), 80_000).slice(0, 2), [0, 1]);
  const asked: number[] = [];
  const watched = {
    concerns: () => true,
    plan: (slot: number) => void asked.push(slot),
  } as unknown as Tracker;
  assert.deepEqual(fill(new Slots(undefined, watched), 80_000), [0, 1]);
  assert.deepEqual(asked, [0, 1]);
});

test('the writer thread is told of memory and layout what it does not know, once', () => {
  const slots = new Slots(undefined, undefined);
  slots.prepare(SKELETON, regionsOf(80_000));
  const told = slots.takeNews();
  assert.equal(told.filter(({ segments, layout }) => segments && layout).length, 32);
  for (const { segments, layout } of slots.takeNews())
    assert.deepEqual([segments, layout], [undefined, undefined]);
  slots.prepare(SKELETON, regionsOf(80_000));
  for (const { segments, layout } of slots.takeNews())
    assert.deepEqual([segments, layout], [undefined, undefined]);
  const capture = slots.capture(SKELETON, regionsOf(80_000), 1);
  assert.ok(typeof capture === 'object');
  assert.deepEqual([capture.segments, capture.layout], [undefined, undefined]);
});

test('of a slot that grew for other use the writer thread is told with the capture that first uses what came', () => {
  const slots = new Slots(undefined, undefined);
  const first = slots.capture(SKELETON, regionsOf(2 * MiB), 1);
  assert.ok(typeof first === 'object' && first.segments);
  slots.released(first.slot);
  const taken = slots.takeFree(8 * MiB);
  assert.ok(taken && taken.segments.length > 1);
  slots.released(taken.slot);
  // The other slot was never sized, so that the next state is laid out in the one that grew.
  const next = slots.capture(SKELETON, regionsOf(6 * MiB), 2);
  assert.ok(typeof next === 'object');
  assert.equal(next.slot, taken.slot);
  assert.equal(next.segments?.length, taken.segments.length);
});
