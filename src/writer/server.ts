/**
 * The owner's socket: lets other processes of the same user ask what its own callers ask.
 *
 * Each connection is a client like a Snap of this process, with its own run; clients of connections have negative
 * numbers. What they send is checked and handed to `receive`, what is meant for them comes back through `deliver`.
 *
 * Invariants
 *  - nothing that arrives ends more than its own connection
 *  - a client is attached once, then detached once, and nothing is received in its name before or after
 *  - what a client can make this process hold is bounded: connections, bytes of a message, requests under way
 *  - a connection that makes no progress is ended: while it greets, within a message, clogged, or idle
 */

import { createHash } from 'node:crypto';
import { SnapError } from '../base/errors.js';
import { processId } from '../io/machine.js';
import { type Listener, listen, type Socket } from '../io/socket.js';
import { Line } from './line.js';
import { toPlainError } from './plain-error.js';
import type { FromWriter, ToWriter, Warning } from './protocol.js';
import {
  ALIVE_MS,
  asToOwner,
  FROM_OWNER_BYTES,
  type FromOwner,
  PROTOCOL,
  TO_OWNER_BYTES,
  type ToOwner,
} from './remote.js';
import { served } from './served.js';

/** What a connection is doing, as far as patience is concerned. */
type State = 'greeting' | 'inside' | 'clogged' | 'working' | 'idle';

export interface ServerOptions {
  /** UUID of the store. */
  store: string;
  /** Its folder. */
  directory: string;
  /** What is wrong with the store: told to every client as it comes. */
  damage: readonly Warning[];
  /** Takes what a client sends, as if it came from a Snap of this process. */
  receive(message: ToWriter): void;
  /** After how many ticks without progress a connection is ended, and how long a tick is. */
  patience?: Record<State, number>;
  tickMs?: number;
}

const MOST_CONNECTIONS = 64;
const MOST_UNDER_WAY = 64;
/** In ticks and not by the clock: an owner that was itself stopped lets nobody go for that. */
const PATIENCE: Record<State, number> = {
  greeting: 5,
  inside: 5,
  clogged: 60,
  working: Number.POSITIVE_INFINITY,
  idle: 60,
};

export class Server {
  readonly #options: ServerOptions;
  readonly #sessions = new Map<number, Session>();
  #listener: Listener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastClient = 0;

  static async start(options: ServerOptions): Promise<Server> {
    const server = new Server(options);
    server.#listener = await listen(nameFor(options), MOST_CONNECTIONS, (socket) => server.#accept(socket));
    return server;
  }

  private constructor(options: ServerOptions) {
    this.#options = options;
  }

  get path(): string {
    return this.#listener?.path ?? '';
  }

  /** Passes on a reply or progress; a client that has gone needs none. */
  deliver(message: Extract<FromWriter, { type: 'reply' | 'progress' }>): void {
    this.#sessions.get(message.client)?.deliver(message);
  }

