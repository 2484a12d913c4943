import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Snap } from '../../src/index.js';
import { budget } from '../support/budget.js';
import { at, type Stepped } from './programs/steps.js';
import { collect, ended, runProgram, startProgram, storePath } from './support.js';

const WAYS: [string, number][] = [
  ['nothing', 0],
  ['exit', 0],
  ['spin-exit', 0],
  ['busy', 0],
  ['throw', 1],
  ['reject', 1],
  ['closing', 0],
  ['close', 0],
];

for (const [way, code] of WAYS) {
  test(`a process that ends by itself (${way}) first makes what was captured durable`, async (t) => {
    const path = storePath(t);
    const end = await runProgram('ending', [path, way]);
    assert.equal(end.signal, null, 'it did not hang');
    assert.equal(end.code, code, end.stderr);
    await using snap = await Snap.open(path);
    assert.deepEqual(
      (await collect(snap.list())).map(({ step }) => step),
      [3, 2, 1],
    );
    const state = (await snap.restore()) as { n: number; u: Float64Array };
    assert.equal(state.n, 3);
    assert.ok(state.u.every((value, index) => value === Math.sin(index + 3)));
  });
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`a process that ${signal} ends in mid-save: what was acknowledged is there, and nothing is torn`, async (t) => {
    const path = storePath(t);
    let durable = 0;
    for (let round = 0; round < budget(1); round++) {
      const child = startProgram('stepper', [path, '1000000']);
      const end = ended(child);
      const stopAt = durable + 1 + Math.floor(Math.random() * 20);
      child.on('message', (message: { durable?: number }) => {
        durable = Math.max(durable, message.durable ?? 0);
        if (durable >= stopAt) child.kill(signal);
      });
      assert.equal((await end).signal, signal);
      await using snap = await Snap.open(path);
      const state = (await snap.restore()) as Stepped;
      assert.ok(state.step >= durable, `step ${durable} was durable, ${state.step} is the newest`);
      assert.deepEqual(state, at(state.step));
      assert.deepEqual(await snap.restore({ step: durable }), at(durable));
      assert.equal((await snap.verify({ readData: true })).ok, true);
    }
  });
}

test('a thread that owns a store and is terminated leaves it to others, whole', async (t) => {
  const path = storePath(t);
  for (let round = 1; round <= budget(2); round++) {
    const worker = new Worker(new URL('./programs/thread-stepper.js', import.meta.url), { workerData: path });
    const durable = await new Promise<number>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (step: number) => {
        if (step >= 5 * round) resolve(step);
      });
    });
    await assert.rejects(Snap.open(path), { code: 'SNAP_LOCKED', pid: process.pid });
    await worker.terminate();
    await using snap = await Snap.open(path);
    const state = (await snap.restore()) as Stepped;
    assert.ok(state.step >= durable);
    assert.deepEqual(state, at(state.step));
    assert.equal((await snap.verify({ readData: true })).ok, true);
  }
});

test('a loop that is killed at random moments goes on where it was and ends as if it had never been', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  let random = seed;
  const next = () => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return random / 2 ** 32;
  };
  const last = 120;
  const path = storePath(t);
  let durable = 0;
  for (let kill = 0; kill < 6; kill++) {
    const child = startProgram('stepper', [path, String(last)]);
    const end = ended(child);
    const stopAt = durable + 1 + Math.floor(next() * 12);
    let resumed = -1;
    child.on('message', (message: { resumed?: number; durable?: number }) => {
      if (message.resumed !== undefined) resumed = message.resumed;
      if (message.durable !== undefined) durable = Math.max(durable, message.durable);
      if (durable >= stopAt) child.kill('SIGKILL');
    });
    const before = durable;
    await end;
    assert.ok(resumed >= before, `resumed at ${resumed}, but step ${before} was durable`);
  }
  await runProgram('stepper', [path, String(last)]);
  const straight = storePath(t);
  await runProgram('stepper', [straight, String(last)]);
  await using a = await Snap.open(path);
  await using b = await Snap.open(straight);
  assert.deepEqual(await a.restore(), await b.restore());
  assert.equal(((await a.restore()) as { step: number }).step, last);
});
