/**
 * The owner of a store in another process, asked through its socket.
 *
 * Invariants
 *  - it is the owner of this very store: both sides have compared its UUID before anything is asked
 *  - every request ends: in the reply; in NotTaken where it may be asked again of whoever owns the store next; in
 *    SNAP_BROKEN where the owner died with it; in SNAP_LOCKED where the owner is heard of no more
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { SnapError } from '../base/errors.js';
import { realIo } from '../io/real.js';
import { connect, isSocketPath, type Socket } from '../io/socket.js';
import { findStore } from '../store/folder.js';
import { Layout } from '../store/layout.js';
import { readOwnerFile } from '../store/owner-file.js';
import { Line } from '../writer/line.js';
import type { LongRequest } from '../writer/owner.js';
import { fromPlainError } from '../writer/plain-error.js';
import type { SnapshotInfo, Warning } from '../writer/protocol.js';
import {
  ALIVE_MS,
  asFromOwner,
  FROM_OWNER_BYTES,
  type FromOwner,
  PROTOCOL,
  TO_OWNER_BYTES,
  type ToOwner,
} from '../writer/remote.js';
import type { OwnerStatus } from '../writer/status.js';

export type { OwnerStatus };

/** How long an owner has to say who it is. A running one answers within milliseconds, a stopped one never. */
const WELCOME_MS = 3000;
/** Signs of life that may be missing, of those sent every ALIVE_MS. */
const MOST_MISSED = 15;

/** The request was not taken up, or given up for others to take up: asking again does no harm. */
export class NotTaken extends Error {}

export interface FindOptions {
  onWarning?: (warning: Warning) => void;
  /** Aborted: nobody is waited for any more. */
  signal?: AbortSignal | undefined;
}

interface Asked extends Pick<LongRequest, 'progress'> {
  method: string;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export class RemoteOwner {
  readonly #line: Line;
  readonly #onWarning: (warning: Warning) => void;
  readonly #asked = new Map<number, Asked>();
  #welcome: { resolve(welcomed: boolean): void; reject(error: Error): void } | undefined;
  #store: string;
  #pid = 0;
  #gone = false;
  #lastRequest = 0;
  #missed = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * The owner of the store in a folder, or undefined where none answers.
   *
   * @throws SnapError SNAP_LOCKED where it answers in a way that this version does not understand
   */
  static async find(
    directory: string,
    run: string,
    { onWarning = () => {}, signal }: FindOptions = {},
  ): Promise<RemoteOwner | undefined> {
    const place = whereToAsk(directory);
    const socket = place && (await connect(place.socket).catch(() => undefined));
    if (!socket) return undefined;
    const owner = new RemoteOwner(socket, place, onWarning);
    return (await owner.#greet(run, signal)) ? owner : undefined;
  }

  private constructor(
    socket: Socket,
    { pid, store }: { pid: number; store: string },
    onWarning: (warning: Warning) => void,
  ) {
    this.#pid = pid;
    this.#store = store;
    this.#onWarning = onWarning;
    this.#line = new Line(
      socket,
      { sent: TO_OWNER_BYTES, taken: FROM_OWNER_BYTES },
      {
        message: (message) => this.#take(asFromOwner(message)),
        closed: (error) => this.#end((method) => died(this.#pid, method, error)),
      },
    );
  }

  get pid(): number {
    return this.#pid;
  }

  async request(method: string, args: unknown[], { progress, signal }: LongRequest = {}): Promise<unknown> {
    if (this.#gone) throw new NotTaken();
    const request = ++this.#lastRequest;
    const stop = () => this.#send({ type: 'stop', request });
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        // A request that did not get out whole was never seen.
        this.#send({ type: 'request', request, method, args }, () => reject(new NotTaken()));
        this.#asked.set(request, { method, progress, resolve, reject });
        this.#listenForLife();
      });
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#asked.delete(request);
      if (this.#asked.size === 0) this.#stopListening();
    }
  }

