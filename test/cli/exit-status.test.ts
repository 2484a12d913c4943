import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Snap } from '../../src/index.js';
import { suspend } from '../support/suspend.js';
import { document, makeStore, rows, scratch, snap } from './support.js';

const OWNER = fileURLToPath(new URL('./live-owner.js', import.meta.url));

function liveOwner(directory: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [OWNER, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve(child));
    child.once('exit', () => reject(new Error('the owner ended early')));
  });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.stdin?.end();
  });
}

/** Changes one byte of the first pack. */
function damage(directory: string, find: (bytes: Buffer) => number): void {
  const path = join(directory, 'packs', '00000001.pack');
  const bytes = readFileSync(path);
  const at = find(bytes);
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  writeFileSync(path, bytes);
}

test('11: while the process that owns the store does not answer, writing names its pid and reading works', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const owner = await liveOwner(directory);
  t.after(() => owner.kill('SIGKILL'));
  await suspend(owner);
  const { status, stdout, stderr } = snap(['--store', directory, 'tag', 'x', 'latest']);
  assert.deepEqual([status, stdout], [11, '']);
  assert.match(stderr, new RegExp(`^snap: process ${owner.pid} owns this store and does not answer: .*\\n$`));
  const listed = snap(['--store', directory, 'ls']);
  assert.deepEqual([listed.status, listed.stderr], [0, '']);
  assert.deepEqual(rows(listed)[1]?.slice(1, 3), ['live', '1']);
  for (const args of [
    ['show', 'latest'],
    ['stats'],
    ['diff', 'best', 'latest'],
    ['forget', 'best', '--dry-run'],
    ['verify'],
    [],
  ]) {
    assert.equal(snap(['--store', directory, ...args]).status, 0, args.join(' '));
  }
  owner.kill('SIGCONT');
  assert.equal(snap(['--store', directory, 'untag', 'best']).status, 0);
  await end(owner);
});

test('a store whose owner was killed is free', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const owner = await liveOwner(directory);
  await new Promise((resolve) => {
    owner.once('exit', resolve);
    owner.kill('SIGKILL');
  });
  const tagged = snap(['--store', directory, 'tag', 'last', 'latest']);
  assert.deepEqual([tagged.status, tagged.stderr], [0, '']);
  assert.match(tagged.stdout, /\(run live, step 1\)/);
});

test('12: damage in a pack is told, and the intact rest is listed', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  // The name of the run stands in the manifest of its first snapshot.
  damage(directory, (bytes) => bytes.indexOf('heat'));
  for (const args of [['ls'], ['stats'], ['show', 'latest'], []]) {
    const { status, stdout, stderr } = snap(['--store', directory, ...args]);
    assert.equal(status, 12, args.join(' '));
    assert.notEqual(stdout, '');
    assert.match(stderr, /^(snap: warning: pack 1, byte \d+: .*\n)+$/);
  }
  const { snapshots } = document<{ snapshots: { id: string }[] }>(
    snap(['--store', directory, 'ls', '--json']),
  );
  assert.deepEqual(
    snapshots.map(({ id }) => id),
    ['fine/100', 'fine/0', 'heat/300', 'heat/200', 'heat/100'].map((name) => ids[name]),
  );
});

test('12: a damaged descriptor, and one that is gone', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const path = join(directory, 'holdfast.json');
  const text = readFileSync(path, 'utf8');
  for (const content of [text.replace('"plain"', '"keyed"'), '{', '']) {
    writeFileSync(path, content);
    for (const args of [['ls'], ['untag', 'best']]) {
      const { status, stdout, stderr } = snap(['--store', directory, ...args]);
      assert.deepEqual([status, stdout], [12, '']);
      assert.match(stderr, /^snap: the store's descriptor \(holdfast\.json\) is damaged: .*\n$/);
    }
  }
  rmSync(path);
  const { status, stderr } = snap(['--store', directory, 'ls']);
  assert.equal(status, 12);
  assert.match(stderr, /^snap: .* its descriptor \(holdfast\.json\) is gone.*\n$/);
});

test('12: regions that cannot be read are told, and the snapshot can still be forgotten', async (t) => {
  const directory = join(scratch(t), 'store');
  const store = await Snap.open(directory, { compression: false });
  // So many regions that their table is a chunk of its own, not a part of the manifest.
  const buffers = Array.from({ length: 100 }, (_, index) => [
    `region-${index}`,
    new Uint8Array(5000).fill(index),
  ]);
  const { id } = await store.save(Object.fromEntries(buffers), { tag: 'many', durable: true });
  await store.close();
  // The skeleton holds the names first, the table after it.
  damage(directory, (bytes) => bytes.lastIndexOf('region-50'));
  const shown = snap(['--store', directory, 'show', 'many']);
  assert.deepEqual([shown.status, shown.stdout], [12, '']);
  assert.match(shown.stderr, /^snap: .*pack 1 is damaged.*\n$/);
  const forgot = snap(['--store', directory, 'forget', 'many', '--json']);
  assert.equal(document<{ snapshots: { id: string }[] }>(forgot).snapshots[0]?.id, id);
});

