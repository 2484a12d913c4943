import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { document, type Ended, MAIN, rows, scratch, snap } from './support.js';

const PROGRAM = fileURLToPath(new URL('../api/prove/proved.js', import.meta.url));
const folder = scratch({ after });
/** Steps 10, 20, 30 and 40, with a counter that is not saved. */
const store = join(folder, 'store');
// Scratch stores of other tests are none of ours.
const env = { TMPDIR: folder };

const command = (...args: (string | number)[]) => [process.execPath, PROGRAM, ...args.map(String)];

function prove(args: string[], program: string[]): Ended {
  return snap(['--store', store, ...args, '--', ...program], { env });
}

function leftovers(): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('holdfast-prove-'));
}

before(() => {
  const [node = '', ...args] = command(store, 'loop', 'counter', 40);
  const { status, stderr } = spawnSync(node, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});

const masked = (text: string) =>
  text.replaceAll(/\b[0-9a-f]{8}\b/g, 'ID').replaceAll(command().join(' '), 'PROGRAM');

test('a program that differs: where it does first, what differs, and status 1', () => {
  const { status, stdout, stderr } = prove(
    ['prove', 'step:10', '--steps', '20'],
    command(store, 'loop', 'counter', 40),
  );
  assert.equal(
    masked(stdout),
    `diverged at step 20: u[3] is 10, and 20 in the run that went on

step  snapshot  state
  20        ID  differs

region  kind              size       differ  where  largest difference  went on -> again
u       Float64Array  15.6 KiB  1 (< 0.1 %)  3      10 at 3             20 -> 10
`.replaceAll('        ID', '  ID'),
  );
  assert.equal(
    masked(stderr),
    `snap: PROGRAM ${store} loop counter 40: from step 10 to step 30, in a scratch store
what differs was computed from something that no snapshot holds: a variable outside of the state, Math.random,
the time, a file, an order of events; docs/prove.md says how to find it
`,
  );
  assert.equal(status, 1);
  assert.deepEqual(leftovers(), []);
});

test('one that does not differ: status 0, and what it printed on stderr', () => {
  const program = [
    'sh',
    '-c',
    `echo hello; echo there >&2; exec ${command(store, 'plain', 'honest', 90).join(' ')}`,
  ];
  const { status, stdout, stderr } = prove(['prove', 'latest', '--steps', '20'], program);
  assert.deepEqual(rows({ stdout } as Ended), [
    ['identical: begun again at step 60, the program computes what it computes when it runs on'],
    [''],
    ['step', 'snapshot', 'state'],
    ['', '80', '-', 'same'],
  ]);
  assert.match(stderr, /^snap: sh -c .*: from step 40 to step 80, in a scratch store\nhello\nthere\nsnap: /);
  assert.equal(status, 0);
});

test('--json is one document, with every key', () => {
  const program = command(store, 'loop', 'counter', 40);
  const ended = prove(['--json', 'prove', 'step:10'], program);
  assert.equal(ended.status, 1);
  const { from, divergence, seconds, ...proof } = document<Record<string, Record<string, unknown>>>(ended);
  const { step, run, program: made, meta } = from ?? {};
  assert.deepEqual([step, run, typeof seconds, typeof meta], [10, 'proved', 'number', 'object']);
  const [compared] = proof.compared as unknown as { snapshot: string }[];
  assert.deepEqual(proof, {
    store,
    command: program,
    same: false,
    against: 'run',
    restartedAt: 10,
    program: made,
    compared: [{ step: 20, snapshot: compared?.snapshot, presumed: false, same: false, tolerated: 0 }],
  });
  const { diff, ...first } = divergence ?? {};
  assert.deepEqual(first, { step: 20, path: 'u', index: 3, a: '20', b: '10' });
  assert.deepEqual(Object.keys(diff as object), [
    'same',
    'regions',
    'equalRegions',
    'values',
    'moreValues',
    'tolerated',
    'readBytes',
  ]);
  const same = prove(['--json', 'prove', 'step:10', '--tolerance', '0.9'], program);
  assert.deepEqual([same.status, document(same).divergence], [0, null]);
});

test('4: what keeps it from being compared has a status of its own', () => {
  for (const [args, program, says] of [
    [['prove', 'nope'], command(store), /^snap: there is no snapshot with the tag or id nope; /],
    [['prove', 'step:10'], ['/nowhere'], /\nsnap: \/nowhere cannot be started: /],
    [
      ['prove', 'step:10'],
      command(store, 'plain', 'crash', 40),
      /\nsnap: .* ended with status 1 before .*what a pity\n$/,
    ],
  ] as const) {
    const { status, stdout, stderr } = prove([...args], [...program]);
    assert.deepEqual([status, stdout], [4, '']);
    assert.match(stderr, says);
  }
  assert.deepEqual(leftovers(), []);
});

test('the other statuses are the usual ones', () => {
  const usage = snap(['--store', store, 'prove', 'latest'], { env });
  assert.equal(usage.status, 2);
  assert.match(
    usage.stderr,
    /missing required argument 'PROGRAM'\nusage: snap prove \[options\] <REF> -- <PROGRAM>/,
  );
  assert.equal(prove(['prove', 'latest', '--steps', '0'], ['true']).status, 2);
  const nowhere = snap(['--store', join(folder, 'nowhere'), 'prove', 'latest', '--', 'true'], { env });
  assert.equal(nowhere.status, 10);
});

test('12: a snapshot that cannot be read', async (t) => {
  const damaged = join(scratch(t), 'store');
  const [node = '', ...args] = command(damaged, 'loop', 'honest', 20);
  spawnSync(node, args);
  const pack = join(damaged, 'packs/00000001.pack');
  const bytes = readFileSync(pack);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] as number) ^ 0x40;
  writeFileSync(pack, bytes);
  const { status, stderr } = snap(['--store', damaged, 'prove', 'latest', '--', 'true'], { env });
  assert.equal(status, 12, stderr);
});

test('130: an interrupt ends the program and removes the scratch store', async () => {
  const args = ['--store', store, 'prove', 'step:10', '--', 'sh', '-c', 'echo $$; sleep 600'];
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  let interrupted = false;
  child.stderr.on('data', (text) => {
    stderr += text;
    if (interrupted || !/^\d+$/m.test(stderr)) return;
    interrupted = true; // What it prints then must not bring it a second signal, which would reach it while it ends.
    child.kill('SIGINT');
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(status, 130);
  const pid = Number(/^\d+$/m.exec(stderr)?.[0]);
  assert.match(stderr, /\nsnap: interrupted\n$/);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  assert.deepEqual(leftovers(), []);
});

test('beside a live loop, which goes on', async (t) => {
  const live = join(scratch(t), 'store');
  const [node = '', ...args] = command(live, 'loop', 'slow', 1e9);
  const loop = spawn(node, args, { stdio: 'ignore' });
  t.after(() => loop.kill('SIGKILL'));
  const newest = () =>
    document<{ snapshots: { step: number }[] }>(snap(['--store', live, '--json', 'ls', '--limit', '1']))
      .snapshots[0]?.step ?? 0;
  const deadline = Date.now() + 60_000;
  while ((snap(['--store', live, 'ls']).status !== 0 || newest() < 50) && Date.now() < deadline);
  const before = newest();
  const { status, stdout, stderr } = snap(
    ['--store', live, 'prove', 'step:10', '--steps', '20', '--', ...command(live, 'loop', 'slow', 1e9)],
    { env },
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^identical: begun again at step 10, the program computes what the run computed\n/);
  assert.equal(loop.exitCode, null);
  assert.ok(newest() > before, 'it saved meanwhile');
});
