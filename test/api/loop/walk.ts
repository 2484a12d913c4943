/** The computation that the loops of these tests do: chaotic, so that a step lost or done twice shows in every bit. */

import type { INTERNALS } from '../../../src/api/options.js';
import { Snap, type SnapshotInfo } from '../../../src/index.js';
import { collect } from '../support.js';

export interface Walk {
  x: number;
  u: Float64Array;
  seen: Map<string, number>;
}

export const init = (): Walk => ({ x: 0.3, u: new Float64Array(300), seen: new Map() });

export function advance(state: Walk): void {
  state.x = 3.99 * state.x * (1 - state.x);
  const cell = Math.floor(state.x * state.u.length);
  state.u[cell] = (state.u[cell] as number) / 3 + state.x;
  state.seen.set(`cell ${cell % 7}`, state.x);
}

/** The state after so many steps that nothing interrupted. */
export function straight(steps: number): Walk {
  const state = init();
  for (let step = 0; step < steps; step++) advance(state);
  return state;
}

/** Steps of the snapshots of a run, oldest first. */
export async function stepsOf(snap: Snap): Promise<(number | undefined)[]> {
  return (await collect(snap.list({ run: snap.run }))).map(({ step }: SnapshotInfo) => step).reverse();
}

/** A clock that stands still until it is told. */
export class FakeClock {
  ms = 1000;

  readonly internals = { clock: (): number => this.ms } satisfies NonNullable<
    Parameters<Snap['loop']>[0][typeof INTERNALS]
  >;
}

/** Opens a store for as long as `use` takes. */
export async function withSnap<T>(path: string, use: (snap: Snap) => Promise<T>): Promise<T> {
  await using snap = await Snap.open(path);
  return await use(snap);
}

/** What is warned of while a test runs, as `CODE: message`. */
export function warningsOf(t: { after(clean: () => void): void }): string[] {
  const warnings: string[] = [];
  const add = (warning: Error) =>
    warnings.push(`${(warning as Error & { code?: string }).code}: ${warning.message}`);
  process.on('warning', add);
  t.after(() => process.off('warning', add));
  return warnings;
}
