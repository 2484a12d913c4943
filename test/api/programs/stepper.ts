/** A loop that saves every step and tells which are durable; resumes where it was. */
import { Snap } from '../../../src/index.js';

const [, , path, last] = process.argv as [string, string, string, string];
const snap = await Snap.open(path);
const state = await snap.resume(() => ({
  step: 0,
  u: new Float64Array(40_000),
  seen: new Map<number, number>(),
}));
process.send?.({ resumed: state.step });
while (state.step < Number(last)) {
  state.step++;
  state.seen.set(state.step % 7, state.step);
  const from = (state.step * 997) % 39_000;
  for (let index = from; index < from + 1000; index++)
    state.u[index] = (state.u[index] as number) + state.step;
  const { step } = state;
  const ticket = await snap.save(state, { step });
  void ticket.durable.then(() => process.send?.({ durable: step }));
}
await snap.close();
process.disconnect?.();
