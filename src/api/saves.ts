/**
 * The saves of one Snap on the caller's thread: from a call of `save` to the end of its ticket.
 *
 * Invariants
 *  - a save is captured before `save` returns its promise wherever a slot is free
 *  - saves become durable in the order they were made
 *  - a failure in the background reaches the caller exactly once: through `ticket.durable` if anybody holds it,
 *    else thrown by the next save, flush or close
 */

import { randomFillSync } from 'node:crypto';
import { abortError, orAbort, throwIfAborted } from '../base/abort.js';
import type { SnapError } from '../base/errors.js';
import { type SnapshotId, snapshotIdFromBytes } from '../base/ids.js';
import type { Program } from '../format/manifest.js';
import { type ClassRegistry, StateEncoder } from '../state/index.js';
import type { Access } from '../writer/access.js';
import type { SnapshotInfo, Written } from '../writer/protocol.js';
import { type OnBusy, SaveQueue } from '../writer/save-queue.js';
import { type Capture, Slots } from '../writer/slots.js';
import { Tracker } from '../writer/tracker.js';
import { publishCaptured, publishDurable, publishError, publishGc, publishWarning } from './channels.js';
import { Loan, markLent } from './lending.js';
import { type CheckedOpen, type CheckedSave, checkSaveOptions, type SaveOptions } from './options.js';
import { PendingTickets } from './pending.js';
import type { Proving } from './prove/proving.js';
import type { SaveTicket, Ticket, TicketHost } from './ticket.js';

/** How long a loop may go without turning the event loop before a save turns it. */
const TURN_MS = 10;
/** Ids are drawn in batches: one call of the system for many saves. */
const ID_BATCH = 64;

export class Saves {
  /** Names the Snap in what is sent to the owner. */
  readonly client: number;
  readonly slots: Slots;
  readonly #directory: string;
  readonly #run: string;
  readonly #program: Program;
  readonly #onBusy: OnBusy;
  readonly #owner: Access;
  readonly #encoder: StateEncoder;
  readonly #tracker: Tracker | undefined;
  readonly #queue: SaveQueue;
  readonly #tickets = new PendingTickets();
  /** Failures that nobody has heard of yet, oldest first. */
  readonly #unheard: Ticket[] = [];
  readonly #ticketHost: TicketHost;
  /** Where this process runs for a proof of this run. */
  readonly #proving: Proving | undefined;
  /** How many saves had been asked for from outside when the last capture was begun. */
  #answered = 0;
  #isClosing = false;
  #broken: SnapError | undefined;

  constructor(
    directory: string,
    options: CheckedOpen,
    owner: Access,
    registry: ClassRegistry,
    proving: Proving | undefined,
  ) {
    const { capture, memoryLimit, internals, run, program, onBusy } = options;
    this.#directory = directory;
    this.#run = run;
    this.#program = program;
    this.#onBusy = onBusy;
    this.#owner = owner;
    this.#encoder = new StateEncoder(registry);
    this.#tracker = capture === 'copy' ? undefined : new Tracker(capture, internals.smallestTracked);
    this.slots = new Slots(memoryLimit, this.#tracker);
    this.#proving = proving?.isAbout(run) ? proving : undefined;
    this.#ticketHost = {
      looked: (ticket) => this.#looked(ticket),
      describe: (ticket, written) => this.#describe(ticket, written),
    };
    this.client = owner.attach(
      run,
      proving ? undefined : options.keep,
      {
        released: (slot) => this.#queue.released(slot),
        returned: (ticket, buffers) => this.#tickets.get(ticket)?.loan?.giveBack(buffers),
        durable: ({ ticket, written, shares }) => {
          if (shares.length > 0) this.#tracker?.measured(ticket, shares);
          this.#durable(ticket, written);
        },
        failed: (ticket, error) => this.#failed(ticket, error),
        warning: (warning) => publishWarning({ ...warning, directory }),
        kept: (report) => publishGc(() => ({ directory, run, report })),
        broken: (error) => this.#break(error),
      },
      program,
    );
    this.#queue = new SaveQueue(owner, this.client, this.slots);
  }

