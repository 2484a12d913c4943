import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Snap } from '../../src/index.js';
import { type Ended, type Made, makeStore, scratch, short, snap } from './support.js';

const OWNER = fileURLToPath(new URL('./live-owner.js', import.meta.url));

interface Summary {
  message_type: string;
  store: string;
  dryRun: boolean;
  descriptor: boolean;
  snapshots: number;
  packs: { pack: number; reasons: string[]; movedTo: string | null }[];
  salvagedBytes: number;
  lost: { id: string; tags: string[]; parts: { path: string }[] }[];
  clean: boolean;
}

const folder = scratch({ after });
let sound: Made;
let count = 0;
before(async () => {
  sound = await makeStore(join(folder, 'sound'));
});

const repair = (directory: string, ...args: string[]) => snap(['--store', directory, 'repair', ...args]);

function summaryOf({ stdout }: Ended): Summary {
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Summary;
  assert.equal(summary.message_type, 'summary');
  return summary;
}

/** A copy of the store; `harm` gets the bytes of its pack. */
function copy(harm?: (bytes: Buffer) => void): string {
  const directory = join(folder, `copy-${count++}`);
  cpSync(sound.directory, directory, { recursive: true });
  if (harm) {
    const path = join(directory, 'packs', '00000001.pack');
    const bytes = readFileSync(path);
    harm(bytes);
    writeFileSync(path, bytes);
  }
  return directory;
}

/** One bit of a chunk of `u` that step 200 (tag best) alone needs. */
function hitStep200(bytes: Buffer): void {
  let chunk = bytes.indexOf(Buffer.from(sound.ids['heat/100'] ?? '', 'hex'));
  for (const _ of ['skeleton', 'u']) chunk = bytes.indexOf('HFR\u0001\u0002', chunk + 1, 'latin1');
  bytes[chunk + 100] = (bytes[chunk + 100] ?? 0) ^ 1;
}

test('a sound store: nothing was wrong', () => {
  const directory = copy();
  const planned = repair(directory, '--dry-run');
  assert.deepEqual([planned.status, planned.stderr], [0, '']);
  assert.match(
    planned.stdout,
    /^nothing is wrong: 6 snapshots are whole; only the index would be made anew\n$/,
  );
  const done = repair(directory);
  assert.equal(done.status, 0);
  assert.match(done.stderr, /^repairing .*: all of it is read; .*\n.*; nothing is deleted\n$/);
  assert.equal(done.stdout, 'nothing was wrong: 6 snapshots are whole; the index was made anew\n');
  assert.equal(summaryOf(repair(directory, '--json')).clean, true);
});

test('what is lost is told, with what to do; the rest is whole, and nothing is deleted', () => {
  const directory = copy(hitStep200);
  const damaged = readFileSync(join(directory, 'packs', '00000001.pack'));
  const done = repair(directory);
  assert.equal(done.status, 12);
  const best = short(sound.ids['heat/200']);
  assert.match(done.stdout, /^repaired: 5 snapshots are whole, 1 lost\n\npacks:\n/);
  assert.match(done.stdout, /\n +1 {2}byte \d+: .* {2}packs\/00000001\.pack\.damaged\n/);
  assert.match(done.stdout, new RegExp(`\n\nlost:\nid .*\n${best} +heat +200 +best +u +pack 1\n$`));
  assert.match(done.stderr, new RegExp(`backup .*\n.* ls .*\n.* unforget ${best} `));
  const kept = readFileSync(join(directory, 'packs', '00000001.pack.damaged'));
  assert.ok(kept.subarray(0, damaged.length).equals(damaged));
  assert.equal(snap(['--store', directory, 'verify', '--read-data']).status, 0);
});

test('what is intact of a lost snapshot can be had: forgotten ones come back', async () => {
  const directory = copy(hitStep200);
  repair(directory);
  await using store = await Snap.open(directory, { create: false, run: 'heat' });
  const id = sound.ids['heat/200'] ?? '';
  await assert.rejects(store.restore(id), { code: 'SNAP_NOT_FOUND' });
  await store.unforget(id);
  await assert.rejects(store.restore(id), { code: 'SNAP_CORRUPT' });
  assert.deepEqual(await store.restore(id, { only: ['mask'] }), { mask: new Uint8Array(10_000) });
});

