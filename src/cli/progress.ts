/**
 * How far long work is: a bar on a terminal, lines of JSON where a program reads, and nothing in a pipe or file.
 *
 * The bar is on stderr and gone when the work ends; what it said is not needed any more.
 */

import cliProgress from 'cli-progress';
import { formatBytes } from '../base/sizes.js';
import type { Context } from './context.js';
import { count, duration } from './words.js';

/** `done` of `total` bytes or things. */
export interface Step {
  phase: string;
  done: number;
  total: number;
}

/** What a phase is called on the bar, and what it counts: `bytes`, or the word for one thing. */
export interface Phase {
  title: string;
  unit: string;
}

const BAR_COLUMNS = 20;
const GAP = '  ';
/** Before that, how fast it goes is a guess. */
const SETTLED_MS = 1000;
/** A program that follows has no use for ten lines a second. */
const LINE_MS = 1000;

export class Progress {
  readonly #context: Context;
  readonly #phases: Readonly<Record<string, Phase>>;
  readonly #bar: cliProgress.SingleBar | undefined;
  /** Where the phase that is under way began. */
  #first: Step = { phase: '', done: 0, total: 0 };
  #toldAt = 0;

  constructor(context: Context, phases: Readonly<Record<string, Phase>>) {
    this.#context = context;
    this.#phases = phases;
    const stream = context.json ? undefined : context.output.terminal;
    if (stream) {
      const format = (_: object, shown: cliProgress.Params) => this.#line(shown);
      this.#bar = new cliProgress.SingleBar({ stream, format, clearOnComplete: true, hideCursor: true });
    }
  }

  /** Shows it; made to be handed to the library as `onProgress`. */
  readonly tell = (step: Step): void => {
    const isNew = step.phase !== this.#first.phase;
    if (isNew) this.#first = step;
    if (this.#context.json) this.#tellProgram(step, isNew);
    else if (isNew) this.#bar?.start(step.total, step.done);
    else this.#bar?.update(step.done);
  };

  end(): void {
    this.#bar?.stop();
  }

  #tellProgram(step: Step, isNew: boolean): void {
    const now = performance.now();
    if (!isNew && now - this.#toldAt < LINE_MS) return;
    this.#toldAt = now;
    this.#context.output.jsonLine('progress', step);
  }

  /** The bar and the words beside it, as many as the terminal is wide: the first say most. */
  #line({ progress, value, total, startTime, maxWidth }: cliProgress.Params): string {
    const { title, unit } = this.#phases[this.#first.phase] ?? { title: this.#first.phase, unit: 'step' };
    const amount = (number: number) => (unit === 'bytes' ? formatBytes(number) : String(number));
    const filled = Math.round(progress * BAR_COLUMNS);
    const words = [
      title,
      '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled),
      `${Math.floor(progress * 100)} %`,
      unit === 'bytes' ? `${amount(value)} of ${amount(total)}` : `${value} of ${count(total, unit)}`,
    ];
    const elapsed = Date.now() - startTime;
    const perMillisecond = (value - this.#first.done) / elapsed;
    if (elapsed > SETTLED_MS && perMillisecond > 0) {
      words.push(`${amount(Math.round(perMillisecond * 1000))}/s`);
      words.push(`${duration((total - value) / perMillisecond)} left`);
    }
    while (words.length > 1 && words.join(GAP).length >= maxWidth) words.pop();
    return words.join(GAP);
  }
}
