/**
 * A stage on which the path of a save is gone through without a store: an owner whose saves are durable at once.
 *
 * What a save says and what comes back for it pass through lanes as they do between two threads.
 */

import { MessageChannel } from 'node:worker_threads';
import type { Access } from './access.js';
import { type Bell, Inbox, newLane, Outbox } from './lane.js';
import type { ClientEvents } from './owner.js';
import type { FromWriter, ToWriter } from './protocol.js';
import { fromWriterRecords, toWriterRecords } from './records.js';

/** There is one Snap on a stage. */
const CLIENT = 1;

export class Stage implements Access {
  readonly canSave = true;
  readonly untaken = 0;
  readonly checkpoints = 0;
  readonly sinceTurn = 0;
  readonly #channel = new MessageChannel();
  readonly #toWriter: Outbox<ToWriter>;
  readonly #atWriter: Inbox<ToWriter>;
  readonly #fromWriter: Outbox<FromWriter>;
  readonly #fromThere: Inbox<FromWriter>;
  #events: ClientEvents | undefined;

  constructor() {
    const { port1, port2 } = this.#channel;
    const [there, back] = [newLane(), newLane()];
    this.#toWriter = new Outbox(there, port1, toWriterRecords);
    this.#atWriter = new Inbox(there, port2, toWriterRecords, (message) => this.#write(message));
    this.#fromWriter = new Outbox(back, port2, fromWriterRecords);
    this.#fromThere = new Inbox(back, port1, fromWriterRecords, (message) => this.#take(message));
  }

  attach(_run: string, _keep: unknown, events: ClientEvents): number {
    this.#events = events;
    return CLIENT;
  }

  async detach(): Promise<void> {
    this.#channel.port1.close();
  }

  async request(): Promise<void> {}

  send(): void {}

  sendSoon(message: ToWriter): void {
    this.#toWriter.put(message);
  }

  hurry(): void {
    this.poll();
  }

  saveBegan(): void {}

  poll(): void {
    this.#atWriter.drain();
    this.#fromThere.drain();
  }

  turned(): void {}

  #write(message: ToWriter | Bell): void {
    if (message.type !== 'save') return;
    const { ticket, slot, createdAt, stallMs, skeletonBytes, id } = message.job;
    const written = {
      parent: id,
      createdAt,
      logicalBytes: skeletonBytes,
      changedBytes: 0,
      storedBytes: 0,
      durableMs: stallMs,
    };
    this.#fromWriter.put({ type: 'released', client: CLIENT, slot });
    this.#fromWriter.put({ type: 'durable', client: CLIENT, ticket, written, shares: [] });
  }

  #take(message: FromWriter | Bell): void {
    if (message.type === 'released') this.#events?.released(message.slot);
    else if (message.type === 'durable') this.#events?.durable(message);
  }
}
