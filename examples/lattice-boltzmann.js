/**
 * Lattice Boltzmann, D2Q9 with one relaxation time: a fluid is driven through a channel, past a cylinder.
 *
 * The channel is periodic from left to right and has walls above and below; walls and cylinder send back what reaches
 * them (half-way bounce-back), so the mass of the fluid never changes.
 *
 * State: `f`, how much of the fluid in each cell moves in each of the nine directions (f64, one plane a direction), and
 * `wake`, the crosswise velocity behind the cylinder every 50 steps. The lattice that a step streams into is scratch.
 *
 *     node examples/lattice-boltzmann.js [FOLDER] [STEPS: 8000] [WIDTH: 160] [HEIGHT: 50] [RADIUS: 6]
 */

import { Snap } from 'holdfast';

const folder = process.argv[2] ?? './checkpoints';
const [STEPS = 8000, WIDTH = 160, HEIGHT = 50, RADIUS = 6] = process.argv.slice(3).map(Number);
const CELLS = WIDTH * HEIGHT;

/** Relaxation time; the viscosity is (TAU - 1/2) / 3. All in units of the lattice. */
const TAU = 0.53;
/** Of the fluid in the beginning. */
const SPEED = RADIUS > 0 ? 0.1 : 0;
/** What drives the flow: the force on a unit of mass. */
const FORCE = 2e-5;

// Directions: rest, the four sides, the four corners; their weights, and which one points back.
const EX = [0, 1, 0, -1, 0, 1, -1, -1, 1];
const EY = [0, 0, 1, 0, -1, 1, 1, -1, -1];
const WEIGHT = [4 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 36, 1 / 36, 1 / 36, 1 / 36];
const BACK = [0, 3, 4, 1, 2, 7, 8, 5, 6];

const solid = Uint8Array.from({ length: CELLS }, (_, cell) => {
  const [x, y] = [cell % WIDTH, Math.floor(cell / WIDTH)];
  // A little off the axis, so that the wake begins to swing by itself.
  const inCylinder = RADIUS > 0 && Math.hypot(x - WIDTH / 4, y - HEIGHT / 2 + 1) < RADIUS;
  return y === 0 || y === HEIGHT - 1 || inCylinder ? 1 : 0;
});
const PROBE = Math.floor(HEIGHT / 2) * WIDTH + Math.floor(WIDTH / 4 + 4 * RADIUS);

function init() {
  const f = new Float64Array(9 * CELLS);
  for (let k = 0; k < 9; k++) {
    for (let cell = 0; cell < CELLS; cell++) {
      f[k * CELLS + cell] = solid[cell] ? 0 : WEIGHT[k] * (1 + 3 * EX[k] * SPEED);
    }
  }
  return { f, wake: [] };
}

let streamed = new Float64Array(9 * CELLS);

function step(state, loop) {
  const { f } = state;
  for (let y = 1; y < HEIGHT - 1; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const cell = y * WIDTH + x;
      if (solid[cell]) continue;
      const { density, ux, uy } = momentsAt(f, cell);
      const speed2 = ux * ux + uy * uy;
      for (let k = 0; k < 9; k++) {
        const eu = EX[k] * ux + EY[k] * uy;
        const equilibrium = WEIGHT[k] * density * (1 + 3 * eu + 4.5 * eu * eu - 1.5 * speed2);
        const at = k * CELLS + cell;
        const collided = f[at] + (equilibrium - f[at]) / TAU + 3 * WEIGHT[k] * density * EX[k] * FORCE;
        const to = (y + EY[k]) * WIDTH + ((x + EX[k] + WIDTH) % WIDTH);
        streamed[solid[to] ? BACK[k] * CELLS + cell : k * CELLS + to] = collided;
      }
    }
  }
  [state.f, streamed] = [streamed, f];
  if (loop.step % 50 === 0) state.wake.push(momentsAt(state.f, PROBE).uy);
}

function momentsAt(f, cell) {
  let [density, mx, my] = [0, 0, 0];
  for (let k = 0; k < 9; k++) {
    const value = f[k * CELLS + cell];
    density += value;
    mx += value * EX[k];
    my += value * EY[k];
  }
  return { density, ux: mx / density, uy: my / density };
}

const snap = await Snap.open(folder, { run: 'lattice-boltzmann' });
const { state } = await snap.loop({ init, step, steps: STEPS, save: { steps: Math.ceil(STEPS / 40) } });
await snap.close();

const mass = state.f.reduce((sum, value) => sum + value);
const fluid = solid.reduce((count, is) => count + (is ? 0 : 1), 0);
const swing = Math.max(...state.wake.slice(-20)) - Math.min(...state.wake.slice(-20));
console.log(
  `${STEPS} steps: mass ${mass.toFixed(6)} of ${fluid}, the wake swings by ${swing.toExponential(3)}`,
);
