import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { document, rows, scratch, short, snap } from './support.js';

const folder = scratch({ after });
const directory = join(folder, 'store');
const ids: string[] = [];
const diff = (...args: string[]) => snap(['--store', directory, 'diff', ...args]);

/** Step 1 to step 2: three numbers of u, a region that comes, a few values. */
before(async () => {
  await using store = await Snap.open(directory, { run: 'heat' });
  const state: Record<string, unknown> = {
    step: 1,
    u: new Float64Array(100_000),
    big: new BigInt64Array(1000),
    mask: new Uint8Array(5000),
    log: ['begin'],
    name: 'x'.repeat(300),
  };
  ids.push((await store.save(state, { step: 1, tag: 'first', durable: true })).id);
  const u = state.u as Float64Array;
  u[10] = -0;
  u[11] = Number.NEGATIVE_INFINITY;
  u[90_000] = Number.NaN;
  (state.big as BigInt64Array)[3] = -5n;
  Object.assign(state, { step: 2, extra: new Uint16Array(4000), 'odd\u001b[31m': 1 });
  (state.log as string[]).push('a', 'b', 'c');
  ids.push((await store.save(state, { step: 2, durable: true })).id);
});

interface Found {
  store: string;
  a: { id: string };
  b: { id: string };
  same: boolean;
  regions: { path: string; change: string; a: unknown; content: Record<string, unknown> | null }[];
  equalRegions: number;
  values: { path: string; change: string; count: number; a: string | null; b: string | null }[];
  moreValues: number;
  readBytes: number;
}

test('people read which elements and values changed', () => {
  const { status, stdout, stderr } = diff('first', 'latest');
  assert.deepEqual([status, stderr], [0, '']);
  const [snapshots = '', regions = '', values = '', rest] = stdout.trimEnd().split('\n\n');
  const cells = (text: string) => rows({ status, signal: null, stdout: text, stderr });
  assert.deepEqual(
    cells(snapshots)
      .slice(1)
      .map((row) => row.slice(0, 4)),
    [
      ['a', short(ids[0]), 'heat', '1'],
      ['b', short(ids[1]), 'heat', '2'],
    ],
  );
  assert.deepEqual(cells(regions), [
    ['region', 'kind', 'size', 'differ', 'where', 'largest difference', 'a -> b'],
    [
      'u',
      'Float64Array',
      '781 KiB',
      '3 (< 0.1 %)',
      '10-11, 90000',
      'Infinity at 11; 1 x NaN',
      '0 -> -Infinity',
    ],
    ['big', 'BigInt64Array', '7.81 KiB', '1 (0.1 %)', '3', '5 at 3', '0 -> -5'],
    ['extra', 'Uint16Array', '7.81 KiB', 'added'],
  ]);
  assert.deepEqual(cells(values), [
    ['value', 'a', 'b'],
    ['extra', '-', 'Uint16Array(4000)'],
    ['["odd\\u001b[31m"]', '-', '1'],
    ['step', '1', '2'],
    ['log[1..3]', '-', '"a", "b", "c"'],
  ]);
  assert.equal(rest, '1 region the same');
});

test('--json holds the same, exactly: what JSON has no number for is a string', () => {
  const found = document<Found>(diff('step:1', 'step:2', '--json'));
  assert.deepEqual([found.store, found.a.id, found.b.id, found.same], [directory, ids[0], ids[1], false]);
  assert.deepEqual(found.regions[0], {
    path: 'u',
    change: 'changed',
    a: { kind: 'Float64Array', byteLength: 800_000 },
    b: { kind: 'Float64Array', byteLength: 800_000 },
    content: {
      kind: 'Float64Array',
      elements: 100_000,
      changed: 3,
      changedBytes: 5,
      first: 10,
      last: 90_000,
      firstPair: { a: 0, b: '-0', aBits: '0000000000000000', bBits: '8000000000000000' },
      ranges: [
        { start: 10, end: 12 },
        { start: 90_000, end: 90_001 },
      ],
      gap: 1,
      runs: 2,
      largest: { index: 11, difference: 'Infinity', a: 0, b: '-Infinity' },
      incomparable: 1,
    },
  });
  assert.deepEqual(found.regions[1]?.content?.largest, { index: 3, difference: '5', a: '0', b: '-5' });
  assert.deepEqual(
    [found.regions[2]?.path, found.regions[2]?.a, found.regions[2]?.content],
    ['extra', null, null],
  );
  assert.deepEqual(found.values[0], {
    path: 'extra',
    change: 'added',
    count: 1,
    a: null,
    b: 'Uint16Array(4000)',
  });
  assert.deepEqual([found.equalRegions, found.moreValues], [1, 0]);
});

test('--tolerance takes numbers that are near each other for the same, and says how many', async () => {
  const path = join(folder, 'near');
  await using store = await Snap.open(path);
  const state = { u: new Float64Array(1000).fill(1), n: 3 };
  await store.save(state, { step: 1 });
  state.u[7] = 1 + 1e-13;
  state.n += 1e-13;
  await store.save(state, { step: 2, durable: true });
  const near = (...args: string[]) => snap(['--store', path, 'diff', 'step:1', 'step:2', ...args]);
  assert.match(near().stdout, /^u .*1 \(0\.1 %\) /m);
  const within = near('--tolerance', '1e-12');
  assert.match(within.stdout, /nothing differs\n\n2 numbers within the tolerance\n$/);
  const found = document<{ same: boolean; tolerated: number }>(near('--tolerance', '1e-12', '--json'));
  assert.deepEqual([found.same, found.tolerated], [true, 2]);
  for (const wrong of ['-1', 'x', '', '1']) {
    const { status, stderr } = near(`--tolerance=${wrong}`);
    assert.deepEqual([status, /a number from 0 to below 1/.test(stderr)], [2, true], wrong);
  }
});

test('equal states are told as such, with status 0 like others', () => {
  const { status, stdout } = diff('latest', ids[1] as string);
  assert.equal(status, 0);
  assert.match(stdout, /\nnothing differs\n$/);
  assert.equal(document<Found>(diff('latest', 'latest', '--json')).same, true);
});

test('--limit bounds the values and says how many more there are', () => {
  assert.match(
    diff('step:1', 'step:2', '--limit', '1').stdout,
    /\nand 3 more values \(--limit N lists more\)\n/,
  );
  const found = document<Found>(diff('step:1', 'step:2', '--limit', '1', '--json'));
  assert.deepEqual([found.values.length, found.moreValues], [1, 3]);
});

test('what is not there is a failure in one line', () => {
  const { status, stdout, stderr } = diff('first', 'nope');
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /^snap: there is no snapshot with the tag or id nope; .*\n$/);
});

test('names and values from the store cannot steer the terminal', () => {
  for (const args of [[], ['--json']]) {
    for (const line of diff('step:1', 'step:2', ...args).stdout.split('\n'))
      assert.doesNotMatch(line, /\p{Cc}/u);
  }
});
