/**
 * The owner of a store as the caller's thread sees it: one writer thread, shared by every Snap of this process
 * that opened the same folder.
 *
 * Invariants
 *  - the process stays alive while anything is under way, and not a moment longer on our account
 *  - when the process ends by itself, what was captured becomes durable first, within EXIT_LIMIT_MS
 *  - when the writer thread dies, everything under way fails with SNAP_BROKEN, and so does what comes later
 */

import { SnapError } from '../base/errors.js';
import type { Program } from '../format/manifest.js';
import { canonicalPath } from '../io/machine.js';
import type { Policy } from '../store/retention-policy.js';
import type { OpenProgress } from '../store/store.js';
import type { Access } from './access.js';
import type { GcReport } from './gc-job.js';
import { type Bell, Inbox, Outbox } from './lane.js';
import { type Link, startThread } from './link.js';
import { fromPlainError } from './plain-error.js';
import { type FromWriter, type ToWriter, type Warning, Word } from './protocol.js';
import { fromWriterRecords, toWriterRecords } from './records.js';
import type { Internals } from './thread.js';

/** How long the end of the process is held up for what was captured. */
const EXIT_LIMIT_MS = 30_000;

export interface OwnerOptions {
  directory: string;
  create: boolean;
  readOnly: boolean;
  compression: { level: number } | false;
  internals: Internals;
  /** False: other processes cannot ask it for anything. Default true. */
  served?: boolean;
}

/** Told how far opening has come, where it takes long. */
export type OnOpening = ((progress: OpenProgress) => void) | undefined;

/** What an owner tells one of its Snaps. */
export interface ClientEvents {
  released(slot: number): void;
  /** What was lent for a save is given back. */
  returned(ticket: number, buffers: readonly (ArrayBuffer | undefined)[]): void;
  durable(message: Extract<FromWriter, { type: 'durable' }>): void;
  failed(ticket: number, error: Error): void;
  warning(warning: Warning): void;
  /** The retention policy was applied. */
  kept(report: GcReport): void;
  /** The writer thread is gone: nothing else will be told. */
  broken(error: SnapError): void;
}

/** What long requests take besides their arguments. */
export interface LongRequest {
  progress?: ((progress: unknown) => void) | undefined;
  /** Asks the job to end; it then replies with what it has. */
  signal?: AbortSignal | undefined;
  /** The process need not wait for it. */
  idle?: boolean;
}

interface Waiting {
  progress: ((progress: unknown) => void) | undefined;
  idle: boolean;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** By folder; one that is closing or gone is in the way until it is forgotten. */
const owners = new Map<string, Owner>();

/** Writer threads started so far. */
let started = 0;

/**
 * Keeps LevelDB's library in the process. LevelDB has a thread of its own, and it never ends: where each writer thread
 * loads the library anew, each leaves one behind. A process that opens one store once is spared the loading.
 */
export function keepLevel(): void {
  if (++started > 1) import('../store/key-values.js').catch(() => {});
}

/** Those whose store has to be closed when the process ends. One listener serves them all. */
const live = new Set<Owner>();

export class Owner implements Access {
  readonly canSave = true;
  readonly #key: string;
  readonly #thread: Link['thread'];
  readonly #port: Link['port'];
  readonly #outbox: Outbox<ToWriter>;
  readonly #inbox: Inbox<FromWriter>;
  readonly #words: Int32Array;
  readonly #clients = new Map<number, ClientEvents>();
  readonly #requests = new Map<number, Waiting>();
  readonly #early: Warning[] = [];
  readonly #opened: Promise<void>;
  #opening: { onProgress: OnOpening; resolve(): void; reject(error: Error): void } | undefined;
  #closing: Promise<void> | undefined;
  #closed: { resolve(): void; reject(error: Error): void } | undefined;
  #broken: SnapError | undefined;
  /** The writer thread ended; what it left is being taken. */
  #isDead = false;
  /** Snaps that were promised this owner and have not registered yet: it is not closed before they have. */
  #expected = 0;
  #lastClient = 0;
  #lastRequest = 0;
  /** Saves and requests under way: while there are any, the process waits for them. */
  #busy = 0;
  /** True while the process waits for the writer thread. */
  #isWaitedFor = true;
  #lastTurn = performance.now();

