/** Regions whose bytes move: little is written for an insertion, and every snapshot is what was saved, however it came. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serialize } from 'node:v8';
import { INTERNALS } from '../../src/api/options.js';
import { type OpenOptions, Snap } from '../../src/index.js';
import { readRegionTable } from '../../src/store/manifests.js';
import { replayable, seeds } from '../support/budget.js';
import { PAGE, TRACKED } from '../support/pages.js';
import { Random } from '../support/random.js';
import { openReal } from '../support/real-store.js';
import { storePath } from './support.js';

const GUARD = { timeout: 120_000 };
const KiB = 1024;
const MiB = 1024 * KiB;

/** In a buffer of its own. */
function own(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function inserted(bytes: Uint8Array, at: number, part: Uint8Array, removed = 0): Uint8Array {
  return own(bytes.subarray(0, at), part, bytes.subarray(Math.min(bytes.length, at + removed)));
}

/** Saves; says which share of the bytes was written anew. */
async function shareOf(snap: Snap, state: { blob: Uint8Array }): Promise<number> {
  const ticket = await snap.save(state);
  const { changedBytes } = await ticket.durable;
  return changedBytes / state.blob.length;
}

async function assertLatest(snap: Snap, { blob }: { blob: Uint8Array }, what = ''): Promise<void> {
  const saved = await snap.restore<{ blob: Uint8Array }>('latest', { only: ['blob'] });
  assert.ok(Buffer.from(saved.blob).equals(blob), what);
}

/** How the regions of the newest snapshot are cut, by path: 0 fixed, 1 by content. */
async function chunkingIn(path: string): Promise<Map<string, number>> {
  const { store } = await openReal(path, { readOnly: true, create: false });
  for await (const summary of store.summaries()) {
    const table = readRegionTable(store, store.manifest(summary));
    await store.close();
    return new Map(table.map(({ path, tree }) => [path, tree.chunking]));
  }
  throw new Error('no snapshot');
}

for (const size of [1, 8]) {
  test(`one insertion into ${size} MiB writes a chunk or two, from the first on`, GUARD, async (t) => {
    await using snap = await Snap.open(storePath(t));
    const random = new Random(size);
    const state = { blob: own(random.bytes(size * MiB)) };
    await shareOf(snap, state);
    const most = (3 * 64 * KiB) / state.blob.length;
    for (let step = 0; step < 5; step++) {
      const part = random.bytes(random.between(1, 1000));
      // Near the end there is less to gain than a few chunks.
      state.blob = inserted(state.blob, random.below(state.blob.length), part);
      const share = await shareOf(snap, state);
      assert.ok(share <= 2 * most, `insertion ${step}: ${(100 * share).toFixed(1)} %`);
      await assertLatest(snap, state);
    }
  });
}

test('what grows and changes in a serialised graph and a text is all that is written', GUARD, async (t) => {
  const random = new Random(4);
  let count = 0;
  const item = () => ({
    id: count++,
    name: `item ${random.below(1e9)}`,
    at: random.next(),
    tags: ['a', 'b'],
  });
  for (const encode of [serialize, (value: unknown) => Buffer.from(JSON.stringify(value))]) {
    await using snap = await Snap.open(storePath(t));
    const graph = { step: 10, items: Array.from({ length: 40_000 }, item) };
    const state = { blob: own(encode(graph)) };
    await shareOf(snap, state);
    for (let step = 0; step < 4; step++) {
      graph.step++;
      for (let times = 0; times < 2; times++) graph.items.splice(random.below(graph.items.length), 0, item());
      graph.items.push(item());
      state.blob = own(encode(graph));
      const share = await shareOf(snap, state);
      const most = (7 * 64 * KiB) / state.blob.length;
      assert.ok(share < most, `${encode.name} ${step}: ${share} of ${state.blob.length}`);
      await assertLatest(snap, state);
    }
  }
});

test(
  'in a graph whose whole numbers become fractions, which are longer, little is written',
  GUARD,
  async (t) => {
    const random = new Random(11);
    const path = storePath(t);
    await using snap = await Snap.open(path);
    const points = Array.from({ length: 20_000 }, (_, at) => ({ x: at % 7 === 0 ? at : at / 7, y: -at / 3 }));
    const { storedBytes: first } = await (await snap.save({ points })).durable;
    for (let step = 0; step < 4; step++) {
      for (let changes = 200; changes > 0; changes--) {
        (points[random.below(points.length)] as { x: number }).x = random.next();
      }
      const { storedBytes } = await (await snap.save({ points })).durable;
      assert.ok(storedBytes < first / 3, `save ${step}: ${storedBytes} of ${first} bytes`);
    }
    assert.deepEqual(await snap.restore('latest'), { points });
  },
);

test(
  'of a text that is edited in places, and of a graph that objects are put into, little is written',
  GUARD,
  async (t) => {
    const random = new Random(13);
    const word = () => random.bytes(6).toString('base64');
    const text = () => Array.from({ length: 100_000 }, word);
    const bytesOf = (words: readonly string[]) => new Uint8Array(Buffer.from(words.join(' ')));
    const edits: {
      name: string;
      state: (words: readonly string[]) => object;
      count: number;
      most: number;
    }[] = [
      { name: 'once', state: (words) => ({ blob: bytesOf(words) }), count: 1, most: 0.005 },
      { name: 'often', state: (words) => ({ blob: bytesOf(words) }), count: 200, most: 0.03 },
      { name: 'often, as a string', state: (words) => ({ text: words.join(' ') }), count: 200, most: 0.03 },
      { name: 'once, as a graph', state: (words) => ({ words: [...words] }), count: 1, most: 0.01 },
      { name: 'often, as a graph', state: (words) => ({ words: [...words] }), count: 200, most: 0.05 },
    ];
    for (const { name, state, count, most } of edits) {
      await using snap = await Snap.open(storePath(t));
      const words = text();
      const { storedBytes: first } = await (await snap.save(state(words))).durable;
      for (let step = 0; step < 4; step++) {
        for (let times = 0; times < count; times++)
          words.splice(random.below(words.length), random.below(2), word());
        const { storedBytes } = await (await snap.save(state(words))).durable;
        assert.ok(storedBytes < most * first, `${name}, ${step}: ${storedBytes} of ${first} bytes`);
      }
      assert.deepEqual(await snap.restore('latest'), state(words));
    }
  },
);

const WAYS: { name: string; options: OpenOptions; skip?: string | boolean }[] = [
  { name: 'copied', options: { capture: 'copy' } },
  { name: 'in one slot', options: { capture: 'copy', memoryLimit: 6 * MiB } },
  { name: 'tracked', options: { capture: 'track' }, ...TRACKED },
];

for (const { name, options, skip = false } of WAYS) {
  test(`a region that is ${name} and moves is not written anew, nor after a restart`, {
    ...GUARD,
    skip,
  }, async (t) => {
    const path = storePath(t);
    const random = new Random(9);
    const state = { blob: own(random.bytes(4 * MiB)) };
    const insert = () => {
      state.blob = inserted(state.blob, Math.floor(0.3 * state.blob.length), random.bytes(99));
    };
    for (let start = 0; start < 3; start++) {
      await using snap = await Snap.open(path, options);
      if (start === 0) await shareOf(snap, state);
      for (let step = 0; step < 2; step++) {
        insert();
        const share = await shareOf(snap, state);
        assert.ok(share < 0.05, `start ${start}, insertion ${step}: ${share}`);
        await assertLatest(snap, state);
      }
      for (const at of [7, 1_000_000, 4_000_000]) state.blob[at]!++;
      const share = await shareOf(snap, state);
      assert.ok(share < 0.08, `start ${start}, in place: ${share}`);
      await assertLatest(snap, state);
      assert.equal(await shareOf(snap, state), 0, 'nothing changed');
    }
    assert.equal((await chunkingIn(path)).get('blob'), 1);
  });
}

/** What lies between two insertions can only be known by its content then: by where that says that chunks end. */
test(
  'several insertions at once are found without the earlier bytes, from the second time on',
  GUARD,
  async (t) => {
    await using snap = await Snap.open(storePath(t), { capture: 'copy', memoryLimit: 6 * MiB });
    const random = new Random(12);
    const state = { blob: own(random.bytes(4 * MiB)) };
    await shareOf(snap, state);
    const shares: number[] = [];
    for (let step = 0; step < 4; step++) {
      for (const place of [0.2, 0.5, 0.8]) {
        const at = Math.floor((place + random.next() / 20) * state.blob.length);
        state.blob = inserted(state.blob, at, random.bytes(random.between(1, 300)));
      }
      const { storedBytes } = await (await snap.save(state)).durable;
      shares.push(storedBytes / state.blob.length);
      await assertLatest(snap, state);
    }
    for (const share of shares.slice(1)) assert.ok(share < 0.25, shares.join(' '));
  },
);

test('what only grows, changes in places or is made anew stays cut into fixed chunks', GUARD, async (t) => {
  const path = storePath(t);
  const random = new Random(2);
  const state = {
    log: own(random.bytes(MiB)),
    places: own(random.bytes(MiB)),
    anew: own(random.bytes(MiB)),
    zeros: new Uint8Array(MiB),
    numbers: Float64Array.from({ length: MiB / 8 }, () => random.next()),
    moves: own(random.bytes(MiB)),
  };
  {
    await using snap = await Snap.open(path);
    for (let step = 0; step < 6; step++) {
      await snap.save(state, { durable: true });
      state.log = own(state.log, random.bytes(3000));
      state.places.fill(step, 300_000, 900_000);
      state.anew = own(random.bytes(MiB + 50 * step));
      state.zeros = new Uint8Array(MiB + 1000 * step);
      // Of numbers too: they are not cut in two.
      state.numbers = new Float64Array([step + 0.5, ...state.numbers]);
      state.moves = inserted(state.moves, 5000, random.bytes(10));
    }
  }
  const chunking = await chunkingIn(path);
  for (const [name, how] of chunking) assert.equal(how, name === 'moves' ? 1 : 0, name);
  assert.equal(chunking.size, 6);
});

test('into a live state, a part alone, and compared: what moved is what it was', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  const random = new Random(6);
  const state = { step: 0, blob: own(random.bytes(MiB)), other: new Float64Array(1000) };
  const saved: { id: string; blob: Uint8Array }[] = [];
  for (let step = 0; step < 5; step++) {
    state.step = step;
    const { id } = await snap.save(state, { durable: true });
    saved.push({ id, blob: own(state.blob) });
    if (step % 2 === 0)
      state.blob = inserted(state.blob, random.below(state.blob.length), random.bytes(40), 40 * (step & 2));
    else state.blob[random.below(state.blob.length)]! ^= 1;
  }
  for (const { id, blob } of [...saved, ...saved].sort(() => random.next() - 0.5)) {
    // The bytes of another version, and of the right length.
    const other = (random.pick(saved) as (typeof saved)[0]).blob;
    const live = {
      step: 9,
      blob: own(other, new Uint8Array(MiB)).slice(0, blob.length),
      other: new Float64Array(1000),
    };
    const rewritten = await snap.restore<typeof state>(id, { into: live });
    assert.equal(rewritten.blob, live.blob);
    assert.ok(Buffer.from(live.blob).equals(blob), 'into');
    // Now with a capture of it, some of which is not what it was any more.
    await snap.save(live, { durable: true });
    live.blob[random.below(blob.length)]! ^= 1;
    await snap.restore(id, { into: live });
    assert.ok(Buffer.from(live.blob).equals(blob), 'into, beside a capture');
    const { blob: part } = await snap.restore<{ blob: Uint8Array }>(id, { only: ['blob'] });
    assert.ok(Buffer.from(part).equals(blob), 'only');
  }
  for (const [index, { id, blob }] of saved.entries()) {
    const before = saved[index - 1];
    if (!before) continue;
    const length = Math.min(blob.length, before.blob.length);
    let differing = 0;
    for (let at = 0; at < length; at++) differing += Number(blob[at] !== before.blob[at]);
    const diff = await snap.diff(before.id, id);
    const found = diff.regions.find(({ path }) => path === 'blob');
    assert.equal(found?.content?.changed ?? 0, differing);
  }
  assert.ok((await snap.verify({ readData: true })).ok);
});

