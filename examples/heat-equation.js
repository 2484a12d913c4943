/**
 * Heat spreads in a square plate whose rim is kept at 0: du/dt = d2u/dx2 + d2u/dy2, one explicit Euler step after the
 * other.
 *
 * State: `u`, the temperature at SIDE x SIDE points (f64, row by row). The grid that a step writes to is scratch: it
 * changes places with `u` and is not saved.
 *
 *     node examples/heat-equation.js [FOLDER] [SIDE: 100] [STEPS: 20000]
 */

import { Snap } from 'holdfast';

const folder = process.argv[2] ?? './checkpoints';
const [SIDE = 100, STEPS = 20_000] = process.argv.slice(3).map(Number);
/** dt / dx^2; the scheme is stable up to 0.25. */
const RATIO = 0.2;

/** A hot disc, off the centre. */
function init() {
  const u = new Float64Array(SIDE * SIDE);
  for (let y = 1; y < SIDE - 1; y++) {
    for (let x = 1; x < SIDE - 1; x++) {
      if (Math.hypot(x / SIDE - 0.4, y / SIDE - 0.35) < 0.2) u[y * SIDE + x] = 100;
    }
  }
  return { u };
}

let next = new Float64Array(SIDE * SIDE);

function step(state) {
  const { u } = state;
  for (let y = 1; y < SIDE - 1; y++) {
    for (let i = y * SIDE + 1; i < y * SIDE + SIDE - 1; i++) {
      next[i] = u[i] + RATIO * (u[i - 1] + u[i + 1] + u[i - SIDE] + u[i + SIDE] - 4 * u[i]);
    }
  }
  [state.u, next] = [next, u];
}

const snap = await Snap.open(folder, { run: `heat-${SIDE}` });
const { state } = await snap.loop({ init, step, steps: STEPS, save: { steps: Math.ceil(STEPS / 50) } });
await snap.close();

const mean = state.u.reduce((sum, value) => sum + value) / state.u.length;
console.log(`${SIDE} x ${SIDE} points, ${STEPS} steps: ${mean.toFixed(9)} degrees on average`);
