/**
 * A save as its caller sees it.
 *
 * `durable` and `released` are made when somebody looks at them: so the library knows whether a failure has a reader, and
 * a ticket that nobody awaits never causes an unhandled rejection.
 */

import { SnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import type { SnapshotInfo, Written } from '../writer/protocol.js';
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

/** Whoever hands out a ticket. */
export interface TicketHost {
  /** Somebody looks at `durable`, for the first time. */
  looked(ticket: Ticket): void;
  /** All that is known of a snapshot. */
  describe(ticket: Ticket, written: Written): SnapshotInfo;
}

/** What the caller said of a save. */
export interface SaveLabels {
  step: number | undefined;
  tags: string[];
  /** JSON, or empty. */
  meta: string;
}

export class Ticket implements SaveTicket {
  readonly number: number;
  readonly id: SnapshotId;
  readonly labels: SaveLabels;
  skipped = false;
  stallMs = 0;
  /** What was lent, if anything was. */
  loan: Loan | undefined;
  /** Why there was nothing to capture: the state cannot be saved, or the wait was given up. */
  refusal: { error: unknown } | undefined;
  readonly #host: TicketHost;
  readonly #durable = new Later<SnapshotInfo>();
  #written: Written | undefined;
  #info: SnapshotInfo | undefined;
  #nothingLent: Promise<Map<string, ArrayBufferLike>> | undefined;

  constructor(number: number, id: SnapshotId, labels: SaveLabels, host: TicketHost) {
    this.number = number;
    this.id = id;
    this.labels = labels;
    this.#host = host;
  }

  get durable(): Promise<SnapshotInfo> {
    if (!this.observed) {
      this.#host.looked(this);
      if (this.info) this.#durable.succeed(this.info);
    }
    return this.#durable.promise;
  }

  get released(): Promise<Map<string, ArrayBufferLike>> {
    if (this.loan) return this.loan.released;
    this.#nothingLent ??= Promise.resolve(new Map());
    return this.#nothingLent;
  }

  /** What became of it, once it succeeded. Made when it is asked for: most often nobody does. */
  get info(): SnapshotInfo | undefined {
    if (this.#written) this.#info ??= this.#host.describe(this, this.#written);
    return this.#info;
  }

  /** The failure, if there was one. */
  get failure(): Error | undefined {
    return this.#durable.failure;
  }

  /** True where somebody holds `durable` and so hears of the outcome. */
  get observed(): boolean {
    return this.#durable.isHeld;
  }

  succeed(written: Written): void {
    this.#written = written;
    if (this.observed) this.#durable.succeed(this.info as SnapshotInfo);
  }

  fail(error: Error): void {
    this.#durable.fail(error);
  }

  skip(): void {
    this.skipped = true;
    const message =
      'this save was skipped because all slots were taken; save less often, or use onBusy: "wait"';
    this.fail(new SnapError('SNAP_BUSY', message));
  }
}
