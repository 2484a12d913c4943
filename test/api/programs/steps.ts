/** The computation that stepping programs do: what it is at any step can be computed again. */

export interface Stepped {
  step: number;
  u: Float64Array;
  seen: Map<number, number>;
}

export function initial(): Stepped {
  return { step: 0, u: new Float64Array(40_000), seen: new Map() };
}

export function advance(state: Stepped): void {
  state.step++;
  state.seen.set(state.step % 7, state.step);
  const from = (state.step * 997) % 39_000;
  for (let index = from; index < from + 1000; index++)
    state.u[index] = (state.u[index] as number) + state.step;
}

/** The state at a step, computed from the beginning. */
export function at(step: number): Stepped {
  const state = initial();
  while (state.step < step) advance(state);
  return state;
}
