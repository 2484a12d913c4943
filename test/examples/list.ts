/** The examples as the tests run them: small, with all snapshots in a scratch store, and what their last state is made of. */

import { Random, Snap } from '../../src/index.js';

export interface Example {
  /** File in examples/, without its ending. */
  name: string;
  args: readonly number[];
  run: string;
  /** Classes that the example registers; stand-ins will do. */
  classes?: readonly (new () => object)[];
  /** What to restore into, where the state needs that. */
  into?: () => object;
}

/** examples/factorial.js keeps its class to itself; what is restored is its fields. */
class Factorial {}

/** Node's types leave WebAssembly to those of browsers. */
const { Memory } = (
  globalThis as unknown as {
    WebAssembly: { Memory: new (pages: { initial: number }) => { buffer: ArrayBuffer } };
  }
).WebAssembly;

export const EXAMPLES: readonly Example[] = [
  { name: 'sum', args: [2], run: 'sum' },
  { name: 'factorial', args: [1000], run: 'factorial-1000', classes: [Factorial] },
  { name: 'heat-equation', args: [100, 4000], run: 'heat-100' },
  { name: 'heat-equation', args: [1000, 20], run: 'heat-1000' },
  { name: 'lattice-boltzmann', args: [400, 60, 26, 4], run: 'lattice-boltzmann' },
  { name: 'shallow-water', args: [200, 48], run: 'shallow-water' },
  { name: 'ocean', args: [50], run: 'ocean' },
  { name: 'pi', args: [100], run: 'pi-1' },
  { name: 'ising', args: [1, 600, 600], run: 'ising-1' },
  { name: 'webassembly', args: [2000], run: 'rule-30', into: () => ({ memory: new Memory({ initial: 1 }) }) },
];

/** The newest state of the example's run, in a form that can be compared in every bit. */
export async function lastState(store: string, example: Example): Promise<unknown> {
  const { run, classes = [], into } = example;
  const snap = await Snap.open(store, { run, classes, readOnly: true });
  try {
    const state = await snap.restore<object>('latest', { into: into?.() });
    return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, comparable(value)]));
  } finally {
    await snap.close();
  }
}

/** Insides that a comparison would not see. */
function comparable(value: unknown): unknown {
  if (value instanceof Random) return Random[Snap.encode](value);
  return value instanceof Memory ? value.buffer : value;
}
