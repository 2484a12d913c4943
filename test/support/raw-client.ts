/** A client of an owner's socket that can say whatever it likes. */

import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeMessage, FrameReader } from '../../src/format/message.js';
import type { FromOwner } from '../../src/writer/remote.js';

const LIMIT = 256 * 1024 * 1024;
/** A guard against hangs, no measure of anything. */
const STUCK_MS = 60_000;

export class RawClient {
  readonly socket: Socket;
  readonly received: FromOwner[] = [];
  #isClosed = false;
  readonly #reader = new FrameReader(LIMIT);

  static async connect(path: string): Promise<RawClient> {
    const client = new RawClient(createConnection(path));
    await once(client.socket, 'connect');
    return client;
  }

  /** One that has greeted. */
  static async greeted(path: string, store: string, run = 'main'): Promise<RawClient> {
    const client = await RawClient.connect(path);
    client.send({ type: 'hello', protocol: 1, store, run });
    await client.next('welcome');
    return client;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => this.received.push(...(this.#reader.push(bytes) as FromOwner[])));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isClosed = true;
    });
  }

  send(message: unknown): void {
    this.socket.write(encodeMessage(message, LIMIT));
  }

  request(request: number, method: string, ...args: unknown[]): void {
    this.send({ type: 'request', request, method, args });
  }

  /** Takes the first message of a type out of those received, waiting for it. */
  async next<T extends FromOwner['type']>(type: T): Promise<Extract<FromOwner, { type: T }>> {
    await until(() => this.#isClosed || this.received.some((message) => message.type === type));
    const at = this.received.findIndex((message) => message.type === type);
    if (at < 0) throw new Error(`the connection ended without ${type}`);
    const [message] = this.received.splice(at, 1);
    return message as Extract<FromOwner, { type: T }>;
  }

  /** Resolves when the other side has ended the connection. */
  ended(): Promise<void> {
    return until(() => this.#isClosed);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }
}

export async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 5) {
    if (waited > STUCK_MS) throw new Error(`it did not come to be: ${holds}`);
    await sleep(5);
  }
}
