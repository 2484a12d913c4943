/**
 * Long work beside the saves: done in slices, whenever no save or request is waiting, and in any case now and then, so
 * that it comes to an end beside a loop that saves all the time.
 *
 * Invariants
 *  - a slice lasts SLICE_MS at most, so that is all by which a save can be delayed, and once in LONGEST_WAIT_MS
 *  - a job that is stopped, or runs out of time, ends between two steps and replies with what it has
 */

import type { Store } from '../store/store.js';
import { diffJob } from './diff-job.js';
import { gcJob } from './gc-job.js';
import { regionSizesJob } from './region-sizes-job.js';
import { touchJob } from './touch-job.js';
import { verifyJob } from './verify-job.js';

/** A job yields its progress, often, and returns its reply. */
export type Job = AsyncGenerator<unknown, unknown>;

/** What a job may ask. */
export interface JobContext {
  /** After every step: should it come to an end? */
  shouldStop(): boolean;
  /** Snapshots that a Snap of this process builds on. */
  pinned(): ReadonlySet<string>;
}

export const jobs: Record<string, (store: Store, context: JobContext, args: unknown[]) => Job> = {
  gc: gcJob,
  verify: verifyJob,
  diff: diffJob,
  regionSizes: regionSizesJob,
  touch: touchJob,
};

export interface BackgroundHooks {
  progress(job: RunningJob, progress: unknown): void;
  done(job: RunningJob, result: unknown): void;
  failed(job: RunningJob, error: unknown): void;
  pinned(): ReadonlySet<string>;
}

export interface RunningJob {
  client: number;
  request: number;
}

interface Entry extends RunningJob {
  steps: Job;
  stopped: boolean;
  toldAt: number;
}

/** Begins anew where a reader's packs were taken away by the owner while it worked. */
async function* steadily(store: Store, begin: () => Job): Job {
  for (;;) {
    try {
      return yield* begin();
    } catch (error) {
      if (!store.isOvertaken()) throw error;
      await store.refresh();
    }
  }
}

/** How long a slice lasts, and how often a listener hears of progress. */
const SLICE_MS = 10;
const LONGEST_WAIT_MS = 100;
export const TELL_MS = 100;

export class Background {
  readonly #hooks: BackgroundHooks;
  readonly #entries: Entry[] = [];
  #slicedAt = 0;

  constructor(hooks: BackgroundHooks) {
    this.#hooks = hooks;
  }

  get isIdle(): boolean {
    return this.#entries.length === 0;
  }

  /** True where others have been let in for long enough. */
  get isDue(): boolean {
    return !this.isIdle && performance.now() - this.#slicedAt > LONGEST_WAIT_MS;
  }

  /** Takes on a job; the first one that was begun is the first to be finished. */
  begin(store: Store, client: number, request: number, method: string, args: unknown[]): void {
    const make = jobs[method];
    if (!make) throw new Error(`holdfast: internal invariant broken: no job ${method}`);
    const entry: Entry = { client, request, stopped: false, toldAt: 0, steps: undefined as never };
    const context: JobContext = { shouldStop: () => entry.stopped, pinned: this.#hooks.pinned };
    entry.steps = steadily(store, () => make(store, context, args));
    this.#entries.push(entry);
  }

  stop(client: number, request: number): void {
    for (const entry of this.#entries) {
      if (entry.client === client && entry.request === request) entry.stopped = true;
    }
  }

  stopAll(): void {
    for (const entry of this.#entries) entry.stopped = true;
  }

  /** Goes on with the first job for one slice. */
  async slice(): Promise<void> {
    const [entry] = this.#entries;
    if (!entry) return;
    const end = performance.now() + SLICE_MS;
    try {
      do {
        const { done, value } = await entry.steps.next();
        if (done) {
          this.#entries.shift();
          this.#hooks.done(entry, value);
          return;
        }
        this.#tell(entry, value);
      } while (performance.now() < end);
    } catch (error) {
      this.#entries.shift();
      this.#hooks.failed(entry, error);
    } finally {
      this.#slicedAt = performance.now();
    }
  }

  #tell(entry: Entry, progress: unknown): void {
    const now = performance.now();
    if (now - entry.toldAt < TELL_MS) return;
    entry.toldAt = now;
    this.#hooks.progress(entry, progress);
  }
}
