/**
 * A save as its caller sees it.
 *
 * `durable` is made when somebody looks at it: so the library knows whether a failure has a reader, and a
 * ticket that nobody awaits never causes an unhandled rejection.
 */

import { SnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import type { SnapshotInfo } from '../writer/protocol.js';

/** What `save` resolves with: the state is captured and may be changed. */
export interface SaveTicket {
  /** Id that the snapshot has once it is durable; 32 hexadecimal digits. */
  readonly id: string;
  /** True where `onBusy` let this save be skipped or overtaken; there will be no such snapshot. */
  readonly skipped: boolean;
  /** Milliseconds for which the caller was held. */
  readonly stallMs: number;
  /**
   * Resolves when the snapshot is on disk and synced; rejects with a SnapError if it could not be written
   * (SNAP_BUSY where it was skipped).
   */
  readonly durable: Promise<SnapshotInfo>;
}

type Outcome = { info: SnapshotInfo } | { error: Error };

export class Ticket implements SaveTicket {
  readonly number: number;
  readonly id: SnapshotId;
  readonly step: number | undefined;
  skipped = false;
  stallMs = 0;
  /** Why there was nothing to capture: the state cannot be saved, or the wait was given up. */
  refusal: { error: unknown } | undefined;
  readonly #onLook: (ticket: Ticket) => void;
  #outcome: Outcome | undefined;
  #promise: Promise<SnapshotInfo> | undefined;
  #resolve: ((info: SnapshotInfo) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  /** `onLook` is told when a failure that nobody had heard of is looked at after all. */
  constructor(number: number, id: SnapshotId, step: number | undefined, onLook: (ticket: Ticket) => void) {
    this.number = number;
    this.id = id;
    this.step = step;
    this.#onLook = onLook;
  }

  get durable(): Promise<SnapshotInfo> {
    if (!this.#promise) {
      this.#promise = new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
      this.#promise.catch(() => {});
      if (this.#outcome) {
        this.#onLook(this);
        this.#announce(this.#outcome);
      }
    }
    return this.#promise;
  }

  /** The failure, if there was one. */
  get failure(): Error | undefined {
    return this.#outcome && 'error' in this.#outcome ? this.#outcome.error : undefined;
  }

  /** True where somebody holds `durable` and so hears of the outcome. */
  get observed(): boolean {
    return this.#promise !== undefined;
  }

  succeed(info: SnapshotInfo): void {
    this.#settle({ info });
  }

  fail(error: Error): void {
    this.#settle({ error });
  }

  skip(): void {
    this.skipped = true;
    const message =
      'this save was skipped because both slots were taken; save less often, or use onBusy: "wait"';
    this.#settle({ error: new SnapError('SNAP_BUSY', message) });
  }

  #settle(outcome: Outcome): void {
    this.#outcome = outcome;
    this.#announce(outcome);
  }

  #announce(outcome: Outcome): void {
    if ('info' in outcome) this.#resolve?.(outcome.info);
    else this.#reject?.(outcome.error);
  }
}
