/**
 * The path of a save, gone through again and again without a store, so that the first save meets code that is compiled.
 *
 * A save runs some ten thousand bytecodes. The first time that takes a millisecond and more, later some twenty
 * microseconds; and a loop that saves now and then would go on for minutes before the compiler takes notice. The state is
 * one of our own: nothing of the caller's runs, and however large his is, this takes the same.
 */

import type { SaveOptions } from './options.js';

/** More gain nothing: the first save of 80 KB took 1.9 ms after none, 0.64 after 150, 0.61 after 300, 0.64 after 600. */
const SAVES = 300;
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
