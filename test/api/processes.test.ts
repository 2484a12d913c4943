import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { collect, ended, runProgram, startProgram, storePath } from './support.js';

const WAYS: [string, number][] = [
  ['nothing', 0],
  ['exit', 0],
  ['spin-exit', 0],
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
