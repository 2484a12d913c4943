/**
 * Shallow water on a rotating plane: a mound of water collapses, waves run out, and what the rotation holds stays.
 *
 * Sadourny's energy-conserving scheme on a staggered (Arakawa C) grid, periodic both ways, stepped by Adams-Bashforth of
 * third order, which needs the tendencies of the two steps before.
 *
 * State: depth `h`, velocities `u` (on the cells' west faces) and `v` (on their south faces), and `past`: the tendencies of
 * the last two steps. They are easily forgotten: a run resumed without them still looks right, and is another run.
 * Mass is conserved to the last bits, whatever happens.
 *
 *     node examples/shallow-water.js [FOLDER] [STEPS: 2000] [SIDE: 96]
 */

import { Snap } from 'holdfast';

const folder = process.argv[2] ?? './checkpoints';
const [STEPS = 2000, SIDE = 96] = process.argv.slice(3).map(Number);
const CELLS = SIDE * SIDE;

const DEPTH = 100; // m
const GRAVITY = 9.81; // m/s^2
const CORIOLIS = 1e-4; // 1/s
const WIDTH = 1e6; // m, of the whole square
const DX = WIDTH / SIDE;
const DT = (0.25 * DX) / Math.sqrt(GRAVITY * DEPTH); // s

function init() {
  const h = new Float64Array(CELLS);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const distance = Math.hypot(x + 0.5 - SIDE / 2, y + 0.5 - SIDE / 2) / SIDE;
      h[y * SIDE + x] = DEPTH + 0.5 * Math.exp(-((distance / 0.1) ** 2));
    }
  }
  return { h, u: new Float64Array(CELLS), v: new Float64Array(CELLS), past: [] };
}

function step(state) {
  const now = tendencies(state);
  const [last = now, older = last] = state.past;
  for (const field of ['h', 'u', 'v']) {
    const values = state[field];
    const [a, b, c] = [now[field], last[field], older[field]];
    for (let i = 0; i < CELLS; i++) values[i] += (DT / 12) * (23 * a[i] - 16 * b[i] + 5 * c[i]);
  }
  state.past = [now, last];
}

/** dh/dt, du/dt and dv/dt. */
function tendencies({ h, u, v }) {
  const [fluxX, fluxY, head, vorticity] = [grid(), grid(), grid(), grid()];
  each((here, west, east, south, north) => {
    fluxX[here] = 0.5 * (h[west] + h[here]) * u[here];
    fluxY[here] = 0.5 * (h[south] + h[here]) * v[here];
    head[here] = GRAVITY * h[here] + 0.25 * (u[here] ** 2 + u[east] ** 2 + v[here] ** 2 + v[north] ** 2);
  });
  each((here, west, _east, south, _north, southwest) => {
    // Potential vorticity at the south-west corner of the cell.
    const depth = 0.25 * (h[here] + h[west] + h[south] + h[southwest]);
    vorticity[here] = (CORIOLIS + (v[here] - v[west] - u[here] + u[south]) / DX) / depth;
  });
  const rates = { h: grid(), u: grid(), v: grid() };
  each((here, west, east, south, north, _southwest, northwest, southeast) => {
    rates.h[here] = -(fluxX[east] - fluxX[here] + fluxY[north] - fluxY[here]) / DX;
    rates.u[here] =
      0.25 * vorticity[north] * (fluxY[north] + fluxY[northwest]) +
      0.25 * vorticity[here] * (fluxY[here] + fluxY[west]) -
      (head[here] - head[west]) / DX;
    rates.v[here] =
      -0.25 * vorticity[east] * (fluxX[east] + fluxX[southeast]) -
      0.25 * vorticity[here] * (fluxX[here] + fluxX[south]) -
      (head[here] - head[south]) / DX;
  });
  return rates;
}

function grid() {
  return new Float64Array(CELLS);
}

/** Calls `visit` with the index of each cell and of its neighbours. */
function each(visit) {
  for (let y = 0; y < SIDE; y++) {
    const [row, below, above] = [y, (y + SIDE - 1) % SIDE, (y + 1) % SIDE].map((line) => line * SIDE);
    for (let x = 0; x < SIDE; x++) {
      const [left, right] = [(x + SIDE - 1) % SIDE, (x + 1) % SIDE];
      visit(
        row + x,
        row + left,
        row + right,
        below + x,
        above + x,
        below + left,
        above + left,
        below + right,
      );
    }
  }
}

const snap = await Snap.open(folder, { run: 'shallow-water' });
const { state } = await snap.loop({ init, step, steps: STEPS, save: { steps: Math.ceil(STEPS / 40) } });
await snap.close();

const mean = state.h.reduce((sum, h) => sum + h) / CELLS;
const highest = Math.max(...state.h) - DEPTH;
const hours = (STEPS * DT) / 3600;
console.log(
  `after ${hours.toFixed(1)} hours: ${mean.toFixed(9)} m deep on average, ${highest.toFixed(4)} m at most above`,
);
