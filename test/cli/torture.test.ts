import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { Oracle } from '../../src/torture/oracle.js';
import { advance, initial, randomFrom } from '../../src/torture/state.js';
import { MAIN, scratch, snap } from './support.js';

test('a disk that holds: what was done is told, and nothing is left behind', (t) => {
  const folder = scratch(t);
  const { status, stdout, stderr } = snap(['torture', folder, '--kills', '6', '--json']);
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split('\n');
  const { message_type, ...summary } = JSON.parse(lines.at(-1) as string);
  assert.equal(message_type, 'summary');
  assert.deepEqual([summary.kills, summary.problems], [6, []]);
  const hits = Object.values<number>(summary.hits).reduce((sum, count) => sum + count, 0);
  assert.equal(hits + summary.elsewhere, 6);
  assert.ok(summary.promised > 0 && summary.restored >= summary.promised && summary.flips > 0);
  assert.match(stderr, new RegExp(`^seed ${summary.seed}, in `));
  assert.deepEqual(readdirSync(folder), []);
});

test('who interrupts it finds nothing left behind', async (t) => {
  const folder = scratch(t);
  const child = spawn(process.execPath, [MAIN, 'torture', folder, '--kills', '10000'], { stdio: 'pipe' });
  const ended = once(child, 'close');
  await once(child.stderr, 'data');
  child.kill('SIGINT');
  assert.deepEqual(await ended, [130, null]);
  assert.deepEqual(readdirSync(folder), []);
});

test('a folder has to be named', () => {
  const { status, stderr } = snap(['torture']);
  assert.equal(status, 2);
  assert.match(stderr, /usage: snap torture .*<DIR>/);
});

test('what is lost, torn or another state than was promised does not escape the oracle', async (t) => {
  const folder = scratch(t);
  const store = join(folder, 'store');
  const state = initial(1);
  await using saver = await Snap.open(store);
  advance(state, randomFrom(1));
  const right = await saver.save(state, { durable: true });
  const promised = { type: 'durable', step: 1, tag: undefined } as const;
  const looks = async (oracle: Oracle) => {
    await oracle.check(store, Number.POSITIVE_INFINITY, randomFrom(2));
    return oracle.problems.map((problem) => problem.replace(/[0-9a-f]{32}/, 'ID'));
  };

  const content = new Oracle();
  content.hear({ ...promised, id: right.id, check: state.check });
  assert.deepEqual(await looks(content), []);

  const lost = new Oracle();
  lost.hear({ ...promised, id: '0'.repeat(32), check: state.check });
  assert.deepEqual(await looks(lost), ['lost: ID']);

  const other = new Oracle();
  other.hear({ ...promised, id: right.id, check: 'another' });
  assert.deepEqual(await looks(other), ['wrong: ID']);

  (state.grids[0] as Float64Array)[5] = 4711;
  await saver.save(state, { durable: true });
  assert.deepEqual(await looks(new Oracle()), ['wrong: ID'], 'torn');
});
