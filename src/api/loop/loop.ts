/**
 * The loop: what happens around a caller's steps.
 *
 * Whoever runs the steps (run.ts) does it so: `begin`, then for each step the step itself, `stepped`, and `attend`
 * where that says so, until `isOver`; then `finish`, or `abandon` where anything threw, and `release` in any case.
 *
 * Invariants
 *  - what is saved is the state between two steps, with the number of steps done
 *  - a step that throws leaves no trace: what was captured before becomes durable, and nothing else is saved
 *  - the event loop turns at least once in TURN_MS of computing, or after each step where a step takes longer
 *  - a step that returns nothing at once costs no promise and no allocation
 */

import { SnapError } from '../../base/errors.js';
import { formatDuration } from '../../base/units.js';
import { dieBySignal } from '../../io/signals.js';
import type { SnapshotInfo } from '../../writer/protocol.js';
import type { SnapshotRef } from '../../writer/refs.js';
import { publishLoop, publishWarning } from '../channels.js';
import { Cadence, type CadenceInfo } from './cadence.js';
import type { CheckedLoop } from './check-options.js';
import type { LoopContext, SnapshotNames } from './context.js';
import { SaveCost } from './cost.js';
import type { LoopHost } from './host.js';
import { PROCESS, readLoopMeta } from './meta.js';
import { checkNext, checkState } from './next-state.js';
import { RunClock } from './run-clock.js';
import { LoopSaver } from './saver.js';
import { Signals } from './stopping.js';

/** How a loop ended. Times in milliseconds. */
export interface LoopResult<S extends object> {
  state: S;
  /** Steps done, over all restarts. */
  step: number;
  /** `'done'`: the end condition holds; `'stopped'`: `stop()` was called; `'signal'`: a signal to stop was heard. */
  reason: 'done' | 'stopped' | 'signal';
  signal: NodeJS.Signals | undefined;
  /** The run clock. */
  elapsedMs: number;
  /** How many times the run was resumed. */
  restarts: number;
  /** Snapshots that this loop made. */
  saves: number;
  /** The newest of them; undefined where it made none. */
  last: SnapshotInfo | undefined;
  /** When it saved in the end, and why. */
  cadence: CadenceInfo;
}

/** How long the event loop may stand still while steps are computed. */
const TURN_MS = 10;

export class Loop<S extends object> {
  readonly #host: LoopHost;
  readonly #options: CheckedLoop<S>;
  readonly #clock: () => number;
  readonly #runClock: RunClock;
  readonly #cost = new SaveCost();
  readonly #cadence: Cadence;
  readonly #saver: LoopSaver<S>;
  readonly #signals: Signals;
  readonly #stopping = new AbortController();
  readonly context: LoopContext;
  /** Rejects where the grace was over before the loop. */
  readonly late: Promise<never>;
  #rejectLate!: (error: Error) => void;
  state!: S;
  step = 0;
  #restarts = 0;
  #resumed = false;
  /** The end condition holds. */
  #done = false;
  #stopped = false;
  #stoppedBy: NodeJS.Signals | undefined;
  /** The snapshot that the loop began with. */
  #from: SnapshotInfo | undefined;
  /** The cadence says that a save is due. */
  #isDue = false;
  /** Somebody asked for a save, with these names. */
  #isAsked = false;
  #names: SnapshotNames[] = [];
  #rollback: SnapshotRef | undefined;
  #turnAt = 0;