  /** The owner of a folder: the one this process has, or a new one. To be followed by `attach`. */
  static async acquire(options: OwnerOptions, onProgress: OnOpening): Promise<Owner> {
    const directory = canonicalPath(options.directory);
    const key = keyOf(directory, options.readOnly);
    // A reader in the process that owns the store reads through its owner.
    const listed = () => owners.get(keyOf(directory, false)) ?? owners.get(key);
    for (let owner = listed(); owner; owner = listed()) {
      const opened = await owner.#opened.then(
        () => true,
        () => false,
      );
      if (opened && !owner.#broken && !owner.#closing) return owner.#expect();
      await owner.#closing?.catch(() => {});
    }
    const owner = new Owner(key, startThread({ ...options, directory }), onProgress);
    owners.set(key, owner);
    keepLevel();
    if (live.size === 0) process.on('exit', Owner.#closeAllAtExit);
    live.add(owner);
    await owner.#opened;
    return owner.#expect();
  }

  /** One that no folder belongs to, and nothing waits for. To be followed by `attach`. */
  static onStage(link: Link): Owner {
    return new Owner('', link, undefined).#expect();
  }

  private constructor(key: string, { port, lanes, words, thread }: Link, onProgress: OnOpening) {
    this.#key = key;
    this.#opened = new Promise((resolve, reject) => {
      this.#opening = { onProgress, resolve, reject };
    });
    this.#words = words;
    this.#port = port;
    this.#thread = thread;
    this.#outbox = new Outbox(lanes.toWriter, port, toWriterRecords);
    this.#inbox = new Inbox(lanes.fromWriter, port, fromWriterRecords, (message, isRecord) =>
      this.#take(message, isRecord),
    );
    this.#inbox.wantBell(true);
    thread.on('error', (error) => this.#break(error));
    thread.on('exit', () => this.#break(new Error('it ended')));
    port.on('message', (message: FromWriter | Bell) => {
      this.#lastTurn = performance.now();
      this.#inbox.arrived(message);
    });
  }

  #expect(): this {
    this.#expected++;
    return this;
  }