interface Any {
  step: number;
  blob: Uint8Array | Float64Array;
  raw: ArrayBuffer;
  /** The same bytes as numbers, which are cut into fixed chunks whatever happens. */
  twin: Uint32Array;
}

/** One step of a history: bytes come, go, move and change, all of them or few. */
function change(state: Any, random: Random): void {
  const bytes = new Uint8Array(state.raw);
  const at = random.below(bytes.length + 1);
  const roll = random.next();
  const part = random.bytes(4 * random.below(random.chance(0.2) ? 20_000 : 200));
  let next: Uint8Array;
  if (roll < 0.35) next = inserted(bytes, at, part);
  else if (roll < 0.55) next = inserted(bytes, at, part, 4 * random.below(random.chance(0.2) ? 60_000 : 200));
  else if (roll < 0.65) next = own(bytes, part);
  else if (roll < 0.75) next = inserted(bytes, at, part, part.length);
  else if (roll < 0.8) next = own(random.bytes(bytes.length));
  else if (roll < 0.83) next = new Uint8Array(0);
  else if (roll < 0.9) next = own(random.bytes(4 * random.below(150_000)));
  else if (roll < 0.95) next = new Uint8Array(4 * random.below(150_000));
  else next = own(bytes);
  if (random.chance(0.3)) next = inserted(next, random.below(next.length + 1), random.bytes(8));
  next = next.slice(0, 8 * Math.floor(Math.min(next.length, MiB) / 8));
  state.step++;
  state.raw = next.buffer as ArrayBuffer;
  state.blob = random.chance(0.05) ? new Float64Array(own(next).buffer) : own(next);
  state.twin = new Uint32Array(own(next).buffer);
}

