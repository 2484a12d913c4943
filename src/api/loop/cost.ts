/**
 * What saves cost a loop: the stall of the capture, and the interference, by which steps are slower while a save is
 * compared, compressed and written beside them.
 *
 * Time is cut into windows that begin and end between two steps: quiet ones, and ones in which a save is being written.
 * From the quiet ones follows what a step takes; what the steps of the others took beyond that is interference. All of
 * it is forgotten bit by bit, so that it follows a computation whose steps change.
 */

/** How much the past counts beside what was measured last. */
const PAST = 0.7;

/** The mean of what was measured, where each sample counts PAST of the next one. */
class FadingMean {
  #sum = 0;
  #weight = 0;

  add(value: number, weight = 1): void {
    this.#sum = this.#sum * PAST + value;
    this.#weight = this.#weight * PAST + weight;
  }

  get value(): number | undefined {
    return this.#weight > 0 ? this.#sum / this.#weight : undefined;
  }
}

export class SaveCost {
  /** Of a step without a save beside it. */
  readonly #stepMs = new FadingMean();
  readonly #stallMs = new FadingMean();
  readonly #interferenceMs = new FadingMean();
  /** Where the window under way began. */
  #step = 0;
  #since = 0;
  /** Saves that are captured and not durable yet. */
  #writing = 0;
  /** Windows in which saves were written, since the last quiet one. */
  #busy = { ms: 0, steps: 0, saves: 0 };
  #lostMs = 0;
  #measured = 0;

  /** The loop stands at this step now: a window begins. */
  begin(step: number, now: number): void {
    this.#step = step;
    this.#since = now;
  }

  /** A capture begins between two steps. */
  capturing(step: number, now: number): void {
    this.#endWindow(step, now);
  }

  /** It is done, or was skipped. */
  captured(step: number, now: number, skipped: boolean): void {
    const stall = now - this.#since;
    this.begin(step, now);
    if (skipped) return;
    this.#stallMs.add(stall);
    this.#lostMs += stall;
    this.#writing++;
    this.#busy.saves++;
  }

  /** So many saves have become durable, or failed; seen between two steps. */
  written(saves: number, step: number, now: number): void {
    this.#endWindow(step, now);
    this.begin(step, now);
    this.#writing -= saves;
    if (this.#writing > 0) return;
    const { ms, steps, saves: of } = this.#busy;
    const stepMs = this.#stepMs.value;
    this.#busy = { ms: 0, steps: 0, saves: 0 };
    this.#measured++;
    if (stepMs === undefined) return;
    const interference = ms - steps * stepMs;
    this.#interferenceMs.add(interference, of);
    this.#lostMs += interference;
  }

  #endWindow(step: number, now: number): void {
    const ms = now - this.#since;
    const steps = step - this.#step;
    this.begin(step, now);
    if (this.#writing > 0) {
      this.#busy.ms += ms;
      this.#busy.steps += steps;
    } else if (steps > 0) {
      this.#stepMs.add(ms, steps);
    }
  }

  /** True while a save is being written. */
  get isWriting(): boolean {
    return this.#writing > 0;
  }

  /** True once a save was seen from its capture until it was durable. */
  get isKnown(): boolean {
    return this.#measured > 0;
  }

  /** Milliseconds for which the loop is held by a save. */
  get stallMs(): number {
    return this.#stallMs.value ?? 0;
  }

  /** Milliseconds by which a save makes the steps beside it slower. */
  get interferenceMs(): number {
    return Math.max(0, this.#interferenceMs.value ?? 0);
  }

  /** Milliseconds that a save costs the computation. */
  get totalMs(): number {
    return this.stallMs + this.interferenceMs;
  }

  /** Milliseconds that all saves so far have cost. */
  get lostMs(): number {
    return Math.max(0, this.#lostMs);
  }
}
