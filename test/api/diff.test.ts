import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Diff, type DiffOptions, Snap } from '../../src/index.js';
import { budget } from '../support/budget.js';
import { field, storePath } from './support.js';

const CHUNK = 65_536;

/** Saves both and compares them. */
async function diffOf(snap: Snap, a: unknown, b: unknown, options?: DiffOptions): Promise<Diff> {
  const first = await snap.save(a);
  const second = await snap.save(b);
  return snap.diff(first.id, second.id, options);
}

/** Flips a bit of a chunk that lies in the first pack as it is, without compression. */
function damage(path: string, chunk: Uint8Array): void {
  const file = join(path, 'packs/00000001.pack');
  const bytes = readFileSync(file);
  const at = bytes.indexOf(chunk.subarray(0, 4096));
  assert.ok(at > 0 && bytes.indexOf(chunk.subarray(0, 4096), at + 1) === -1, 'the chunk is there once');
  bytes[at + 100] = (bytes[at + 100] as number) ^ 1;
  writeFileSync(file, bytes);
}

function chunkOf(array: Float64Array, index: number): Uint8Array {
  return new Uint8Array(array.buffer, index * CHUNK, CHUNK);
}

test('what changed is told by element and by path', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { step: 1, grid: { u: field(100_000), mask: new Uint8Array(5000) }, log: ['begin'] };
  const first = await snap.save(state, { step: 1 });
  state.step = 2;
  state.grid.u[5] = 1e6;
  state.grid.u[6] = -1;
  state.grid.u[99_999] = Number.NaN;
  state.log.push('end');
  const second = await snap.save(state, { step: 2 });
  const diff = await snap.diff({ step: 1 }, 'latest');
  assert.deepEqual([diff.a.id, diff.b.id], [first.id, second.id]);
  const before = field(100_000);
  assert.deepEqual(diff.regions, [
    {
      path: 'grid.u',
      change: 'changed',
      a: { kind: 'Float64Array', byteLength: 800_000 },
      b: { kind: 'Float64Array', byteLength: 800_000 },
      content: {
        kind: 'Float64Array',
        elements: 100_000,
        changed: 3,
        changedBytes: diff.regions[0]?.content?.changedBytes,
        first: 5,
        last: 99_999,
        firstPair: {
          a: before[5],
          b: 1e6,
          aBits: bitsOf(before[5] as number),
          bBits: '412e848000000000',
        },
        ranges: [
          { start: 5, end: 7 },
          { start: 99_999, end: 100_000 },
        ],
        gap: 1,
        runs: 2,
        largest: { index: 5, difference: 1e6 - (before[5] as number), a: before[5], b: 1e6 },
        incomparable: 1,
      },
    },
  ]);
  assert.deepEqual(diff.values, [
    { path: 'step', change: 'changed', count: 1, a: '1', b: '2' },
    { path: 'log[1]', change: 'added', count: 1, a: undefined, b: '"end"' },
  ]);
  assert.deepEqual([diff.same, diff.equalRegions, diff.moreValues], [false, 1, 0]);
  assert.ok(diff.readBytes <= 4 * CHUNK, `${diff.readBytes} bytes were read for two chunks of each`);
});

function bitsOf(number: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(number);
  return bytes.toString('hex');
}

test('with a tolerance, numbers that are near each other are the same wherever they are', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = {
    u: field(50_000),
    few: Float64Array.of(1, 2, 3),
    list: [1, 2.5, 'x'],
    deep: new Map([['t', { x: 1000 }]]),
    count: new Int32Array(1000),
    when: new Date(5),
    big: 7n,
  };
  const other = structuredClone(state);
  const near = (x: number) => x * (1 + 1e-13);
  other.u.set(state.u.map(near));
  other.few[1] = near(2);
  other.list[1] = near(2.5);
  other.deep = new Map([['t', { x: near(1000) }]]);
  const exact = await diffOf(snap, state, other);
  assert.deepEqual([exact.same, exact.tolerated, exact.values.length], [false, 0, 3]);
  const [a, b] = [exact.a.id, exact.b.id];
  const within = await snap.diff(a, b, { tolerance: 1e-12 });
  assert.deepEqual([within.same, within.regions, within.values], [true, [], []]);
  assert.equal(within.tolerated, (exact.regions[0]?.content?.changed ?? 0) + 3);
  assert.equal((await snap.diff(a, b, { tolerance: 1e-14 })).same, false);
  for (const change of [
    { when: new Date(5 + 1e-9 + 1) },
    { big: 8n },
    { list: [1, 2.5, 'y'] },
    { count: new Int32Array(1000).fill(1, 7, 8) },
    { few: Float32Array.of(1, 2, 3) },
  ]) {
    const diff = await diffOf(snap, { ...state, ...change }, state, { tolerance: 0.4 });
    assert.equal(diff.same, false, Object.keys(change)[0]);
  }
  for (const tolerance of [-1, 1, Number.NaN, '1e-12' as never]) {
    await assert.rejects(snap.diff(a, b, { tolerance }), RangeError);
  }
});

