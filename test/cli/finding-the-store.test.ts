import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { document, type Made, makeStore, scratch, short, snap } from './support.js';

const folder = scratch({ after });
const project = join(folder, 'project');
const deep = join(project, 'src', 'deep');
let made: Made;
before(async () => {
  mkdirSync(deep, { recursive: true });
  made = await makeStore(join(project, 'checkpoints'));
});

async function emptyStore(directory: string): Promise<string> {
  await (await Snap.open(directory)).close();
  return directory;
}

const meant = (args: string[], options: Parameters<typeof snap>[1]) =>
  document<{ store: string }>(snap([...args, 'ls', '--json'], options)).store;

test('the nearest checkpoints folder, from the folder itself and from below', () => {
  assert.equal(meant([], { cwd: project }), made.directory);
  assert.equal(meant([], { cwd: deep }), made.directory);
});

test('the current folder itself, where it is the store or inside of it', () => {
  assert.equal(meant([], { cwd: made.directory }), made.directory);
  assert.equal(meant([], { cwd: join(made.directory, 'packs') }), made.directory);
});

test('a nearer .snap counts before checkpoints further up; .snap before checkpoints beside it', async (t) => {
  const near = await emptyStore(join(deep, '.snap'));
  t.after(() => renameSync(near, join(folder, 'aside')));
  await emptyStore(join(deep, 'checkpoints'));
  t.after(() => renameSync(join(deep, 'checkpoints'), join(folder, 'aside-2')));
  assert.equal(meant([], { cwd: deep }), near);
  assert.equal(meant([], { cwd: join(project, 'src') }), made.directory);
});

test('a folder of the right name that is no store is passed by', (t) => {
  mkdirSync(join(deep, 'checkpoints'));
  writeFileSync(join(deep, 'checkpoints', 'notes.txt'), 'mine');
  t.after(() => renameSync(join(deep, 'checkpoints'), join(folder, 'aside-3')));
  assert.equal(meant([], { cwd: deep }), made.directory);
});

test('SNAP_STORE counts before what is near, --store before both; an empty SNAP_STORE does not', async () => {
  const other = await emptyStore(join(folder, 'other'));
  const third = await emptyStore(join(folder, 'third'));
  assert.equal(meant([], { cwd: project, env: { SNAP_STORE: other } }), other);
  assert.equal(meant([], { cwd: project, env: { SNAP_STORE: '../other' } }), other);
  assert.equal(meant(['--store', third], { cwd: project, env: { SNAP_STORE: other } }), third);
  assert.equal(meant(['--store=../third'], { cwd: project }), third);
  assert.equal(meant([], { cwd: project, env: { SNAP_STORE: '' } }), made.directory);
});

test('--store and --json may stand behind the command too', () => {
  const after = snap(['ls', '--limit', '1', '--json', '--store', made.directory], { cwd: folder });
  assert.equal(document<{ store: string }>(after).store, made.directory);
});

test('no store: status 10, and one line that says how to name one', (t) => {
  const bare = scratch(t);
  for (const args of [['ls'], ['show', 'latest'], ['stats'], ['tag', 'a', 'latest'], ['untag', 'a']]) {
    const { status, stdout, stderr } = snap(args, { cwd: bare });
    assert.deepEqual([status, stdout], [10, '']);
    assert.match(stderr, /^snap: there is no store here or in a folder above; .*--store.*SNAP_STORE\n$/);
  }
});

test('a folder that was named and is no store: status 10, and nothing is made there', (t) => {
  const bare = scratch(t);
  writeFileSync(join(bare, 'file'), '');
  for (const [name, ...args] of [
    ['missing', 'forget', 'latest'],
    ['missing', 'ls'],
    ['missing'],
    ['file', 'tag', 'a', 'latest'],
    ['file', 'stats'],
    ['.', 'unforget', 'abcd'],
    ['.', 'ls'],
  ]) {
    const { status, stdout, stderr } = snap(['--store', join(bare, name ?? ''), ...args]);
    assert.deepEqual([status, stdout], [10, ''], `${name} ${args}`);
    assert.match(stderr, /^snap: there is no store at .*\n$/);
  }
  assert.deepEqual(readdirSync(bare), ['file']);
  assert.equal(snap(['ls'], { env: { SNAP_STORE: join(bare, 'missing') } }).status, 10);
});

test('naming the folder around a store names the store', () => {
  const { status, stderr } = snap(['--store', project, 'ls']);
  assert.equal(status, 10);
  assert.equal(stderr, `snap: there is no store at ${project}; did you mean ${made.directory}?\n`);
});

test('snap alone says what the store holds and what to do next', () => {
  const { status, stdout, stderr } = snap([], { cwd: deep });
  assert.deepEqual([status, stderr], [0, '']);
  const [holds = '', newest = '', next = ''] = stdout.split('\n');
  assert.ok(holds.startsWith(`${made.directory} holds 6 snapshots of 2 runs (fine, heat) in `));
  assert.ok(newest.startsWith(`The newest is ${short(made.ids['fine/100'])}, step 100, `));
  assert.match(next, /snap ls.*snap --help/);
  const { store, runs, snapshots } = document(snap(['--json'], { cwd: deep }));
  assert.deepEqual([store, runs, snapshots], [made.directory, ['fine', 'heat'], 6]);
});

test('snap alone where there is no store says how to begin', (t) => {
  const bare = scratch(t);
  const { status, stdout, stderr } = snap([], { cwd: bare });
  assert.deepEqual([status, stderr], [0, '']);
  assert.match(stdout, /Snap\.open\('\.\/checkpoints'\)/);
  assert.deepEqual(document(snap(['--json'], { cwd: bare })), { store: null });
});

test('snap alone in an empty store says so', async (t) => {
  const directory = await emptyStore(join(scratch(t), 'store'));
  const { status, stdout } = snap([], { cwd: directory });
  assert.equal(status, 0);
  assert.match(stdout, /is a store without snapshots\./);
  assert.equal(document(snap(['--json'], { cwd: directory })).newest, null);
});
