import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { document, makeStore, scratch, short, snap } from './support.js';

test('tag names a snapshot, and moving one says from where and how to undo it', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  const named = snap(['--store', directory, 'tag', 'good', 'step:300']);
  assert.deepEqual(named, {
    status: 0,
    signal: null,
    stdout: `good is ${short(ids['heat/300'])} (run heat, step 300)\n`,
    stderr: '',
  });
  const moved = snap(['--store', directory, 'tag', 'good', 'best']);
  assert.equal(moved.stdout, `good is ${short(ids['heat/200'])} (run heat, step 200)\n`);
  const undo = `snap --store ${directory} tag good ${short(ids['heat/300'])}`;
  assert.equal(moved.stderr, `it was ${short(ids['heat/300'])}; undo: ${undo}\n`);
  const again = snap(['--store', directory, 'tag', 'good', 'best']);
  assert.deepEqual([again.status, again.stderr], [0, '']);
  const { snapshot } = document<{ snapshot: { id: string; tags: string[] } }>(
    snap(['--store', directory, 'show', 'good', '--json']),
  );
  assert.deepEqual([snapshot.id, snapshot.tags], [ids['heat/200'], ['best', 'good']]);
});

test('tag --json tells the snapshot and the one before', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  const tag = (...args: string[]) => document(snap(['--store', directory, 'tag', '--json', ...args]));
  const expected = { store: directory, tag: 'x', snapshot: ids['fine/100'], previous: null };
  assert.deepEqual(tag('x', 'latest'), expected);
  assert.deepEqual(tag('x', 'latest', '--run', 'heat'), {
    ...expected,
    snapshot: ids['heat/300'],
    previous: ids['fine/100'],
  });
});

test('untag removes the name and nothing else', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  const removed = snap(['--store', directory, 'untag', 'best']);
  assert.equal(removed.status, 0);
  assert.equal(removed.stdout, `best is removed; it was ${short(ids['heat/200'])}\n`);
  assert.equal(removed.stderr, `undo: snap --store ${directory} tag best ${short(ids['heat/200'])}\n`);
  assert.equal(snap(['--store', directory, 'show', 'best']).status, 1);
  assert.equal(snap(['--store', directory, 'show', ids['heat/200'] ?? '']).status, 0);
  const missing = snap(['--store', directory, 'untag', 'best']);
  assert.deepEqual([missing.status, missing.stderr], [1, 'snap: there is no tag best\n']);
});

test('untag --json tells where the tag pointed', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  assert.deepEqual(document(snap(['--store', directory, 'untag', 'best', '--json'])), {
    store: directory,
    tag: 'best',
    previous: ids['heat/200'],
  });
});

test('a name that cannot be a tag is wrong usage, told before anything is opened', (t) => {
  const nowhere = join(scratch(t), 'store');
  for (const name of ['latest', 'a/b', '0123abcd', '', ' x', 'a\u001bb', 'x'.repeat(129)]) {
    const { status, stdout, stderr } = snap(['--store', nowhere, 'tag', name, 'latest']);
    assert.equal(status, 2, JSON.stringify(name));
    assert.equal(stdout, '');
    assert.match(stderr, /^snap: (a )?tag .*\nusage: snap tag /);
  }
});
