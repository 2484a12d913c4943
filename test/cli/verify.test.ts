import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { type Ended, MAIN, type Made, makeStore, rows, scratch, shell, short, snap } from './support.js';

interface Line {
  message_type: string;
  phase: string;
  done: number;
  total: number;
}

interface Summary extends Line {
  store: string;
  ok: boolean;
  complete: boolean;
  readBytes: number;
  snapshots: number;
  damage: { pack: number; offset: number; reason: string }[];
  damagedSnapshots: { id: string; tags: string[]; parts: { path: string; pack: number | null }[] }[];
}

const folder = scratch({ after });
let sound: Made;
before(async () => {
  sound = await makeStore(join(folder, 'sound'));
});

const verify = (directory: string, ...args: string[]) => snap(['--store', directory, 'verify', ...args]);

function linesOf({ stdout }: Ended): { progress: Line[]; summary: Summary } {
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const summary = lines.pop() as Summary;
  assert.equal(summary.message_type, 'summary');
  for (const line of lines) assert.equal(line.message_type, 'progress');
  return { progress: lines, summary };
}

/** A store with one bit wrong, in a chunk of `u` that step 200 alone needs. */
async function damagedStore(directory: string): Promise<Made> {
  const made = await makeStore(directory);
  const path = join(directory, 'packs', '00000001.pack');
  const bytes = readFileSync(path);
  // The manifest of step 100 is written after its chunks; then come those of step 200, the skeleton's first.
  let chunk = bytes.indexOf(Buffer.from(made.ids['heat/100'] ?? '', 'hex'));
  for (const _ of ['skeleton', 'u']) chunk = bytes.indexOf('HFR\u0001\u0002', chunk + 1, 'latin1');
  bytes[chunk + 100] = (bytes[chunk + 100] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  return made;
}

test('a sound store: what was looked at, and no more than that', () => {
  const structure = verify(sound.directory);
  assert.equal(structure.status, 0);
  assert.match(structure.stdout, /^sound: 6 snapshots in 1 pack \(\d+ records\)\n$/);
  assert.match(structure.stderr, /^the data itself was not read: snap --store \S+ verify --read-data\n$/);
  const all = verify(sound.directory, '--read-data');
  assert.deepEqual([all.status, all.stderr], [0, '']);
  assert.match(all.stdout, /^sound: 6 snapshots in 1 pack \(\d+ records, .* read\)\n$/);
});

test('a sample reads less than everything', () => {
  const read = (...args: string[]) => linesOf(verify(sound.directory, '--json', ...args)).summary.readBytes;
  const all = read('--read-data');
  assert.ok(all > 0);
  assert.equal(read('--read-data', '100%'), all);
  assert.ok(read('--read-data', '40%') < all);
  assert.equal(read(), 0);
});

test('damage is named by snapshot, region and pack, with what to do next', async (t) => {
  const { directory, ids } = await damagedStore(join(scratch(t), 'store'));
  const found = verify(directory, '--read-data');
  assert.equal(found.status, 12);
  const [first, , ...tables] = rows(found);
  assert.match(first?.[0] ?? '', /^damaged: 1 of 6 snapshots is not whole \(\d+ records, /);
  assert.deepEqual(tables.slice(0, 2), [
    ['id', 'run', 'step', 'tags', 'damaged', 'where'],
    [short(ids['heat/200']), 'heat', '200', 'best', 'u', 'pack 1'],
  ]);
  assert.deepEqual(tables[3], ['pack', 'byte', 'what is wrong']);
  assert.match(tables[4]?.join(' ') ?? '', /^ ?1 \d+ .+/);
  assert.match(found.stderr, /Nothing was changed\. Is there a backup\? .*\n.*\n.*snap .* repair --dry-run/);
  assert.doesNotMatch(found.stderr, /warning/, 'it is told once');
  assert.equal(verify(directory).status, 0, 'structure alone does not read the data');
});

test('damage as JSON', async (t) => {
  const { directory, ids } = await damagedStore(join(scratch(t), 'store'));
  const ended = verify(directory, '--read-data', '--json');
  assert.equal(ended.status, 12);
  const { progress, summary } = linesOf(ended);
  assert.equal(progress[0]?.phase, 'packs');
  for (const { done, total } of progress) assert.ok(done >= 0 && done <= total);
  assert.deepEqual([summary.store, summary.ok, summary.complete], [directory, false, true]);
  assert.deepEqual(
    summary.damagedSnapshots.map(({ id, tags, parts }) => [
      id,
      tags,
      parts.map(({ path, pack }) => [path, pack]),
    ]),
    [[ids['heat/200'], ['best'], [['u', 1]]]],
  );
  assert.equal(summary.damage[0]?.pack, 1);
});

test('structure alone finds a pack that was cut off', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  truncateSync(join(directory, 'packs', '00000001.pack'), 3000);
  const found = verify(directory);
  assert.equal(found.status, 12);
  assert.match(found.stdout, /the pack was cut off/);
});

test('when the time is up it says where it stopped, and the next run goes on there', async (t) => {
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const short = verify(directory, '--read-data', '--max-seconds', '0.000001');
  assert.equal(short.status, 3);
  assert.match(short.stdout, /^sound so far \(\d+ records, .* read\)\n$/);
  assert.match(short.stderr, /^stopped after 0\.\d s at pack 1 of 1; the next run goes on from there\n$/);
  const rest = verify(directory, '--read-data');
  assert.equal(rest.status, 0);
  assert.match(rest.stdout, /; the rest in earlier runs\)\n$/);
  const late = linesOf(verify(directory, '--json', '--max-seconds', '0.000001'));
  assert.equal(late.summary.complete, false);
});

