/**
 * Heat in a plate of mixed material under a wandering torch: 1000 x 1000 cells, one Jacobi sweep a step.
 *
 * The state is everything that a run needs to go on bit for bit:
 *
 *   temperature    8 MiB   f64, rows of STRIDE; every step computes all of it anew
 *   conductivity  32 MiB   f64, four planes laid out alike (towards north, south, west, east): the share of a
 *                          temperature difference that flows in one step; changes when a patch is replaced
 *   probes         Map     name -> where it sits and what it has read so far
 *   torch                  where it burns
 *   random                 state of the generator that moves the torch and chooses patches
 *   step                   how many steps have been computed
 *
 * The second grid of the sweep is scratch: the solver keeps it, and no snapshot needs it. The outermost cells
 * hold their temperature.
 */

/** Cells along each side of the plate. */
export const SIDE = 1000;
/** Doubles from one row to the next; the 24 beyond the plate stay 0. */
export const STRIDE = 1024;
const PLANE = STRIDE * STRIDE;
const [NORTH, SOUTH, WEST, EAST] = [0, PLANE, 2 * PLANE, 3 * PLANE];

/** Steps between two readings of the probes. */
const READ_EVERY = 10;
/** Steps between two replacements of a patch of material. */
export const PATCH_EVERY = 250;
/** Cells along each side of a patch. */
export const PATCH_SIDE = 40;

export interface Probe {
  row: number;
  column: number;
  readings: number[];
}

export interface Plate {
  step: number;
  random: number;
  torch: { row: number; column: number };
  temperature: Float64Array;
  conductivity: Float64Array;
  probes: Map<string, Probe>;
}

export function createPlate(seed: number): Plate {
  const plate: Plate = {
    step: 0,
    random: seed >>> 0,
    torch: { row: SIDE / 2, column: SIDE / 2 },
    temperature: new Float64Array(PLANE),
    conductivity: new Float64Array(4 * PLANE),
    probes: new Map(),
  };
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      const cell = row * STRIDE + column;
      plate.temperature[cell] = 20 + 5 * Math.sin(row / 90) * Math.cos(column / 70);
      const grain = 0.12 + 0.06 * Math.sin(row / 37) * Math.sin(column / 53) + 0.02 * draw(plate);
      if (column + 1 < SIDE) join(plate, cell, EAST, cell + 1, WEST, grain);
      if (row + 1 < SIDE) join(plate, cell, SOUTH, cell + STRIDE, NORTH, grain);
    }
  }
  for (const [name, row, column] of [
    ['centre', 500, 500],
    ['corner', 20, 20],
    ['rim', 500, 985],
  ] as const) {
    plate.probes.set(name, { row, column, readings: [] });
  }
  return plate;
}

/** Makes the function that takes a plate one step further. */
export function createSolver(plate: Plate): () => void {
  let next: Float64Array = plate.temperature.slice();
  return function advance() {
    sweep(plate.temperature, next, plate.conductivity);
    [plate.temperature, next] = [next, plate.temperature];
    plate.step++;
    burn(plate);
    if (plate.step % READ_EVERY === 0) read(plate);
    if (plate.step % PATCH_EVERY === 0) replacePatch(plate);
  };
}

function sweep(now: Float64Array, next: Float64Array, conductivity: Float64Array): void {
  const north = conductivity.subarray(NORTH, NORTH + PLANE);
  const south = conductivity.subarray(SOUTH, SOUTH + PLANE);
  const west = conductivity.subarray(WEST, WEST + PLANE);
  const east = conductivity.subarray(EAST, EAST + PLANE);
  for (let row = 1; row < SIDE - 1; row++) {
    const end = row * STRIDE + SIDE - 1;
    for (let cell = row * STRIDE + 1; cell < end; cell++) {
      const here = now[cell]!;
      next[cell] =
        here +
        north[cell]! * (now[cell - STRIDE]! - here) +
        south[cell]! * (now[cell + STRIDE]! - here) +
        west[cell]! * (now[cell - 1]! - here) +
        east[cell]! * (now[cell + 1]! - here);
    }
  }
}

/** The torch takes a random step and heats the cells around it. */
function burn(plate: Plate): void {
  const { torch, temperature } = plate;
  torch.row = within(torch.row + Math.floor(7 * draw(plate)) - 3, 10, SIDE - 11);
  torch.column = within(torch.column + Math.floor(7 * draw(plate)) - 3, 10, SIDE - 11);
  for (let row = torch.row - 4; row <= torch.row + 4; row++) {
    for (let column = torch.column - 4; column <= torch.column + 4; column++) {
      temperature[row * STRIDE + column]! += 2.5;
    }
  }
}

function read({ probes, temperature }: Plate): void {
  for (const { row, column, readings } of probes.values()) {
    readings.push(temperature[row * STRIDE + column]!);
  }
}

/** Somewhere in the plate a square of material gives way to another. */
function replacePatch(plate: Plate): void {
  const top = 1 + Math.floor((SIDE - PATCH_SIDE - 2) * draw(plate));
  const left = 1 + Math.floor((SIDE - PATCH_SIDE - 2) * draw(plate));
  const material = 0.05 + 0.15 * draw(plate);
  for (let row = top; row < top + PATCH_SIDE; row++) {
    for (let column = left; column < left + PATCH_SIDE; column++) {
      const cell = row * STRIDE + column;
      join(plate, cell, EAST, cell + 1, WEST, material);
      join(plate, cell, SOUTH, cell + STRIDE, NORTH, material);
    }
  }
}

/** What flows out of one cell flows into the other. */
function join(plate: Plate, a: number, towardsB: number, b: number, towardsA: number, value: number): void {
  plate.conductivity[towardsB + a] = value;
  plate.conductivity[towardsA + b] = value;
}

function within(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

/** mulberry32: uniform in [0, 1), with a state of one 32-bit word. */
function draw(plate: Plate): number {
  plate.random = (plate.random + 0x6d2b79f5) >>> 0;
  let t = plate.random;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
