/**
 * The signals of a loop: what it does when one is heard, and how the process ends then.
 *
 * Invariants
 *  - signals are listened to only while the loop runs, and only those that were named
 *  - the process ends when all loops in it that heard the signal have made their last state durable
 *  - once the grace is over the process ends, or the loop does, whatever is under way
 */

import { dieBySignal, exitBySignal, listen, unlisten } from '../../io/signals.js';
import type { CheckedSignals } from './check-options.js';

/** A second SIGINT that comes sooner is the same one: npm hands it on to a program that the terminal has told already. */
const SAME_KEYPRESS_MS = 200;

/** Loops of this process that are to end it, and have not made their last state durable. */
const leaving = new Set<Signals>();
const allLeft: (() => void)[] = [];

export interface SignalEvents {
  /** The first signal to stop was heard. */
  stop(signal: NodeJS.Signals): void;
  save(): void;
  /** The grace is over. */
  late(signal: NodeJS.Signals): void;
}

export class Signals {
  readonly #options: CheckedSignals;
  readonly #events: SignalEvents;
  #stoppedBy: NodeJS.Signals | undefined;
  #stoppedAt = 0;
  #grace: NodeJS.Timeout | undefined;

  constructor(options: CheckedSignals, events: SignalEvents) {
    this.#options = options;
    this.#events = events;
  }

  listen(): void {
    const { stop, save } = this.#options;
    for (const signal of stop) listen(signal, this.#stop);
    for (const signal of save) listen(signal, this.#save);
  }

  /** The loop has ended. */
  release(): void {
    const { stop, save } = this.#options;
    for (const signal of stop) unlisten(signal, this.#stop);
    for (const signal of save) unlisten(signal, this.#save);
    clearTimeout(this.#grace);
    this.#left();
  }

  /** The loop has made its last state durable: the process ends, where the signal is to end it. */
  async leave(turn: () => Promise<void>): Promise<void> {
    const signal = this.#stoppedBy;
    if (!signal || !this.#options.exit) return;
    clearTimeout(this.#grace);
    const all = new Promise<void>((resolve) => {
      allLeft.push(resolve);
    });
    this.#left();
    await all;
    // What another loop failed with is heard first.
    await turn();
    exitBySignal(signal);
  }

  readonly #save = (): void => this.#events.save();

  readonly #stop = (signal: NodeJS.Signals): void => {
    if (this.#stoppedBy) {
      if (signal === 'SIGINT' && performance.now() - this.#stoppedAt > SAME_KEYPRESS_MS) dieBySignal(signal);
      return;
    }
    this.#stoppedBy = signal;
    this.#stoppedAt = performance.now();
    if (this.#options.exit) leaving.add(this);
    const { graceMs } = this.#options;
    if (graceMs !== undefined) this.#grace = setTimeout(() => this.#events.late(signal), graceMs);
    this.#events.stop(signal);
  };

  #left(): void {
    leaving.delete(this);
    if (leaving.size > 0) return;
    for (const resolve of allLeft.splice(0)) resolve();
  }
}
