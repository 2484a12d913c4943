/** The stepping loop in a thread of its own, until it is terminated; tells which steps are durable. */
import { parentPort, workerData } from 'node:worker_threads';
import { Snap } from '../../../src/index.js';
import { advance, initial } from './steps.js';

const snap = await Snap.open(workerData as string);
const state = await snap.resume(initial);
for (;;) {
  advance(state);
  const { step } = state;
  const ticket = await snap.save(state, { step });
  void ticket.durable.then(() => parentPort?.postMessage(step));
}
