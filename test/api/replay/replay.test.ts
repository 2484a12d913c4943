/** Replays: each interval is computed anew from its own snapshot, and those that disagree are told. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Replay, type ReplayOptions, Snap } from '../../../src/index.js';
import { storePath } from '../support.js';

// Scratch stores of other tests are none of ours.
const folder = mkdtempSync(join(tmpdir(), 'holdfast-replays-'));
process.env.TMPDIR = folder;
after(() => rmSync(folder, { recursive: true, force: true }));

const PROGRAM = fileURLToPath(new URL('../prove/proved.js', import.meta.url));
/** Steps 10, 20, 30, 40 of an honest program. Replays only read it. */
const store = storePath({ after });

function run(directory: string): void {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, directory, 'loop', 'honest', '40']);
  assert.equal(status, 0, String(stderr));
}
before(() => run(store));

/** What the program does in a step. */
const STEP = 'state.u[5]++; state.u[9] = state.random.normal(); state.step++;';

function reference(step: string, rest = ''): string {
  const path = join(mkdtempSync(join(folder, 'reference-')), 'reference.mjs');
  writeFileSync(path, `${rest}\nexport function step(state, loop) { ${step} }\n`);
  return path;
}

function replay(path: string, options: Partial<ReplayOptions> = {}, directory = store): Promise<Replay> {
  return Snap.replay(directory, {
    from: { step: 10 },
    reference: path,
    run: 'proved',
    workers: 2,
    ...options,
  });
}

const leftovers = () => readdirSync(folder).filter((name) => name.startsWith('holdfast-prove-'));

test('intervals that agree, computed with what the state holds, and the store only read', async () => {
  const told: unknown[] = [];
  const { same, run, intervals, seconds } = await replay(reference(STEP), {
    onProgress: (one) => told.push(one),
  });
  assert.deepEqual([same, run, seconds > 0], [true, 'proved', true]);
  assert.deepEqual(
    intervals.map(({ from, to, ...rest }) => [from.step, to.step, rest]),
    [10, 20, 30].map((step) => [
      step,
      step + 10,
      { presumed: false, same: true, tolerated: 0, divergence: undefined, error: undefined },
    ]),
  );
  assert.equal(intervals[0]?.to.id, intervals[1]?.from.id);
  assert.deepEqual(
    told,
    [1, 2, 3].map((done) => ({ phase: 'replay', done, total: 3 })),
  );
  assert.deepEqual(leftovers(), []);
});

test('an interval that disagrees is told with its first difference, and does not spoil the next', async () => {
  const { same, intervals } = await replay(
    reference(`${STEP} if (loop.step === 25) state.u[7] = state.u[5] / 8;`),
  );
  assert.equal(same, false);
  assert.deepEqual(
    intervals.map((one) => one.same),
    [true, false, true],
  );
  const { diff, ...first } = intervals[1]?.divergence ?? assert.fail();
  // The run had 1 there; u[5] is 1 and the number of steps done.
  assert.deepEqual(first, { step: 30, path: 'u', index: 7, a: '1', b: '3.375' });
  assert.equal(diff.regions[0]?.content?.changed, 1);
});

test('a tolerance lets last digits differ', async () => {
  const path = reference(`${STEP} if (loop.step === 25) state.u[7] *= 1 + 1e-14;`);
  const options = { from: { step: 20 }, to: { step: 30 } };
  assert.equal((await replay(path, options)).same, false);
  const { same, intervals } = await replay(path, { ...options, tolerance: 1e-12 });
  assert.deepEqual([same, intervals.length, intervals[0]?.tolerated], [true, 1, 1]);
});

test('an interval that fails is told, and the others are replayed', async () => {
  const { same, intervals } = await replay(reference(`${STEP} if (loop.step === 25) throw new Error('oh');`));
  assert.equal(same, false);
  assert.deepEqual(
    intervals.map((one) => one.same),
    [true, undefined, true],
  );
  const { error } = intervals[1] ?? assert.fail();
  assert.equal(error?.code, 'SNAP_PROGRAM');
  assert.match(
    error?.message ?? '',
    /reference\.mjs ended with status 1 before it was saved at step 30; .*Error: oh$/,
  );
});

