/** A loop that saves every step and tells which are durable; resumes where it was. */
import { Snap } from '../../../src/index.js';
import { advance, initial } from './steps.js';

const [, , path, last] = process.argv as [string, string, string, string];
const snap = await Snap.open(path);
const state = await snap.resume(initial);
process.send?.({ resumed: state.step });
while (state.step < Number(last)) {
  advance(state);
  const { step } = state;
  const ticket = await snap.save(state, { step });
  void ticket.durable.then(() => process.send?.({ durable: step }));
}
await snap.close();
process.disconnect?.();