test('a snapshot and itself, or the same state saved twice, are the same', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { n: 1, u: field(50_000), deep: { list: [1, 'x', null] } };
  const diff = await diffOf(snap, state, state);
  assert.deepEqual(
    [diff.same, diff.regions, diff.values, diff.equalRegions, diff.readBytes],
    [true, [], [], 1, 0],
  );
  assert.equal((await snap.diff('latest', 'latest')).same, true);
});

test('regions that come, go, grow and change their kind', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const a = { gone: new Uint8Array(2000), grown: new Int16Array(1000), other: new Float32Array(1000) };
  const b = { new: new Uint8Array(2000), grown: new Int16Array(3000), other: new Int32Array(1000) };
  const { regions, values } = await diffOf(snap, a, b);
  assert.deepEqual(
    regions.map(({ path, change, a: x, b: y, content }) => [path, change, x?.kind, y?.byteLength, content]),
    [
      ['new', 'added', undefined, 2000, undefined],
      ['grown', 'changed', 'Int16Array', 6000, undefined],
      ['other', 'changed', 'Float32Array', 4000, undefined],
      ['gone', 'removed', 'Uint8Array', undefined, undefined],
    ],
  );
  assert.deepEqual(
    values.map(({ path, change }) => `${change} ${path}`),
    ['removed gone', 'added new', 'changed other'],
  );
});

const ARRAYS = {
  u: Float64Array,
  mask: Uint8ClampedArray,
  'a b': BigInt64Array,
  n: Int32Array,
} as const;
type Name = keyof typeof ARRAYS;
interface RegionSpec {
  chunks: number;
  seed: number;
  changes: [at: number, count: number, value: number][];
}
const region: fc.Arbitrary<RegionSpec> = fc.record({
  chunks: fc.constantFrom(0.02, 0.5, 1, 1.3, 3),
  seed: fc.nat(3),
  changes: fc.array(fc.tuple(fc.nat(1 << 20), fc.integer({ min: 1, max: 300 }), fc.nat(255)), {
    maxLength: 4,
  }),
});
const stateSpec = fc.dictionary(fc.constantFrom(...(Object.keys(ARRAYS) as Name[])), region, {
  noNullPrototype: true,
});

function make(spec: Record<string, RegionSpec>): Record<string, ArrayBufferView> {
  return Object.fromEntries(
    Object.entries(spec).map(([name, { chunks, seed, changes }]) => {
      const bytes = new Uint8Array(Math.floor((chunks * CHUNK) / 8) * 8);
      for (let at = 0; at < bytes.length; at++) bytes[at] = (at * (seed + 1)) >>> 7;
      for (const [at, count, value] of changes)
        bytes.fill(value, at % bytes.length, (at % bytes.length) + count);
      return [name, new ARRAYS[name as Name](bytes.buffer)];
    }),
  );
}

/** Per path: how many elements differ in the common length, and the first and last of them. */
function naive(a: Record<string, ArrayBufferView>, b: Record<string, ArrayBufferView>): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [x, y] = [a[path] as Float64Array | undefined, b[path] as Float64Array | undefined];
    const name = path === 'a b' ? '["a b"]' : path;
    if (!x || !y) {
      found.set(name, x ? 'removed' : 'added');
      continue;
    }
    const width = x.BYTES_PER_ELEMENT;
    const [p, q] = [x, y].map(({ buffer }) => Buffer.from(buffer)) as [Buffer, Buffer];
    const indexes: number[] = [];
    for (let at = 0; at < Math.min(p.length, q.length); at += width) {
      if (p.compare(q, at, at + width, at, at + width) !== 0) indexes.push(at / width);
    }
    if (indexes.length > 0) found.set(name, `${indexes.length} ${indexes[0]} ${indexes.at(-1)}`);
    else if (p.length !== q.length) found.set(name, 'length');
  }
  return found;
}

