/**
 * The sum of 1 .. 200, saved after every fifth term.
 *
 * State: `total`, the sum so far. How many terms it holds is the step that the loop counts; a restart goes on there.
 *
 *     node examples/sum.js [FOLDER] [MILLISECONDS that a term takes: 20]
 */

import { setTimeout as pause } from 'node:timers/promises';
import { Snap } from 'holdfast';

const folder = process.argv[2] ?? './checkpoints';
const [TERM_MS = 20] = process.argv.slice(3).map(Number);

const snap = await Snap.open(folder, { run: 'sum' });
const loop = snap.loop({ init: () => ({ total: 0 }), steps: 200, save: { steps: 5 } });
for await (const { state, step } of loop) {
  await pause(TERM_MS); // as if a term were hard to come by: time for you to kill the program
  state.total += step + 1;
}
await snap.close();

console.log(`1 + 2 + ... + 200 = ${loop.result.state.total}`);
