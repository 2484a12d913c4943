import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { document, makeStore, rows, scratch, short, snap } from './support.js';

interface Forgotten {
  store: string;
  dryRun: boolean;
  snapshots: { id: string; forgotten: boolean }[];
  failed: { ref: string; code: string | null; message: string }[];
}

const listed = (directory: string) =>
  document<{ snapshots: { id: string }[] }>(snap(['--store', directory, 'ls', '--json'])).snapshots.map(
    ({ id }) => id,
  );

test('forget says what it forgot and how to undo it, and that undoes it', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  const before = listed(directory);
  const forgot = snap(['--store', directory, 'forget', 'best', short(ids['fine/0'])]);
  assert.equal(forgot.status, 0);
  assert.deepEqual(
    rows(forgot)
      .slice(1)
      .map(([id]) => id),
    [short(ids['heat/200']), short(ids['fine/0'])],
  );
  const undo = /undo: snap (.*)\n$/.exec(forgot.stderr)?.[1] ?? '';
  assert.match(forgot.stderr, /^forgot 2 snapshots; undo: /);
  assert.equal(listed(directory).length, 4);
  assert.equal(snap(['--store', directory, 'show', 'best']).status, 1);
  const back = snap(undo.split(' '));
  assert.equal(back.status, 0);
  assert.equal(back.stderr, 'brought back 2 snapshots:\n');
  assert.deepEqual(listed(directory), before);
  assert.equal(snap(['--store', directory, 'show', 'best']).status, 0);
});

test('--dry-run prints the plan that would be carried out, and does nothing', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const before = listed(directory);
  const args = ['--store', directory, 'forget', 'latest', 'best', 'nope'];
  const planned = document<Forgotten>(snap([...args, '--dry-run', '--json']));
  assert.equal(planned.dryRun, true);
  const told = snap([...args, '--dry-run']);
  assert.match(
    told.stderr,
    /^snap: there is no snapshot .* nope; .*\nwould forget 2 snapshots; nothing was done:\n$/,
  );
  assert.deepEqual(listed(directory), before);
  const done = document<Forgotten>(snap([...args, '--json']));
  const ids = ({ snapshots }: Forgotten) => snapshots.map(({ id }) => id);
  assert.deepEqual(ids(done), ids(planned));
  assert.deepEqual(done.failed, planned.failed);
});

test('two names for one snapshot are one, and latest twice does not eat its way back', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  const id = ids['fine/100'] ?? '';
  const forgot = document<Forgotten>(
    snap(['--store', directory, 'forget', '--json', 'latest', 'latest', id, short(id)]),
  );
  assert.deepEqual(
    forgot.snapshots.map((info) => [info.id, info.forgotten]),
    [[id, true]],
  );
  assert.equal(listed(directory).length, 5);
});

test('what is unknown does not keep the rest from being forgotten: status 3', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  const part = snap(['--store', directory, 'forget', 'nope', 'best', '--json']);
  assert.equal(part.status, 3);
  const { snapshots, failed } = document<Forgotten>(part);
  assert.deepEqual(
    snapshots.map(({ id }) => id),
    [ids['heat/200']],
  );
  assert.deepEqual(
    failed.map(({ ref, code }) => [ref, code]),
    [['nope', 'SNAP_NOT_FOUND']],
  );
  assert.equal(part.stderr, `snap: ${failed[0]?.message}\n`);
  const none = snap(['--store', directory, 'forget', 'nope', 'best']);
  assert.equal(none.status, 1);
  assert.equal(none.stdout, '');
  assert.match(none.stderr, /^snap: .*nope.*\nsnap: .* was forgotten.*\n$/);
});

test('a forgotten snapshot is refused by its id, which says what to do', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  const id = ids['heat/0'] ?? '';
  snap(['--store', directory, 'forget', id]);
  const again = snap(['--store', directory, 'forget', id]);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /was forgotten; unforget it/);
});

test('unforget takes several, and says which were not forgotten', async (t) => {
  const { directory, ids } = await makeStore(join(scratch(t), 'store'));
  const [gone = '', kept = ''] = [ids['heat/0'], ids['heat/100']];
  snap(['--store', directory, 'forget', gone]);
  const back = snap(['--store', directory, 'unforget', gone, kept, 'zzzz', '--json']);
  assert.equal(back.status, 3);
  const { snapshots, unchanged, failed } = document<Record<string, { id?: string; ref?: string }[]>>(back);
  assert.deepEqual(
    [snapshots?.map(({ id }) => id), unchanged?.map(({ id }) => id), failed?.map(({ ref }) => ref)],
    [[gone], [kept], ['zzzz']],
  );
  const nothing = snap(['--store', directory, 'unforget', kept]);
  assert.deepEqual([nothing.status, nothing.stdout], [0, '']);
  assert.equal(nothing.stderr, `${short(kept)} is not forgotten; nothing to undo\n`);
  const unknown = snap(['--store', directory, 'unforget', 'best']);
  assert.deepEqual(
    [unknown.status, unknown.stderr],
    [1, 'snap: no snapshot has an id that begins with best\n'],
  );
});
