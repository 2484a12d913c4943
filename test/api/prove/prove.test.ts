/** Resume proofs: whatever a program forgets to save is found, and what it saves is enough where it forgets nothing. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ProveOptions } from '../../../src/api/prove/options.js';
import { type Proof, Snap } from '../../../src/index.js';
import { budget } from '../../support/budget.js';
import { storePath } from '../support.js';

// Scratch stores of other tests are none of ours.
process.env.TMPDIR = mkdtempSync(join(tmpdir(), 'holdfast-proofs-'));
after(() => rmSync(process.env.TMPDIR as string, { recursive: true, force: true }));

const PROGRAM = fileURLToPath(new URL('./proved.js', import.meta.url));

const commandLine = (...args: (string | number)[]) => ['--no-warnings', PROGRAM, ...args.map(String)];

/** Runs the program for itself, to its end. */
function run(...args: (string | number)[]): void {
  const { status, stderr } = spawnSync(process.execPath, commandLine(...args), {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr);
}

async function prove(
  store: string,
  args: (string | number)[],
  options: Partial<ProveOptions> = {},
): Promise<Proof> {
  await using snap = await Snap.open(store, { readOnly: true, run: 'proved' });
  return await snap.prove({
    ref: { step: 10 },
    program: process.execPath,
    args: commandLine(store, ...args),
    ...options,
  });
}

/** Runs the program for 40 steps and proves it from step 10. */
async function proofOf(
  t: { after(clean: () => unknown): void },
  [form, way]: [string, string],
  options: Partial<ProveOptions> = {},
): Promise<Proof> {
  const store = storePath(t);
  run(store, form, way, 40);
  return prove(store, [form, way, 40], options);
}

/** A store that an honest program saved at the steps 10, 20, 30 and 40. Proofs only read it. */
const honest = storePath({ after });
before(() => run(honest, 'loop', 'honest', 40));

const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('holdfast-prove-'));

