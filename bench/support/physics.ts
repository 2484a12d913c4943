/**
 * Physics in single and double precision, small and real: states whose bytes are what simulations leave.
 *
 * Each computes in the precision it is kept in, so that the low bits are those of a solver and not of a conversion.
 */

import { seededRandom } from './samples.js';

export type Floats = Float32Array | Float64Array;
export type Precision = 'f32' | 'f64';

export interface Physics {
  readonly name: string;
  /** The arrays of the state; the same objects all the time. */
  readonly state: Readonly<Record<string, Floats>>;
  /** Some steps on: as many as a loop would compute between two saves. */
  advance(): void;
}

const STEPS = 10;

export function allPhysics(): Physics[] {
  return (['f64', 'f32'] as const).flatMap((precision) => [
    new Heat(precision),
    new LatticeBoltzmann(precision, false),
    new LatticeBoltzmann(precision, true),
    new ShallowWater(precision),
    new Bodies(precision),
  ]);
}

function floats(precision: Precision, length: number): Floats {
  return precision === 'f64' ? new Float64Array(length) : new Float32Array(length);
}

/** The heat equation on a square plate with a hot spot that moves; explicit Euler. */
class Heat implements Physics {
  readonly name: string;
  readonly state: { u: Floats };
  readonly #side = 512;
  readonly #next: Floats;
  #step = 0;