test('damage counts more than the time', async (t) => {
  const { directory } = await damagedStore(join(scratch(t), 'store'));
  const statuses = [];
  for (let complete = false; !complete; ) {
    const ended = verify(directory, '--read-data', '--json', '--max-seconds', '0.000001');
    complete = linesOf(ended).summary.complete || statuses.length > 20;
    statuses.push(ended.status);
    if (ended.status === 12) break;
  }
  assert.equal(statuses.at(-1), 12);
  assert.equal(verify(directory, '--read-data').status, 12, 'the last run tells what an earlier one found');
});

test('an interrupted run says that the next goes on', async (t) => {
  const directory = join(scratch(t), 'store');
  const store = await Snap.open(directory, { compression: false });
  const u = new Float64Array(2_000_000).map((_, index) => Math.sin(index));
  await store.save({ u });
  await store.close();
  // Sends the signal as soon as the first progress is told.
  const script = `const write = process.stdout.write;
    process.stdout.write = function (...args) {
      process.stdout.write = write;
      process.kill(process.pid, 'SIGINT');
      return write.apply(this, args);
    };`;
  const { status, stderr } = snap(['--store', directory, 'verify', '--read-data', '--json'], {
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` },
  });
  assert.deepEqual(
    [status, stderr],
    [130, 'the next run with the same --read-data goes on from here\nsnap: interrupted\n'],
  );
});

test('a store that nobody can write to is verified too, and nothing is noted there', async (t) => {
  if (process.getuid?.() === 0) return t.skip('root may write everywhere');
  const { directory } = await makeStore(join(scratch(t), 'store'));
  const locked = shell(
    `chmod -R a-w '${directory}'; snap --store '${directory}' verify --max-seconds 0.000001`,
  );
  shell(`chmod -R u+w '${directory}'`);
  assert.equal(locked.status, 3);
});

const ESCAPE = '\u001b';
const available = (spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '').includes(
  'util-linux',
);

test('a bar is shown on a terminal only, and is gone at the end', {
  skip: !available && 'takes the script command of util-linux',
}, () => {
  const command = `'${process.execPath}' '${MAIN}' verify --read-data`;
  const shown = (env: Record<string, string>, more = '') =>
    shell(`script -qec "stty cols 80; ${command} ${more}" /dev/null </dev/null`, {
      env: { TERM: 'xterm', SNAP_STORE: sound.directory, ...env },
    }).stdout;
  const bar = shown({});
  assert.match(bar, /packs {2}[█░]{20} {2}\d+ % {2}.* of /);
  // The cursor is shown again, and the line is cleared.
  const end = bar.slice(bar.lastIndexOf('░'));
  assert.ok(end.indexOf(`${ESCAPE}[?25h`) > 0 && end.indexOf(`${ESCAPE}[2K`) > 0);
  assert.ok(!shown({ TERM: 'dumb' }).includes(ESCAPE));
  assert.ok(!shown({}, '--json').includes(ESCAPE));
  assert.doesNotMatch(shown({}, '2>/dev/null'), /░/);
});
