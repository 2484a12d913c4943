/**
 * Owns a store and never yields until a file `<store>.stop` is there: no timer, no message and no signal handler of it
 * runs meanwhile. It computes, just holds the thread, or saves all the time (so that its writer thread never yields).
 */
import { existsSync } from 'node:fs';
import { Snap } from '../../../src/index.js';
import { ownerHere } from '../support.js';

const [, , path, way] = process.argv as [string, string, string, 'compute' | 'hold' | 'save' | 'checkpoint'];
const snap = await Snap.open(path, { run: 'live' });
const { owner, client } = await ownerHere(path);
const state = { step: 0, u: new Float64Array(2000) };
for (; state.step < 3; state.step++)
  await snap.save(state, { step: state.step, tag: `step-${state.step}`, durable: true });
process.send?.('ready');
await new Promise(setImmediate);

const cell = new Int32Array(new SharedArrayBuffer(4));
let seen = owner.checkpoints;
while (!existsSync(`${path}.stop`)) {
  if (way === 'compute') for (let n = 0; n < 100_000; n++) state.u[n % 2000] = Math.sin(n + state.step);
  else if (way === 'save') await save();
  else Atomics.wait(cell, 0, 0, 20);
  if (way === 'checkpoint' && owner.checkpoints !== seen) {
    seen = owner.checkpoints;
    await save();
  }
}

function save(): Promise<unknown> {
  state.u[++state.step % 2000] = state.step;
  return snap.save(state, { step: state.step });
}

await owner.detach(client);
await snap.close();
process.disconnect?.();
