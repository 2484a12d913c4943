/**
 * The side of a proof that runs in the program: its store is a scratch store, and it is saved where the plan says.
 *
 * Invariants
 *  - the store that is proved is not opened, whatever the program does with its Snaps
 *  - once all marks are durable, or one is missed, no save of the run returns any more: whoever waits ends the process
 *  - a process that nobody waits for any more ends itself
 */

import { canonicalPath, processExists } from '../../io/machine.js';
import { realIo } from '../../io/real.js';
import { dieBySignal } from '../../io/signals.js';
import type { SnapshotInfo } from '../../writer/protocol.js';
import { type Plan, PROVE_VARIABLE, readPlan, sayWord, type Word } from './plan.js';

const WATCH_MS = 500;

export class Proving {
  /** Stands in for the store that is proved. */
  readonly directory: string;
  readonly #plan: Plan;
  readonly #marks: Marks;
  readonly #runs = new Set<string>();
  #hasRestored = false;
  #isOver = false;

  private constructor(plan: Plan) {
    this.#plan = plan;
    this.directory = plan.scratch;
    this.#marks = Array.isArray(plan.marks)
      ? new GivenMarks(plan.marks)
      : new DistantMarks(plan.marks.from, plan.marks.every);
    setInterval(() => this.#watch(), WATCH_MS).unref();
  }

  /** What stands in for the store in a folder; undefined where that is not the one that is proved. */
  static of(directory: string): Proving | undefined {
    const text = process.env[PROVE_VARIABLE];
    if (text === undefined) return undefined;
    if (current?.text !== text) {
      const plan = readPlan(text);
      current = { text, proving: plan && new Proving(plan) };
    }
    const { proving } = current;
    return proving && canonicalPath(directory) === proving.#plan.store ? proving : undefined;
  }

  /** A Snap of this run was opened. */
  opened(run: string): void {
    this.#runs.add(run);
    if (!this.#isOver) this.#say({ said: 'opened', runs: [...this.#runs] });
  }

  /** A state was brought back. */
  restored(): void {
    this.#hasRestored = true;
  }

  isAbout(run: string): boolean {
    return run === this.#plan.run;
  }

  /** True where the run is to be saved after this step. */
  wants(step: number): boolean {
    return this.#marks.wants(step);
  }

  /** To be awaited after each save of the run. */
  async saved(durable: Promise<SnapshotInfo>): Promise<void> {
    this.#watch();
    const { step } = await durable;
    if (step !== undefined && !this.#isOver) this.#take(step);
    if (this.#isOver) await this.#forever();
  }

  #take(step: number): void {
    if (this.#marks.wants(step) && !this.#hasRestored) {
      this.#end({ said: 'anew', step });
      return;
    }
    const missed = this.#marks.take(step);
    if (missed !== undefined) this.#end({ said: 'passed', step, missed });
    else if (this.#marks.isDone) this.#end({ said: 'done' });
  }

  #end(word: Word): void {
    this.#isOver = true;
    this.#say(word);
  }

  #say(word: Word): void {
    sayWord(realIo, this.#plan.word, word);
  }

  #watch(): void {
    if (!processExists(this.#plan.parent)) dieBySignal('SIGKILL');
  }

  #forever(): Promise<never> {
    // Keeps the process: one that ended by itself would tell of promises that never settled.
    return new Promise(() => setInterval(() => this.#watch(), WATCH_MS));
  }
}

let current: { text: string; proving: Proving | undefined } | undefined;

/** Where the run is to be saved. */
interface Marks {
  readonly isDone: boolean;
  wants(step: number): boolean;
  /** The run was saved at this step; returns the mark that was missed by that, if one was. */
  take(step: number): number | undefined;
}

/** At these steps exactly. */
class GivenMarks implements Marks {
  readonly #marks: readonly number[];
  #reached = 0;

  constructor(marks: readonly number[]) {
    this.#marks = marks;
  }

  get isDone(): boolean {
    return this.#reached === this.#marks.length;
  }

  wants(step: number): boolean {
    return step === this.#marks[this.#reached];
  }

  take(step: number): number | undefined {
    const next = this.#marks[this.#reached];
    if (next === step) this.#reached++;
    return next !== undefined && step > next ? next : undefined;
  }
}

/** At two steps, each so far from the one before at least. */
class DistantMarks implements Marks {
  readonly #every: number;
  #next: number;
  #left = 2;

  constructor(from: number, every: number) {
    this.#every = every;
    this.#next = from + every;
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  wants(step: number): boolean {
    return step >= this.#next;
  }

  take(step: number): undefined {
    if (step < this.#next) return;
    this.#left--;
    this.#next = step + this.#every;
  }
}
