/**
 * An ocean in a box: the wind drives a gyre, and the turning of the Earth presses it against the western shore.
 *
 * The barotropic vorticity equation, d(zeta)/dt + J(psi, zeta) + BETA dpsi/dx = curl(wind) - FRICTION zeta, with Arakawa's Jacobian,
 * Heun's method, and a time step that follows the current. psi is found from zeta by successive over-relaxation, which
 * begins with the psi of before.
 *
 * State: `zeta` (vorticity, 1/s), `psi` (stream function, m^2/s; the solver's first guess, so it belongs to the state
 * although zeta determines it up to the solver's tolerance), `days` (the model's clock, which the wind's seasons follow) and
 * `energy` (a diagnostic: [day, mean kinetic energy] at every restart point).
 *
 * Every RESTART_DAYS of the model's time, however many steps that takes, it is saved under a name: `day-10`, `day-20`, ...
 * (and once a minute by the clock, which is what a loop does unless it is told otherwise). DAYS is the length of the whole
 * run: a restarted run ends on the same day as one that was never stopped; to go on longer, ask for more days.
 *
 *     node examples/ocean.js [FOLDER] [DAYS: 360] [WIND: 0.2 N/m^2] [SEASONS: 0.3]
 */

import { Snap } from 'holdfast';

const folder = process.argv[2] ?? './checkpoints';
const [DAYS = 360, WIND = 0.2, SEASONS = 0.3] = process.argv.slice(3).map(Number);
const RESTART_DAYS = 10;

const SIDE = 51; // points along each side, shores included
const WIDTH = 1e6; // m
const DX = WIDTH / (SIDE - 1);
const DEPTH = 500; // m
const DENSITY = 1000; // kg/m^3
const BETA = 2e-11; // 1/(m s)
const FRICTION = 2e-6; // 1/s
const DAY = 86_400; // s
const LONGEST_STEP = DAY / 4; // s
const COURANT = 0.2;

function init() {
  return { zeta: new Float64Array(SIDE * SIDE), psi: new Float64Array(SIDE * SIDE), days: 0, energy: [] };
}

function step(state, loop) {
  const { zeta, psi } = state;
  const dt = Math.min(LONGEST_STEP, (COURANT * DX) / fastest(psi));
  const first = tendency(zeta, psi, state.days);
  const guess = zeta.map((value, i) => value + dt * first[i]);
  solve(psi, guess);
  const second = tendency(guess, psi, state.days + dt / DAY);
  for (let i = 0; i < zeta.length; i++) zeta[i] += 0.5 * dt * (first[i] + second[i]);
  solve(psi, zeta);

  const next = RESTART_DAYS * (Math.floor(state.days / RESTART_DAYS) + 1);
  state.days += dt / DAY;
  if (state.days >= next) {
    state.energy.push([state.days, kineticEnergy(psi)]);
    loop.save({ tag: `day-${next}` });
  }
}

function tendency(zeta, p, days) {
  const rate = new Float64Array(SIDE * SIDE);
  const season = 1 + SEASONS * Math.cos((2 * Math.PI * days) / 360);
  const N = SIDE;
  for (let y = 1; y < SIDE - 1; y++) {
    const torque = ((WIND * Math.PI) / (WIDTH * DENSITY * DEPTH)) * Math.sin((Math.PI * y) / (SIDE - 1));
    for (let i = y * N + 1; i < y * N + N - 1; i++) {
      // Arakawa (1966): the mean of three forms, which keeps energy and enstrophy.
      const jacobian =
        ((p[i + 1] - p[i - 1]) * (zeta[i + N] - zeta[i - N]) -
          (p[i + N] - p[i - N]) * (zeta[i + 1] - zeta[i - 1]) +
          p[i + 1] * (zeta[i + 1 + N] - zeta[i + 1 - N]) -
          p[i - 1] * (zeta[i - 1 + N] - zeta[i - 1 - N]) -
          p[i + N] * (zeta[i + 1 + N] - zeta[i - 1 + N]) +
          p[i - N] * (zeta[i + 1 - N] - zeta[i - 1 - N]) +
          zeta[i + N] * (p[i + 1 + N] - p[i - 1 + N]) -
          zeta[i - N] * (p[i + 1 - N] - p[i - 1 - N]) -
          zeta[i + 1] * (p[i + 1 + N] - p[i + 1 - N]) +
          zeta[i - 1] * (p[i - 1 + N] - p[i - 1 - N])) /
        (12 * DX * DX);
      rate[i] = -jacobian - (BETA * (p[i + 1] - p[i - 1])) / (2 * DX) - season * torque - FRICTION * zeta[i];
    }
  }
  return rate;
}

/** Laplacian(psi) = zeta, psi = 0 along the shores, in place: as many sweeps as it takes from the psi that is there. */
function solve(psi, zeta) {
  const relaxation = 2 / (1 + Math.sin(Math.PI / (SIDE - 1)));
  let largest = 0;
  let change = 0;
  do {
    [largest, change] = [0, 0];
    for (let y = 1; y < SIDE - 1; y++) {
      for (let i = y * SIDE + 1; i < y * SIDE + SIDE - 1; i++) {
        const gauss = 0.25 * (psi[i - 1] + psi[i + 1] + psi[i - SIDE] + psi[i + SIDE] - DX * DX * zeta[i]);
        const correction = relaxation * (gauss - psi[i]);
        psi[i] += correction;
        largest = Math.max(largest, Math.abs(psi[i]));
        change = Math.max(change, Math.abs(correction));
      }
    }
  } while (change > 1e-6 * largest);
}

function fastest(psi) {
  let speed = 0;
  for (let i = SIDE; i < psi.length - SIDE; i++) {
    speed = Math.max(speed, Math.abs(psi[i + 1] - psi[i - 1]), Math.abs(psi[i + SIDE] - psi[i - SIDE]));
  }
  return speed / (2 * DX);
}

/** The mean of |grad psi|^2 / 2, in m^2/s^2. */
function kineticEnergy(psi) {
  let sum = 0;
  for (let i = 0; i < psi.length - SIDE; i++)
    sum += (psi[i + 1] - psi[i]) ** 2 + (psi[i + SIDE] - psi[i]) ** 2;
  return sum / 2 / WIDTH ** 2;
}

const snap = await Snap.open(folder, { run: 'ocean' });
const { state, step: steps } = await snap.loop({
  init,
  step,
  until: (state) => state.days >= DAYS,
});
await snap.close();

const transport = (Math.max(...state.psi.map(Math.abs)) * DEPTH) / 1e6;
console.log(`day ${state.days.toFixed(3)} after ${steps} steps: the gyre carries ${transport.toFixed(6)} Sv`);