test('any two states: what differs is what a look at every element finds', async (t) => {
  await using snap = await Snap.open(storePath(t));
  await fc.assert(
    fc.asyncProperty(stateSpec, stateSpec, fc.boolean(), async (first, second, alike) => {
      const [a, b] = [make(first), make(alike ? { ...first, ...second } : second)];
      const { regions, equalRegions } = await diffOf(snap, a, b);
      const said = regions.map(({ path, change, content }): [string, string] => {
        if (content) return [path, `${content.changed} ${content.first} ${content.last}`];
        return [path, change === 'changed' ? 'length' : change];
      });
      const expected = naive(a, b);
      assert.deepEqual(new Map(said), expected);
      const removed = [...expected.values()].filter((what) => what === 'removed').length;
      assert.equal(equalRegions, Object.keys(b).length - (expected.size - removed));
    }),
    { numRuns: budget(60) },
  );
});

test('equal chunks are not read: not even their damage is noticed', async (t) => {
  const path = storePath(t);
  const u = field(CHUNK);
  const ids: string[] = [];
  {
    await using snap = await Snap.open(path, { compression: false });
    ids.push((await snap.save({ u }, { durable: true })).id);
    u[3 * 8192] = 7;
    ids.push((await snap.save({ u }, { durable: true })).id);
  }
  damage(path, chunkOf(u, 5));
  {
    await using snap = await Snap.open(path, { readOnly: true });
    const diff = await snap.diff(ids[0] as string, ids[1] as string);
    assert.deepEqual(diff.regions[0]?.content?.ranges, [{ start: 3 * 8192, end: 3 * 8192 + 1 }]);
    assert.equal(diff.readBytes, 2 * CHUNK);
  }
  damage(path, chunkOf(u, 3));
  await using snap = await Snap.open(path, { readOnly: true });
  await assert.rejects(snap.diff(ids[0] as string, ids[1] as string), {
    code: 'SNAP_CORRUPT',
    snapshot: ids[1],
    path: 'u',
  });
});

test('snapshots of two runs, from a reader beside the owner, before what is waiting is known to be durable', async (t) => {
  const path = storePath(t);
  await using heat = await Snap.open(path, { run: 'heat' });
  await using fine = await Snap.open(path, { run: 'fine' });
  const a = await heat.save({ u: field(20_000), n: 1 }, { step: 1, tag: 'best' });
  const b = await fine.save({ u: field(20_000), n: 2 }, { step: 1 });
  const diff = await heat.diff('best', b.id);
  assert.deepEqual([diff.a.run, diff.b.run, diff.regions, diff.values.length], ['heat', 'fine', [], 1]);
  assert.equal((await heat.diff({ step: 1 }, 'latest', { run: 'fine' })).a.id, b.id);
  assert.equal((await heat.diff({ step: 1 }, 'latest')).a.id, a.id);
});

test('no more values than asked for are listed, the rest is counted', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = (step: number) =>
    Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, i * step]));
  const [a, b] = [await snap.save(state(1)), await snap.save(state(2))];
  const diff = await snap.diff(a.id, b.id, { limit: 5 });
  assert.deepEqual([diff.values.length, diff.moreValues], [5, 44]);
  assert.deepEqual([(await snap.diff(a.id, b.id, { limit: 0 })).moreValues], [49]);
});

test('saves go on while snapshots are compared, which can be aborted', async (t) => {
  const snap = await Snap.open(storePath(t));
  const [a, b] = [field(500_000), field(500_000, 1)];
  const [first, second] = [await snap.save({ u: a }), await snap.save({ u: b })];
  const told: number[] = [];
  const comparing = snap.diff(first.id, second.id, {
    onProgress: ({ doneBytes, totalBytes }) => told.push(doneBytes / totalBytes),
  });
  await snap.save({ n: 1 }, { durable: true });
  assert.equal((await comparing).regions[0]?.content?.changed, 500_000);
  assert.ok(told.every((share, index) => share <= 1 && share >= (told[index - 1] ?? 0)));
  const controller = new AbortController();
  const aborted = snap.diff(first.id, second.id, { signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  await assert.rejects(snap.diff(first.id, second.id, { signal: controller.signal }), { name: 'AbortError' });
  const late = snap.diff(first.id, second.id);
  const ended = late.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );
  await snap.close();
  assert.match(await ended, /^(done|SNAP_CLOSED)$/);
});

test('what cannot be compared is refused', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const { id } = await snap.save({ n: 1 });
  await assert.rejects(snap.diff(id, 'nope'), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(snap.diff(undefined as never, id), TypeError);
  await assert.rejects(snap.diff(id, id, { limits: 3 } as never), TypeError);
  await assert.rejects(snap.diff(id, id, { limit: -1 }), RangeError);
  await snap.forget(id);
  await assert.rejects(snap.diff(id, id), { code: 'SNAP_NOT_FOUND' });
});
