import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Ended, MAIN, scratch, snap } from './support.js';

const PROGRAM = fileURLToPath(new URL('../api/prove/proved.js', import.meta.url));
const folder = scratch({ after });
/** Steps 10, 20, 30 and 40 of an honest program. */
const store = join(folder, 'store');
// Scratch stores of other tests are none of ours.
const env = { TMPDIR: folder };

before(() => {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, store, 'loop', 'honest', '40']);
  assert.equal(status, 0, String(stderr));
  const step = 'state.u[5]++; state.u[9] = state.random.normal(); state.step++;';
  const write = (name: string, more: string) =>
    writeFileSync(join(folder, name), `export function step(state, loop) { ${step} ${more} }\n`);
  write('good.mjs', '');
  write('odd.mjs', "if (loop.step === 25) state.u[7] = 2; if (loop.step === 35) throw new Error('oh');");
  write('failing.mjs', "console.log('hello'); throw new Error('oh');");
  write('endless.mjs', 'console.log(process.pid); for (;;) ;');
});

function replay(from: string, to: string, ...args: string[]): Ended {
  return snap(['--store', store, 'replay', from, to, ...args], { env, cwd: folder });
}

const leftovers = () => readdirSync(folder).filter((name) => name.startsWith('holdfast-prove-'));
const masked = (text: string) =>
  text.replaceAll(/\b[0-9a-f]{8}\b/g, 'IDENTITY').replace(/in [\d.]+ (s|min)/, 'in TIME');

test('intervals that agree: one line, and status 0', () => {
  const { status, stdout, stderr } = replay('step:10', 'latest', '--reference', 'good.mjs');
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(
    masked(stdout),
    'replayed 3 intervals of run proved, step 10 to 40, with good.mjs in TIME: all identical\n',
  );
});

test('those that disagree or fail, and status 1 where one disagrees', () => {
  const { status, stdout, stderr } = replay('step:10', 'latest', '--reference', 'odd.mjs', '--workers', '2');
  assert.equal(status, 1);
  assert.equal(
    masked(stdout),
    `replayed 3 intervals of run proved, step 10 to 40, with odd.mjs in TIME: 1 differs, 1 failed

from  to  snapshot  state
  20  30  IDENTITY  u[7] is 2, and 1 in the run
  30  40  IDENTITY  failed: ${folder}/odd.mjs ended with status 1 before it was saved at step 40; the last it said: Error: oh

1 interval the same
`,
  );
  assert.match(stderr, /Error: oh/, 'what the reference prints');
});

test('--json prints lines: how far it is, and every interval', () => {
  const { status, stdout } = replay('step:20', 'latest', '--reference', 'odd.mjs', '--json');
  assert.equal(status, 1);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(lines[0], { message_type: 'progress', phase: 'replay', done: 1, total: 2 });
  const { intervals, seconds, ...summary } = lines.at(-1) ?? {};
  assert.deepEqual(
    [summary, typeof seconds],
    [{ message_type: 'summary', same: false, run: 'proved' }, 'number'],
  );
  const [differs, failed] = intervals as Record<string, Record<string, unknown>>[];
  const { diff, ...first } = differs?.divergence ?? {};
  assert.deepEqual(first, { step: 30, path: 'u', index: 7, a: '1', b: '2' });
  assert.equal(typeof diff, 'object');
  const { from, to, ...rest } = failed ?? {};
  assert.deepEqual([from?.step, to?.step], [30, 40]);
  assert.deepEqual(Object.keys(rest), ['presumed', 'tolerated', 'same', 'divergence', 'error']);
  assert.deepEqual([rest.same, rest.divergence, rest.error?.code], [null, null, 'SNAP_PROGRAM']);
});

test('4: where nothing could be compared', () => {
  for (const [from, to, module, says] of [
    ['step:30', 'latest', 'failing.mjs', /hello\n[\s\S]*Error: oh/],
    ['latest', 'step:10', 'good.mjs', /^snap: snapshot .* did not come of /],
    ['nope', 'latest', 'good.mjs', /^snap: there is no snapshot with the tag or id nope/],
    ['step:10', 'latest', 'nowhere.mjs', /^snap: there is no module .*nowhere\.mjs\n$/],
  ] as const) {
    const { status, stderr } = replay(from, to, '--reference', module);
    assert.equal(status, 4, module);
    assert.match(stderr, says);
  }
  assert.deepEqual(leftovers(), []);
});

test('the other statuses are the usual ones', () => {
  const { status, stderr } = replay('step:10', 'latest');
  assert.equal(status, 2);
  assert.match(stderr, /required option '--reference <MODULE>' not specified\nusage: snap replay /);
  assert.equal(replay('step:10', 'latest', '--reference', 'good.mjs', '--workers', '0').status, 2);
  const nowhere = ['--store', join(folder, 'nowhere'), 'replay', 'a', 'b', '--reference', 'good.mjs'];
  assert.equal(snap(nowhere, { env }).status, 10);
});

test('130: an interrupt ends what is computed, and removes the scratch stores', async () => {
  const args = [
    '--store',
    store,
    'replay',
    'step:10',
    'step:30',
    '--reference',
    'endless.mjs',
    '--workers',
    '2',
  ];
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  let interrupted = false;
  const pids = () => stderr.match(/^\d+$/gm) ?? [];
  child.stderr.on('data', (text) => {
    stderr += text;
    if (interrupted || pids().length < 2) return;
    interrupted = true; // What it prints then must not bring it a second signal, which would reach it while it ends.
    child.kill('SIGTERM');
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(status, 130);
  for (const pid of pids()) assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' });
  assert.deepEqual(leftovers(), []);
});