  /** What the run is doing; undefined where it has closed the store. */
  async status(): Promise<OwnerStatus | undefined> {
    return (await this.#unlessClosed('status')) as OwnerStatus | undefined;
  }

  /**
   * Asks the running loop for a save, and resolves when it is durable; with undefined where the signal came first, or
   * the run closed the store.
   */
  async checkpoint(signal?: AbortSignal): Promise<SnapshotInfo | undefined> {
    return (await this.#unlessClosed('checkpoint', signal)) as SnapshotInfo | undefined;
  }

  async close(): Promise<void> {
    this.#line.end();
    this.#end(() => new NotTaken());
  }

  async #unlessClosed(method: string, signal?: AbortSignal): Promise<unknown> {
    try {
      return await this.request(method, [], { signal });
    } catch (error) {
      if (error instanceof NotTaken) return undefined;
      throw error;
    }
  }

  async #greet(run: string, signal: AbortSignal | undefined): Promise<boolean> {
    const answered = new Promise<boolean>((resolve, reject) => {
      this.#welcome = { resolve, reject };
    });
    this.#send({ type: 'hello', protocol: PROTOCOL, store: this.#store, run });
    const patience = new AbortController();
    const over = signal ? AbortSignal.any([patience.signal, signal]) : patience.signal;
    const late = sleep(WELCOME_MS, false, { signal: over }).catch(() => false);
    let welcomed = false;
    try {
      welcomed = await Promise.race([answered, late]);
      return welcomed;
    } finally {
      this.#welcome = undefined;
      patience.abort();
      if (!welcomed) this.#line.destroy();
    }
  }

  #take(message: FromOwner): void {
    this.#missed = 0;
    switch (message.type) {
      case 'welcome':
        this.#pid = message.pid;
        this.#welcome?.resolve(message.store === this.#store);
        return;
      case 'refused':
        if (message.reason === 'protocol') this.#welcome?.reject(otherVersion(this.#pid));
        else this.#welcome?.resolve(false);
        return;
      case 'reply':
        if (message.error) this.#asked.get(message.request)?.reject(fromPlainError(message.error));
        else this.#asked.get(message.request)?.resolve(message.result);
        return;
      case 'progress':
        this.#asked.get(message.request)?.progress?.(message.progress);
        return;
      case 'warning':
        this.#onWarning(message.warning);
        return;
      case 'alive':
        return;
      case 'bye':
        this.#line.destroy();
        this.#end(() => new NotTaken());
        return;
      default:
        throw new SnapError('SNAP_CORRUPT', 'the owner says what this version does not understand');
    }
  }

  #send(message: ToOwner, lost?: () => void): void {
    this.#line.send(message, lost);
  }

  /** Nothing comes any more: what is under way ends so. */
  #end(reason: (method: string) => Error): void {
    this.#gone = true;
    this.#stopListening();
    this.#welcome?.resolve(false);
    for (const { method, reject } of this.#asked.values()) reject(reason(method));
  }

  /**
   * Counts the signs of life that are missing. Counted, because a process that was stopped itself finds much time gone
   * by, and what came in the meantime unread.
   */
  #listenForLife(): void {
    this.#timer ??= setInterval(() => {
      if (++this.#missed <= MOST_MISSED) return;
      this.#line.destroy();
      this.#end((method) => silent(this.#pid, method));
    }, ALIVE_MS);
  }

  #stopListening(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#missed = 0;
  }
}

/** What the store's folder says of its owner, who may be dead. */
function whereToAsk(directory: string): { pid: number; socket: string; store: string } | undefined {
  const layout = new Layout(directory);
  const owner = readOwnerFile(realIo, layout);
  if (!owner?.socket || !isSocketPath(owner.socket)) return undefined;
  try {
    const descriptor = findStore(realIo, layout);
    return descriptor && { pid: owner.pid, socket: owner.socket, store: descriptor.uuid };
  } catch {
    // Whoever opens the store will say what is wrong with it.
    return undefined;
  }
}

/** What tells one owner from another, as far as the store's folder knows. */
export function nameOfOwner(directory: string): string | undefined {
  const owner = readOwnerFile(realIo, new Layout(directory));
  return owner && `${owner.pid} ${owner.host} ${owner.since}`;
}

/** The owner holds the store and is not heard of. */
export function doesNotAnswer(pid: number | undefined, cause: unknown): SnapError {
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new SnapError(
    'SNAP_LOCKED',
    `${who} owns this store and does not answer: end it, or try again later (ls, show and stats work beside it)`,
    { ...(pid !== undefined && { pid }), cause },
  );
}

function silent(pid: number, method: string): SnapError {
  return new SnapError(
    'SNAP_LOCKED',
    `process ${pid} owns this store and answers no more: ${method} may be done when it goes on, or not`,
    { pid },
  );
}

function died(pid: number, method: string, cause: unknown): SnapError {
  return new SnapError(
    'SNAP_BROKEN',
    `process ${pid}, which owned this store, ended before it answered: ${method} may be done or not; look, then ask again`,
    { pid, cause },
  );
}

function otherVersion(pid: number): SnapError {
  return new SnapError(
    'SNAP_LOCKED',
    `process ${pid} owns this store with another version of holdfast: use that version's snap, or end the process first`,
    { pid },
  );
}
