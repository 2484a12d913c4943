/** Lends all of its state, and ends at once in one of the ways in which a process ends by itself. */
import { Snap } from '../../../src/index.js';

const [, , path, way] = process.argv as [string, string, string, string];
const snap = await Snap.open(path);
const state = { u: new Float64Array(4_000_000), w: new Float64Array(new SharedArrayBuffer(8_000_000)) };
for (const numbers of [state.u, state.w]) {
  for (let index = 0; index < numbers.length; index++) numbers[index] = Math.sin(index);
}
const saving = snap.save(state, { lend: true });
if (way === 'exit') process.exit(0);
if (way === 'throw') throw new Error('on purpose');
if (way === 'close') await snap.close();
await saving;
