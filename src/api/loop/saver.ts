/**
 * The saves of a loop: capture with the hooks around it, and what becomes of it in the background.
 *
 * Invariants
 *  - hooks are called in the order beforeCapture, capture, afterCapture; `durable` in the order of the saves
 *  - a save that the disk did not take is told by a warning, and the loop goes on: the next one is whole. Any other failure
 *    of a save, that of the last one and that of a hook is the loop's `failure`
 */

import { isSnapError } from '../../base/errors.js';
import type { SnapshotInfo } from '../../writer/protocol.js';
import { publishWarning } from '../channels.js';
import type { SaveTicket } from '../ticket.js';
import type { LoopContext, SnapshotNames } from './context.js';
import type { SaveCost } from './cost.js';
import type { LoopHooks } from './hooks.js';
import type { LoopHost } from './host.js';
import type { LoopMeta } from './meta.js';

/** What is to be captured. */
export interface Capture<S extends object> {
  state: S;
  step: number;
  names: readonly SnapshotNames[];
  loop: LoopMeta;
  /** Where all slots are taken and the Snap is to skip saves then. */
  mayBeSkipped: boolean;
  /** The loop ends with this one: it has to succeed. */
  isLast: boolean;
}

export class LoopSaver<S extends object> {
  readonly #host: LoopHost;
  readonly #on: LoopHooks<S>;
  readonly #cost: SaveCost;
  readonly #clock: () => number;
  readonly #context: LoopContext;
  /** Settles when all saves so far are durable or failed, and their hooks are done. */
  #settled: Promise<void> = Promise.resolve();
  /** Saves whose outcome came since `takeNews` was called last. */
  #news = 0;
  #hasWarned = false;
  /** Captures so far. */
  saves = 0;
  /** The step whose state is captured, or was restored, and not changed since; undefined where that snapshot is none. */
  capturedStep: number | undefined;
  /** The newest durable snapshot. */
  last: SnapshotInfo | undefined;
  failure: { error: unknown } | undefined;

  constructor(host: LoopHost, on: LoopHooks<S>, cost: SaveCost, clock: () => number, context: LoopContext) {
    this.#host = host;
    this.#on = on;
    this.#cost = cost;
    this.#clock = clock;
    this.#context = context;
  }

  async capture({ state, step, names, loop, mayBeSkipped, isLast }: Capture<S>): Promise<void> {
    const { beforeCapture } = this.#on;
    this.#cost.capturing(step, this.#clock());
    if (beforeCapture) await beforeCapture(state, this.#context);
    const tags = new Set(names.flatMap(({ tag, tags = [] }) => (tag === undefined ? tags : [tag, ...tags])));
    const onBusy = mayBeSkipped ? {} : ({ onBusy: 'wait' } as const);
    const ticket = await this.#host.save(state, { step, tags: [...tags], meta: { loop }, ...onBusy });
    if (!ticket.skipped) await this.#captured(ticket, step, isLast);
    this.#cost.captured(step, this.#clock(), ticket.skipped);
  }

  /** True where saves have become durable, or failed, that the cost has not taken in. */
  get hasNews(): boolean {
    return this.#news > 0;
  }

  /** To be called between two steps. */
  takeNews(step: number, now: number): void {
    this.#cost.written(this.#news, step, now);
    this.#news = 0;
  }

  /** All saves so far are durable or failed, and their hooks done. */
  settled(): Promise<void> {
    return this.#settled;
  }

  /** Calls what is to be called now, and sees to it that what is to be called later comes later. */
  async #captured(ticket: SaveTicket, step: number, isLast: boolean): Promise<void> {
    this.saves++;
    this.capturedStep = step;
    const told = this.#tellCaptured(ticket);
    const before = Promise.allSettled([this.#settled, told]);
    this.#settled = ticket.durable.then(
      async (info) => {
        this.#news++;
        await before;
        await this.#isDurable(info);
      },
      async (error) => {
        this.#news++;
        await before;
        this.#hasFailed(error, step, isLast);
      },
    );
    await told;
  }

  async #tellCaptured(ticket: SaveTicket): Promise<void> {
    await this.#on.afterCapture?.(ticket, this.#context);
  }

  async #isDurable(info: SnapshotInfo): Promise<void> {
    this.#warnIfUnchanged(info);
    this.last = info;
    try {
      await this.#on.durable?.(info, this.#context);
    } catch (error) {
      this.failure ??= { error };
    }
  }

  #hasFailed(error: unknown, step: number, isLast: boolean): void {
    if (this.capturedStep === step) this.capturedStep = undefined;
    const mayPass = isSnapError(error, 'SNAP_NO_SPACE') || isSnapError(error, 'SNAP_IO');
    if (isLast || !mayPass) {
      this.failure ??= { error };
      return;
    }
    const message = `step ${step} could not be saved: ${error.message}; the loop goes on, and saves again when it is time`;
    publishWarning({ kind: 'unsaved', directory: this.#host.directory, message });
  }

  /** A step that forgets to return the next state computes for nothing. */
  #warnIfUnchanged({ changedBytes, step = 0 }: SnapshotInfo): void {
    const before = this.last?.step ?? step;
    if (changedBytes > 0 || step <= before || this.#hasWarned) return;
    this.#hasWarned = true;
    const message = `the state is the same after step ${step} as after step ${before}; does step change it, or return the next one?`;
    publishWarning({ kind: 'unchanged', directory: this.#host.directory, message });
  }
}
