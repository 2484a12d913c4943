/**
 * Random histories of captures into two slots: whatever is tracked, refused, lost, moved to another path or written in
 * between, a slot holds the state as it is, and no chunk that changed is left out.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CapturedRegion } from '../../src/writer/captured.js';
import type { SlotLayout } from '../../src/writer/protocol.js';
import type { LiveRegion, SlotNews } from '../../src/writer/slot.js';
import { Slots } from '../../src/writer/slots.js';
import { Tracker, type Tracking } from '../../src/writer/tracker.js';
import { replayable, seeds } from '../support/budget.js';
import { FAKE_PAGE, FakePages } from '../support/fake-pages.js';
import { Random } from '../support/random.js';

const CHUNK = 65_536;
const SKELETON = new Uint8Array(100);
const STEPS = 250;
const PATHS = ['a', 'b', 'c', 'd', 'e', 'f'];

class History {
  readonly #random: Random;
  readonly #pages = new FakePages();
  readonly #tracker: Tracker;
  readonly #slots: Slots;
  readonly #buffers: Uint8Array[] = [];
  /** Paths and what lies under them: mostly the same from save to save. */
  #state: { path: string; bytes: Uint8Array }[] = [];
  #saved = new Map<string, Uint8Array>();
  #tickets = 0;
  #held: number | undefined;
  /** What the writer thread would know of the slots. */
  readonly #known = new Map<number, { segments: SharedArrayBuffer[]; layout: SlotLayout }>();
  tracked = 0;
  told = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    const mode: Tracking = this.#random.chance(0.5) ? 'track' : 'auto';
    this.#tracker = new Tracker(mode, 3 * FAKE_PAGE, () => this.#pages);
    this.#slots = new Slots(undefined, this.#tracker);
    for (let count = 0; count < 5; count++) this.#buffers.push(this.#newBuffer());
    this.#state = this.#buffers.map((bytes, index) => ({ path: `r${index}`, bytes }));
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) this.#step();
    this.#tracker.close();
  }

  #step(): void {
    const random = this.#random;
    const roll = random.next();
    this.#pages.refuses = random.chance(0.1);
    this.#pages.hasLost = random.chance(0.03);
    if (roll < 0.4) this.#write();
    else if (roll < 0.84) this.#save();
    else if (roll < 0.87) this.#prepare();
    else if (roll < 0.91) this.#rearrange();
    else this.#replace();
  }

  #newBuffer(): Uint8Array {
    const length = this.#random.pick([100, 2 * FAKE_PAGE, 40_000, 131_072, 200_001]);
    const bytes = new Uint8Array(length);
    this.#pages.addresses.set(bytes.buffer, this.#random.below(1000) * 4_000_000 + this.#random.below(5000));
    return bytes;
  }

  #write(): void {
    const { bytes } = this.#random.pick(this.#state);
    const start = this.#random.below(bytes.length);
    const length = this.#random.pick([1, 1, 5000, bytes.length]);
    bytes.fill(this.#random.below(256), start, start + length);
  }

  /** Solvers swap their grids; states drop regions and take them up again. */
  #rearrange(): void {
    const random = this.#random;
    const [a, b] = [random.below(this.#state.length), random.below(this.#state.length)];
    const [one, two] = [this.#state[a], this.#state[b]];
    if (!one || !two) return;
    if (random.chance(0.5)) [one.bytes, two.bytes] = [two.bytes, one.bytes];
    else if (this.#state.length > 3) this.#state.splice(a, 1);
    else {
      const [absent] = this.#absent();
      const path = PATHS.find((free) => !this.#state.some((region) => region.path === free));
      if (absent && path) this.#state.splice(a, 0, { path, bytes: absent });
    }
  }

  #absent(): Uint8Array[] {
    return this.#buffers.filter((bytes) => !this.#state.some((region) => region.bytes === bytes));
  }

  /** Another buffer of the same length, perhaps at the very address of the old one; or one that was there before. */
  #replace(): void {
    const region = this.#random.pick(this.#state);
    const others = this.#absent().filter(({ length }) => length === region.bytes.length);
    if (others.length > 0 && this.#random.chance(0.7)) {
      region.bytes = this.#random.pick(others);
      return;
    }
    const bytes = region.bytes.slice();
    this.#buffers.push(bytes);
    const address = this.#pages.addresses.get(region.bytes.buffer);
    if (address !== undefined && this.#random.chance(0.5)) this.#pages.addresses.set(bytes.buffer, address);
    region.bytes = bytes;
  }

  #regions(): LiveRegion[] {
    return this.#state.map(({ path, bytes }) => ({ path, kind: 'Uint8Array', bytes }));
  }

  #prepare(): void {
    this.#slots.prepare(SKELETON, this.#regions());
    for (const news of this.#slots.takeNews()) this.#hear(news);
  }

  /** The slot of a capture, as the writer thread knows it. */
  #hear({ slot, ...news }: { slot: number } & SlotNews): {
    segments: SharedArrayBuffer[];
    layout: SlotLayout;
  } {
    const known = this.#known.get(slot) ?? { segments: [], layout: { skeleton: [], regions: [] } };
    if (news.segments) known.segments = news.segments;
    if (news.layout) known.layout = news.layout;
    this.#known.set(slot, known);
    return known;
  }

  #save(): void {
    const ticket = ++this.#tickets;
    const regions = this.#regions();
    const capture = this.#slots.capture(SKELETON, regions, ticket);
    assert.ok(typeof capture === 'object', 'one slot is free');
    const { segments, layout } = this.#hear(capture);
    const views = segments.map((segment) => Buffer.from(segment));
    for (const [position, { path, bytes }] of regions.entries()) {
      const { byteLength, extents } = layout.regions[position] as (typeof layout.regions)[number];
      const captured = new CapturedRegion(views, extents, byteLength).slice(0, byteLength);
      assert.ok(captured.equals(bytes), `slot ${capture.slot} does not hold ${path}`);
      const changed = capture.plan?.changed[position];
      if (!changed) continue;
      this.told++;
      const before = this.#saved.get(path);
      assert.equal(before?.length, bytes.length, `changes of ${path} are told, and nothing went before`);
      for (let at = 0; at < bytes.length; at += CHUNK) {
        const same = Buffer.compare(bytes.subarray(at, at + CHUNK), before.subarray(at, at + CHUNK)) === 0;
        assert.ok(same || changed.includes(at / CHUNK), `a changed chunk of ${path} is left out`);
      }
    }
    this.tracked += capture.trackedBytes;
    this.#saved = new Map(regions.map(({ path, bytes }) => [path, bytes.slice()]));
    this.#writeSaved(ticket, capture);
  }

  /** As the writer thread does: the slot that was held is given back, and this one, sooner or later. */
  #writeSaved(
    ticket: number,
    { slot, hold, plan }: { slot: number; hold: boolean; plan: { measure: number[] } | undefined },
  ): void {
    if (this.#held !== undefined) this.#slots.released(this.#held);
    this.#held = slot;
    if (!hold && this.#random.chance(0.8)) {
      this.#slots.released(slot);
      this.#held = undefined;
    }
    const shares = (plan?.measure ?? []).map(() =>
      this.#random.pick([undefined, 0.01, 0.01, 0.01, 0.15, 0.9]),
    );
    if (this.#random.chance(0.9)) this.#tracker.measured(ticket, shares);
  }
}

test('law: a capture holds the state, and tells every chunk that changed', async () => {
  let tracked = 0;
  let told = 0;
  for (const seed of seeds(60)) {
    await replayable(seed, 'a history of captures', () => {
      const history = new History(seed);
      history.run();
      tracked += history.tracked;
      told += history.told;
    });
  }
  if (process.env.HOLDFAST_SEED === undefined) assert.ok(tracked > 0 && told > 500, `${told} told`);
});
