/** A promise that is made when somebody looks at it, so that what nobody looks at is no unhandled rejection. */

type Outcome<T> = { value: T } | { error: Error };

export class Later<T> {
  #outcome: Outcome<T> | undefined;
  #promise: Promise<T> | undefined;
  #resolve: ((value: T) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  get promise(): Promise<T> {
    if (!this.#promise) {
      this.#promise = new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
      this.#promise.catch(() => {});
      if (this.#outcome) this.#announce(this.#outcome);
    }
    return this.#promise;
  }

  /** True where somebody has looked. */
  get isHeld(): boolean {
    return this.#promise !== undefined;
  }

  get failure(): Error | undefined {
    return this.#outcome && 'error' in this.#outcome ? this.#outcome.error : undefined;
  }

  /** The first outcome stands. */
  succeed(value: T): void {
    this.#settle({ value });
  }

  fail(error: Error): void {
    this.#settle({ error });
  }

  #settle(outcome: Outcome<T>): void {
    if (this.#outcome) return;
    this.#outcome = outcome;
    this.#announce(outcome);
  }

  #announce(outcome: Outcome<T>): void {
    if ('value' in outcome) this.#resolve?.(outcome.value);
    else this.#reject?.(outcome.error);
  }
}
