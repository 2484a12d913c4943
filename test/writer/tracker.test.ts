/** When regions are tracked, when they are not any more, and what is copied at each change. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { SlotLayout } from '../../src/writer/protocol.js';
import type { LiveRegion } from '../../src/writer/slot.js';
import { type CapturePlan, Tracker, type Tracking } from '../../src/writer/tracker.js';
import { FAKE_PAGE, FakePages } from '../support/fake-pages.js';

/** A page more than whole ones, as addresses begin a little beyond a page. */
const PAGES = 100;
const BYTES = (PAGES + 1) * FAKE_PAGE;
const SPARSE = 0.01;
const DENSE = 0.9;

/** A tracker whose captures are made one after the other, into slots whose layouts stay. */
class Captures {
  readonly pages = new FakePages();
  readonly tracker: Tracker;
  readonly #layouts: SlotLayout[] = [0, 1].map(() => ({ skeleton: [], regions: [] }));
  #ticket = 0;

  constructor(mode: Tracking) {
    this.tracker = new Tracker(mode, 4 * FAKE_PAGE, () => this.pages);
  }

  /** Captures buffers, each under its own path; `share`: what the writer thread finds of those it is asked about. */
  save(
    buffers: readonly Uint8Array[],
    share?: number,
    slot = 0,
    pathOf = (index: number) => `r${index}`,
  ): CapturePlan {
    const regions = buffers.map(
      (bytes, index): LiveRegion => ({ path: pathOf(index), kind: 'bytes', bytes }),
    );
    const plan = this.tracker.plan(slot, this.#layouts[slot] as SlotLayout, regions, ++this.#ticket);
    assert.ok(plan);
    this.tracker.measured(
      this.#ticket,
      plan.measure.map(() => share),
    );
    return plan;
  }

  /** Captures one buffer of which so many pages were written; true where only they were copied. */
  isTracked(bytes: Uint8Array, written = 1, share?: number): boolean {
    for (let page = 1; page <= written; page++)
      bytes[page * FAKE_PAGE] = (bytes[page * FAKE_PAGE] as number) + 1;
    const { trackedBytes, copies, copiedBytes } = this.save([bytes], share);
    assert.equal(copiedBytes < bytes.length, copies[0] !== undefined);
    return trackedBytes > 0;
  }
}

test('track: a large region is tracked from the first capture on, a small one never', () => {
  const captures = new Captures('track');
  const [large, small] = [new Uint8Array(BYTES), new Uint8Array(3 * FAKE_PAGE)];
  const first = captures.save([large, small]);
  assert.deepEqual(
    [first.trackedBytes, first.copies],
    [BYTES, [undefined, undefined].slice(0, first.copies.length)],
  );
  large[50 * FAKE_PAGE] = 1;
  const { copies, changed, measure } = captures.save([large, small]);
  assert.deepEqual([copies[0]?.length, copies[1], measure], [6, undefined, []], 'two ends and one page');
  assert.deepEqual([...(changed[0] ?? [])], [0, 3, 6]);
});

test('of a region whose path was cut nothing is told: another may have had it in the save before', () => {
  const captures = new Captures('track');
  const [a, b] = [new Uint8Array(BYTES), new Uint8Array(BYTES)];
  const pathOf = () => 'next.next….next.u';
  captures.save([a, b], undefined, 0, pathOf);
  const { copies, changed } = captures.save([b, a], undefined, 0, pathOf);
  assert.deepEqual([copies.length, changed[0], changed[1]], [2, undefined, undefined]);
});

test('auto: a region is copied until it was seen to be sparse twice in a row', () => {
  const captures = new Captures('auto');
  const bytes = new Uint8Array(BYTES);
  const shares = [SPARSE, 0.15, SPARSE, undefined, SPARSE];
  for (const share of shares) assert.equal(captures.isTracked(bytes, 1, share), false);
  assert.equal(captures.isTracked(bytes), true);
  assert.deepEqual(captures.save([bytes]).measure, [], 'what is tracked need not be measured');
});

test('a region that is written densely twice in a row is let go, and measured after a pause', () => {
  const captures = new Captures('track');
  const bytes = new Uint8Array(BYTES);
  for (const written of [1, 90, 1, 90, 90]) assert.equal(captures.isTracked(bytes, written), true);
  assert.equal(captures.pages.tracked, 0);
  for (let save = 0; save < 8; save++) assert.deepEqual(captures.save([bytes]).measure, []);
  assert.deepEqual(captures.save([bytes], DENSE).measure, [0]);
  for (let save = 0; save < 8; save++) assert.deepEqual(captures.save([bytes]).measure, []);
  for (let save = 0; save < 2; save++) assert.deepEqual(captures.save([bytes], SPARSE).measure, [0]);
  assert.equal(captures.isTracked(bytes), true);
});

/** Written and unchanged: what the writer thread measures lets it look sparse. */
test('a region that looks sparse and is not is tried at longer and longer intervals', () => {
  const captures = new Captures('track');
  const bytes = new Uint8Array(BYTES);
  const pauses: number[] = [];
  let copied = 0;
  for (let save = 0; save < 200 && pauses.length < 4; save++) {
    if (!captures.isTracked(bytes, 90, SPARSE)) copied++;
    else if (copied > 0) {
      pauses.push(copied);
      copied = 0;
    }
  }
  assert.deepEqual(
    pauses.map((pause) => pause - 2),
    [8, 16, 32, 64],
  );
});

test('what was let go and is tracked again is copied whole first, into either slot', () => {
  const captures = new Captures('track');
  const bytes = new Uint8Array(BYTES);
  captures.save([bytes], undefined, 0);
  captures.save([bytes], undefined, 1);
  captures.pages.hasLost = true;
  assert.deepEqual(captures.save([bytes]).copies, []);
  captures.pages.hasLost = false;
  for (let save = 0; save < 9; save++) assert.equal(captures.save([bytes], SPARSE).trackedBytes, 0);
  assert.deepEqual(captures.save([bytes]).copies, [undefined]);
  assert.ok(captures.save([bytes]).copies[0]);
  const other = captures.save([bytes], undefined, 1);
  assert.deepEqual([other.trackedBytes, other.copies[0]], [BYTES, undefined]);
});

test('the kernel is asked once, and where it offers nothing everything is copied', () => {
  let asked = 0;
  const tracker = new Tracker('track', 4 * FAKE_PAGE, () => {
    asked++;
    return undefined;
  });
  const layout: SlotLayout = { skeleton: [], regions: [] };
  for (let ticket = 1; ticket < 4; ticket++) {
    const regions = [1, 2].map(
      (n): LiveRegion => ({ path: `r${n}`, kind: 'bytes', bytes: new Uint8Array(BYTES) }),
    );
    const plan = tracker.plan(0, layout, regions, ticket);
    assert.deepEqual(plan?.copies ?? [], []);
  }
  assert.equal(asked, 1);
});

test('a region that is refused is tried again after a pause', () => {
  const captures = new Captures('track');
  const bytes = new Uint8Array(BYTES);
  captures.pages.refuses = true;
  assert.equal(captures.isTracked(bytes), false);
  captures.pages.refuses = false;
  for (let save = 0; save < 7; save++) assert.equal(captures.isTracked(bytes), false);
  assert.equal(captures.isTracked(bytes), true);
});

test('two objects over one piece of memory: one is tracked, the other copied', () => {
  const captures = new Captures('track');
  const [one, two] = [new Uint8Array(BYTES), new Uint8Array(BYTES)];
  for (const { buffer } of [one, two]) captures.pages.addresses.set(buffer, 1_000_000);
  for (let save = 0; save < 20; save++) {
    const { trackedBytes, copies } = captures.save([one, two]);
    assert.deepEqual([trackedBytes, copies[1]], [BYTES, undefined]);
  }
});

test('an address that another buffer has taken over is tracked for that one', () => {
  const captures = new Captures('track');
  const before = new Uint8Array(BYTES);
  captures.save([before]);
  const after = new Uint8Array(BYTES);
  captures.pages.addresses.set(after.buffer, captures.pages.addresses.get(before.buffer) as number);
  const plan = captures.save([after]);
  assert.deepEqual([plan.trackedBytes, plan.copies[0]], [BYTES, undefined]);
  assert.equal(captures.pages.tracked, 1);
});

test('a buffer whose memory is not where it was is copied whole', () => {
  const captures = new Captures('track');
  const bytes = new Uint8Array(BYTES);
  captures.save([bytes]);
  captures.pages.addresses.set(bytes.buffer, 50_000_000);
  assert.deepEqual(captures.save([bytes]).copies, []);
});

test('part of a buffer is not tracked', () => {
  const captures = new Captures('track');
  const part = new Uint8Array(new ArrayBuffer(2 * BYTES), 0, BYTES);
  assert.equal(captures.save([part]).trackedBytes, 0);
});

test('regions that left the state are let go after a while, and so are buffers that were collected', async () => {
  const captures = new Captures('track');
  const [stays, leaves] = [new Uint8Array(BYTES), new Uint8Array(BYTES)];
  captures.save([stays, leaves]);
  for (let save = 0; save < 16; save++) captures.save([stays]);
  assert.equal(captures.pages.tracked, 2);
  captures.save([stays]);
  assert.equal(captures.pages.tracked, 1);
  captures.save([new Uint8Array(BYTES), stays]);
  assert.equal(captures.pages.tracked, 2);
  for (let round = 0; round < 100 && captures.pages.tracked > 1; round++) {
    globalThis.gc?.();
    await wait(5);
  }
  assert.equal(captures.pages.tracked, 1);
});

test('no more are tracked than the kernel has mappings for', () => {
  const captures = new Captures('track');
  const many = Array.from({ length: 600 }, () => new Uint8Array(6 * FAKE_PAGE));
  captures.save(many);
  assert.equal(captures.pages.tracked, 512);
});

test('closing lets everything go, and what comes later is copied', () => {
  const captures = new Captures('track');
  const bytes = new Uint8Array(BYTES);
  captures.save([bytes]);
  captures.tracker.close();
  assert.deepEqual([captures.pages.closed, captures.pages.tracked], [1, 0]);
  assert.throws(() => captures.save([bytes]), { name: 'AssertionError' });
});
