/**
 * Applies the retention policy of a Snap by itself, after saves, and not too often.
 *
 * Collecting costs reading in proportion to what is kept, so it takes at most a twentieth of the time, and the first
 * one waits until there is something to drop.
 */

import type { Policy } from '../store/retention-policy.js';
import type { GcReport, GcRequest } from './gc-job.js';

const SHORTEST_PAUSE_MS = 10_000;
const SHARE_OF_TIME = 20;

export class Keeper {
  readonly #policy: Policy;
  readonly #run: string;
  #saves = 0;
  #next = 0;

  constructor(policy: Policy, run: string, now: number) {
    this.#policy = policy;
    this.#run = run;
    this.#next = now + SHORTEST_PAUSE_MS;
  }

  saved(): void {
    this.#saves++;
  }

  /** The collection that is due, or undefined. `last`: the store is about to be closed. */
  due(now: number, last = false): GcRequest | undefined {
    if (this.#saves === 0 || (now < this.#next && !last)) return undefined;
    this.#saves = 0;
    this.#next = Number.POSITIVE_INFINITY;
    return {
      policy: this.#policy,
      run: this.#run,
      dryRun: false,
      explain: false,
      force: false,
      maxSeconds: undefined,
    };
  }

  done(now: number, report: Pick<GcReport, 'seconds'>): void {
    this.#next = now + Math.max(SHORTEST_PAUSE_MS, report.seconds * 1000 * SHARE_OF_TIME);
  }
}
