/** `snap gc`: what it says it will do is what it does, and people and programs learn why. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { INTERNALS } from '../../src/api/options.js';
import { type GcReport, Snap } from '../../src/index.js';
import { type Ended, MAIN, rows, scratch, shell, short, snap } from './support.js';

/** `heat` with steps 0 to 1100 and tag `best` on 300, then `fine` with 0 and 100; each changes one chunk of five. */
const folder = scratch({ after });
const original = join(folder, 'store');
const ids: Record<string, string> = {};

before(async () => {
  const u = new Float64Array(40_000);
  for (const [run, count] of [
    ['heat', 12],
    ['fine', 2],
  ] as const) {
    const options = { run, compression: false, [INTERNALS]: { packBytes: 150_000 } } as const;
    await using store = await Snap.open(original, options);
    for (let step = 0; step < count * 100; step += 100) {
      const start = 8192 * ((step / 100) % 3);
      u.fill(step + run.length, start, start + 8192);
      const tag = run === 'heat' && step === 300 ? { tag: 'best' } : {};
      ids[`${run}/${step}`] = (await store.save({ u }, { step, ...tag, durable: true })).id;
    }
  }
});

function copy(t: TestContext): string {
  const directory = join(scratch(t), 'store');
  cpSync(original, directory, { recursive: true, preserveTimestamps: true });
  return directory;
}

const gc = (directory: string, ...args: string[]) => snap(['--store', directory, 'gc', ...args]);

interface Summary extends GcReport {
  store: string;
  refusal: string | null;
}

/** The JSON lines: those of progress, and the last. */
function linesOf({ stdout }: Ended): { progress: Record<string, unknown>[]; summary: Summary } {
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const summary = lines.pop();
  assert.equal(summary.message_type, 'summary');
  for (const line of lines) assert.equal(line.message_type, 'progress');
  return { progress: lines, summary };
}

const summaryOf = (directory: string, ...args: string[]) => linesOf(gc(directory, '--json', ...args)).summary;
const planOf = ({ snapshots }: Summary) => snapshots.map(({ id, keep, reasons }) => ({ id, keep, reasons }));
const packBytes = (directory: string) =>
  readdirSync(join(directory, 'packs'))
    .map((name) => statSync(join(directory, 'packs', name)).size)
    .reduce((sum, size) => sum + size, 0);
const listed = (directory: string) =>
  rows(snap(['--store', directory, 'ls', '--forgotten']))
    .slice(1)
    .map(([id]) => id);

test('--dry-run prints the plan that is then carried out, and changes nothing', (t) => {
  const directory = copy(t);
  const policy = ['--keep-last', '1', '--keep-daily', '3'];
  const before = packBytes(directory);
  const planned = summaryOf(directory, ...policy, '--dry-run');
  const told = gc(directory, ...policy, '--dry-run');
  assert.deepEqual([told.status, told.stderr], [0, '']);
  assert.match(
    told.stdout,
    /^would drop 11 of 14 snapshots and free [\d.]+ KiB \(\d packs?(; .* carried elsewhere)?\)\n/,
  );
  assert.equal(packBytes(directory), before);
  assert.equal(listed(directory).length, 14);
  assert.deepEqual([planned.dropped, planned.kept, planned.collected], [11, 3, false]);
  const done = summaryOf(directory, ...policy);
  assert.deepEqual(planOf(done), planOf(planned));
  assert.deepEqual([done.packs, done.garbageBytes], [planned.packs, planned.garbageBytes]);
  assert.ok(done.collected && done.complete && packBytes(directory) < before);
  const kept = done.snapshots.filter(({ keep }) => keep).map(({ id }) => short(id));
  assert.deepEqual(listed(directory), kept);
  assert.equal(snap(['--store', directory, 'verify', '--read-data']).status, 0);
});

