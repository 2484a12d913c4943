/**
 * A stage on which the path of a save is gone through without a store: an owner whose saves are durable at once.
 *
 * It is an owner like any other, so that the compiler sees in a rehearsal what it will see later. What a save says and what
 * comes back for it pass through lanes as they do between two threads; at the other end is nobody but this.
 */

import type { MessagePort } from 'node:worker_threads';
import { type Bell, Inbox, Outbox } from './lane.js';
import { type Link, newLink } from './link.js';
import { Owner } from './owner.js';
import type { FromWriter, ToWriter } from './protocol.js';
import { fromWriterRecords, toWriterRecords } from './records.js';

/** Some rings are enough for the compiler. */
const SLEEPS_EVERY = 16;

const NOBODY: Link['thread'] = {
  on: () => NOBODY as never,
  ref: () => {},
  unref: () => {},
};

export class Stage {
  readonly owner: Owner;
  readonly #port: MessagePort;
  readonly #inbox: Inbox<ToWriter>;
  readonly #outbox: Outbox<FromWriter>;
  #answers = 0;

  constructor() {
    const { here, there } = newLink();
    const { port, lanes } = there;
    this.#port = port;
    this.#inbox = new Inbox(lanes.toWriter, port, toWriterRecords, (message) => this.#write(message));
    this.#outbox = new Outbox(lanes.fromWriter, port, fromWriterRecords);
    this.owner = Owner.onStage({ ...here, thread: NOBODY });
    this.#outbox.post({ type: 'opened' });
  }

  /** Answers what was said. Now and then it sleeps then, and whoever says the next thing rings. */
  answer(): void {
    this.#inbox.drain();
    this.#inbox.wantBell(this.#answers++ % SLEEPS_EVERY === 0);
  }

  end(): void {
    this.#port.close();
  }

  #write(message: ToWriter | Bell): void {
    if (message.type !== 'save') return;
    const { client, job } = message;
    const { ticket, slot, createdAt, stallMs, skeletonBytes, id } = job;
    const written = {
      parent: id,
      createdAt,
      logicalBytes: skeletonBytes,
      changedBytes: 0,
      storedBytes: 0,
      durableMs: stallMs,
    };
    this.#outbox.put({ type: 'released', client, slot });
    this.#outbox.put({ type: 'durable', client, ticket, written, shares: [] });
  }
}