  /** Registers a Snap; the number names it in every message. */
  attach(run: string, keep: Policy | undefined, events: ClientEvents, program?: Program): number {
    this.#expected--;
    const client = ++this.#lastClient;
    this.#clients.set(client, events);
    this.send({ type: 'attach', client, run, keep, program });
    for (const warning of this.#early.splice(0)) events.warning(warning);
    return client;
  }

  /** Lets a Snap go; the last one closes the store. */
  async detach(client: number): Promise<void> {
    if (this.#clients.size + this.#expected > 1) {
      this.#clients.delete(client);
      if (!this.#broken) this.send({ type: 'detach', client });
      return;
    }
    // The last one still hears what is told while the store is being closed.
    await this.#close();
    this.#clients.delete(client);
  }

  send(message: ToWriter, transfer: ArrayBuffer[] = []): void {
    if (this.#broken) throw this.#broken;
    this.#outbox.post(message, transfer);
  }

  sendSoon(message: ToWriter): void {
    if (this.#broken) throw this.#broken;
    this.#outbox.put(message);
  }

  hurry(): void {
    if (!this.#broken) this.#outbox.hurry();
  }

  /** Counts a save that was sent, until it is durable or failed. */
  saveBegan(): void {
    this.#busy++;
    this.#keepAlive();
  }

  async request(client: number, method: string, args: unknown[], long: LongRequest = {}): Promise<unknown> {
    const request = ++this.#lastRequest;
    this.send({ type: 'request', client, request, method, args });
    const { idle = false } = long;
    if (!idle) this.saveBegan();
    const stop = () => this.send({ type: 'stop', client, request });
    long.signal?.addEventListener('abort', stop, { once: true });
    try {
      return await new Promise((resolve, reject) => {
        this.#requests.set(request, { progress: long.progress, idle, resolve, reject });
      });
    } finally {
      long.signal?.removeEventListener('abort', stop);
    }
  }

  /** Takes what the writer thread has posted, without waiting for the event loop. */
  poll(): void {
    this.#inbox.drain();
  }

  get untaken(): number {
    return this.#inbox.untaken;
  }

  /** How many times a save was asked for from outside: a loop that sees this grow saves. */
  get checkpoints(): number {
    return Atomics.load(this.#words, Word.checkpoints);
  }

  /** Milliseconds since the event loop was last seen to turn. */
  get sinceTurn(): number {
    return performance.now() - this.#lastTurn;
  }

  turned(): void {
    this.#lastTurn = performance.now();
  }

  #take(message: FromWriter | Bell, isRecord: boolean): void {
    switch (message.type) {
      case 'bell':
        // From now on the next one rings again; what was put before is taken here.
        this.#inbox.wantBell(true);
        this.#inbox.drainRecords();
        this.#settleRef();
        return;
      case 'opening':
        this.#opening?.onProgress?.(message.progress);
        return;
      case 'opened':
        this.#opening?.resolve();
        this.#opening = undefined;
        this.#settleRef();
        return;
      case 'failed-to-open':
        this.#forget();
        this.#opening?.reject(fromPlainError(message.error));
        return;
      case 'released':
        // Into a slot of a thread that died nothing is captured any more, and nothing lent.
        if (!this.#isDead) this.#clients.get(message.client)?.released(message.slot);
        return;
      case 'returned':
        this.#clients.get(message.client)?.returned(message.ticket, message.buffers);
        return;
      case 'durable':
        // The bell behind a record lets the process end.
        if (isRecord) this.#busy--;
        else this.#done();
        this.#clients.get(message.client)?.durable(message);
        return;
      case 'failed':
        this.#done();
        this.#clients.get(message.client)?.failed(message.ticket, fromPlainError(message.error));
        return;
      case 'reply':
        this.#reply(message);
        return;
      case 'progress':
        this.#requests.get(message.request)?.progress?.(message.progress);
        return;
      case 'kept':
        this.#clients.get(message.client)?.kept(message.report);
        return;
      case 'warning':
        if (this.#clients.size === 0) this.#early.push(message.warning);
        for (const events of this.#clients.values()) events.warning(message.warning);
        return;
      case 'closed':
        this.#forget();
        if (message.error) this.#closed?.reject(fromPlainError(message.error));
        else this.#closed?.resolve();
        return;
      default:
        throw new Error('holdfast: internal invariant broken: an unknown message from the writer thread');
    }
  }

  #reply({ request, result, error }: Extract<FromWriter, { type: 'reply' }>): void {
    const waiting = this.#requests.get(request);
    this.#requests.delete(request);
    if (!waiting?.idle) this.#done();
    if (error) waiting?.reject(fromPlainError(error));
    else waiting?.resolve(result);
  }

  #done(): void {
    this.#busy--;
    this.#settleRef();
  }

  #settleRef(): void {
    if (this.#busy > 0 || this.#closing || !this.#isWaitedFor) return;
    this.#isWaitedFor = false;
    this.#port.unref();
    this.#thread.unref();
  }

  /** The thread too, not only its port: a thread that dies takes the port along, and its death has to be heard. */
  #keepAlive(): void {
    if (this.#isWaitedFor) return;
    this.#isWaitedFor = true;
    this.#port.ref();
    this.#thread.ref();
  }

  #close(): Promise<void> {
    if (this.#broken) return Promise.resolve();
    this.#closing ??= new Promise<void>((resolve, reject) => {
      this.#closed = { resolve, reject };
      this.#keepAlive();
      this.send({ type: 'close' });
    });
    return this.#closing;
  }

  /** At the end of the process no event loop turns any more: wait for the threads on a shared word each. */
  static #closeAllAtExit(): void {
    for (const owner of live) if (!owner.#closing) owner.#outbox.post({ type: 'close' });
    for (const owner of live) Atomics.wait(owner.#words, Word.closed, 0, EXIT_LIMIT_MS);
  }

  #break(cause: unknown): void {
    if (this.#broken || Atomics.load(this.#words, Word.closed) === 1) return;
    this.#isDead = true;
    // What it told, and gave back, before it died counts.
    this.#inbox.drain();
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = this.#opening
      ? new SnapError('SNAP_IO', `the writer thread cannot run, and the store not be opened: ${reason}`, {
          cause,
        })
      : new SnapError(
          'SNAP_BROKEN',
          `the writer thread died (${reason}); what was durable is safe: close this Snap and open the store again`,
          { cause },
        );
    this.#broken = error;
    this.#forget();
    this.#opening?.reject(error);
    this.#closed?.resolve();
    for (const waiting of this.#requests.values()) waiting.reject(error);
    this.#requests.clear();
    for (const events of this.#clients.values()) events.broken(error);
    this.#busy = 0;
    this.#port.close();
  }

  /** Another may own the folder, and nothing is left to be done at the end of the process. */
  #forget(): void {
    if (owners.get(this.#key) === this) owners.delete(this.#key);
    live.delete(this);
    if (live.size === 0) process.off('exit', Owner.#closeAllAtExit);
  }
}

function keyOf(path: string, readOnly: boolean): string {
  return `${readOnly ? 'r' : 'w'}:${path}`;
}