test('every snapshot has its reasons, and with --explain what only it holds', (t) => {
  const directory = copy(t);
  const lines = rows(gc(directory, '--keep-last', '1', '--keep-every', '500', '--dry-run'));
  const start = lines.findIndex(([title]) => title === 'id');
  assert.deepEqual(lines[start], ['id', 'run', 'step', 'tags', 'age', 'plan', 'why']);
  const whys = new Map(
    lines.slice(start + 1).map((line) => [`${line[1]}/${line[2]}`, line.slice(5).join(' ')]),
  );
  assert.equal(whys.get('heat/1100'), 'keep last 1, newest of run heat');
  assert.equal(whys.get('heat/500'), 'keep every 500');
  assert.equal(whys.get('heat/300'), 'keep tag best');
  assert.equal(whys.get('heat/200'), 'drop not kept by any rule');
  assert.equal(whys.size, 14);
  const explained = rows(gc(directory, '--keep-last', '1', '--dry-run', '--explain'));
  assert.ok(explained.some((line) => line.includes('only here')));
  const { snapshots } = summaryOf(directory, '--keep-last', '1', '--dry-run', '--explain');
  assert.ok(snapshots.every(({ ownBytes }) => ownBytes !== null && (ownBytes ?? -1) > 0));
  assert.equal(summaryOf(directory, '--dry-run').snapshots[0]?.ownBytes, null);
});

test('without a policy only what is forgotten goes', (t) => {
  const directory = copy(t);
  const idle = gc(directory);
  assert.deepEqual([idle.status, idle.stderr], [0, '']);
  assert.match(idle.stdout, /^nothing to do: no snapshot is forgotten, and no --keep option was given\n/);
  const gone = ids['heat/0'] ?? '';
  snap(['--store', directory, 'forget', gone]);
  const collected = gc(directory);
  assert.match(collected.stdout, /^dropped 1 of 14 snapshots/);
  const [line] = rows(collected).filter(([id]) => id === short(gone));
  assert.deepEqual(line?.slice(1, 4).concat(line.slice(5)), ['heat', '0', '-', 'dropped', 'forgotten']);
  assert.equal(listed(directory).length, 13);
  assert.match(snap(['--store', directory, 'unforget', gone]).stderr, /no snapshot has an id/);
  assert.match(
    gc(directory, '--keep-last', '50').stdout,
    /^nothing to do: the policy keeps all 13 snapshots\n/,
  );
});

test('garbage that stays is told, with why', (t) => {
  const directory = copy(t);
  // A chunk is held by the next two as well.
  for (const step of [500, 600, 700]) snap(['--store', directory, 'forget', ids[`heat/${step}`] ?? '']);
  const { stdout } = gc(directory);
  assert.match(stdout, /^dropped 3 of 14 snapshots; no pack is worth rewriting for that\n/);
  assert.match(stdout, /\n[\d.]+ KiB of garbage stays in packs that are mostly in use; /);
  const { garbageBytes, freedBytes } = summaryOf(directory);
  assert.ok(garbageBytes > 10_000 && freedBytes === 0);
});

