/** How a Snap reaches its store: through the owner in this process, or by asking the one in another. */

import type { Policy } from '../store/retention-policy.js';
import type { ClientEvents, LongRequest } from './owner.js';
import type { ToWriter } from './protocol.js';

export interface Access {
  /** False where another process owns the store: it saves, others only ask. */
  readonly canSave: boolean;
  /** Registers a Snap; the number names it in every message. `keep`: the retention policy of its run. */
  attach(run: string, keep: Policy | undefined, events: ClientEvents): number;
  /** Lets a Snap go. */
  detach(client: number): Promise<void>;
  request(client: number, method: string, args: unknown[], long?: LongRequest): Promise<unknown>;
  /** How many answers there are that were not taken yet. */
  readonly untaken: number;

  // ---- for saving --------------------------------------------------------------------------------

  send(message: ToWriter, transfer?: ArrayBuffer[]): void;
  /** Counts a save that was sent, until it is durable or failed. */
  saveBegan(): void;
  /** Takes what the writer thread has posted, without waiting for the event loop. */
  poll(): void;
  /** How many times a save was asked for from outside. */
  readonly checkpoints: number;
  /** Milliseconds since the event loop was last seen to turn. */
  readonly sinceTurn: number;
  turned(): void;
}
