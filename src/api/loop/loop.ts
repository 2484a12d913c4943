/**
 * The loop: what happens around a caller's steps.
 *
 * Whoever runs the steps (run.ts) does it so: `begin`, then for each step the step itself, `stepped`, and `attend`
 * where that says so, until `isOver`; then `finish`, or `abandon` where anything threw.
 *
 * Invariants
 *  - what is saved is the state between two steps, with the number of steps done
 *  - a step that throws leaves no trace: what was captured before becomes durable, and nothing else is saved
 *  - the event loop turns at least once in TURN_MS of computing, or after each step where a step takes longer
 *  - a step that returns nothing at once costs no promise and no allocation
 */

import type { SnapshotInfo } from '../../writer/protocol.js';
import type { SaveTicket } from '../ticket.js';
import { Cadence } from './cadence.js';
import type { LoopContext } from './context.js';
import type { LoopHost } from './host.js';
import { type LoopMeta, readLoopMeta } from './meta.js';
import type { CheckedLoop } from './options.js';
import { RunClock } from './run-clock.js';

/** How a loop ended. */
export interface LoopResult<S extends object> {
  state: S;
  /** Steps done, over all restarts. */
  step: number;
  /** `'done'`: the end condition holds; `'stopped'`: `stop()` was called. */
  reason: 'done' | 'stopped';
  /** The run clock, in milliseconds. */
  elapsedMs: number;
  /** How many times the run was resumed. */
  restarts: number;
  /** Snapshots that this loop made. */
  saves: number;
}

/** How long the event loop may stand still while steps are computed. */
const TURN_MS = 10;

interface Names {
  tag?: string | undefined;
  tags?: readonly string[] | undefined;
}

export class Loop<S extends object> {
  readonly #host: LoopHost;
  readonly #options: CheckedLoop<S>;
  readonly #clock: RunClock;
  readonly #cadence: Cadence;
  readonly #stopping = new AbortController();
  readonly context: LoopContext;
  state!: S;
  step = 0;
  /** The end condition holds. */
  #done = false;
  #stopped = false;
  /** A save was asked for by the step, with these names. */
  #wanted: Names[] = [];
  #saveIsDue = false;
  #turnAt = 0;
  #restarts = 0;
  #resumed = false;
  #saves = 0;
  /** The last capture and the step it was made at; for a resumed run, where it was resumed. */
  #capturedStep: number | undefined;
  #lastTicket: SaveTicket | undefined;
  /** What failed beside the steps; thrown at the next opportunity. */
  #failure: { error: unknown } | undefined;

  constructor(host: LoopHost, options: CheckedLoop<S>) {
    this.#host = host;
    this.#options = options;
    this.#clock = new RunClock(options.clock);
    this.#cadence = new Cadence(options.save);
    this.context = this.#makeContext();
  }

  /** True where no step is to be run any more. */
  get isOver(): boolean {
    return this.#done || this.#stopped;
  }

  /** Resumes the run, or initialises it. */
  async begin(): Promise<void> {
    const { state, from } = await this.#host.resume(this.#options.init);
    this.state = checkState<S>(state, from ? 'the snapshot holds' : 'init returned');
    if (from) this.#goOnFrom(from);
    const now = this.#options.clock();
    this.#cadence.begin(this.step, now);
    this.#turnAt = now + TURN_MS;
    this.#done = this.#endConditionHolds();
  }

