import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { document, type Made, makeStore, scratch, short, snap } from './support.js';

let made: Made;
const folder = scratch({ after });
before(async () => {
  made = await makeStore(join(folder, 'store'));
});
const show = (...args: string[]) => snap(['--store', made.directory, 'show', ...args]);

interface Shown {
  store: string;
  snapshot: { id: string; regions: { path: string; kind: string; byteLength: number }[] };
  lineage: { id: string; run: string; step: number | null; createdAt: string; forgotten: boolean }[];
  lineageComplete: boolean;
}

test('shows facts, regions and lineage', () => {
  const { status, stdout, stderr } = show('best');
  assert.equal(stderr, '');
  assert.equal(status, 0);
  const [facts = '', regions = '', lineage = ''] = stdout.split('\n\n');
  assert.match(facts, new RegExp(`^snapshot +${made.ids['heat/200']}$`, 'm'));
  assert.match(facts, /^run +heat$/m);
  assert.match(facts, /^step +200$/m);
  assert.match(facts, /^tags +best$/m);
  assert.match(facts, /^created +\d{4}-\d\d-\d\dT[\d:.]+Z \(.*\)$/m);
  assert.match(facts, /^size +\d+ KiB in 2 regions$/m);
  assert.match(facts, new RegExp(`^program +solver 1\\.2\\.3, Node ${process.version}$`, 'm'));
  assert.match(facts, /^meta +\{"residual":0\.5\}$/m);
  assert.match(regions, /^u +Float64Array +313 KiB +320000$/m);
  assert.match(regions, /^mask +Uint8Array +9\.77 KiB +10000$/m);
  assert.deepEqual(
    lineage
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split(' ')[0]),
    ['heat/200', 'heat/100', 'heat/0'].map((name) => short(made.ids[name])),
  );
});

test('--json holds the same, exactly', () => {
  const shown = document<Shown>(show('best', '--json'));
  assert.equal(shown.store, made.directory);
  assert.equal(shown.snapshot.id, made.ids['heat/200']);
  assert.deepEqual(shown.snapshot.regions, [
    { path: 'u', kind: 'Float64Array', byteLength: 320_000 },
    { path: 'mask', kind: 'Uint8Array', byteLength: 10_000 },
  ]);
  assert.deepEqual(
    shown.lineage.map(({ id, run, step, forgotten }) => [id, run, step, forgotten]),
    [
      [made.ids['heat/100'], 'heat', 100, false],
      [made.ids['heat/0'], 'heat', 0, false],
    ],
  );
  assert.equal(shown.lineageComplete, true);
});

test('a reference is latest, a step, a tag, an id or the beginning of one', () => {
  const shown = (...args: string[]) => document<Shown>(show(...args, '--json')).snapshot.id;
  const { ids } = made;
  const id = ids['heat/100'] ?? '';
  assert.equal(shown('latest'), ids['fine/100']);
  assert.equal(shown('latest', '--run', 'heat'), ids['heat/300']);
  assert.equal(shown('step:100'), ids['fine/100']);
  assert.equal(shown('step:100', '--run', 'heat'), ids['heat/100']);
  assert.equal(shown('best'), ids['heat/200']);
  assert.equal(shown(id), id);
  assert.equal(shown(id.slice(0, 8)), id);
  assert.equal(shown(id.slice(0, 12).toUpperCase()), id);
});

test('a tag that looks like a step is the tag', async (t) => {
  const directory = join(scratch(t), 'store');
  await using store = await Snap.open(directory);
  const { id } = await store.save({ a: 1 }, { step: 1, tag: 'step:2', durable: true });
  await store.save({ a: 2 }, { step: 2, durable: true });
  assert.equal(document<Shown>(snap(['--store', directory, 'show', 'step:2', '--json'])).snapshot.id, id);
});

