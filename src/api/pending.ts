/** The saves that are neither durable nor failed yet. */

import type { SnapshotId } from '../base/ids.js';
import { type SaveLabels, Ticket, type TicketHost } from './ticket.js';

export class PendingTickets {
  readonly #pending = new Map<number, Ticket>();
  #waiters: { upTo: number; resolve(): void }[] = [];
  #last = 0;

  /** Numbers rise in the order of the saves. */
  add(id: SnapshotId, labels: SaveLabels, host: TicketHost): Ticket {
    const ticket = new Ticket(++this.#last, id, labels, host);
    this.#pending.set(ticket.number, ticket);
    return ticket;
  }

  settle(number: number): Ticket | undefined {
    const ticket = this.#pending.get(number);
    this.#pending.delete(number);
    if (this.#waiters.length > 0) this.#wake();
    return ticket;
  }

  get(number: number): Ticket | undefined {
    return this.#pending.get(number);
  }

  numbers(): number[] {
    return [...this.#pending.keys()];
  }

  /** Resolves when every save made so far is settled. */
  allSettled(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push({ upTo: this.#last, resolve });
    });
  }

  #wake(): void {
    const [oldest = Number.POSITIVE_INFINITY] = this.#pending.keys();
    for (const waiter of this.#waiters) if (waiter.upTo < oldest) waiter.resolve();
    this.#waiters = this.#waiters.filter((waiter) => waiter.upTo >= oldest);
  }
}