  #goOnFrom(from: SnapshotInfo): void {
    if (from.step === undefined) {
      throw new TypeError(
        `snapshot ${from.id} of run ${from.run} has no step, so the loop cannot tell how far it is; ` +
          'save it with { step }, or give the loop a run of its own',
      );
    }
    const meta = readLoopMeta(from);
    this.step = from.step;
    this.#capturedStep = from.step;
    this.#resumed = true;
    this.#restarts = (meta?.restarts ?? 0) + 1;
    this.#clock.goOnFrom(meta?.elapsedMs ?? 0);
  }

  /** Takes what a step returned, where it returned something. */
  replace(returned: unknown): void {
    if (returned === undefined || returned === this.state) return;
    this.state = checkNext<S>(returned, this.state, this.step);
  }

  /** Counts a step. True where `attend` has something to do before the next one. */
  stepped(): boolean {
    this.step++;
    const now = this.#options.clock();
    this.#saveIsDue = this.#cadence.isDue(this.step, now) || this.#host.checkpointAsked;
    this.#done = this.#endConditionHolds();
    return (
      this.#saveIsDue ||
      this.#done ||
      this.#stopped ||
      this.#failure !== undefined ||
      this.#wanted.length > 0 ||
      now >= this.#turnAt
    );
  }

  /** Does what is due between two steps. */
  async attend(): Promise<void> {
    if (this.#options.clock() >= this.#turnAt) await this.#turn();
    this.#throwFailure();
    // The last save is made by `finish`, once.
    if (!this.isOver && (this.#saveIsDue || this.#wanted.length > 0)) await this.#save();
    this.#throwFailure();
  }

  /** Makes the last state durable. */
  async finish(): Promise<LoopResult<S>> {
    if (this.#capturedStep !== this.step || this.#wanted.length > 0) await this.#save('wait');
    await this.#lastTicket?.durable;
    this.#throwFailure();
    if (this.#done && this.#options.whenDone === 'last') await this.#forgetOthers();
    return {
      state: this.state,
      step: this.step,
      reason: this.#done ? 'done' : 'stopped',
      elapsedMs: this.#clock.elapsedMs,
      restarts: this.#restarts,
      saves: this.#saves,
    };
  }

  /** Ends it where it is: what was captured becomes durable, and nothing else is saved. */
  async abandon(): Promise<void> {
    this.#stopping.abort();
    await this.#lastTicket?.durable.catch(() => {});
  }

  async #save(onBusy?: 'wait'): Promise<void> {
    const tags = this.#wanted
      .splice(0)
      .flatMap(({ tag, tags = [] }) => (tag === undefined ? tags : [tag, ...tags]));
    const loop: LoopMeta = {
      elapsedMs: this.#clock.elapsedMs,
      restarts: this.#restarts,
      done: this.#done,
      cadence: this.#cadence.reason,
    };
    const { step } = this;
    const ticket = await this.#host.save(this.state, {
      step,
      tags: [...new Set(tags)],
      meta: { loop },
      ...(onBusy && { onBusy }),
    });
    this.#cadence.saved(this.#options.clock());
    if (ticket.skipped) return;
    this.#saves++;
    this.#capturedStep = step;
    this.#lastTicket = ticket;
    ticket.durable.catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }

  async #turn(): Promise<void> {
    await this.#host.turn();
    this.#turnAt = this.#options.clock() + TURN_MS;
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  #endConditionHolds(): boolean {
    if (this.step >= this.#options.steps) return true;
    const answer: unknown = this.#options.until?.(this.state, this.context);
    if (typeof answer === 'object' && answer !== null) {
      throw new TypeError('until returned an object; it answers at once, with true or false');
    }
    return Boolean(answer);
  }

  async #forgetOthers(): Promise<void> {
    const others: string[] = [];
    for await (const info of this.#host.list({ run: this.#host.run })) {
      const isLast = info.step === this.step && others.length === 0;
      if (!isLast && info.tags.length === 0 && readLoopMeta(info)) others.push(info.id);
    }
    await this.#host.forgetAll(others);
  }

  #makeContext(): LoopContext {
    const loop = this;
    return {
      get step() {
        return loop.step;
      },
      get elapsedMs() {
        return loop.#clock.elapsedMs;
      },
      get restarts() {
        return loop.#restarts;
      },
      get resumed() {
        return loop.#resumed;
      },
      signal: this.#stopping.signal,
      save: (names = {}) => {
        loop.#wanted.push(names);
      },
      stop: () => {
        loop.#stopped = true;
        loop.#stopping.abort();
      },
    };
  }
}

function checkState<S extends object>(state: unknown, what: string): S {
  if (typeof state === 'object' && state !== null) return state as S;
  throw new TypeError(`${what} ${nameOf(state)}; the state of a loop is an object`);
}

/** A step that returns something may mean it as the next state, or may not know that it returns something. */
function checkNext<S extends object>(returned: unknown, state: S, step: number): S {
  const tag = Object.prototype.toString.call(state);
  if (typeof returned === 'object' && returned !== null && Object.prototype.toString.call(returned) === tag) {
    return returned as S;
  }
  throw new TypeError(
    `step ${step} returned ${nameOf(returned)} where the state is ${nameOf(state)}; ` +
      'a step changes the state in place and returns nothing, or returns the next state',
  );
}

function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : `a ${typeof value}`;
  return `an instance of ${Object.prototype.toString.call(value).slice(8, -1)}`;
}