  constructor(precision: Precision) {
    this.name = `heat ${precision}`;
    this.state = { u: floats(precision, this.#side ** 2) };
    this.#next = floats(precision, this.#side ** 2);
    const { u } = this.state;
    for (let cell = 0; cell < u.length; cell++) {
      const [x, y] = [cell % this.#side, Math.floor(cell / this.#side)];
      u[cell] =
        20 +
        30 * Math.exp(-((x - 200) ** 2 + (y - 300) ** 2) / 9000) +
        5 * Math.sin(x / 40) * Math.cos(y / 70);
    }
    for (let i = 0; i < 20; i++) this.advance();
  }

  advance(): void {
    const { u } = this.state;
    const side = this.#side;
    for (let step = 0; step < STEPS; step++) {
      for (let row = 1; row < side - 1; row++) {
        for (let at = row * side + 1; at < (row + 1) * side - 1; at++) {
          const here = u[at]!;
          this.#next[at] = here + 0.2 * (u[at - side]! + u[at + side]! + u[at - 1]! + u[at + 1]! - 4 * here);
        }
      }
      const angle = this.#step++ / 300;
      const spot =
        Math.floor(side / 2 + 90 * Math.cos(angle)) * side + Math.floor(side / 2 + 90 * Math.sin(angle));
      this.#next[spot] = 60;
      for (let row = 1; row < side - 1; row++) {
        const start = row * side + 1;
        u.set(this.#next.subarray(start, start + side - 2), start);
      }
    }
  }
}

/**
 * Flow past a cylinder: D2Q9 with one relaxation time, periodic along, walls across. A plane for each direction, or the
 * nine directions of each cell side by side.
 */
class LatticeBoltzmann implements Physics {
  readonly name: string;
  readonly state: { f: Floats };
  readonly #width = 320;
  readonly #height = 96;
  readonly #streamed: Floats;
  readonly #solid: Uint8Array;
  readonly #interleaved: boolean;

  constructor(precision: Precision, interleaved: boolean) {
    this.name = `lattice Boltzmann${interleaved ? ', interleaved' : ''} ${precision}`;
    this.#interleaved = interleaved;
    const cells = this.#width * this.#height;
    this.state = { f: floats(precision, 9 * cells) };
    this.#streamed = floats(precision, 9 * cells);
    this.#solid = Uint8Array.from({ length: cells }, (_, cell) => {
      const [x, y] = [cell % this.#width, Math.floor(cell / this.#width)];
      const inCylinder = Math.hypot(x - this.#width / 4, y - this.#height / 2 + 1) < 10;
      return y === 0 || y === this.#height - 1 || inCylinder ? 1 : 0;
    });
    for (let k = 0; k < 9; k++) {
      for (let cell = 0; cell < cells; cell++) {
        this.state.f[this.#at(k, cell)] = this.#solid[cell] ? 0 : WEIGHT[k]! * (1 + 0.3 * EX[k]!);
      }
    }
    for (let i = 0; i < 60; i++) this.advance();
  }

  advance(): void {
    for (let step = 0; step < STEPS; step++) this.#advance();
  }

  #at(direction: number, cell: number): number {
    return this.#interleaved ? 9 * cell + direction : direction * this.#width * this.#height + cell;
  }

  #advance(): void {
    const { f } = this.state;
    const [width, height, streamed, solid] = [this.#width, this.#height, this.#streamed, this.#solid];
    for (let y = 1; y < height - 1; y++) {
      for (let x = 0; x < width; x++) {
        const cell = y * width + x;
        if (solid[cell]) continue;
        let [density, mx, my] = [0, 0, 0];
        for (let k = 0; k < 9; k++) {
          const value = f[this.#at(k, cell)]!;
          density += value;
          mx += value * EX[k]!;
          my += value * EY[k]!;
        }
        const [ux, uy] = [mx / density, my / density];
        const speed2 = ux * ux + uy * uy;
        for (let k = 0; k < 9; k++) {
          const eu = EX[k]! * ux + EY[k]! * uy;
          const equilibrium = WEIGHT[k]! * density * (1 + 3 * eu + 4.5 * eu * eu - 1.5 * speed2);
          const at = this.#at(k, cell);
          const collided = f[at]! + (equilibrium - f[at]!) / 0.56 + 3 * WEIGHT[k]! * density * EX[k]! * 2e-5;
          const to = (y + EY[k]!) * width + ((x + EX[k]! + width) % width);
          streamed[solid[to] ? this.#at(BACK[k]!, cell) : this.#at(k, to)] = collided;
        }
      }
    }
    f.set(streamed);
  }
}

// Directions: rest, the four sides, the four corners; their weights, and which one points back.
const EX = [0, 1, 0, -1, 0, 1, -1, -1, 1];
const EY = [0, 0, 1, 0, -1, 1, 1, -1, -1];
const WEIGHT = [4 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 9, 1 / 36, 1 / 36, 1 / 36, 1 / 36];
const BACK = [0, 3, 4, 1, 2, 7, 8, 5, 6];

/** A mound of water collapses on a rotating plane: forward-backward on a staggered grid. */
class ShallowWater implements Physics {
  readonly name: string;
  readonly state: { h: Floats; u: Floats; v: Floats };
  readonly #side = 224;

  constructor(precision: Precision) {
    this.name = `shallow water ${precision}`;
    const cells = this.#side ** 2;
    this.state = {
      h: floats(precision, cells),
      u: floats(precision, cells),
      v: floats(precision, cells),
    };
    for (let cell = 0; cell < cells; cell++) {
      const [x, y] = [(cell % this.#side) - 100, Math.floor(cell / this.#side) - 140];
      this.state.h[cell] = 100 + 0.5 * Math.exp(-(x * x + y * y) / 200);
    }
    for (let i = 0; i < 60; i++) this.advance();
  }

  advance(): void {
    for (let step = 0; step < STEPS; step++) this.#advance();
  }

  #advance(): void {
    const { h, u, v } = this.state;
    const side = this.#side;
    const [slope, turn, flow] = [0.25 / 31.3, 0.02, 0.25 * 31.3];
    this.#each((here, west, south) => {
      const [east, north] = [u[here]!, v[here]!];
      u[here] = east + turn * north - slope * 9.81 * (h[here]! - h[west]!);
      v[here] = north - turn * east - slope * 9.81 * (h[here]! - h[south]!);
    });
    for (let y = 0; y < side; y++) {
      const [row, above] = [y * side, ((y + 1) % side) * side];
      for (let x = 0; x < side; x++) {
        const here = row + x;
        const spread = u[row + ((x + 1) % side)]! - u[here]! + v[above + x]! - v[here]!;
        h[here] = h[here]! - (flow / 100) * h[here]! * spread * 0.1;
      }
    }
  }

  #each(visit: (here: number, west: number, south: number) => void): void {
    const side = this.#side;
    for (let y = 0; y < side; y++) {
      const [row, below] = [y * side, ((y + side - 1) % side) * side];
      for (let x = 0; x < side; x++) visit(row + x, row + ((x + side - 1) % side), below + x);
    }
  }
}

/** Bodies that attract each other, all pairs, leapfrog. */
class Bodies implements Physics {
  readonly name: string;
  readonly state: { position: Floats; velocity: Floats };
  readonly #force: Float64Array;
  readonly #count = 3072;

  constructor(precision: Precision) {
    this.name = `N-body ${precision}`;
    const random = seededRandom(7);
    this.state = {
      position: floats(precision, 3 * this.#count),
      velocity: floats(precision, 3 * this.#count),
    };
    this.#force = new Float64Array(3 * this.#count);
    for (let i = 0; i < 3 * this.#count; i++) {
      this.state.position[i] = (random() + random() + random() - 1.5) * 10;
      this.state.velocity[i] = (random() - 0.5) * 0.3;
    }
  }

  advance(): void {
    for (let step = 0; step < 2; step++) this.#advance(0.002);
  }

  #advance(dt: number): void {
    const { position, velocity } = this.state;
    const force = this.#force.fill(0);
    for (let a = 0; a < 3 * this.#count; a += 3) {
      const [x, y, z] = [position[a]!, position[a + 1]!, position[a + 2]!];
      for (let b = 0; b < a; b += 3) {
        const [dx, dy, dz] = [position[b]! - x, position[b + 1]! - y, position[b + 2]! - z];
        const distance2 = dx * dx + dy * dy + dz * dz + 0.01;
        const pull = 0.001 / (distance2 * Math.sqrt(distance2));
        force[a]! += dx * pull;
        force[a + 1]! += dy * pull;
        force[a + 2]! += dz * pull;
        force[b]! -= dx * pull;
        force[b + 1]! -= dy * pull;
        force[b + 2]! -= dz * pull;
      }
    }
    for (let i = 0; i < force.length; i++) {
      velocity[i] = velocity[i]! + dt * force[i]!;
      position[i] = position[i]! + dt * velocity[i]!;
    }
  }
}
