/**
 * Pi by throwing darts at a square: a hundred thousand of them in each step.
 *
 * State: how many darts were `thrown` and how many of them fell `inside` the quarter circle, and the `random` generator
 * itself, so that a resumed run throws the very darts that it would have thrown.
 *
 *     node examples/pi.js [FOLDER] [STEPS: 1000] [SEED: 1]
 */

import { Random, Snap } from 'holdfast';

const folder = process.argv[2] ?? './checkpoints';
const [STEPS = 1000, SEED = 1] = process.argv.slice(3).map(Number);
const DARTS = 100_000;

function init() {
  return { random: new Random(SEED), thrown: 0, inside: 0 };
}

function step(state) {
  for (let dart = 0; dart < DARTS; dart++) {
    const [x, y] = [state.random.uniform(), state.random.uniform()];
    if (x * x + y * y < 1) state.inside++;
  }
  state.thrown += DARTS;
}

const snap = await Snap.open(folder, { run: `pi-${SEED}` });
const { state } = await snap.loop({ init, step, steps: STEPS, save: { steps: 10 } });
await snap.close();

const share = state.inside / state.thrown;
const error = 4 * Math.sqrt((share * (1 - share)) / state.thrown);
console.log(`pi = ${(4 * share).toFixed(7)} +- ${error.toFixed(7)} from ${state.thrown} darts`);
