/** Four physical systems, each in f32 and f64: states that change a little everywhere, as simulations leave them. */

const SIDE = 256;
const CELLS = SIDE * SIDE;

/** @typedef {{ name: string, state: Record<string, Float32Array | Float64Array>, advance(): void }} System */

/** A hot bump and a rough start that diffuse (explicit five-point scheme). */
function heat(Numbers) {
  let now = new Numbers(4 * CELLS);
  let next = new Numbers(4 * CELLS);
  const side = 2 * SIDE;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const distance = ((x - 200) ** 2 + (y - 300) ** 2) / 900;
      now[y * side + x] = 20 + 60 * Math.exp(-distance) + Math.sin(x / 7) * Math.cos(y / 11);
    }
  }
  next.set(now);
  const state = { u: now };
  return {
    name: 'heat',
    state,
    stepsEach: 20,
    advance() {
      for (let y = 1; y < side - 1; y++) {
        for (let cell = y * side + 1; cell < y * side + side - 1; cell++) {
          const here = now[cell];
          next[cell] =
            here + 0.2 * (now[cell - side] + now[cell + side] + now[cell - 1] + now[cell + 1] - 4 * here);
        }
      }
      [now, next] = [next, now];
      state.u = now;
    },
  };
}

/** Lattice Boltzmann, D2Q9 with one relaxation time: a shear layer that rolls up in a periodic box. */
function latticeBoltzmann(Numbers) {
  const cx = [0, 1, 0, -1, 0, 1, -1, -1, 1];
  const cy = [0, 0, 1, 0, -1, 1, 1, -1, -1];
  const weight = [4 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 36, 1 / 36, 1 / 36, 1 / 36];
  const side = SIDE / 2;
  const cells = side * side;
  let now = new Numbers(9 * cells);
  let next = new Numbers(9 * cells);
  const equilibrium = (q, density, ux, uy) => {
    const along = 3 * (cx[q] * ux + cy[q] * uy);
    return weight[q] * density * (1 + along + 0.5 * along * along - 1.5 * (ux * ux + uy * uy));
  };
  for (let cell = 0; cell < cells; cell++) {
    const [x, y] = [cell % side, Math.floor(cell / side)];
    const ux = 0.05 * Math.tanh((y < side / 2 ? y - side / 4 : (3 * side) / 4 - y) / 4);
    const uy = 0.003 * Math.sin((2 * Math.PI * x) / side);
    for (let q = 0; q < 9; q++) now[q * cells + cell] = equilibrium(q, 1, ux, uy);
  }
  const state = { f: now };
  return {
    name: 'lattice Boltzmann',
    state,
    stepsEach: 10,
    advance() {
      for (let cell = 0; cell < cells; cell++) {
        let [density, mx, my] = [0, 0, 0];
        for (let q = 0; q < 9; q++) {
          const part = now[q * cells + cell];
          density += part;
          mx += cx[q] * part;
          my += cy[q] * part;
        }
        const [ux, uy] = [mx / density, my / density];
        const [x, y] = [cell % side, Math.floor(cell / side)];
        for (let q = 0; q < 9; q++) {
          const part = now[q * cells + cell];
          const to = ((y + cy[q] + side) % side) * side + ((x + cx[q] + side) % side);
          next[q * cells + to] = part + (equilibrium(q, density, ux, uy) - part) / 0.6;
        }
      }
      [now, next] = [next, now];
      state.f = now;
    },
  };
}

/** Linear shallow water on a rotating staggered grid: a hump that falls apart into waves. */
function shallowWater(Numbers) {
  const state = { h: new Numbers(CELLS), u: new Numbers(CELLS), v: new Numbers(CELLS) };
  const { h, u, v } = state;
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      h[y * SIDE + x] = Math.exp(-((x - 90) ** 2 + (y - 150) ** 2) / 400);
    }
  }
  const [gravity, coriolis, dt] = [0.5, 0.02, 0.5];
  const east = (cell) => (cell % SIDE === SIDE - 1 ? cell - SIDE + 1 : cell + 1);
  const west = (cell) => (cell % SIDE === 0 ? cell + SIDE - 1 : cell - 1);
  const north = (cell) => (cell + SIDE) % CELLS;
  const south = (cell) => (cell - SIDE + CELLS) % CELLS;
  return {
    name: 'shallow water',
    state,
    stepsEach: 20,
    advance() {
      for (let cell = 0; cell < CELLS; cell++) {
        u[cell] += dt * (coriolis * v[cell] - gravity * (h[east(cell)] - h[cell]));
      }
      for (let cell = 0; cell < CELLS; cell++) {
        v[cell] += dt * (-coriolis * u[cell] - gravity * (h[north(cell)] - h[cell]));
      }
      for (let cell = 0; cell < CELLS; cell++) {
        h[cell] -= dt * (u[cell] - u[west(cell)] + v[cell] - v[south(cell)]);
      }
    },
  };
}

/** Bodies that fall around a heavy one, and pull a little at those next to them in the list (leapfrog). */
function bodies(Numbers) {
  const count = 50_000;
  const state = { position: new Numbers(3 * count), velocity: new Numbers(3 * count) };
  const { position, velocity } = state;
  for (let body = 0; body < count; body++) {
    const [radius, angle] = [5 + ((body * 0.618) % 1) * 20, (body * 2.399963) % (2 * Math.PI)];
    position.set([radius * Math.cos(angle), radius * Math.sin(angle), Math.sin(body) * 0.5], 3 * body);
    const speed = Math.sqrt(100 / radius);
    velocity.set([-speed * Math.sin(angle), speed * Math.cos(angle), 0], 3 * body);
  }
  const dt = 0.001;
  return {
    name: 'bodies',
    state,
    stepsEach: 5,
    advance() {
      for (let at = 0; at < 3 * count; at += 3) {
        const [x, y, z] = [position[at], position[at + 1], position[at + 2]];
        const pull = (-100 * dt) / (x * x + y * y + z * z) ** 1.5;
        velocity[at] += pull * x;
        velocity[at + 1] += pull * y;
        velocity[at + 2] += pull * z;
        position[at] = x + dt * velocity[at];
        position[at + 1] = y + dt * velocity[at + 1];
        position[at + 2] = z + dt * velocity[at + 2];
      }
    },
  };
}

/** All of them, each made when it is asked for. */
export const SYSTEMS = [heat, latticeBoltzmann, shallowWater, bodies].flatMap((make) =>
  [Float64Array, Float32Array].map((Numbers) => () => {
    const system = make(Numbers);
    return { ...system, name: `${system.name} ${Numbers === Float32Array ? 'f32' : 'f64'}` };
  }),
);
