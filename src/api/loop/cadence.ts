/**
 * When a save is due. Looked at after every step, so it compares two numbers and allocates nothing.
 *
 * Invariants
 *  - steps are counted over all restarts: a run that was restarted saves at the same steps as one that was not
 *  - time is counted from the last save, whatever asked for that, or from the beginning of the loop
 */

import type { CheckedCadence } from './options.js';

export class Cadence {
  readonly #steps: number | undefined;
  readonly #intervalMs: number;
  #dueStep = Number.POSITIVE_INFINITY;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor({ steps, intervalMs }: CheckedCadence) {
    this.#steps = steps;
    this.#intervalMs = intervalMs ?? Number.POSITIVE_INFINITY;
  }

  /** The loop stands at this step now. */
  begin(step: number, now: number): void {
    if (this.#steps !== undefined) this.#dueStep = (Math.floor(step / this.#steps) + 1) * this.#steps;
    this.#dueAt = now + this.#intervalMs;
  }

  /** To be asked once after each step. */
  isDue(step: number, now: number): boolean {
    if (step >= this.#dueStep) {
      this.#dueStep += this.#steps as number;
      return true;
    }
    return now >= this.#dueAt;
  }

  saved(now: number): void {
    this.#dueAt = now + this.#intervalMs;
  }

  /** When it saves, for people. */
  get reason(): string {
    const steps = this.#steps === undefined ? [] : [`every ${this.#steps} steps`];
    const time = this.#intervalMs < Number.POSITIVE_INFINITY ? [`every ${this.#intervalMs / 1000} s`] : [];
    return [...steps, ...time].join(' or ');
  }
}