test('--dry-run says what is then done, as JSON too, and does nothing', () => {
  const directory = copy(hitStep200);
  const before = readFileSync(join(directory, 'packs', '00000001.pack'));
  const planned = repair(directory, '--dry-run');
  assert.equal(planned.status, 12);
  assert.match(planned.stdout, /^would keep 5 snapshots and lose 1; nothing was done\n/);
  assert.match(planned.stdout, /\nwould be forgotten:\nid .*\n/);
  const plan = summaryOf(repair(directory, '--dry-run', '--json'));
  assert.ok(readFileSync(join(directory, 'packs', '00000001.pack')).equals(before));
  const done = summaryOf(repair(directory, '--json'));
  assert.deepEqual([plan.dryRun, done.dryRun], [true, false]);
  assert.deepEqual(Object.keys(plan).sort(), Object.keys(done).sort());
  for (const key of ['store', 'snapshots', 'lost', 'clean'] as const)
    assert.deepEqual(plan[key], done[key], key);
  const wrong = ({ packs }: Summary) => packs.map(({ pack, reasons }) => [pack, reasons]);
  assert.deepEqual(wrong(plan), wrong(done));
  assert.deepEqual(done.packs[0]?.movedTo, 'packs/00000001.pack.damaged');
  assert.deepEqual(
    done.lost.map(({ id, tags, parts }) => [id, tags, parts.map(({ path }) => path)]),
    [[sound.ids['heat/200'], ['best'], ['u']]],
  );
  assert.ok(done.salvagedBytes > 0);
});

test('a pack put back from a backup makes a repair needless', () => {
  const directory = copy(hitStep200);
  assert.equal(snap(['--store', directory, 'verify', '--read-data']).status, 12);
  const backup = join(sound.directory, 'packs', '00000001.pack');
  writeFileSync(join(directory, 'packs', '00000001.pack'), readFileSync(backup));
  assert.equal(snap(['--store', directory, 'verify', '--read-data']).status, 0);
  assert.equal(summaryOf(repair(directory, '--json')).clean, true);
});

test('a descriptor that is gone is made anew, also by a repair that has to find the store', () => {
  const directory = copy();
  rmSync(join(directory, 'holdfast.json'));
  const looked = snap(['verify'], { cwd: directory });
  assert.equal(looked.status, 12);
  assert.match(looked.stderr, /its descriptor \(holdfast\.json\) is gone; snap repair makes it anew\n$/);
  const done = snap(['repair'], { cwd: directory });
  assert.equal(done.status, 0);
  assert.match(
    done.stdout,
    /^repaired: 6 snapshots are whole, nothing is lost\nthe descriptor .* made anew\n$/,
  );
  assert.equal(snap(['ls'], { cwd: directory }).status, 0);
});

test('no store, no repair', (t) => {
  const bare = scratch(t);
  for (const args of [[], ['--dry-run']]) {
    const { status, stdout, stderr } = repair(bare, ...args);
    assert.deepEqual([status, stdout], [10, '']);
    assert.match(stderr, /snap: there is no store at /);
  }
  writeFileSync(join(bare, 'notes.txt'), 'mine');
  assert.equal(repair(bare).status, 10);
});

test('while another process owns the store a repair names it; --dry-run works beside it', async (t) => {
  const directory = copy(hitStep200);
  const owner = await liveOwner(directory);
  t.after(() => owner.kill('SIGKILL'));
  const { status, stdout, stderr } = repair(directory);
  assert.deepEqual([status, stdout], [11, '']);
  assert.match(stderr, new RegExp(`\nsnap: process ${owner.pid} owns this store: end it first, .*\n$`));
  assert.equal(repair(directory, '--dry-run').status, 12);
});

function liveOwner(directory: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [OWNER, directory], { stdio: ['pipe', 'pipe', 'ignore'] });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve(child));
    child.once('exit', () => reject(new Error('the owner ended early')));
  });
}

test('an interrupted repair says that it can be run again, and can', () => {
  const directory = copy(hitStep200);
  // Sends the signal as soon as the first progress is told.
  const script = `const write = process.stdout.write;
    process.stdout.write = function (...args) {
      process.stdout.write = write;
      process.kill(process.pid, 'SIGINT');
      return write.apply(this, args);
    };`;
  const { status, stderr } = snap(['--store', directory, 'repair', '--json'], {
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` },
  });
  assert.equal(status, 130);
  assert.match(stderr, /\nwhat was intact is still there: run it again\nsnap: interrupted\n$/);
  assert.equal(repair(directory).status, 12);
  assert.equal(snap(['--store', directory, 'verify', '--read-data']).status, 0);
});
