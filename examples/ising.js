/**
 * Monte Carlo of a magnet (the Ising model below its critical temperature), which skips its long initialisation.
 *
 * To measure makes sense in equilibrium only, and to get there takes many sweeps. They are done once, as a run of their own;
 * its last snapshot is tagged `equilibrium`. Each measurement (a run for each SEED) begins by restoring that one: the second
 * skips what the first had to compute, and a killed one goes on where it was, be it in the initialisation or after it.
 *
 * State: `spins` (SIDE x SIDE, each -1 or 1) and the `random` generator; of a measurement also `magnetisation`, the mean over
 * all spins after each sweep.
 *
 *     node examples/ising.js [FOLDER] [SEED: 1] [SWEEPS: 4000] [SWEEPS to equilibrium: 4000]
 */

import { Random, Snap } from 'holdfast';

const folder = process.argv[2] ?? './checkpoints';
const [SEED = 1, SWEEPS = 4000, SWEEPS_BEFORE = 4000] = process.argv.slice(3).map(Number);
const SIDE = 64;
const TEMPERATURE = 2; // in units of the coupling; critical at 2.269

/** As many Metropolis steps as there are spins, each at a spin drawn at random. */
function sweep({ spins, random }) {
  for (let n = 0; n < spins.length; n++) {
    const i = random.integer(0, spins.length);
    const row = i - (i % SIDE);
    const neighbours =
      spins[row + ((i + 1) % SIDE)] +
      spins[row + ((i + SIDE - 1) % SIDE)] +
      spins[(i + SIDE) % spins.length] +
      spins[(i + spins.length - SIDE) % spins.length];
    const cost = 2 * spins[i] * neighbours;
    if (cost <= 0 || random.uniform() < Math.exp(-cost / TEMPERATURE)) spins[i] *= -1;
  }
}

/** The long initialisation: from all spins up to equilibrium. */
async function toEquilibrium() {
  const snap = await Snap.open(folder, { run: 'ising-equilibrium' });
  await snap.loop({
    init: () => ({ spins: new Int8Array(SIDE * SIDE).fill(1), random: new Random(0) }),
    step: sweep,
    steps: SWEEPS_BEFORE,
    save: { steps: 50 },
  });
  await snap.tag('equilibrium', 'latest');
  await snap.close();
}

const snap = await Snap.open(folder, { run: `ising-${SEED}` });
const { state } = await snap.loop({
  async init() {
    if (!(await snap.tags()).has('equilibrium')) await toEquilibrium();
    const { spins } = await snap.restore('equilibrium');
    return { spins, random: new Random(SEED), magnetisation: [] };
  },
  step(state) {
    sweep(state);
    state.magnetisation.push(state.spins.reduce((sum, spin) => sum + spin) / state.spins.length);
  },
  steps: SWEEPS,
  save: { steps: 50 },
});
await snap.close();

const mean = state.magnetisation.reduce((sum, m) => sum + Math.abs(m), 0) / SWEEPS;
const exact = (1 - Math.sinh(2 / TEMPERATURE) ** -4) ** (1 / 8); // Onsager, Yang
console.log(
  `seed ${SEED}: magnetisation ${mean.toFixed(5)} over ${SWEEPS} sweeps; an infinite magnet has ${exact.toFixed(5)}`,
);
