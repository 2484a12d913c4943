/**
 * What the owner and a process that asks it say to each other, over the owner's socket.
 *
 * The one that asks begins with `hello`, and is let in with `welcome` or sent away with `refused`. Every request ends in
 * one `reply`. An owner that closes says `bye`: whatever it had not answered then may be asked again, of whoever owns
 * the store next. A connection that ends without `bye` was cut: what was under way may have been done or not.
 */

import { SnapError } from '../base/errors.js';
import { checkRun } from '../base/names.js';
import { KiB, MiB } from '../base/sizes.js';
import type { PlainError, Warning } from './protocol.js';

/** Raised when a message changes its meaning. */
export const PROTOCOL = 1;

export type ToOwner =
  /** `store`: the UUID of the store that is meant. */
  | { type: 'hello'; protocol: number; store: string; run: string }
  | { type: 'request'; request: number; method: string; args: unknown[] }
  /** A long request is to come to an end; it then replies with what it has. */
  | { type: 'stop'; request: number };

export type FromOwner =
  | { type: 'welcome'; protocol: number; store: string; pid: number }
  | { type: 'refused'; reason: 'store' | 'protocol' }
  | { type: 'reply'; request: number; result?: unknown; error?: PlainError }
  | { type: 'progress'; request: number; progress: unknown }
  | { type: 'warning'; warning: Warning }
  /** Sent every ALIVE_MS while something is under way: the owner is busy, not stopped. */
  | { type: 'alive' }
  | { type: 'bye' };

/** Of a message, in bytes. A list of snapshots is longer than what is asked. */
export const TO_OWNER_BYTES = 64 * KiB;
export const FROM_OWNER_BYTES = 256 * MiB;

/** How often an owner says that it is alive while something is under way. */
export const ALIVE_MS = 1000;

/** A message to the owner, if it is one: nothing is believed. Throws SNAP_CORRUPT, or a TypeError for the run. */
export function asToOwner(message: unknown): ToOwner {
  const { type, protocol, store, run, request, method, args } = fieldsOf(message);
  if (type === 'hello' && isNumber(protocol) && typeof store === 'string') {
    checkRun(run);
    return { type, protocol, store, run };
  }
  if (type === 'request' && isNumber(request) && typeof method === 'string' && Array.isArray(args)) {
    return { type, request, method, args };
  }
  if (type === 'stop' && isNumber(request)) return { type, request };
  throw nonsense();
}

/** A message of the owner: of the same user, who could as well write the store, so its content is believed. */
export function asFromOwner(message: unknown): FromOwner {
  if (typeof fieldsOf(message).type !== 'string') throw nonsense();
  return message as FromOwner;
}

function fieldsOf(message: unknown): Record<string, unknown> {
  if (typeof message !== 'object' || message === null) throw nonsense();
  return message as Record<string, unknown>;
}

/** Of a request, or a version: from 1 on. */
function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function nonsense(): SnapError {
  return new SnapError('SNAP_CORRUPT', 'a message makes no sense');
}