test('wherever a byte is wrong, the end is a status and lines, never a stack', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const path = join(directory, 'packs', '00000001.pack');
  const whole = readFileSync(path);
  for (let part = 0; part < 6; part++) {
    damage(directory, (bytes) => Math.floor((bytes.length * (part + 0.5)) / 6));
    const { status, signal, stderr } = snap(['--store', directory, 'show', 'step:200']);
    assert.ok(signal === null && [0, 1, 12].includes(status ?? -1), `${part}: ${status} ${stderr}`);
    assert.match(stderr, /^(snap: .*\n)*$/);
    writeFileSync(path, whole);
  }
});

test('13: a newer format', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const path = join(directory, 'holdfast.json');
  const descriptor = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...descriptor, version: 2 }));
  for (const args of [['ls'], ['tag', 'x', 'latest'], []]) {
    const { status, stdout, stderr } = snap(['--store', directory, ...args]);
    assert.deepEqual([status, stdout], [13, '']);
    assert.match(stderr, /^snap: this store has format 2, .*: update holdfast\n$/);
  }
});

test('130: interrupted, and nothing is half done', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  // Sends the signal as soon as the command listens for it: before the store is open.
  const script = `process.on('newListener', (name) => {
    if (name === process.env.SEND) setImmediate(() => process.kill(process.pid, name));
  });`;
  const preload = `data:text/javascript,${encodeURIComponent(script)}`;
  for (const [SEND, ...args] of [
    ['SIGINT', 'ls'],
    ['SIGINT', 'forget', 'best'],
    ['SIGTERM', 'forget', 'best'],
    ['SIGHUP', 'ls'],
  ] as const) {
    const { status, stdout, stderr } = snap(['--store', directory, ...args], {
      env: { NODE_OPTIONS: `--import=${preload}`, SEND },
    });
    assert.deepEqual([status, stdout, stderr], [130, '', 'snap: interrupted\n'], `${SEND} ${args}`);
  }
  assert.equal(snap(['--store', directory, 'untag', 'best']).status, 0);
});

test('1: an id that several snapshots begin with, naming them', async (t) => {
  const directory = join(scratch(t), 'store');
  await using store = await Snap.open(directory);
  const state = { n: 0 };
  const byPrefix = new Map<string, string>();
  let pair: string[] = [];
  // 16 bits of prefix: some 300 snapshots until two share one.
  while (pair.length === 0 && state.n++ < 5000) {
    const { id } = await store.save(state);
    const other = byPrefix.get(id.slice(0, 4));
    if (other) pair = [other, id].sort();
    byPrefix.set(id.slice(0, 4), id);
  }
  await store.flush();
  const prefix = pair[0]?.slice(0, 4) ?? '';
  const { status, stderr } = snap(['--store', directory, 'show', prefix]);
  assert.equal(status, 1);
  assert.equal(
    stderr,
    `snap: several snapshots begin with ${prefix}: ${pair.join(', ')}; give more digits\n`,
  );
});

test('SNAP_DEBUG=1 adds the stack, and only it does', (t) => {
  const bare = scratch(t);
  const plain = snap(['--store', bare, 'ls']);
  const debugged = snap(['--store', bare, 'ls'], { env: { SNAP_DEBUG: '1' } });
  assert.equal(plain.stderr.split('\n').length, 2);
  assert.ok(debugged.stderr.startsWith(plain.stderr));
  assert.match(debugged.stderr, /\n {4}at .*\ncaused by Error|\n {4}at [\s\S]*\ncaused by /);
  assert.equal(debugged.status, 10);
});

test('the command leaves nothing behind in a store that it reads', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const contents = () =>
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path, readFileSync(path, 'base64')]);
  const before = contents();
  for (const args of [
    ['ls'],
    ['show', 'best'],
    ['stats'],
    ['diff', 'best', 'latest'],
    ['forget', 'best', '--dry-run'],
    ['verify'],
    [],
  ]) {
    assert.equal(snap(['--store', directory, ...args]).status, 0);
  }
  assert.deepEqual(contents(), before);
});