  /** Sizes the slots at once; resolves when they were touched. `idle`: the process need not wait for that. */
  prepare(state: unknown, idle: boolean): Promise<unknown> {
    this.#owner.poll();
    const { client } = this;
    const { skeleton, regions } = this.#encoder.encode(state);
    const added = this.slots.prepare(skeleton, regions);
    for (const { slot, segments, layout } of this.slots.takeNews()) {
      if (segments) this.#owner.send({ type: 'segments', client, slot, segments });
      if (layout) this.#owner.send({ type: 'layout', client, slot, layout });
    }
    if (added.length === 0) return Promise.resolve();
    return this.#owner.request(client, 'touch', [added], { idle });
  }

  /** The same for a state that has just come: it is usable before its slots are touched. */
  prepareBehind(state: unknown): void {
    // What becomes of the writer thread is told by other means.
    this.prepare(state, true).catch(() => {});
  }

  /** A small one is given to the caller before its slots are sized: that takes as long as a third of restoring it. */
  prepareLater(state: unknown): void {
    setImmediate(() => {
      if (this.#isClosing || this.#broken) return;
      try {
        this.prepareBehind(state);
      } catch {
        // By now the caller may have made of it what cannot be saved: a save will say so.
      }
    });
  }

  /** As `Snap.save`; what is wrong with its options or its state is thrown or rejects. */
  save(state: unknown, options: SaveOptions | undefined): Promise<SaveTicket> {
    const calledAt = performance.now();
    throwIfAborted(options?.signal);
    const checked = checkSaveOptions(options, this.#onBusy);
    if (this.#proving) checked.onBusy = 'wait';
    this.#owner.poll();
    const ticket = this.#tickets.add(nextId(), checked, this.#ticketHost);
    const waiting = this.#submit(state, ticket, checked, calledAt);
    return this.#finishSave(ticket, options, waiting);
  }

  /** True while a save is asked for from outside that no save made here has answered. */
  get checkpointAsked(): boolean {
    return this.#owner.checkpoints !== this.#answered;
  }

  /** Lets timers, signals and messages in: a loop that only awaits microtasks would never hear of them. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#owner.turned();
        resolve();
      });
    });
  }

  /** The writer thread has given a slot back that was not taken for a save. */
  released(slot: number): void {
    this.#queue.released(slot);
  }

  /** Resolves when every save made so far is settled; throws a failure that nobody has heard of. */
  async flush(): Promise<void> {
    await this.#settled();
    this.#throwUnheard();
  }

  /** Lets the owner go once every save is settled; throws a failure that nobody has heard of. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#settled();
    this.#tracker?.close();
    await this.#owner.detach(this.client);
    this.#throwUnheard();
  }

  /** @throws SnapError where the writer thread is gone; first, a failure that nobody has heard of */
  checkWhole(): void {
    if (!this.#broken) return;
    this.#throwUnheard();
    throw this.#broken;
  }

  #settled(): Promise<void> {
    this.#owner.hurry();
    return this.#tickets.allSettled();
  }

  /** Hands a save to the queue; returns what to wait for, where it was not settled at once. */
  #submit(state: unknown, ticket: Ticket, save: CheckedSave, calledAt: number): Promise<void> | undefined {
    const { checkpoints } = this.#owner;
    const { lend } = save;
    let loan: Loan | undefined;
    let settled = false;
    let wake: (() => void) | undefined;
    const settle = (): void => {
      settled = true;
      wake?.();
    };
    this.#queue.submit({
      ...save,
      ticket: ticket.number,
      id: ticket.id,
      calledAt,
      takeApart: () => {
        const { skeleton, regions } = this.#encoder.encode(state);
        if (!lend) return { skeleton, regions };
        const marked = markLent(regions, lend);
        const lent = marked.filter((region) => region.lent);
        loan = lent.length > 0 ? new Loan(lent) : undefined;
        return { skeleton, regions: marked };
      },
      captured: (stallMs, capture) => {
        ticket.stallMs = stallMs;
        ticket.loan = loan;
        this.#answered = checkpoints;
        this.#announceCapture(ticket, capture);
        settle();
      },
      skipped: () => {
        ticket.skip();
        this.#tickets.settle(ticket.number);
        this.#announceCapture(ticket);
        settle();
      },
      refused: (error) => {
        ticket.refusal = { error };
        this.#tickets.settle(ticket.number);
        settle();
      },
    });
    if (settled) return undefined;
    return new Promise((resolve) => {
      wake = resolve;
    });
  }

