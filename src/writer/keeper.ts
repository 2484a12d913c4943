/**
 * Applies the retention policy of a Snap by itself, after saves, and not too often.
 *
 * Collecting costs reading in proportion to what is kept. So it is due when it would take at most a twentieth of the
 * time, or after twice as many saves as are kept: then each save pays for a little of it, and the store stays bounded
 * however fast it grows.
 */

import type { Policy } from '../store/retention-policy.js';
import type { GcReport, GcRequest } from './gc-job.js';

const SHORTEST_PAUSE_MS = 10_000;
const SHARE_OF_TIME = 20;
const FEWEST_SAVES = 256;

export class Keeper {
  readonly #policy: Policy;
  readonly #run: string;
  readonly #pauseMs: number;
  #saves = 0;
  #kept = 0;
  #next = 0;
  #underWay = false;

  constructor(policy: Policy, run: string, now: number, pauseMs = SHORTEST_PAUSE_MS) {
    this.#policy = policy;
    this.#run = run;
    this.#pauseMs = pauseMs;
    this.#next = now + pauseMs;
  }

  saved(): void {
    this.#saves++;
  }

  /** The collection that is due, or undefined. `last`: the store is about to be closed. */
  due(now: number, last = false): GcRequest | undefined {
    if (this.#saves === 0 || this.#underWay) return undefined;
    const grown = this.#saves >= Math.max(FEWEST_SAVES, 2 * this.#kept);
    if (now < this.#next && !grown && !last) return undefined;
    this.#saves = 0;
    this.#underWay = true;
    return {
      policy: this.#policy,
      run: this.#run,
      dryRun: false,
      explain: false,
      force: false,
      maxSeconds: undefined,
    };
  }

  done(now: number, report: Pick<GcReport, 'seconds' | 'kept'>): void {
    this.#underWay = false;
    this.#kept = report.kept;
    this.#next = now + Math.max(this.#pauseMs, report.seconds * 1000 * SHARE_OF_TIME);
  }
}