  warn(warning: Warning): void {
    for (const session of this.#sessions.values()) session.warn(warning);
  }

  /** Says goodbye to all. What they asked and was not answered, they may ask again elsewhere. */
  close(): void {
    this.#listener?.close();
    clearInterval(this.#timer);
    for (const session of this.#sessions.values()) session.end();
    this.#sessions.clear();
  }

  #accept(socket: Socket): void {
    const client = --this.#lastClient;
    const session = new Session(socket, client, this.#options, () => {
      this.#sessions.delete(client);
      if (this.#sessions.size === 0) this.#stopTicking();
    });
    this.#sessions.set(client, session);
    this.#timer ??= setInterval(() => this.#tick(), this.#options.tickMs ?? ALIVE_MS);
  }

  #tick(): void {
    for (const session of this.#sessions.values()) session.tick();
  }

  #stopTicking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

class Session {
  readonly #client: number;
  readonly #options: ServerOptions;
  readonly #line: Line;
  readonly #underWay = new Set<number>();
  #isAttached = false;
  /** How many messages came, and what it was doing when it was last looked at. */
  #messages = 0;
  #seen: { state: State; messages: number; ticks: number } = { state: 'greeting', messages: 0, ticks: 0 };

  constructor(socket: Socket, client: number, options: ServerOptions, gone: () => void) {
    this.#client = client;
    this.#options = options;
    this.#line = new Line(
      socket,
      { sent: FROM_OWNER_BYTES, taken: TO_OWNER_BYTES },
      {
        message: (message) => this.#take(asToOwner(message)),
        closed: () => {
          this.#detach();
          gone();
        },
      },
    );
    this.#line.onDrain(() => this.#line.resume());
  }

  deliver(message: Extract<FromWriter, { type: 'reply' | 'progress' }>): void {
    const { request } = message;
    if (!this.#underWay.has(request)) return;
    if (message.type === 'progress') {
      if (!this.#line.isClogged) this.#send({ type: 'progress', request, progress: message.progress });
      return;
    }
    this.#underWay.delete(request);
    const { result, error } = message;
    this.#reply(error ? { type: 'reply', request, error } : { type: 'reply', request, result });
  }

  warn(warning: Warning): void {
    if (this.#isAttached && !this.#line.isClogged) this.#send({ type: 'warning', warning });
  }

  /** Says goodbye: what is under way may be asked again. */
  end(): void {
    this.#isAttached = false;
    this.#send({ type: 'bye' });
    this.#line.end();
  }

  tick(): void {
    const state = this.#state();
    const seen = this.#seen;
    if (state !== seen.state || this.#messages !== seen.messages) {
      this.#seen = { state, messages: this.#messages, ticks: 0 };
    } else if (++seen.ticks > (this.#options.patience ?? PATIENCE)[state]) {
      this.#giveUp(state);
      return;
    }
    if (state === 'working') this.#send({ type: 'alive' });
  }

  #state(): State {
    if (!this.#isAttached) return 'greeting';
    if (this.#line.isClogged) return 'clogged';
    if (this.#line.isInside) return 'inside';
    return this.#underWay.size > 0 ? 'working' : 'idle';
  }

  /** A client that was only idle comes back when it wants something. */
  #giveUp(state: State): void {
    if (state !== 'idle') {
      this.#line.destroy();
      return;
    }
    this.#detach();
    this.end();
  }

  #take(message: ToOwner): void {
    this.#messages++;
    // Who greets twice, or not at all, is not one of ours.
    if ((message.type === 'hello') === this.#isAttached) this.#line.destroy();
    else if (message.type === 'hello') this.#greet(message);
    else if (message.type === 'request') this.#request(message);
    else this.#stop(message.request);
  }

  #greet({ protocol, store, run }: Extract<ToOwner, { type: 'hello' }>): void {
    const mine = this.#options.store;
    const wrong = protocol !== PROTOCOL ? 'protocol' : store !== mine ? 'store' : undefined;
    if (wrong) {
      this.#refuse(wrong);
      return;
    }
    this.#isAttached = true;
    this.#options.receive({ type: 'attach', client: this.#client, run, keep: undefined, program: undefined });
    this.#send({ type: 'welcome', protocol: PROTOCOL, store: mine, pid: processId });
    for (const warning of this.#options.damage) this.#send({ type: 'warning', warning });
  }

  #refuse(reason: 'store' | 'protocol'): void {
    this.#send({ type: 'refused', reason });
    this.#line.end();
  }

  #request({ request, method, args }: Extract<ToOwner, { type: 'request' }>): void {
    // Two with one number could not be told apart.
    if (this.#underWay.has(request)) {
      this.#line.destroy();
      return;
    }
    let checked: unknown[] | undefined;
    try {
      if (this.#underWay.size >= MOST_UNDER_WAY) throw tooMany();
      checked = served(method, args);
      if (!checked) throw unknownMethod(method);
    } catch (error) {
      this.#reply({ type: 'reply', request, error: toPlainError(error) });
      return;
    }
    this.#underWay.add(request);
    this.#options.receive({ type: 'request', client: this.#client, request, method, args: checked });
  }

  #stop(request: number): void {
    if (this.#underWay.has(request)) this.#options.receive({ type: 'stop', client: this.#client, request });
  }

  /** Nobody is there any more to be told: what is long comes to an end. */
  #detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    for (const request of this.#underWay) this.#stop(request);
    this.#underWay.clear();
    this.#options.receive({ type: 'detach', client: this.#client });
  }

  #reply(message: Extract<FromOwner, { type: 'reply' }>): void {
    try {
      this.#send(message);
    } catch (error) {
      this.#send({ type: 'reply', request: message.request, error: toPlainError(error) });
    }
  }

  /** A client that does not take what it is sent is not listened to either, until it does. */
  #send(message: FromOwner): void {
    this.#line.send(message);
    if (this.#line.isClogged) this.#line.pause();
  }
}

/** Of the socket: the same for every owner of a store, another for a copy of it elsewhere. */
function nameFor({ store, directory }: ServerOptions): string {
  return createHash('sha256').update(`${store} ${directory}`).digest('hex').slice(0, 16);
}

function tooMany(): SnapError {
  return new SnapError(
    'SNAP_BUSY',
    `more than ${MOST_UNDER_WAY} requests at once over one connection; wait for some`,
  );
}

/** Where the program's holdfast is older than the command's. */
function unknownMethod(method: string): SnapError {
  return new SnapError(
    'SNAP_LOCKED',
    `process ${processId} owns this store, and its version of holdfast does not know how to ${method} for others: end it first`,
    { pid: processId },
  );
}
