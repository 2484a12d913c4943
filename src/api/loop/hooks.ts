/**
 * Functions of the caller around captures, after DMTCP's events: pre-checkpoint, resume, restart.
 *
 * The loop waits for each of them. One that throws ends the loop with that error; what was captured is durable then.
 */

import type { SnapshotInfo } from '../../writer/protocol.js';
import type { SaveTicket } from '../ticket.js';
import type { LoopContext } from './context.js';

type Awaitable = void | Promise<void>;

export interface LoopHooks<S extends object> {
  /** Before each capture: put into the state what belongs there, flush what the snapshot relies on. */
  beforeCapture?: ((state: S, loop: LoopContext) => Awaitable) | undefined;
  /** After each capture, before the next step: the state may be changed again. */
  afterCapture?: ((ticket: SaveTicket, loop: LoopContext) => Awaitable) | undefined;
  /** A snapshot of this loop is on disk and synced. In the order of the saves; steps go on meanwhile. */
  durable?: ((info: SnapshotInfo, loop: LoopContext) => Awaitable) | undefined;
  /** The run goes on from a snapshot in the process that made it: after `rollback`, or in another loop of the process. */
  resume?: ((state: S, loop: LoopContext, info: SnapshotInfo) => Awaitable) | undefined;
  /** The run goes on from a snapshot in a new process: open again what was open, rebuild what is not in the state. */
  restart?: ((state: S, loop: LoopContext, info: SnapshotInfo) => Awaitable) | undefined;
}

export const HOOK_NAMES: ReadonlySet<string> = new Set([
  'beforeCapture',
  'afterCapture',
  'durable',
  'resume',
  'restart',
]);