  async #finishSave(
    ticket: Ticket,
    options: SaveOptions | undefined,
    waiting: Promise<void> | undefined,
  ): Promise<SaveTicket> {
    const signal = options?.signal;
    if (waiting) {
      const onAbort = () => this.#queue.abandon(ticket.number, abortError(signal as AbortSignal));
      signal?.addEventListener('abort', onAbort, { once: true });
      await waiting;
      signal?.removeEventListener('abort', onAbort);
    }
    if (ticket.refusal) throw ticket.refusal.error;
    if (this.#owner.sinceTurn > TURN_MS) await this.turn();
    try {
      if (options?.durable && !ticket.skipped) await orAbort(ticket.durable, signal);
      await this.#proving?.saved(ticket.durable);
    } catch (error) {
      // What was lent comes back through the ticket.
      throw ticket.loan ? withTicket(error, ticket) : error;
    }
    this.#throwUnheard(ticket);
    return ticket;
  }

  #announceCapture({ id, labels: { step }, stallMs, skipped }: Ticket, capture?: Capture): void {
    const { copiedBytes = 0, trackedBytes = 0 } = capture ?? {};
    publishCaptured(() => ({
      directory: this.#directory,
      run: this.#run,
      id,
      step,
      stallMs,
      skipped,
      copiedBytes,
      trackedBytes,
    }));
  }

  /** Somebody waits for a save, and so hears of its failure. */
  #looked(ticket: Ticket): void {
    const position = this.#unheard.indexOf(ticket);
    if (position >= 0) this.#unheard.splice(position, 1);
    this.#owner.hurry();
  }

  #describe({ id, stallMs, labels: { step, tags, meta } }: Ticket, written: Written): SnapshotInfo {
    return {
      id,
      run: this.#run,
      parent: written.parent,
      step,
      tags,
      createdAt: new Date(written.createdAt),
      logicalBytes: written.logicalBytes,
      changedBytes: written.changedBytes,
      storedBytes: written.storedBytes,
      stallMs,
      durableMs: written.durableMs,
      meta: meta === '' ? undefined : JSON.parse(meta),
      program: this.#program,
      forgotten: false,
    };
  }

  #durable(number: number, written: Written): void {
    const ticket = this.#tickets.settle(number);
    if (!ticket) return;
    ticket.succeed(written);
    publishDurable(() => ({ directory: this.#directory, info: ticket.info as SnapshotInfo }));
  }

  #failed(number: number, error: Error): void {
    const ticket = this.#tickets.settle(number);
    if (!ticket) return;
    const heard = ticket.observed;
    ticket.loan?.lose(error);
    ticket.fail(error);
    if (!heard) this.#unheard.push(ticket);
    publishError(() => ({ directory: this.#directory, run: this.#run, id: ticket.id, error }));
  }

  #break(error: SnapError): void {
    this.#broken = error;
    this.#tracker?.close();
    this.#queue.abandonAll(error);
    for (const number of this.#tickets.numbers()) this.#failed(number, error);
  }

  #throwUnheard(current?: Ticket): void {
    const ticket = this.#unheard.shift();
    const error = ticket?.failure;
    if (!error) return;
    throw current ? withTicket(error, current) : error;
  }
}

function withTicket(error: unknown, ticket: Ticket): unknown {
  if (error instanceof Error) Reflect.defineProperty(error, 'ticket', { value: ticket, configurable: true });
  return error;
}

const idBytes = Buffer.alloc(16 * ID_BATCH);
let idsUsed = ID_BATCH;

function nextId(): SnapshotId {
  if (idsUsed === ID_BATCH) {
    randomFillSync(idBytes);
    idsUsed = 0;
  }
  const start = 16 * idsUsed++;
  return snapshotIdFromBytes(idBytes.subarray(start, start + 16));
}
