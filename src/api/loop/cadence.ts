/**
 * When a save is due. Looked at after every step, so it compares numbers and allocates nothing.
 *
 * Invariants
 *  - steps are counted over all restarts: a run that was restarted saves at the same steps as one that was not
 *  - time is counted from the last capture, whatever asked for it, or from the beginning of the loop
 *  - no save is due earlier after the last one than `overhead` and `mtbf` allow, nor before it is known what one costs
 */

import { formatDuration, roughDuration } from '../../base/units.js';
import type { CheckedCadence } from './check-options.js';
import type { SaveCost } from './cost.js';
import { bestIntervalMs } from './young-daly.js';

/** When a loop saves, and why. Also in `meta.loop.cadence` of each snapshot. Times in milliseconds. */
export interface CadenceInfo {
  /** Saves after every so many steps; undefined where steps do not count. */
  steps: number | undefined;
  /** The shortest time between two saves that the cadence asks for; undefined where only steps count. */
  intervalMs: number | undefined;
  /** The same for people, and why it is so. */
  reason: string;
  /** What a save costs, as measured: how long the loop is held by it, and by how much it slows down the steps beside it. */
  stallMs: number;
  interferenceMs: number;
  /** What all saves of this loop have cost so far. */
  lostMs: number;
}

/** Where nothing but the cost of a save decides, saves are no closer together: each of them takes disk space too. */
const SHORTEST_MS = 1000;

export class Cadence {
  readonly #asked: CheckedCadence;
  readonly #cost: SaveCost;
  readonly #isLimited: boolean;
  /** The next multiple of `steps`. */
  #dueStep = Number.POSITIVE_INFINITY;
  #dueAt = Number.POSITIVE_INFINITY;
  #notBefore = 0;
  #lastAt = 0;

  constructor(asked: CheckedCadence, cost: SaveCost) {
    this.#asked = asked;
    this.#cost = cost;
    this.#isLimited = asked.overhead !== undefined || asked.mtbfMs !== undefined;
  }

  /** The loop stands at this step now, and goes on from here. */
  begin(step: number, now: number): void {
    const { steps } = this.#asked;
    if (steps !== undefined) this.#dueStep = (Math.floor(step / steps) + 1) * steps;
    this.#lastAt = now;
    this.adapt();
  }

  /** To be asked once after each step. */
  isDue(step: number, now: number): boolean {
    if (step >= this.#dueStep) {
      this.#dueStep += this.#asked.steps as number;
      if (now >= this.#notBefore) return true;
    }
    return now >= this.#dueAt;
  }

  /** A capture was made, which was begun then. */
  saved(begunAt: number): void {
    this.#lastAt = begunAt;
    this.adapt();
  }

  /** Takes in what a save costs by now. */
  adapt(): void {
    const { steps, intervalMs } = this.#asked;
    this.#notBefore = this.#isLimited ? this.#lastAt + this.#limitMs() : 0;
    const wish = intervalMs ?? (steps === undefined ? SHORTEST_MS : Number.POSITIVE_INFINITY);
    this.#dueAt = Math.max(this.#lastAt + wish, this.#notBefore);
  }

  /** The shortest time from one capture to the next that what is measured allows. */
  #limitMs(): number {
    if (!this.#cost.isKnown) return this.#cost.isWriting ? Number.POSITIVE_INFINITY : 0;
    return Math.max(this.#overheadMs(), this.#youngDalyMs());
  }

  #overheadMs(): number {
    const { overhead } = this.#asked;
    return overhead === undefined ? 0 : this.#cost.totalMs / overhead;
  }

  #youngDalyMs(): number {
    const { mtbfMs } = this.#asked;
    const { totalMs } = this.#cost;
    return mtbfMs === undefined ? 0 : bestIntervalMs(totalMs, mtbfMs) + totalMs;
  }

  get info(): CadenceInfo {
    const { steps, intervalMs } = this.#asked;
    const { stallMs, interferenceMs, isKnown } = this.#cost;
    const limit = this.#isLimited && isKnown ? this.#limitMs() : 0;
    const wish = intervalMs ?? (steps === undefined ? SHORTEST_MS : 0);
    return {
      steps,
      intervalMs: rounded(Math.max(wish, limit)) || undefined,
      reason: this.#reason(wish, limit),
      stallMs: rounded(stallMs),
      interferenceMs: rounded(interferenceMs),
      lostMs: rounded(this.#cost.lostMs),
    };
  }

  #reason(wish: number, limit: number): string {
    const { steps, intervalMs } = this.#asked;
    const every: string[] = [];
    if (steps !== undefined) every.push(`${steps} steps`);
    const isOwn = steps === undefined && intervalMs === undefined;
    if (intervalMs !== undefined) every.push(formatDuration(intervalMs));
    else if (isOwn) every.push(limit > wish ? roughDuration(limit) : formatDuration(wish));
    const asked = `every ${every.join(' or ')}${every.length > 1 ? ', whichever comes first' : ''}`;
    if (!this.#isLimited) return asked;
    return `${asked}${this.#isLimiting(wish, limit, isOwn)}; ${this.#why()}`;
  }

  #isLimiting(wish: number, limit: number, isOwn: boolean): string {
    if (isOwn || limit <= wish) return '';
    return `, but ${roughDuration(limit)} apart`;
  }

  #why(): string {
    const { overhead, mtbfMs } = this.#asked;
    const { stallMs, interferenceMs, totalMs, isKnown } = this.#cost;
    const bounds: string[] = [];
    if (overhead !== undefined)
      bounds.push(`at most ${Number((overhead * 100).toPrecision(3))} % of the time`);
    if (mtbfMs !== undefined)
      bounds.push(`best where a failure comes every ${formatDuration(mtbfMs)} (Young/Daly)`);
    if (!isKnown) return `${bounds.join(', ')}, once it is known what a save costs`;
    const cost = `a save costs ${roughDuration(totalMs)} (stall ${roughDuration(stallMs)}, interference ${roughDuration(interferenceMs)})`;
    return `${cost}: ${bounds.join(', ')}`;
  }
}

/** To microseconds. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
