import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { document, type Ended, MAIN, type Made, makeStore, rows, scratch, short, snap } from './support.js';

const OWNER = fileURLToPath(new URL('./live-owner.js', import.meta.url));

interface Summary {
  message_type: string;
  store: string;
  to: string;
  dryRun: boolean;
  complete: boolean;
  copied: { id: string; run: string; step: number | null; tags: string[] }[];
  present: number;
  notKept: number;
  skipped: { id: string; reason: string }[];
  writtenBytes: number;
  gc: { dropped: number } | null;
  failed: { ref: string; code: string }[];
}

const folder = scratch({ after });
let made: Made;
let count = 0;
before(async () => {
  made = await makeStore(join(folder, 'store'));
});

const fresh = () => join(folder, `to-${count++}`);
const copy = (to: string, ...args: string[]) => snap(['--store', made.directory, 'copy', to, ...args]);

function summaryOf({ stdout }: Ended): Summary {
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Summary;
  assert.equal(summary.message_type, 'summary');
  return summary;
}

const listed = (directory: string) =>
  document<{ snapshots: { id: string }[] }>(snap(['--store', directory, 'ls', '--json'])).snapshots.map(
    ({ id }) => id,
  );

test('copy says what it copied and how many bytes that took; the second time there is nothing to copy', () => {
  const to = fresh();
  const first = copy(to);
  assert.deepEqual([first.status, first.stderr], [0, '']);
  const [head, volume, , title, ...lines] = first.stdout.trimEnd().split('\n');
  assert.equal(head, `copied 6 snapshots to ${to}`);
  assert.match(volume ?? '', /of states, \d+ % of it shared: .* read, .* written in /);
  assert.match(title ?? '', /^id +run +step +tags +age +size +written$/);
  assert.deepEqual(
    lines.map((line) => line.split(/ {2,}/).slice(0, 2)),
    listed(made.directory).map((id) => [
      short(id),
      id === made.ids['fine/0'] || id === made.ids['fine/100'] ? 'fine' : 'heat',
    ]),
  );
  assert.deepEqual(listed(to), listed(made.directory));
  const second = copy(to);
  assert.deepEqual(
    [second.status, second.stdout, second.stderr],
    [0, 'nothing to copy: 6 snapshots there\n', ''],
  );
  assert.equal(snap(['--store', to, 'verify', '--read-data']).status, 0);
});

test('named snapshots: what is unknown does not keep the rest from being copied', () => {
  const to = fresh();
  const part = copy(to, 'best', 'nope', 'step:100', '--run', 'heat', '--json');
  assert.equal(part.status, 3);
  const { copied, failed } = summaryOf(part);
  assert.deepEqual(
    copied.map(({ id }) => id),
    [made.ids['heat/200'], made.ids['heat/100']],
  );
  assert.deepEqual(
    failed.map(({ ref, code }) => [ref, code]),
    [['nope', 'SNAP_NOT_FOUND']],
  );
  assert.match(part.stderr, /^snap: .*nope/);
  const none = copy(fresh(), 'nope');
  assert.deepEqual([none.status, none.stdout], [1, '']);
});

test('a selection: by run, tag, time and number of each run', () => {
  const chosen = (...args: string[]) => {
    const ended = copy(fresh(), '--json', ...args);
    assert.equal(ended.status, 0, ended.stderr);
    return summaryOf(ended).copied.map(({ run, step }) => `${run}/${step}`);
  };
  assert.deepEqual(chosen('--last', '1'), ['fine/100', 'heat/300']);
  assert.deepEqual(chosen('--run', 'heat', '--last', '2'), ['heat/300', 'heat/200']);
  assert.deepEqual(chosen('--tag', 'b*'), ['heat/200']);
  assert.equal(chosen('--since', '7d').length, 6);
  assert.equal(chosen('--since', '2999-01-01').length, 0);
});

test('a dry run makes no store and prints the plan', () => {
  const to = fresh();
  const planned = copy(to, '--dry-run');
  assert.deepEqual([planned.status, planned.stderr], [0, 'nothing was done\n']);
  assert.match(planned.stdout, /^would copy 6 snapshots to .*\n.*: about .* to write\n/);
  assert.ok(!existsSync(to));
  const json = summaryOf(copy(to, '--dry-run', '--json'));
  const done = summaryOf(copy(to, '--json'));
  assert.deepEqual(
    json.copied.map(({ id }) => id),
    done.copied.map(({ id }) => id),
  );
  assert.deepEqual([json.dryRun, done.dryRun, done.store, done.to], [true, false, made.directory, to]);
});

test('--keep: what the other store would not keep is left out, and what it does not keep any more is removed', () => {
  const to = fresh();
  const all = copy(to, '--json');
  assert.equal(summaryOf(all).gc, null);
  const kept = copy(to, '--keep-last', '1', '--json');
  assert.deepEqual([kept.status, summaryOf(kept).gc?.dropped], [0, 3]);
  const told = copy(to, '--keep-last', '1');
  assert.equal(told.status, 0);
  assert.match(told.stderr, /^3 snapshots would not be kept there and were left out\n$/);
  assert.deepEqual(
    new Set(listed(to)),
    new Set([made.ids['fine/100'], made.ids['heat/300'], made.ids['heat/200']]),
  );
});

