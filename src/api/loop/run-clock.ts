/** The run clock: time spent in the loop, going on over restarts where the snapshot had it. Monotonic. */

export class RunClock {
  readonly #now: () => number;
  #origin: number;

  /** `now`: milliseconds that never go back. */
  constructor(now: () => number) {
    this.#now = now;
    this.#origin = now();
  }

  /** Goes on from what a snapshot had. */
  goOnFrom(elapsedMs: number): void {
    this.#origin = this.#now() - elapsedMs;
  }

  get elapsedMs(): number {
    return this.#now() - this.#origin;
  }
}
