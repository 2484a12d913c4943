/** How a Snap reaches its store: through the owner in this process, or by asking the one in another. */

import type { Program } from '../format/manifest.js';
import type { Policy } from '../store/retention-policy.js';
import type { ClientEvents, LongRequest } from './owner.js';
import type { ToWriter } from './protocol.js';

export interface Access {
  /** False where another process owns the store: it saves, others only ask. */
  readonly canSave: boolean;
  /**
   * Registers a Snap; the number names it in every message. `keep`: the retention policy of its run. `program`: who
   * saves; undefined for one that only asks.
   */
  attach(run: string, keep: Policy | undefined, events: ClientEvents, program?: Program): number;
  /** Lets a Snap go. */
  detach(client: number): Promise<void>;
  request(client: number, method: string, args: unknown[], long?: LongRequest): Promise<unknown>;
  /** How many answers there are that were not taken yet. */
  readonly untaken: number;

  // ---- for saving --------------------------------------------------------------------------------

  send(message: ToWriter, transfer?: ArrayBuffer[]): void;
  /** Sends what is seen within a few milliseconds, and costs less for it. */
  sendSoon(message: ToWriter): void;
  /** Somebody waits for what was sent: has it seen at once. */
  hurry(): void;
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
