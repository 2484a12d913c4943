/**
 * The examples compute what they say: seen from outside, in the snapshots that their runs leave, against what is known
 * exactly. All of it is deterministic, the Monte Carlo too.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { assertSame } from '../state/same.js';
import { skippedInBrief } from '../support/budget.js';
import { EXAMPLES, lastState } from './list.js';
import { runToItsEnd, scratchStore } from './running.js';

interface Moment<S> {
  step: number;
  state: S;
}

/** All snapshots of a run, oldest first. */
async function historyOf<S>(store: string, run: string): Promise<Moment<S>[]> {
  const snap = await Snap.open(store, { run, readOnly: true });
  const moments: Moment<S>[] = [];
  for await (const { id, step } of snap.list({ run })) {
    moments.unshift({ step: step as number, state: await snap.restore<S>(id) });
  }
  await snap.close();
  assert.ok(moments.length > 3, 'there are snapshots to look at');
  return moments;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function assertNear(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, and should be ${expected}`);
}

/** The part of a square field that goes as `shape` along x and y. */
function project(field: Float64Array, side: number, shape: (x: number, y: number) => number): number {
  return sum(field.map((value, i) => value * shape(i % side, Math.floor(i / side))));
}

test('the sum is that of Gauss', async () => {
  const { stdout } = await runToItsEnd('sum', scratchStore(), [0]);
  assert.equal(stdout, `1 + 2 + ... + 200 = ${(200 * 201) / 2}\n`);
});

test('the factorial is the product of all factors', async () => {
  const store = scratchStore();
  await runToItsEnd('factorial', store, [300]);
  let product = 1n;
  for (let factor = 300n; factor > 1n; factor--) product *= factor;
  class Factorial {}
  const state = await lastState(store, {
    name: 'factorial',
    args: [],
    run: 'factorial-300',
    classes: [Factorial],
  });
  assert.deepEqual(state, { factor: 300n, product });
});

test('heat: each sine mode decays as it must, and nothing gets hotter than it was', {
  skip: skippedInBrief,
}, async () => {
  const side = 100;
  const store = scratchStore();
  await runToItsEnd('heat-equation', store, [side, 4000]);
  const history = await historyOf<{ u: Float64Array }>(store, `heat-${side}`);
  for (const [m, n] of [
    [1, 1],
    [1, 2],
    [3, 1],
  ] as const) {
    const angle = Math.PI / (side - 1);
    const amplitude = (u: Float64Array) =>
      project(u, side, (x, y) => Math.sin(m * angle * x) * Math.sin(n * angle * y));
    // What one explicit step of ratio 0.2 makes of the mode, and what the equation itself makes of it.
    const factor = 1 - 0.8 * (Math.sin((m * angle) / 2) ** 2 + Math.sin((n * angle) / 2) ** 2);
    const exact = Math.exp(-0.2 * angle ** 2 * (m ** 2 + n ** 2));
    const [first] = history as [Moment<{ u: Float64Array }>];
    const start = amplitude(first.state.u);
    for (const { step, state } of history) {
      const ratio = amplitude(state.u) / start;
      assertNear(ratio / factor ** (step - first.step), 1, 1e-9, `mode ${m},${n} at ${step}`);
      assertNear(ratio / exact ** (step - first.step), 1, 0.01, `mode ${m},${n} at ${step}, exactly`);
    }
  }
  for (const { state } of history) assert.ok(state.u.every((value) => value >= 0 && value <= 100));
});

test('lattice Boltzmann: mass stays, and the wake behind the cylinder swings', {
  skip: skippedInBrief,
}, async () => {
  const [width, height, radius] = [100, 40, 5];
  const store = scratchStore();
  await runToItsEnd('lattice-boltzmann', store, [3000, width, height, radius]);
  const history = await historyOf<{ f: Float64Array; wake: number[] }>(store, 'lattice-boltzmann');
  // The lattice that is saved holds what streamed out of fluid cells only; a solid one stays empty.
  const first = history[0] as Moment<{ f: Float64Array }>;
  const mass = Math.round(sum(first.state.f));
  assert.ok(mass > 0.9 * width * (height - 2) && mass < width * (height - 2));
  for (const { step, state } of history) {
    assertNear(sum(state.f) / mass, 1, 1e-12, `mass at ${step}`);
    assert.ok(state.f.every((value) => value >= 0));
  }
  const wake = (history.at(-1) as Moment<{ wake: number[] }>).state.wake.slice(-20);
  assert.ok(Math.max(...wake) > 0.01 && Math.min(...wake) < -0.01, `${wake}`);
});

test('lattice Boltzmann: without a cylinder the profile is the parabola of Poiseuille', {
  skip: skippedInBrief,
}, async () => {
  const [width, height] = [3, 21];
  const store = scratchStore();
  await runToItsEnd('lattice-boltzmann', store, [30_000, width, height, 0]);
  const { f } = (await lastState(store, {
    name: 'lattice-boltzmann',
    args: [],
    run: 'lattice-boltzmann',
  })) as { f: Float64Array };
  const [relaxation, force] = [0.53, 2e-5];
  const viscosity = (relaxation - 0.5) / 3;
  // Half-way bounce-back with one relaxation time lets the fluid slip by this much (He, Zou, Luo and Dembo 1997).
  const slip = (4 * relaxation * (4 * relaxation - 5) + 3) / 12;
  const at = (k: number, y: number) => f[(k * height + y) * width + 1] as number;
  for (let y = 1; y < height - 1; y++) {
    const density = sum(Array.from({ length: 9 }, (_, k) => at(k, y)));
    const speed = (at(1, y) + at(5, y) + at(8, y) - at(3, y) - at(6, y) - at(7, y)) / density;
    const parabola = (force / (2 * viscosity)) * ((y - 0.5) * (height - 1.5 - y) + slip);
    assertNear(speed / parabola, 1, 0.002, `speed at ${y}`);
  }
});

interface Water {
  h: Float64Array;
  u: Float64Array;
  v: Float64Array;
}

test('shallow water: mass and energy stay, and the mound adjusts to the rotation as it must', {
  skip: skippedInBrief,
}, async () => {
  const side = 48;
  const [depth, gravity, coriolis, width] = [100, 9.81, 1e-4, 1e6];
  const store = scratchStore();
  await runToItsEnd('shallow-water', store, [400, side]);
  const history = await historyOf<Water>(store, 'shallow-water');
  const [first] = history as [Moment<Water>];
  const mass = sum(first.state.h);
  const mean = mass / side ** 2;
  const energy = ({ h, u, v }: Water) =>
    sum(
      h.map((value, i) => {
        const [west, south] = [at(h, i, -1, 0), at(h, i, 0, -1)];
        const moving =
          ((value + west) / 2) * (u[i] as number) ** 2 + ((value + south) / 2) * (v[i] as number) ** 2;
        return (gravity * (value - mean) ** 2 + moving) / 2;
      }),
    );
  const at = (field: Float64Array, i: number, dx: number, dy: number) => {
    const [x, y] = [((i % side) + dx + side) % side, (Math.floor(i / side) + dy + side) % side];
    return field[y * side + x] as number;
  };
  // Geostrophic adjustment: of a wave of small height, the part f^2 / omega^2 stays, and the rest oscillates.
  const wavenumber = (2 * Math.PI) / width;
  const wave = gravity * depth * wavenumber ** 2;
  const frequency = Math.sqrt(coriolis ** 2 + wave);
  const dt = (0.25 * (width / side)) / Math.sqrt(gravity * depth);
  const expected = (step: number) =>
    (coriolis ** 2 + wave * Math.cos(frequency * step * dt)) / frequency ** 2;
  const mode = ({ h }: Water) => project(h, side, (x) => Math.cos((2 * Math.PI * (x + 0.5)) / side));
  const initial = mode(first.state) / expected(first.step);
  for (const { step, state } of history) {
    assertNear(sum(state.h) / mass, 1, 1e-13, `mass at ${step}`);
    // The scheme keeps energy in space; in time Adams-Bashforth damps the shortest waves.
    assertNear(energy(state) / energy(first.state), 1, 0.03, `energy at ${step}`);
    assertNear(mode(state) / initial, expected(step), 0.02, `the longest wave at ${step}`);
  }
});

test('ocean: under a weak wind the gyre is that of Stommel', { skip: skippedInBrief }, async () => {
  const [side, width, beta, friction, wind] = [51, 1e6, 2e-11, 2e-6, 1e-5];
  const store = scratchStore();
  await runToItsEnd('ocean', store, [60, wind, 0]);
  const { psi } = (await lastState(store, { name: 'ocean', args: [], run: 'ocean' })) as {
    psi: Float64Array;
  };
  const torque = (wind * Math.PI) / (width * 1000 * 500);
  const scale = (torque / friction) * (width / Math.PI) ** 2;
  const root = Math.sqrt((beta / friction / 2) ** 2 + (Math.PI / width) ** 2);
  const [a, b] = [-beta / friction / 2 + root, -beta / friction / 2 - root];
  const p = (1 - Math.exp(b * width)) / (Math.exp(a * width) - Math.exp(b * width));
  const exact = psi.map((_, i) => {
    const [x, y] = [i % side, Math.floor(i / side)].map((n) => (n * width) / (side - 1)) as [number, number];
    const across = 1 - p * Math.exp(a * x) - (1 - p) * Math.exp(b * x);
    return scale * across * Math.sin((Math.PI * y) / width);
  });
  const error = Math.sqrt(sum(psi.map((value, i) => (value - (exact[i] as number)) ** 2)));
  const norm = Math.sqrt(sum(exact.map((value) => value ** 2)));
  assertNear(error / norm, 0, 0.02, 'relative error');
});

test('ocean: under a strong wind the currents carry energy about and make none', {
  skip: skippedInBrief,
}, async () => {
  const [side, width, friction, wind] = [51, 1e6, 2e-6, 0.5];
  const store = scratchStore();
  await runToItsEnd('ocean', store, [80, wind, 0]);
  const { psi, zeta } = (await lastState(store, { name: 'ocean', args: [], run: 'ocean' })) as {
    psi: Float64Array;
    zeta: Float64Array;
  };
  // In the steady state what the wind puts in is what friction takes: Arakawa's Jacobian adds nothing to that.
  const torque = (wind * Math.PI) / (width * 1000 * 500);
  const input = -torque * project(psi, side, (_, y) => Math.sin((Math.PI * y) / (side - 1)));
  const loss = friction * sum(psi.map((value, i) => value * (zeta[i] as number)));
  assertNear(input / loss, 1, 1e-6, 'input of energy by its loss');
});

test('ocean: the length is that of the whole run, however often it is restarted', async () => {
  const example = { name: 'ocean', args: [], run: 'ocean' };
  const [straight, stopped] = [scratchStore(), scratchStore()];
  const whole = await runToItsEnd('ocean', straight, [24]);
  const half = await runToItsEnd('ocean', stopped, [12]);
  assert.match(half.stdout, /^day 12\.\d+ /);
  assert.match(whole.stdout, /^day 24\.\d+ /);
  // Started again it has nothing to do; with more days it goes on, and ends where the other did.
  const again = await runToItsEnd('ocean', stopped, [12]);
  assert.deepEqual([again.stdout, again.reports], [half.stdout, []]);
  const longer = await runToItsEnd('ocean', stopped, [24]);
  assert.equal(longer.stdout, whole.stdout);
  assertSame(await lastState(stopped, example), await lastState(straight, example));
});

test('pi is pi within the error', async () => {
  const { stdout } = await runToItsEnd('pi', scratchStore(), [40]);
  const [, pi, error] = /^pi = ([\d.]+) \+- ([\d.]+) from 4000000 darts$/m.exec(stdout) ?? [];
  assertNear(Number(error), 4 * Math.sqrt(((Math.PI / 4) * (1 - Math.PI / 4)) / 4e6), 1e-6, 'the error');
  assertNear(Number(pi), Math.PI, 3 * Number(error), 'pi');
});

test('ising: the magnetisation is the known one, and a second run skips the initialisation', {
  skip: skippedInBrief,
}, async () => {
  const store = scratchStore();
  const first = await runToItsEnd('ising', store, [1, 1000, 600]);
  const second = await runToItsEnd('ising', store, [2, 1000, 600]);
  const runsOf = ({ reports }: typeof first) => [...new Set(reports.map(({ run }) => run))].sort();
  assert.deepEqual(runsOf(first), ['ising-1', 'ising-equilibrium']);
  assert.deepEqual(runsOf(second), ['ising-2']);
  const results: number[][] = [];
  for (const run of ['ising-1', 'ising-2']) {
    const { magnetisation } = (await lastState(store, { name: 'ising', args: [], run })) as {
      magnetisation: number[];
    };
    results.push(magnetisation);
    // Blocks of 50 sweeps forget each other; their scatter is the error of the mean.
    const blocks = Array.from({ length: 20 }, (_, i) => sum(magnetisation.slice(50 * i, 50 * i + 50)) / 50);
    const mean = sum(blocks) / 20;
    const error = Math.sqrt(sum(blocks.map((block) => (block - mean) ** 2)) / 19 / 20);
    assert.ok(error < 0.005, `error ${error}`);
    assertNear(mean, (1 - Math.sinh(1) ** -4) ** (1 / 8), 4 * error, run);
  }
  assert.notDeepEqual(results[0], results[1]);
});

test('webassembly: rule 90 draws the triangle of Pascal, modulo 2', async () => {
  const store = scratchStore();
  const generations = 500;
  await runToItsEnd('webassembly', store, [generations, 90]);
  const example = EXAMPLES.find(({ name }) => name === 'webassembly');
  assert.ok(example);
  const { memory } = (await lastState(store, { ...example, run: 'rule-90' })) as { memory: ArrayBuffer };
  assert.equal(memory.byteLength, 8 * 65_536, 'it has grown');
  for (let row = 0; row <= generations; row++) {
    const cells = new Uint8Array(memory, row * 1024, 1024);
    for (let column = 0; column < 1024; column++) {
      const [k, odd] = [(column - 512 + row) >> 1, (column - 512 + row) & 1];
      // Kummer: the binomial is odd where no bit of k is missing in the row's number.
      const isSet = odd === 0 && k >= 0 && k <= row && (k & ~row) === 0;
      assert.equal(cells[column], isSet ? 1 : 0, `row ${row}, column ${column}`);
    }
  }
});
