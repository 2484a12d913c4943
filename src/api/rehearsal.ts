/**
 * The path of a save, gone through again and again without a store, so that the first save meets code that is compiled.
 *
 * A save runs some ten thousand bytecodes. The first time that takes a millisecond and more, later some twenty
 * microseconds; and a loop that saves now and then would go on for minutes before the compiler takes notice. The state is
 * one of our own: nothing of the caller's runs, and however large his is, this takes the same.
 */

import type { SaveOptions } from './options.js';

/**
 * What saves of 80 KB take after so many, at the median, and the first one: 24 us and 0.4 ms after 300, 18 us and 0.6 ms after
 * 1000, 14 us and 2.5 ms after 2000, when a collection of garbage is due in that very save.
 */
const SAVES = 1000;
const CELLS = 10_000;

/** Saves a state of ours again and again; `save` is that of a Snap on a stage. */
export async function rehearse(
  save: (state: unknown, options: SaveOptions | undefined) => Promise<unknown>,
): Promise<void> {
  const buffers = [new Float64Array(CELLS), new Float64Array(CELLS)];
  const state = { step: 0, u: buffers[0], name: 'rehearsal', sizes: [1, 2, 3], inner: { at: 0.5, on: true } };
  for (; state.step < SAVES; state.step++) {
    state.u = buffers[state.step % 2];
    await save(state, state.step % 2 === 0 ? undefined : { step: state.step });
  }
}
