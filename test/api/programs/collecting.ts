/** A loop that saves and keeps the last few, until its parent says stop; tells each step that is durable. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Snap } from '../../../src/index.js';

const [, , path] = process.argv as [string, string, string];
const snap = await Snap.open(path, { run: 'live', keep: { last: 4 } });
const state = { step: 0, u: new Float64Array(30_000) };
let going = true;
process.on('message', () => {
  going = false;
});
while (going) {
  state.step++;
  state.u.fill(state.step, (state.step * 1777) % 20_000, ((state.step * 1777) % 20_000) + 8000);
  await snap.save(state, { step: state.step, durable: true });
  process.send?.({ step: state.step });
  await sleep(10);
}
await snap.close();
process.disconnect?.();