test('what is not there is a failure in one line', () => {
  for (const [ref, message] of [
    ['nope', /^snap: there is no snapshot with the tag or id nope; .*\n$/],
    ['step:7', /^snap: the store has no snapshot of step 7; .*\n$/],
    ['abc', /^snap: there is no snapshot with the tag or id abc; .*\n$/],
  ] as const) {
    const { status, stdout, stderr } = show(ref);
    assert.equal(status, 1, ref);
    assert.equal(stdout, '');
    assert.match(stderr, message);
  }
  const other = show('latest', '--run', 'other');
  assert.equal(other.status, 1);
  assert.match(other.stderr, /^snap: run other has no snapshot/);
});

test('a long lineage is shown in part, and says so', async (t) => {
  const directory = join(scratch(t), 'store');
  await using store = await Snap.open(directory);
  const ids: string[] = [];
  for (let step = 0; step < 15; step++) ids.push((await store.save({ step }, { step, durable: true })).id);
  const { lineage, lineageComplete } = document<Shown>(
    snap(['--store', directory, 'show', 'latest', '--json']),
  );
  assert.deepEqual(
    lineage.map(({ id }) => id),
    ids.slice(4, 14).reverse(),
  );
  assert.equal(lineageComplete, false);
  const last = snap(['--store', directory, 'show', 'latest']).stdout.trimEnd().split('\n').at(-1);
  assert.equal(last, `${short(ids[3])} ...`);
});

test('a lineage goes on through a forgotten snapshot', async (t) => {
  const directory = join(scratch(t), 'store');
  await using store = await Snap.open(directory);
  const ids: string[] = [];
  for (let step = 0; step < 3; step++) ids.push((await store.save({ step }, { step, durable: true })).id);
  await store.forget(ids[1] ?? '');
  const shown = document<Shown>(snap(['--store', directory, 'show', 'latest', '--json']));
  assert.deepEqual(
    shown.lineage.map(({ id, forgotten }) => [id, forgotten]),
    [
      [ids[1], true],
      [ids[0], false],
    ],
  );
  assert.match(snap(['--store', directory, 'show', 'latest']).stdout, /^[0-9a-f]{8} \(forgotten\) +main/m);
});

test('of a snapshot that a loop made: its run clock, how often the run was resumed, and why it was saved', async (t) => {
  const directory = join(scratch(t), 'store');
  const shown = () => snap(['--store', directory, 'show', 'latest']).stdout;
  const run = async (steps: number) => {
    await using store = await Snap.open(directory);
    await store.loop({
      init: () => ({ n: 0 }),
      step: (state) => void state.n++,
      steps,
      save: { steps: 100 },
    });
  };
  await run(150);
  assert.match(shown(), /^run clock +[\d.]+ m?s, done\nsaved +every 100 steps\n$/m);
  assert.doesNotMatch(shown(), /^meta/m);
  await run(151);
  assert.match(shown(), /^run clock +[\d.]+ m?s, resumed 1 time, done$/m);
});

test('names from the store cannot steer the terminal', async (t) => {
  const directory = join(scratch(t), 'store');
  await using store = await Snap.open(directory, {
    program: { name: 'evil\u001b[2J\nname', version: '\u009b1m' },
  });
  await store.save({ 'key\u001b[31m\r\n': new Uint8Array(8000) }, { meta: '\u009b31m', durable: true });
  for (const args of [['ls'], ['show', 'latest'], ['show', 'latest', '--json'], ['stats']]) {
    const { stdout, status } = snap(['--store', directory, ...args]);
    assert.equal(status, 0);
    for (const line of stdout.split('\n')) assert.doesNotMatch(line, /\p{Cc}/u);
  }
  const { snapshot } = document<{ snapshot: { meta: string; program: { name: string } } }>(
    snap(['--store', directory, 'show', 'latest', '--json']),
  );
  assert.deepEqual([snapshot.meta, snapshot.program.name], ['\u009b31m', 'evil\u001b[2J\nname']);
});
