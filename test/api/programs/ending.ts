/** Saves and ends in one of the ways in which a process ends by itself, without closing. */
import { Snap } from '../../../src/index.js';

const [, , path, way] = process.argv as [string, string, string, string];
const snap = await Snap.open(path);
const state = { n: 0, u: new Float64Array(2_000_000) };
for (let n = 1; n <= 3; n++) {
  state.n = n;
  for (let index = 0; index < state.u.length; index++) state.u[index] = Math.sin(index + n);
  await snap.save(state, { step: n });
}
if (way === 'exit') process.exit(0);
if (way === 'throw') throw new Error('on purpose');
if (way === 'reject') void Promise.reject(new Error('on purpose'));
if (way === 'close') await snap.close();
if (way === 'busy') {
  // In the middle of reading, verifying and collecting.
  void Promise.allSettled([snap.restore(), snap.verify({ readData: true }), snap.gc(), snap.restore()]);
  process.exit(0);
}
if (way === 'closing') void snap.close();
if (way === 'spin-exit') {
  setImmediate(() => process.exit(0));
}
