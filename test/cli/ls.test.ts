import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { document, type Made, makeStore, rows, scratch, short, snap } from './support.js';

let made: Made;
const folder = scratch({ after });
before(async () => {
  made = await makeStore(join(folder, 'store'));
});
const ls = (...args: string[]) => snap(['--store', made.directory, 'ls', ...args]);

test('lists newest first, with what each snapshot holds and cost', () => {
  const listed = ls();
  assert.equal(listed.stderr, '');
  assert.equal(listed.status, 0);
  const [title, ...lines] = rows(listed);
  assert.deepEqual(title, ['id', 'run', 'step', 'tags', 'age', 'size', 'changed', 'stored']);
  const order = ['fine/100', 'fine/0', 'heat/300', 'heat/200', 'heat/100', 'heat/0'];
  assert.deepEqual(
    lines.map(([id, run, step]) => [id, `${run}/${step}`]),
    order.map((name) => [short(made.ids[name]), name]),
  );
  for (const [, , , , age, ...sizes] of lines) {
    assert.match(age ?? '', /^(just now|\d+ (s|min) ago)$/);
    for (const size of sizes) assert.match(size, /^[\d.]+ (B|KiB)$/);
  }
  assert.equal(lines[3]?.[3], 'best');
  assert.equal(lines[4]?.[3], '-');
});

test('--run and --limit choose', () => {
  const steps = (...args: string[]) =>
    rows(ls(...args))
      .slice(1)
      .map(([, run, step]) => `${run}/${step}`);
  assert.deepEqual(steps('--run', 'heat'), ['heat/300', 'heat/200', 'heat/100', 'heat/0']);
  assert.deepEqual(steps('--limit', '2'), ['fine/100', 'fine/0']);
  assert.deepEqual(steps('--run', 'heat', '--limit=1'), ['heat/300']);
});

test('--json gives exact numbers, and null for what is absent', () => {
  const { store, snapshots } = document<{ store: string; snapshots: Record<string, unknown>[] }>(
    ls('--json'),
  );
  assert.equal(store, made.directory);
  assert.deepEqual(
    snapshots.map(({ id }) => id),
    ['fine/100', 'fine/0', 'heat/300', 'heat/200', 'heat/100', 'heat/0'].map((name) => made.ids[name]),
  );
  for (const info of snapshots) {
    assert.deepEqual(Object.keys(info), [
      'id',
      'run',
      'parent',
      'step',
      'tags',
      'createdAt',
      'logicalBytes',
      'changedBytes',
      'storedBytes',
      'stallMs',
      'durableMs',
      'program',
      'meta',
      'forgotten',
    ]);
    for (const key of ['logicalBytes', 'changedBytes', 'storedBytes']) assert.ok(Number.isInteger(info[key]));
    assert.equal(new Date(info.createdAt as string).toISOString(), info.createdAt);
    assert.deepEqual(info.program, { name: 'solver', version: '1.2.3', node: process.version });
  }
  const [, , , best] = snapshots;
  assert.deepEqual([best?.tags, best?.meta], [['best'], { residual: 0.5 }]);
  assert.equal(snapshots.at(-1)?.parent, null);
  assert.equal(snapshots.at(-1)?.meta, null);
});

test('a snapshot without step or tags shows dashes', async (t) => {
  const directory = join(scratch(t), 'store');
  await using store = await Snap.open(directory);
  await store.save({ a: 1 }, { durable: true });
  const [, line] = rows(snap(['--store', directory, 'ls']));
  assert.deepEqual(line?.slice(1, 4), ['main', '-', '-']);
  const [info] = document<{ snapshots: { step: unknown }[] }>(
    snap(['--store', directory, 'ls', '--json']),
  ).snapshots;
  assert.equal(info?.step, null);
});

test('--forgotten shows what was forgotten, marked', (t) => {
  const id = made.ids['heat/100'] ?? '';
  snap(['--store', made.directory, 'forget', id]);
  t.after(() => snap(['--store', made.directory, 'unforget', id]));
  assert.ok(!ls().stdout.includes(short(id)));
  const line = ls('--forgotten')
    .stdout.split('\n')
    .find((text) => text.startsWith(short(id)));
  assert.match(line ?? '', /\(forgotten\)/);
  const { snapshots } = document<{ snapshots: { id: string; forgotten: boolean }[] }>(
    ls('--forgotten', '--json'),
  );
  assert.deepEqual(
    snapshots.filter(({ forgotten }) => forgotten).map((info) => info.id),
    [id],
  );
});

test('a store without snapshots is no failure: stdout stays empty, stderr says so', async (t) => {
  const directory = join(scratch(t), 'store');
  await (await Snap.open(directory)).close();
  const listed = snap(['--store', directory, 'ls']);
  assert.deepEqual(listed, { status: 0, signal: null, stdout: '', stderr: 'no snapshots yet\n' });
  assert.deepEqual(document(snap(['--store', directory, 'ls', '--json'])), {
    store: directory,
    snapshots: [],
  });
});

test('a run that never was is a failure that names the runs there are', () => {
  const { status, stdout, stderr } = ls('--run', 'haet');
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.equal(stderr, 'snap: there is no run haet; runs in this store: fine, heat\n');
});

test('a run of which everything is forgotten says how to see it', async (t) => {
  const directory = join(scratch(t), 'store');
  await using store = await Snap.open(directory);
  const { id } = await store.save({ a: 1 }, { durable: true });
  await store.forget(id);
  const listed = snap(['--store', directory, 'ls', '--run', 'main']);
  assert.equal(listed.status, 0);
  assert.equal(listed.stderr, 'no snapshots but 1 forgotten one: snap ls --forgotten\n');
});