function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder, { recursive: true }).map(String).sort()) {
    const path = join(folder, name);
    const stats = statSync(path);
    hash.update(`${name} ${stats.mtimeMs} ${stats.size}\n`);
    if (stats.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

test('a program that forgets nothing computes the same again, and the store is only read', async () => {
  const asItWas = fingerprint(honest);
  const proof = await prove(honest, ['loop', 'honest', 40], { steps: 30 });
  assert.deepEqual(
    [proof.same, proof.against, proof.restartedAt, proof.from.step, proof.divergence],
    [true, 'run', 10, 10, undefined],
  );
  assert.deepEqual(
    proof.compared.map(({ step, same, tolerated, presumed }) => [step, same, tolerated, presumed]),
    [20, 30, 40].map((step) => [step, true, 0, false]),
  );
  assert.equal(fingerprint(honest), asItWas);
  assert.deepEqual(leftovers(), []);
});

for (const form of ['timed', 'keeping', 'iterated', 'plain'].slice(0, budget(2))) {
  test(`it may be written in any way (${form})`, async () => {
    // At each step, and forty times more: so many saves that a policy would be due long before the last.
    const every = form === 'keeping' ? 1 : 10;
    const proof = await prove(honest, [form, 'honest', 40, every], { steps: 20 });
    assert.deepEqual([proof.same, proof.compared.map(({ step }) => step)], [true, [20, 30]]);
  });
}

test('whatever is kept outside of the state is found', async (t) => {
  const { same, divergence } = await proofOf(t, ['loop', 'counter+random+generator+cache+bound+time']);
  assert.equal(same, false);
  const { diff, ...first } = divergence ?? assert.fail();
  assert.deepEqual(first, { step: 20, path: 'u', index: 3, a: '20', b: '10' });
  assert.equal(diff.regions.length, 1);
  assert.deepEqual(diff.regions[0]?.content?.ranges, [
    { start: 3, end: 5 },
    { start: 6, end: 9 },
  ]);
  assert.deepEqual(
    diff.values.map(({ path }) => path),
    ['log[0]'],
  );
});

const EACH: [form: string, way: string, index: number, a?: string, b?: string][] = [
  ['plain', 'random', 4],
  ['iterated', 'generator', 6, '5.25', '2.75'],
  ['loop', 'cache', 7, '0', '10'],
  ['plain', 'bound', 8, '21', '11'],
];

for (const [form, way, index, a, b] of EACH.slice(0, budget(1))) {
  test(`so is each by itself: ${way} (${form})`, async (t) => {
    const { divergence } = await proofOf(t, [form, way]);
    const { diff, ...first } = divergence ?? assert.fail();
    assert.deepEqual(first, { step: 20, path: 'u', index, a: a ?? first.a, b: b ?? first.b });
    assert.equal(diff.regions[0]?.content?.changed, 1);
    assert.deepEqual(diff.values, []);
  });
}

test('where only a value differs, that is told', async (t) => {
  const { divergence } = await proofOf(t, ['iterated', 'time']);
  const { diff, a, b, ...first } = divergence ?? assert.fail();
  assert.deepEqual(first, { step: 20, path: 'log[0]', index: undefined });
  assert.match(`${a} ${b}`, /^"\d+" "\d+"$/);
  assert.deepEqual(diff.regions, []);
});

test('what differs later is told by the step at which it does first', async (t) => {
  const proof = await proofOf(t, ['loop', 'late'], { steps: 1000 });
  assert.deepEqual(
    proof.compared.map(({ step, same }) => [step, same]),
    [
      [20, true],
      [30, false],
    ],
  );
  const { diff, ...first } = proof.divergence ?? assert.fail();
  assert.deepEqual(first, { step: 30, path: 'u', index: 3, a: '-1', b: '1' });
  assert.deepEqual([diff.same, diff.equalRegions], [false, 0]);
});

test('numbers within the tolerance are the same, and counted', async (t) => {
  const { same, compared } = await proofOf(t, ['loop', 'slightly'], { tolerance: 1e-12 });
  assert.deepEqual([same, compared[0]?.tolerated], [true, 1]);
});

test('bits that no number shows, and regions of another size, are told', async (t) => {
  const { divergence } = await proofOf(t, ['loop', 'payload']);
  assert.deepEqual(
    [divergence?.index, divergence?.a, divergence?.b],
    [11, 'NaN (0x7ff8000000000014)', 'NaN (0x7ff800000000000a)'],
  );
  const grown = await proofOf(t, ['loop', 'form']);
  const { path, index, a, b } = grown.divergence ?? assert.fail();
  assert.deepEqual(
    [path, index, a, b],
    ['extra', undefined, 'Float64Array of 8160 bytes', 'Float64Array of 8080 bytes'],
  );
});

test('where the run has not gone on, the program is compared with itself', async (t) => {
  const store = storePath(t);
  run(store, 'loop', 'counter', 20);
  const told: unknown[] = [];
  const options: Partial<ProveOptions> = { ref: 'latest', onRun: (run) => told.push(run) };
  const proof = await prove(store, ['loop', 'counter', 1000], options);
  assert.deepEqual([proof.same, proof.against, proof.restartedAt, proof.from.step], [false, 'rerun', 30, 20]);
  const { diff: _, ...first } = proof.divergence ?? assert.fail();
  assert.deepEqual(first, { step: 40, path: 'u', index: 3, a: '20', b: '10' });
  assert.deepEqual(proof.compared, [
    { step: 40, same: false, tolerated: 0, snapshot: undefined, presumed: false },
  ]);
  assert.deepEqual(told, [
    { against: 'rerun', from: 20, to: 40 },
    { against: 'rerun', from: 30, to: 40 },
  ]);
  assert.deepEqual(leftovers(), []);
});

test('a program that saves where it likes is then compared at its own steps', async () => {
  const plain = await prove(honest, ['plain', 'honest', 1000, 15], { ref: 'latest', steps: 20 });
  assert.deepEqual([plain.same, plain.restartedAt, plain.compared[0]?.step], [true, 60, 90]);
});

test('what keeps a program from being compared is told, and the store is only read', async () => {
  const asItWas = fingerprint(honest);
  const cases: [args: (string | number)[], says: RegExp][] = [
    [
      ['plain', 'crash', 40],
      /ended with status 1 before it was saved at step 20; .*RangeError: what a pity$/,
    ],
    [['anew', 'honest', 40], /saved step 20 without having begun from the snapshot: .*snap\.resume/],
    [
      ['drifting', 'honest', 40],
      /was saved at step 21 and not at step 20, where the run was: let it save by steps/,
    ],
    [['plain', 'exit', 40], /ended in order before it was saved at step 20$/],
    [['otherrun', 'honest', 40], /opened run another only, where the snapshot is of run proved$/],
    [['elsewhere', 'honest', 40], /ended in order without opening the store /],
    [['plain', 'signal', 40], /ended by SIGTERM before it was saved at step 20/],
    [['stepless', 'honest', 40], /ended in order before it was saved at step 20$/],
    [['plain', 'honest', 40, 1000], /ended in order before it was saved at step 20$/],
  ];
  for (const [args, says] of cases.slice(0, budget(3))) {
    await assert.rejects(prove(honest, args), { code: 'SNAP_PROGRAM', message: says }, args.join(' '));
  }
  await assert.rejects(
    prove(honest, ['plain', 'late', 25], { steps: 30 }),
    /before it was saved at step 30 \(it agreed at step 20\)$/,
  );
  await assert.rejects(prove(honest, [], { program: '/nowhere/at/all' }), {
    code: 'SNAP_PROGRAM',
    message: /\/nowhere\/at\/all cannot be started: .*ENOENT/,
  });
  await assert.rejects(prove(honest, ['plain', 'honest', 40], { ref: 'latest' }), {
    code: 'SNAP_PROGRAM',
    message: /before it was saved twice, each 10 steps further; the run has not gone on from step 40/,
  });
  await assert.rejects(prove(honest, ['plain', 'honest', 40], { steps: 5 }), {
    code: 'SNAP_PROGRAM',
    message: /not saved within 5 steps after step 10, but next at step 20: it takes 10 steps at least/,
  });
  await assert.rejects(prove(honest, [], { ref: 'nope' }), { code: 'SNAP_NOT_FOUND' });
  assert.equal(fingerprint(honest), asItWas);
  assert.deepEqual(leftovers(), []);
});

test('a snapshot without a step cannot be proved', async (t) => {
  const store = storePath(t);
  run(store, 'stepless', 'honest', 10);
  await assert.rejects(prove(store, ['plain', 'honest', 40], { ref: 'latest' }), {
    code: 'SNAP_PROGRAM',
    message: /has no step.*save with \{ step \}, or use snap\.loop/,
  });
});

test('it works beside the run, in its own process and on what is saved meanwhile', async (t) => {
  const store = storePath(t);
  run(store, 'plain', 'honest', 20);
  await using snap = await Snap.open(store, { run: 'proved' });
  const state = await snap.resume<{ step: number; u: Float64Array }>(() => assert.fail());
  let saves = 0;
  let proving = true;
  const saving = (async () => {
    for (; proving; saves++) await snap.save(state, { step: 1000 + saves, durable: true });
  })();
  const args = commandLine(store, 'plain', 'honest', 20);
  const proof = await snap.prove({ ref: { step: 10 }, program: process.execPath, args });
  proving = false;
  await saving;
  assert.deepEqual([proof.same, proof.compared[0]?.step], [true, 20]);
  assert.ok(saves > 1, 'the run went on');
});

test('whoever gives up ends the program, what it started, and the scratch store', async () => {
  const controller = new AbortController();
  let printed = '';
  const shell = `sleep 600 & echo $! $$; ${process.execPath} -e 'setInterval(() => {}, 1000)'`;
  const proving = prove(honest, [], {
    program: 'sh',
    args: ['-c', shell],
    signal: controller.signal,
    onOutput: (text) => {
      printed += Buffer.from(text).toString();
      controller.abort();
    },
  });
  await assert.rejects(proving, { name: 'AbortError' });
  const pids = printed.trim().split(' ').map(Number);
  assert.equal(pids.length, 2);
  for (const pid of pids) assert.equal(isRunning(pid), false, `${pid} is still there`);
  assert.deepEqual(leftovers(), []);
  await assert.rejects(prove(honest, [], { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

/** A process that ended, and that nobody has asked for, is still listed. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test('a program that a shell started is ended with it once it was compared', async () => {
  const command = [process.execPath, ...commandLine(honest, 'plain', 'honest', 20)].join(' ');
  const proof = await prove(honest, [], { program: 'sh', args: ['-c', `${command}; sleep 600`] });
  assert.equal(proof.same, true);
});

test('what is asked must make sense', async (t) => {
  await using snap = await Snap.open(storePath(t), { run: 'proved' });
  const program = 'node';
  for (const wrong of [undefined, {}, { program: '' }, { program, args: 'x' }, { program, nope: 1 }]) {
    await assert.rejects(snap.prove(wrong as never), TypeError);
  }
  for (const wrong of [{ steps: 0 }, { steps: 1.5 }, { limit: -1 }, { tolerance: 2 }]) {
    await assert.rejects(snap.prove({ program, ...wrong }), RangeError);
  }
  const env = { ...process.env, HOLDFAST_PROVE: 'yes' };
  const odd = spawnSync(process.execPath, commandLine(snap.directory, 'plain', 'honest', 1), {
    env,
    encoding: 'utf8',
  });
  assert.match(
    odd.stderr,
    /HOLDFAST_PROVE in the environment is for programs that snap prove runs; unset it/,
  );
});

test('the process that runs for a proof ends when nobody waits for it any more', async (t) => {
  const store = storePath(t);
  const scratch = join(dirname(store), 'scratch');
  run(scratch, 'plain', 'honest', 10);
  const gone = spawnSync('true').pid;
  const plan = {
    store,
    scratch,
    word: join(dirname(store), 'word.json'),
    run: 'proved',
    marks: [20],
    parent: gone,
  };
  const env = { ...process.env, HOLDFAST_PROVE: JSON.stringify(plan) };
  const options = { env, timeout: 60_000 };
  const { signal } = spawnSync(process.execPath, commandLine(store, 'plain', 'honest', 1e9), options);
  assert.equal(signal, 'SIGKILL');
});
