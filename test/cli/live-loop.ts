/** A loop that owns a store and saves every 50 ms, until its stdin ends. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Snap } from '../../src/index.js';

await using snap = await Snap.open(process.argv[2] as string, { run: 'live' });
const state = { step: 0, u: new Float64Array(2000) };
let ended = false;
process.stdin.on('end', () => {
  ended = true;
});
process.stdin.resume();
for (; !ended; state.step++) {
  state.u.fill(state.step, 0, 200);
  await snap.save(state, { step: state.step, durable: true });
  if (state.step === 2) process.stdout.write('ready\n');
  await sleep(50);
}
