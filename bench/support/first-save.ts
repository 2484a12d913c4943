/** A fresh process that prepares and saves: prints how long each save held it, as a JSON list. */

import { Snap } from '../../src/index.js';
import { computeFor, SmoothField } from './states.js';

const [, , folder = '', bytes = ''] = process.argv;
const LATER = 20;
/** Between saves. */
const COMPUTING_MS = 2;

const field = new SmoothField(Number(bytes));
const snap = await Snap.open(folder, { capture: 'copy' });
await snap.prepare(field.state);
const stalls: number[] = [];
for (let save = 0; save <= LATER; save++) {
  computeFor(COMPUTING_MS);
  field.changeContiguous(0.01 * field.bytes.length);
  const start = performance.now();
  const ticket = await snap.save(field.state);
  stalls.push(performance.now() - start);
  await ticket.durable;
}
await snap.close();
console.log(JSON.stringify(stalls));