test('nothing is left in one interval of another, and as many as there are workers go on at a time', async () => {
  const meeting = join(folder, 'meeting');
  mkdirSync(meeting);
  const path = reference(
    `calls++; if (calls > 10) throw new Error('not alone');
     for (let n = 0; calls === 1 && readdirSync(${JSON.stringify(meeting)}).length < 2; n++) pause(n);
     ${STEP}`,
    `import { readdirSync, writeFileSync } from 'node:fs';
     const pause = (n) => {
       if (n > 6000) throw new Error('nobody came');
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
     };
     writeFileSync(${JSON.stringify(meeting)} + '/' + process.pid, '');
     let calls = 0;`,
  );
  const { intervals } = await replay(path);
  assert.deepEqual(
    intervals.map(({ same }) => same),
    [true, true, true],
  );
  assert.equal(readdirSync(meeting).length, 3, 'a process for each');
});

test('a reference brings the classes of the state, and may restore into what it makes', async (t) => {
  class Body {
    x = 0;
  }
  const directory = storePath(t);
  const { WebAssembly: wasm } = globalThis as unknown as {
    WebAssembly: { Memory: new (options: { initial: number }) => { buffer: ArrayBuffer } };
  };
  const memory = new wasm.Memory({ initial: 1 });
  const state = { body: new Body(), memory };
  await using snap = await Snap.open(directory, { run: 'proved', classes: [Body] });
  for (let step = 10; step <= 20; step += 10) {
    state.body.x = step;
    new Uint8Array(memory.buffer)[step] = step;
    await snap.save(state, { step, durable: true });
  }
  const rest = `class Body { x = 0; } export const classes = [Body];
    export const init = () => ({ body: new Body(), memory: new WebAssembly.Memory({ initial: 1 }) });`;
  const step =
    'state.body.x++; new Uint8Array(state.memory.buffer)[loop.step + 1] = loop.step === 19 ? 20 : 0;';
  const { same, intervals } = await replay(reference(step, rest), {}, directory);
  assert.deepEqual([same, intervals.length], [true, 1], 'beside its owner, too');
  const without = await replay(reference(step), {}, directory);
  assert.match(without.intervals[0]?.error?.message ?? '', /Body, a class that is not registered/);
});

test('where snapshots between are gone, the interval over them is presumed', async (t) => {
  const directory = storePath(t);
  run(directory);
  {
    await using snap = await Snap.open(directory, { run: 'proved' });
    await snap.forget({ step: 20 });
    await snap.gc();
  }
  const { same, intervals } = await replay(reference(STEP), {}, directory);
  assert.equal(same, true);
  assert.deepEqual(
    intervals.map(({ from, to, presumed }) => [from.step, to.step, presumed]),
    [
      [10, 30, true],
      [30, 40, false],
    ],
  );
});

test('what cannot be replayed is told', async (t) => {
  const path = reference(STEP);
  await assert.rejects(replay(path, { from: { step: 40 }, to: { step: 10 } }), {
    code: 'SNAP_NOT_FOUND',
    message: /\(run proved, step 10\) did not come of .* \(run proved, step 40\)/,
  });
  await assert.rejects(replay(path, { from: { step: 40 } }), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(replay(path, { from: 'nope' }), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(replay(join(folder, 'nowhere.mjs')), {
    code: 'SNAP_NOT_FOUND',
    message: /no module .*nowhere\.mjs/,
  });
  const empty = reference('');
  writeFileSync(empty, 'export const steps = 1;');
  await assert.rejects(replay(empty), {
    code: 'SNAP_PROGRAM',
    message: /exports no function step; it takes one as snap\.loop does/,
  });
  await assert.rejects(replay(path, {}, storePath(t)), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(replay(path, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  for (const wrong of [
    undefined,
    {},
    { from: 'a', reference: '' },
    { from: 'a', reference: path, nope: 1 },
  ]) {
    await assert.rejects(Snap.replay(store, wrong as never), TypeError);
  }
  for (const wrong of [{ workers: 0 }, { limit: -1 }, { tolerance: 1 }]) {
    await assert.rejects(replay(path, wrong), RangeError);
  }
  assert.deepEqual(leftovers(), []);
});

test('whoever gives up ends all that is under way', async () => {
  const controller = new AbortController();
  const pids = new Set<number>();
  const path = reference('while (true) pause();', 'console.log(process.pid); const pause = () => {};');
  const replaying = replay(path, {
    signal: controller.signal,
    onOutput: (text) => {
      for (const pid of Buffer.from(text).toString().match(/\d+/g) ?? []) pids.add(Number(pid));
      if (pids.size === 2) controller.abort();
    },
  });
  await assert.rejects(replaying, { name: 'AbortError' });
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  assert.deepEqual(leftovers(), []);
});