function assertState(actual: Any, expected: Any): void {
  assert.equal(actual.step, expected.step);
  const bytes = Buffer.from(expected.raw);
  assert.ok(Buffer.from(actual.raw).equals(bytes), 'raw');
  for (const name of ['blob', 'twin'] as const) {
    assert.ok(Buffer.from(actual[name].buffer as ArrayBuffer).equals(bytes), name);
    assert.equal(actual[name].constructor, expected[name].constructor);
  }
}

test(
  'histories: every snapshot restores to what was saved, after restarts, collections and copies',
  GUARD,
  async (t) => {
    for (const seed of seeds(3)) {
      await replayable(seed, 'a history', async () => {
        const random = new Random(seed);
        const path = storePath(t);
        const options: OpenOptions = {
          capture: random.pick(['copy', 'auto', 'track'] as const),
          compression: random.pick([false, { level: 1 }] as const),
          [INTERNALS]: { smallestTracked: 4 * PAGE, packBytes: 2_000_000 },
          ...(random.chance(0.3) && { memoryLimit: 9 * MiB }),
        };
        const blob = own(random.bytes(8 * random.between(40_000, 80_000)));
        const state: Any = {
          step: 0,
          blob,
          raw: own(blob).buffer as ArrayBuffer,
          twin: new Uint32Array(own(blob).buffer),
        };
        const saved = new Map<string, Any>();
        let snap = await Snap.open(path, options);
        for (let step = 0; step < 10; step++) {
          const ticket = await snap.save(state, { durable: random.chance(0.5) });
          saved.set(ticket.id, structuredClone(state));
          const roll = random.next();
          if (roll < 0.2) {
            await snap.close();
            snap = await Snap.open(path, options);
            if (random.chance(0.5))
              Object.assign(state, await snap.resume(() => assert.fail('nothing there')));
          } else if (roll < 0.3) {
            await snap.flush();
            await snap.gc({ last: 3 });
            const left = new Set<string>();
            for await (const { id } of snap.list()) left.add(id);
            for (const id of saved.keys()) if (!left.has(id)) saved.delete(id);
            assert.ok(saved.size >= Math.min(3, left.size));
          } else if (roll < 0.4) {
            const id = random.pick([...saved.keys()]);
            await snap.flush();
            const into = state.raw.byteLength === saved.get(id)?.raw.byteLength &&
              random.chance(0.5) && { into: state };
            Object.assign(state, await snap.restore<Any>(id, { ...into }));
            assertState(state, saved.get(id) as Any);
          }
          change(state, random);
        }
        await snap.flush();
        const far = `${path}-copy`;
        await Snap.copy(path, far);
        assert.ok((await snap.verify({ readData: true })).ok);
        await snap.close();
        for (const place of [path, far]) {
          await using reader = await Snap.open(place, { readOnly: true });
          for (const [id, expected] of saved) assertState(await reader.restore<Any>(id), expected);
        }
      });
    }
  },
);
