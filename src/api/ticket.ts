/**
 * A save as its caller sees it.
 *
 * `durable` and `released` are made when somebody looks at them: so the library knows whether a failure has a reader, and
 * a ticket that nobody awaits never causes an unhandled rejection.
 */

import { SnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import type { SnapshotInfo } from '../writer/protocol.js';
import { Later } from './later.js';
import type { Loan } from './lending.js';

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
  /**
   * Resolves when what `lend` lent may be written to again: long before `durable`, and whether that fails or not. The
   * buffers by the paths of their regions: those that were transferred, for new views, and the SharedArrayBuffers
   * themselves. Empty where nothing was lent. Rejects with SNAP_BROKEN where the writer thread died first: ArrayBuffers
   * that were lent are lost then.
   */
  readonly released: Promise<Map<string, ArrayBufferLike>>;
}

export class Ticket implements SaveTicket {
  readonly number: number;
  readonly id: SnapshotId;
  readonly step: number | undefined;
  skipped = false;
  stallMs = 0;
  /** What was lent, if anything was. */
  loan: Loan | undefined;
  /** Why there was nothing to capture: the state cannot be saved, or the wait was given up. */
  refusal: { error: unknown } | undefined;
  readonly #onLook: (ticket: Ticket) => void;
  readonly #durable = new Later<SnapshotInfo>();
  #nothingLent: Promise<Map<string, ArrayBufferLike>> | undefined;

  /** `onLook` is told when a failure that nobody had heard of is looked at after all. */
  constructor(number: number, id: SnapshotId, step: number | undefined, onLook: (ticket: Ticket) => void) {
    this.number = number;
    this.id = id;
    this.step = step;
    this.#onLook = onLook;
  }

  get durable(): Promise<SnapshotInfo> {
    if (!this.observed) this.#onLook(this);
    return this.#durable.promise;
  }

  get released(): Promise<Map<string, ArrayBufferLike>> {
    if (this.loan) return this.loan.released;
    this.#nothingLent ??= Promise.resolve(new Map());
    return this.#nothingLent;
  }

  /** The failure, if there was one. */
  get failure(): Error | undefined {
    return this.#durable.failure;
  }

  /** True where somebody holds `durable` and so hears of the outcome. */
  get observed(): boolean {
    return this.#durable.isHeld;
  }

  succeed(info: SnapshotInfo): void {
    this.#durable.succeed(info);
  }

  fail(error: Error): void {
    this.#durable.fail(error);
  }

  skip(): void {
    this.skipped = true;
    const message =
      'this save was skipped because both slots were taken; save less often, or use onBusy: "wait"';
    this.fail(new SnapError('SNAP_BUSY', message));
  }
}