test('wrong usage: status 2, and nothing is done', () => {
  const to = fresh();
  const refused = (expected: RegExp, ...args: string[]) => {
    const { status, stderr, stdout } = snap(['--store', made.directory, 'copy', ...args]);
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, expected);
  };
  refused(/missing required argument 'TO'/);
  refused(/REF names the snapshots/, to, 'best', '--last', '2');
  refused(/whole number of snapshots/, to, '--keep-last', 'all');
  refused(/20GB/, to, '--max-bytes', '20G');
  refused(/a duration is/, to, '--keep-within', 'week');
  refused(/a duration, as in 7d, or a date/, to, '--since', 'yesterday');
  refused(/tags/, to, '--tag', 'a[');
  refused(/is the store to copy from/, made.directory);
  refused(/is the store to copy from/, join(made.directory, '.'));
  assert.ok(!existsSync(to));
});

test('a store that is not there: status 10; one that is owned: status 11, and a dry run works', async () => {
  const nowhere = snap(['--store', fresh(), 'copy', fresh()]);
  assert.deepEqual([nowhere.status, nowhere.stdout], [10, '']);
  const to = fresh();
  const owner = spawn(process.execPath, [OWNER, to], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve) => owner.stdout.once('data', resolve));
  const locked = copy(to);
  assert.equal(locked.status, 11);
  assert.match(
    locked.stderr,
    new RegExp(`^snap: the store to copy to, ${to}: process ${owner.pid} owns this store`),
  );
  assert.equal(copy(to, '--dry-run').status, 0);
  // The other way round it works beside the owner.
  const beside = snap(['--store', to, 'copy', fresh()]);
  assert.deepEqual([beside.status, rows(beside)[0]?.[0]?.startsWith('copied 1 snapshot')], [0, true]);
  owner.stdin.end();
  await new Promise((resolve) => owner.once('close', resolve));
});

test('a snapshot that is damaged is left out, the others are copied: status 3', () => {
  const damaged = fresh();
  cpSync(made.directory, damaged, { recursive: true });
  const path = join(damaged, 'packs', '00000001.pack');
  const bytes = readFileSync(path);
  // A chunk of `u` that step 200 (tag best) alone needs.
  let chunk = bytes.indexOf(Buffer.from(made.ids['heat/100'] ?? '', 'hex'));
  for (const _ of ['skeleton', 'u']) chunk = bytes.indexOf('HFR\u0001\u0002', chunk + 1, 'latin1');
  bytes[chunk + 100] = (bytes[chunk + 100] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const to = fresh();
  const part = snap(['--store', damaged, 'copy', to]);
  assert.equal(part.status, 3);
  assert.match(
    part.stderr,
    new RegExp(`^snap: ${short(made.ids['heat/200'])} \\(run heat, step 200\\) cannot be read whole`),
  );
  assert.deepEqual(
    listed(to),
    listed(made.directory).filter((id) => id !== made.ids['heat/200']),
  );
  const alone = snap(['--store', damaged, 'copy', fresh(), 'best']);
  assert.equal(alone.status, 12);
  assert.equal(snap(['--store', to, 'verify', '--read-data']).status, 0);
});

test('an interrupt ends it in status 130, and the next copy goes on', async () => {
  const to = fresh();
  const child = spawn(process.execPath, [MAIN, '--store', made.directory, 'copy', to, '--json']);
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  child.stdout.once('data', () => child.kill('SIGINT'));
  const status = await new Promise((resolve) => child.once('close', resolve));
  // A small store may be through before the signal comes.
  if (status !== 0) {
    assert.equal(status, 130);
    assert.match(stderr, /what was copied stays; the next copy goes on from there\nsnap: interrupted\n$/);
  }
  assert.equal(copy(to).status, 0);
  assert.deepEqual(listed(to), listed(made.directory));
});

test('little time: status 3 until all is copied', () => {
  const to = fresh();
  const statuses: (number | null)[] = [];
  do statuses.push(copy(to, '--max-seconds', '0.00001', '--last', '1', '--run', 'fine').status);
  while (statuses.at(-1) === 3 && statuses.length < 50);
  assert.equal(statuses.at(-1), 0);
  assert.ok(statuses.length > 1);
});

test('a remark for each tag that names something else in the other store', async () => {
  const other = await makeStore(fresh());
  const { status, stderr } = snap(['--store', made.directory, 'copy', other.directory]);
  assert.equal(status, 0);
  assert.equal(
    stderr,
    `tag best was moved there from ${short(other.ids['heat/200'])} to ${short(made.ids['heat/200'])}\n`,
  );
});
