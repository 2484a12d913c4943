/**
 * Work on a store whoever owns it: by asking the process that does, or as its owner where none does.
 *
 * An owner may come or go at any time, as another command does that is done. What it was asked and did not take up is
 * then asked again, of the next one or of this process.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from '../base/abort.js';
import { isSnapError } from '../base/errors.js';
import type { Policy } from '../store/retention-policy.js';
import type { Access } from '../writer/access.js';
import { type ClientEvents, type LongRequest, Owner, type OwnerOptions } from '../writer/owner.js';
import type { Warning } from '../writer/protocol.js';
import type { OpenOptions } from './options.js';
import { doesNotAnswer, NotTaken, nameOfOwner, RemoteOwner } from './remote-owner.js';

/** How long one owner may be there without answering: it may just be opening the store, or closing it. */
const PATIENCE_MS = 3000;
const RETRY_MS = 200;

interface Place {
  options: OwnerOptions;
  run: string;
  signal: AbortSignal | undefined;
  onProgress: OpenOptions['onProgress'];
}

/** Whoever owns the store now. */
interface Answers {
  request(method: string, args: unknown[], long: LongRequest): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * The owner that this process becomes, or the asking of another; to be followed by `attach`.
 *
 * @throws SnapError SNAP_LOCKED (`pid`) where somebody owns the store and does not answer; what `Owner.acquire` throws
 */
export async function ownOrAsk(place: Place): Promise<Access> {
  const asking = new Asking(place);
  return (await asking.begin()) ?? asking;
}

/** The access of a Snap whose store was another process's when it was opened. */
class Asking implements Access {
  readonly canSave = false;
  readonly untaken = 0;
  readonly checkpoints = 0;
  readonly sinceTurn = 0;
  readonly #place: Place;
  #events: ClientEvents | undefined;
  /** Told before there was anybody to hear it. */
  readonly #early: Warning[] = [];
  #answers: Promise<Answers> | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  readonly #warn = (warning: Warning): void => {
    if (this.#events) this.#events.warning(warning);
    else this.#early.push(warning);
  };

  /** Finds whom to ask, or returns the owner that this process became. */
  async begin(): Promise<Owner | undefined> {
    const found = await this.#find();
    if (found instanceof Owner) return found;
    this.#answers = Promise.resolve(found);
    return undefined;
  }

  attach(_run: string, _keep: Policy | undefined, events: ClientEvents): number {
    this.#events = events;
    for (const warning of this.#early.splice(0)) events.warning(warning);
    return 1;
  }

  async detach(): Promise<void> {
    const answers = await this.#answers?.catch(() => undefined);
    await answers?.close();
  }

  async request(_client: number, method: string, args: unknown[], long: LongRequest = {}): Promise<unknown> {
    for (;;) {
      this.#answers ??= this.#findNext();
      const answers = this.#answers;
      try {
        return await (await answers).request(method, args, long);
      } catch (error) {
        if (!(error instanceof NotTaken)) throw error;
        throwIfAborted(long.signal);
        if (this.#answers === answers) this.#answers = undefined;
      }
    }
  }

  /** The owner that the store has after the one that was asked. */
  async #findNext(): Promise<Answers> {
    const found = await this.#find();
    if (!(found instanceof Owner)) return found;
    const client = found.attach(this.#place.run, undefined, this.#events as ClientEvents);
    return {
      request: (method, args, long) => found.request(client, method, args, long),
      close: () => found.detach(client),
    };
  }

  async #find(): Promise<Owner | RemoteOwner> {
    const { options, run, signal, onProgress } = this.#place;
    const patience = new Patience(options.directory);
    for (;;) {
      throwIfAborted(signal);
      const remote = await RemoteOwner.find(options.directory, run, { onWarning: this.#warn, signal });
      if (remote) return remote;
      try {
        return await Owner.acquire(options, onProgress);
      } catch (error) {
        if (!isSnapError(error, 'SNAP_LOCKED')) throw error;
        if (patience.isOver()) throw doesNotAnswer(error.pid, error);
      }
      await sleep(RETRY_MS);
    }
  }

  send(): never {
    throw cannotSave();
  }

  sendSoon(): never {
    throw cannotSave();
  }

  saveBegan(): never {
    throw cannotSave();
  }

  hurry(): void {}

  poll(): void {}

  turned(): void {}
}

/** Is over where one and the same owner has not answered for PATIENCE_MS; others come and go. */
class Patience {
  readonly #directory: string;
  #owner: string | undefined;
  #since = performance.now();

  constructor(directory: string) {
    this.#directory = directory;
    this.#owner = nameOfOwner(directory);
  }

  isOver(): boolean {
    const owner = nameOfOwner(this.#directory);
    if (owner !== this.#owner) this.#since = performance.now();
    this.#owner = owner;
    return performance.now() - this.#since > PATIENCE_MS;
  }
}

function cannotSave(): Error {
  return new Error('holdfast: internal invariant broken: a save without the store');
}
