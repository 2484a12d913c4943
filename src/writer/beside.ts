/**
 * What other processes ask of the writer thread: the socket, how the run is doing, and requests for a save.
 *
 * A run does not depend on any of it. How it is doing is told at once, from counters, even in the middle of a save:
 * behind the saves that are waiting the answer would be of little use.
 */

import { sharedMilliseconds } from '../io/machine.js';
import type { Store } from '../store/store.js';
import { Checkpoints } from './checkpoints.js';
import type { FromWriter, SaveJob, SnapshotInfo, ToWriter, Warning } from './protocol.js';
import type { Server } from './server.js';
import { Status } from './status.js';

type Request = Extract<ToWriter, { type: 'request' }>;

export interface BesideHooks {
  post(message: FromWriter): void;
  /** Runs that the program has open. */
  runs(): string[];
  /** Saves that are not durable yet. */
  waiting(): SaveJob[];
}

/** How many warnings of damage are kept for those who come later. */
const MOST_DAMAGE = 64;

export class Beside {
  readonly #hooks: BesideHooks;
  readonly #status = new Status();
  readonly #checkpoints: Checkpoints;
  /** What is wrong with the store, so that whoever asks later hears of it too. */
  readonly #damage: Warning[] = [];
  #server: Server | undefined;
  #closed = false;

  constructor(words: Int32Array, hooks: BesideHooks) {
    this.#hooks = hooks;
    this.#checkpoints = new Checkpoints(words, (client, request, result) =>
      hooks.post({ type: 'reply', client, request, result }),
    );
  }

  /**
   * Opens the socket, and notes in the store where it is. `receive` takes what another process sends, as if it came
   * from a Snap of this one.
   */
  async open(store: Store, receive: (message: ToWriter) => void): Promise<void> {
    try {
      // Loaded when the store is open, so that opening does not wait for it.
      const { Server } = await import('./server.js');
      const server = await Server.start({
        store: store.descriptor.uuid,
        directory: store.directory,
        damage: this.#damage,
        receive: (message) => {
          if (message.type !== 'request' || !this.answers(message)) receive(message);
        },
      });
      if (this.#closed) {
        server.close();
        return;
      }
      this.#server = server;
      store.announce(server.path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `no socket can be made (${reason}), so commands that change the store have to wait until this process ends`;
      this.#hooks.post({ type: 'warning', warning: { kind: 'socket', message } });
    }
  }

  /** Passes on what is meant for other processes; true where it is meant for them alone. */
  takes(message: FromWriter): boolean {
    if (message.type === 'warning') this.#warn(message.warning);
    if ((message.type !== 'reply' && message.type !== 'progress') || message.client > 0) return false;
    this.#server?.deliver(message);
    return true;
  }

  /** True where a request needs no store and was answered, or noted. */
  answers({ client, request, method }: Request): boolean {
    const { post, runs, waiting } = this.#hooks;
    if (method === 'checkpoint') this.#checkpoints.ask(client, request, sharedMilliseconds());
    else if (method === 'status') {
      const result = this.#status.report(runs(), waiting(), sharedMilliseconds());
      post({ type: 'reply', client, request, result });
    } else return false;
    return true;
  }

  stop(client: number, request: number): void {
    this.#checkpoints.stop(client, request);
  }

  saved({ savedAt }: SaveJob, info: SnapshotInfo): void {
    this.#status.saved(info);
    this.#checkpoints.saved(savedAt, info);
  }

  failed(saves: number, error: unknown): void {
    this.#status.failed(saves, error);
  }

  #warn(warning: Warning): void {
    if (warning.kind === 'damage' && this.#damage.length < MOST_DAMAGE) this.#damage.push(warning);
    this.#server?.warn(warning);
  }

  /** The store is about to be closed: what other processes asked, they may ask its next owner. */
  close(): void {
    this.#closed = true;
    this.#server?.close();
    this.#checkpoints.stopAll();
  }
}