  constructor(host: LoopHost, options: CheckedLoop<S>) {
    this.#host = host;
    this.#options = options;
    this.#clock = options.clock;
    this.#runClock = new RunClock(this.#clock);
    this.#cadence = new Cadence(options.save, this.#cost);
    this.context = this.#makeContext();
    this.#saver = new LoopSaver(host, options.on, this.#cost, this.#clock, this.context);
    this.#signals = new Signals(options.signals, {
      stop: (signal) => {
        this.#stoppedBy = signal;
        this.#stopping.abort();
      },
      save: () => {
        this.#isAsked = true;
      },
      late: (signal) => this.#isLate(signal),
    });
    this.late = new Promise((_, reject) => {
      this.#rejectLate = reject;
    });
    this.late.catch(() => {});
  }

  /** True where no step is to be run any more. */
  get isOver(): boolean {
    return this.#done || this.#stopped || this.#stoppedBy !== undefined;
  }

  /** Resumes the run, or initialises it. */
  async begin(): Promise<void> {
    const { init, into } = this.#options;
    const { state, from } = await this.#host.resume(init, into);
    this.state = checkState<S>(state, from ? 'the snapshot holds' : 'init returned');
    this.#runClock.goOnFrom(0);
    this.#signals.listen();
    if (from) await this.#goOnFrom(from);
    this.#standAt(this.step);
    this.#publish('begin');
  }

  async #goOnFrom(from: SnapshotInfo): Promise<void> {
    const { restart, resume } = this.#options.on;
    const meta = readLoopMeta(from);
    this.#from = from;
    this.step = stepOf(from);
    this.#saver.capturedStep = this.step;
    this.#resumed = true;
    this.#restarts = (meta?.restarts ?? 0) + 1;
    this.#runClock.goOnFrom(meta?.elapsedMs ?? 0);
    this.#warnOfOtherProgram(from);
    const hook = meta?.process === PROCESS ? resume : restart;
    await hook?.(this.state, this.context, from);
  }

  /** The loop goes on from this step now. */
  #standAt(step: number): void {
    const now = this.#clock();
    this.step = step;
    this.#cost.begin(step, now);
    this.#cadence.begin(step, now);
    this.#turnAt = now + TURN_MS;
    this.#done = this.#endConditionHolds();
  }

  /** Takes what a step returned, where it returned something. */
  replace(returned: unknown): void {
    if (returned === undefined || returned === this.state) return;
    this.state = checkNext<S>(returned, this.state, this.step);
  }

  /** Counts a step. True where `attend` has something to do before the next one. */
  stepped(): boolean {
    const now = this.#clock();
    this.step++;
    const { plan } = this.#host;
    if (plan ? plan.wants(this.step) : this.#cadence.isDue(this.step, now)) this.#isDue = true;
    if (this.#host.checkpointAsked) this.#isAsked = true;
    this.#done = this.#endConditionHolds();
    return (
      this.#isDue ||
      this.#isAsked ||
      this.isOver ||
      now >= this.#turnAt ||
      this.#saver.hasNews ||
      this.#rollback !== undefined ||
      this.#saver.failure !== undefined
    );
  }

  /** Does what is due between two steps. */
  async attend(): Promise<void> {
    if (this.#clock() >= this.#turnAt) await this.#turn();
    if (this.#saver.hasNews) this.#takeNews();
    this.#throwFailure();
    if (this.#rollback !== undefined) await this.#goBack(this.#rollback);
    // The last save is made by `finish`, once.
    if ((this.#isDue || this.#isAsked) && !this.isOver) await this.#save(false);
  }

  /** Makes the last state durable. */
  async finish(): Promise<LoopResult<S>> {
    // What was captured may still turn out to have found no space.
    if (this.#saver.capturedStep === this.step) await this.#saver.settled();
    if (this.#saver.capturedStep !== this.step || this.#names.length > 0) await this.#save(true);
    await this.#saver.settled();
    this.#throwFailure();
    if (this.#done && this.#options.whenDone === 'last') await this.#forgetOthers();
    this.#publish('end');
    await this.#signals.leave(() => this.#host.turn());
    return {
      state: this.state,
      step: this.step,
      reason: this.#reason,
      signal: this.#stoppedBy,
      elapsedMs: this.#runClock.elapsedMs,
      restarts: this.#restarts,
      saves: this.#saver.saves,
      last: this.#saver.last,
      cadence: this.#cadence.info,
    };
  }

  get #reason(): LoopResult<S>['reason'] {
    if (this.#done) return 'done';
    return this.#stopped ? 'stopped' : 'signal';
  }

  /** Ends it where it is: what was captured becomes durable, and nothing else is saved. */
  async abandon(): Promise<void> {
    this.#stopping.abort();
    await this.#saver.settled();
  }

  /** Hears no signals any more. */
  release(): void {
    this.#signals.release();
  }

  async #save(isLast: boolean): Promise<void> {
    const { steps, intervalMs, reason } = this.#cadence.info;
    const mayBeSkipped = !isLast && !this.#isAsked;
    const begun = this.#clock();
    this.#isDue = false;
    this.#isAsked = false;
    await this.#saver.capture({
      state: this.state,
      step: this.step,
      names: this.#names.splice(0),
      loop: {
        elapsedMs: Math.ceil(this.#runClock.elapsedMs * 1000) / 1000,
        restarts: this.#restarts,
        done: this.#done,
        process: PROCESS,
        cadence: { steps, intervalMs, reason },
      },
      mayBeSkipped,
      isLast,
    });
    this.#cadence.saved(begun);
  }

  #takeNews(): void {
    this.#saver.takeNews(this.step, this.#clock());
    this.#cadence.adapt();
    this.#publish('cadence');
  }

  async #goBack(ref: SnapshotRef): Promise<void> {
    this.#rollback = undefined;
    const into = this.#options.into ? { into: this.state } : {};
    const { state, from } = await this.#host.restore(ref, into);
    this.state = checkState<S>(state, 'the snapshot holds');
    this.step = stepOf(from);
    // What was to be saved is given up.
    this.#isDue = false;
    this.#isAsked = false;
    this.#names = [];
    // Where the loop ends here, the run is to go on from here: a restart takes the newest snapshot.
    this.#saver.capturedStep = undefined;
    await this.#options.on.resume?.(this.state, this.context, from);
    this.#standAt(this.step);
  }

  async #turn(): Promise<void> {
    await this.#host.turn();
    this.#turnAt = this.#clock() + TURN_MS;
  }

  #throwFailure(): void {
    if (this.#saver.failure) throw this.#saver.failure.error;
  }

  #endConditionHolds(): boolean {
    if (this.step >= this.#options.steps) return true;
    const answer: unknown = this.#options.until?.(this.state, this.context);
    if (typeof answer === 'object' && answer !== null) {
      throw new TypeError('until returned an object; it answers at once, with true or false');
    }
    return Boolean(answer);
  }

  /** The newest durable snapshot of the run, as far as this loop knows. */
  get #newest(): SnapshotInfo | undefined {
    return this.#saver.last ?? this.#from;
  }

  async #forgetOthers(): Promise<void> {
    const others: string[] = [];
    for await (const info of this.#host.list({ run: this.#host.run })) {
      if (info.id !== this.#newest?.id && info.tags.length === 0 && readLoopMeta(info)) others.push(info.id);
    }
    await this.#host.forgetAll(others);
  }

  #isLate(signal: NodeJS.Signals): void {
    const { graceMs = 0, exit } = this.#options.signals;
    const newest = this.#newest
      ? `the newest durable snapshot is ${this.#newest.id} (step ${this.#newest.step})`
      : 'nothing was saved before';
    const message = `the loop is still at step ${this.step} ${formatDuration(graceMs)} after ${signal}, and ends where it is; ${newest}`;
    publishWarning({ kind: 'grace', directory: this.#host.directory, message });
    const error = new SnapError('SNAP_BUSY', message);
    this.#saver.failure ??= { error };
    // The warning is written in the next turn.
    if (exit) setImmediate(() => dieBySignal(signal));
    else this.#rejectLate(error);
  }

  #warnOfOtherProgram({ id, program: { name, version } }: SnapshotInfo): void {
    const now = this.#host.program;
    if (name === now.name && version === now.version) return;
    const message = `snapshot ${id} was made by ${name || 'a program without a name'} ${version}, and goes on with ${now.name || 'one without a name'} ${now.version}`;
    publishWarning({ kind: 'program', directory: this.#host.directory, message, snapshot: id });
  }

  #publish(event: 'begin' | 'cadence' | 'end'): void {
    const { directory, run } = this.#host;
    publishLoop(() => ({ directory, run, event, step: this.step, cadence: this.#cadence.info }));
  }

  #makeContext(): LoopContext {
    const loop = this;
    return {
      get step() {
        return loop.step;
      },
      get elapsedMs() {
        return loop.#runClock.elapsedMs;
      },
      get restarts() {
        return loop.#restarts;
      },
      get resumed() {
        return loop.#resumed;
      },
      get cadence() {
        return loop.#cadence.info;
      },
      signal: this.#stopping.signal,
      save: (names) => {
        loop.#isAsked = true;
        if (names) loop.#names.push(names);
      },
      stop: () => {
        loop.#stopped = true;
        loop.#stopping.abort();
      },
      rollback: (ref = 'latest') => {
        loop.#rollback = ref;
      },
    };
  }
}

function stepOf({ id, run, step }: SnapshotInfo): number {
  if (step !== undefined) return step;
  throw new TypeError(
    `snapshot ${id} of run ${run} has no step, so the loop cannot tell how far it is; ` +
      'save it with { step }, or give the loop a run of its own',
  );
}