test('a limit of bytes says how far it got', (t) => {
  const directory = copy(t);
  const fits = gc(directory, '--max-bytes', '900KB', '--dry-run');
  assert.match(fits.stdout, /\nwhat is kept takes 8\d\d KiB of at most 879 KiB\n/);
  assert.match(fits.stdout, /over max-bytes 879 KiB; else kept: kept while it fits/);
  const over = gc(directory, '--max-bytes', '1KB', '--dry-run');
  assert.match(
    over.stdout,
    /\nover the limit of 1000 B: what any policy keeps takes [\d.]+ KiB \(the newest of each run, /,
  );
  assert.equal(summaryOf(directory, '--max-bytes', '1KB', '--dry-run').limit?.reached, false);
});

test('a glob that matches no tag is warned of; where tagged snapshots would go, it takes --force', (t) => {
  const directory = copy(t);
  const before = listed(directory);
  const policy = ['--keep-last', '1', '--keep-tag', 'bset', '--keep-tag', 'b*'];
  const harmless = gc(directory, ...policy, '--dry-run');
  assert.equal(harmless.status, 0);
  assert.equal(harmless.stderr, 'snap: warning: --keep-tag bset matches no tag\n');
  const wrong = policy.slice(0, 4);
  const planned = gc(directory, ...wrong, '--dry-run');
  assert.equal(planned.status, 1);
  assert.match(
    planned.stderr,
    /\nsnap: without --force it would be refused: --keep-tag bset matches no tag, and /,
  );
  assert.match(planned.stdout, /not kept by any rule, tag best is none of bset/);
  assert.match(summaryOf(directory, ...wrong, '--dry-run').refusal ?? '', /bset/);
  const refused = gc(directory, ...wrong);
  assert.deepEqual([refused.status, refused.stdout], [1, '']);
  assert.equal(
    refused.stderr,
    `snap: --keep-tag bset matches no tag, and 1 snapshot that has a tag would go: ${short(ids['heat/300'])} (best); ` +
      'correct it, or use --force\n',
  );
  assert.deepEqual(listed(directory), before);
  const forced = gc(directory, ...wrong, '--force');
  assert.equal(forced.status, 0);
  assert.equal(listed(directory).length, 2);
});

test('contradictions and what is mistyped are wrong usage, with the right form', () => {
  const wrong = (args: string[], message: RegExp) => {
    const { status, stdout, stderr } = gc(original, ...args);
    assert.deepEqual([status, stdout], [2, ''], args.join(' '));
    const [line = '', usage = ''] = stderr.split('\n');
    assert.match(line, message);
    assert.match(usage, /^usage: snap gc /);
  };
  wrong(['--keep-within', '7x'], /"7x": a duration is a number and one of s, m, h, d, w, as in 7d$/);
  wrong(['--keep-within', '1M'], /as in 7d$/);
  wrong(['--keep-within', '0d'], /a duration above 0, as in 7d\.$/);
  wrong(['--max-bytes', '20G'], /say 20GB \(powers of 1000\) or 20GiB \(powers of 1024\)$/);
  wrong(['--max-bytes', '0'], /a size above 0, as in 20GB\.$/);
  for (const count of ['-1', '1.5', 'x', ''])
    wrong([`--keep-last=${count}`], /a whole number of snapshots\.$/);
  wrong(['--keep-every', '0'], /a whole number of steps from 1\.$/);
  wrong(['--keep-tag', '[ab'], /--keep-tag "\[ab": a \[ is not closed; \[\[\] is the sign itself$/);
  wrong(['--keep-tag', ''], /a glob/);
  wrong(['--keep-last', '3', '--keep-last', '5'], /It is given twice\.$/);
  wrong(['--keep-last', '0'], /whose rules are all 0 keeps nothing/);
  wrong(['--keep-last', '0', '--max-bytes', '1GB'], /keeps nothing/);
  wrong(['--max-seconds', '0'], /a number of seconds above 0/);
  wrong(['--run', 'a/b'], /contains a slash/);
  wrong(['--keep-lats', '3'], /did you mean --keep-last\?/);
});

test('a run that is not there is a failure, one that is there alone is collected', (t) => {
  const directory = copy(t);
  const unknown = gc(directory, '--run', 'haet', '--keep-last', '1');
  assert.deepEqual([unknown.status, unknown.stdout], [1, '']);
  assert.equal(unknown.stderr, 'snap: there is no run haet; runs in this store: fine, heat\n');
  assert.match(gc(directory, '--run', 'fine', '--keep-last', '1').stdout, /^dropped 1 of 2 snapshots/);
  assert.equal(listed(directory).length, 13);
});

test('nothing is left only where that is forced', (t) => {
  const directory = copy(t);
  snap(['--store', directory, 'forget', ...Object.values(ids)]);
  for (const args of [[], ['--dry-run']]) {
    const refused = gc(directory, ...args);
    assert.deepEqual([refused.status, refused.stdout], [1, '']);
    assert.match(
      refused.stderr,
      /^snap: this would leave nothing .* all 14 snapshots are forgotten; .*force/,
    );
  }
  assert.match(gc(directory, '--force').stdout, /^dropped 14 of 14 snapshots and freed /);
  assert.match(gc(directory).stdout, /^nothing to do: the store is empty\n/);
  assert.ok(packBytes(directory) < 10_000);
});

test('when the time is up it says so, and the next one goes on', (t) => {
  const directory = copy(t);
  const early = gc(directory, '--keep-last', '1', '--max-seconds', '0.000001');
  assert.equal(early.status, 3);
  assert.match(early.stdout, /^nothing is done yet\n/);
  assert.match(early.stderr, /^stopped after 0\.\d s; the next gc goes on from there\n$/);
  assert.equal(listed(directory).length, 14);
  const { complete, collected, dropped } = summaryOf(
    directory,
    '--keep-last',
    '1',
    '--max-seconds',
    '0.000001',
  );
  assert.deepEqual([complete, collected, dropped], [false, false, 0]);
  const late = gc(directory, '--keep-last', '1', '--dry-run', '--max-seconds', '0.000001');
  assert.equal(late.status, 3);
  assert.equal(gc(directory, '--keep-last', '1').status, 0);
  assert.equal(listed(directory).length, 3);
});

test('as JSON: lines of progress, then a summary with every key', (t) => {
  const directory = copy(t);
  const { progress, summary } = linesOf(gc(directory, '--json', '--keep-last', '3'));
  const phases = progress.map(({ phase }) => String(phase));
  assert.ok(
    phases.length > 0 && phases.every((phase) => ['plan', 'mark', 'weigh', 'free', 'repack'].includes(phase)),
  );
  for (const { done, total } of progress) assert.ok((done as number) <= (total as number));
  assert.equal(summary.store, directory);
  assert.deepEqual(Object.keys(summary).sort(), [
    'collected',
    'complete',
    'copiedBytes',
    'damagedPacks',
    'dropped',
    'dryRun',
    'freedBytes',
    'garbageBytes',
    'kept',
    'limit',
    'message_type',
    'packs',
    'refusal',
    'repackedPacks',
    'seconds',
    'snapshots',
    'store',
    'unmatched',
  ]);
  const [newest] = summary.snapshots;
  assert.deepEqual(Object.keys(newest ?? {}), [
    'id',
    'run',
    'step',
    'createdAt',
    'tags',
    'forgotten',
    'keep',
    'reasons',
    'ownBytes',
  ]);
  assert.deepEqual(
    [newest?.id, newest?.run, newest?.step, newest?.keep],
    [ids['fine/100'], 'fine', 100, true],
  );
});

test('an interrupted collection loses nothing, and the next one goes on', (t) => {
  const directory = copy(t);
  // Sends the signal as soon as the first progress is told.
  const script = `const write = process.stdout.write;
    process.stdout.write = function (...args) {
      process.stdout.write = write;
      process.kill(process.pid, 'SIGINT');
      return write.apply(this, args);
    };`;
  const { status, stderr } = snap(['--store', directory, 'gc', '--json', '--keep-last', '1', '--explain'], {
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` },
  });
  assert.deepEqual(
    [status, stderr],
    [130, 'what was not freed yet is found by the next gc\nsnap: interrupted\n'],
  );
  assert.equal(snap(['--store', directory, 'verify', '--read-data']).status, 0);
  assert.equal(gc(directory, '--keep-last', '1').status, 0);
  assert.equal(listed(directory).length, 3);
});

test('a page that cannot be read ends it in status 12, with nothing dropped', (t) => {
  const directory = copy(t);
  snap(['--store', directory, 'forget', ids['heat/0'] ?? '']);
  const path = join(directory, 'packs', '00000001.pack');
  const bytes = readFileSync(path);
  const page = bytes.indexOf('HFR\u0001\u0003', 0, 'latin1');
  bytes[page + 110] = (bytes[page + 110] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const { status, stdout, stderr } = gc(directory);
  assert.deepEqual([status, stdout], [12, '']);
  assert.match(stderr, /snap: pack 1 is damaged at byte \d+: /);
  assert.equal(listed(directory).length, 14);
});

// ---- beside a live loop ------------------------------------------------------------------------------

const LOOP = fileURLToPath(new URL('./live-loop.js', import.meta.url));

async function liveLoop(t: TestContext, directory: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [LOOP, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error('the loop ended early')));
  });
  return child;
}

test('beside a live loop its owner collects, which goes on saving; the plan knows what is in use', async (t) => {
  const directory = copy(t);
  const loop = await liveLoop(t, directory);
  const planned = summaryOf(directory, '--keep-last', '1', '--dry-run');
  const inUse = planned.snapshots.filter(({ reasons }) => reasons.includes('in use'));
  assert.deepEqual([...new Set(inUse.map(({ run }) => run))], ['live']);
  const collected = gc(directory, '--keep-last', '1');
  assert.deepEqual([collected.status, collected.stderr], [0, '']);
  assert.match(collected.stdout, /^dropped \d+ of \d+ snapshots and freed /);
  const newest = () => rows(snap(['--store', directory, 'ls', '--limit', '1']))[1]?.[0];
  const after = newest();
  for (let tries = 0; newest() === after && tries < 100; tries++);
  assert.notEqual(newest(), after, 'the loop goes on saving');
  await new Promise((resolve) => {
    loop.once('exit', resolve);
    loop.stdin?.end();
  });
  assert.equal(loop.exitCode, 0);
  assert.equal(snap(['--store', directory, 'verify', '--read-data']).status, 0);
});

test('a plan needs no ownership: it is made beside an owner that does not answer', async (t) => {
  const directory = copy(t);
  const loop = await liveLoop(t, directory);
  loop.kill('SIGSTOP');
  assert.match(gc(directory, '--keep-last', '1', '--dry-run').stdout, /^would drop \d+ of /);
  const { status, stdout, stderr } = gc(directory, '--keep-last', '1');
  assert.deepEqual([status, stdout], [11, '']);
  assert.match(stderr, new RegExp(`process ${loop.pid} owns this store`));
  loop.kill('SIGKILL');
});

// ---- on a terminal -----------------------------------------------------------------------------------

const available = (spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '').includes(
  'util-linux',
);
const skip = available ? false : 'takes the script command of util-linux';

function onTerminal(directory: string, columns: number, args: string): string[] {
  const script = `script -qec "stty cols ${columns}; '${process.execPath}' '${MAIN}' gc ${args}" /dev/null </dev/null`;
  const { stdout } = shell(script, { env: { TERM: 'xterm', NO_COLOR: '1', SNAP_STORE: directory } });
  return stdout.trimEnd().split('\r\n');
}

test('the plan fits the terminal, however narrow', { skip }, () => {
  for (const columns of [80, 50, 25]) {
    const lines = onTerminal(original, columns, '--keep-last 2 --keep-daily 3 --dry-run --explain');
    const table = lines.slice(lines.findIndex((line) => line.startsWith('id ')));
    assert.equal(table.length, 15);
    for (const line of table) assert.ok(line.length <= columns, `${columns}: ${line}`);
    assert.match(table[1] ?? '', /keep {2}\S/);
  }
});

test('a bar is shown on a terminal only', { skip }, () => {
  const bar = onTerminal(original, 80, '--keep-last 2 --dry-run').join('\n');
  assert.match(bar, /(planning|marking|weighing) {2}[█░]{20} {2}\d+ % {2}\d+ of \d+ (snapshot|pack)/);
  assert.doesNotMatch(onTerminal(original, 80, '--keep-last 2 --dry-run 2>/dev/null').join('\n'), /░/);
  assert.doesNotMatch(gc(original, '--dry-run').stderr, /░/);
});
