/**
 * One end of a connection between the owner and another process: whole messages out, whole messages in.
 *
 * Invariant: `closed` is called once, whatever ended it: the other side, garbage, or this side.
 */

import { encodeMessage, FrameReader } from '../format/message.js';
import type { Socket } from '../io/socket.js';

export interface LineEvents {
  message(message: unknown): void;
  /** Nothing comes any more. `error`: what was read made no sense, or the system's own. */
  closed(error: unknown): void;
}

export interface LineLimits {
  /** Bytes of a message. */
  sent: number;
  taken: number;
}

export class Line {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #limits: LineLimits;
  #isOpen = true;

  constructor(socket: Socket, limits: LineLimits, events: LineEvents) {
    this.#socket = socket;
    this.#limits = limits;
    this.#reader = new FrameReader(limits.taken);
    let failure: unknown;
    socket.on('data', (bytes) => {
      try {
        for (const message of this.#reader.push(bytes)) if (this.#isOpen) events.message(message);
      } catch (error) {
        failure ??= error;
        socket.destroy();
      }
    });
    socket.on('error', (error) => {
      failure ??= error;
    });
    socket.on('close', () => {
      this.#isOpen = false;
      events.closed(failure);
    });
  }

  /** True where a message has begun to arrive and not ended. */
  get isInside(): boolean {
    return this.#reader.isInside;
  }

  /** True where the other side does not take what it is sent. */
  get isClogged(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /**
   * Sends a message. `lost` is called where it did not get out whole, so that the other side never saw it. Throws, and
   * sends nothing, for what no message holds.
   */
  send(message: unknown, lost?: (error: Error) => void): void {
    const frame = encodeMessage(message, this.#limits.sent);
    this.#socket.write(frame, (error) => {
      if (error) lost?.(error);
    });
  }

  /** Reads no more until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Called when what was sent is taken after it was clogged. */
  onDrain(listener: () => void): void {
    this.#socket.on('drain', listener);
  }

  /** Ends it, once the other side has what was sent; nothing more is read. */
  end(): void {
    this.#isOpen = false;
    this.#socket.unref();
    this.#socket.destroySoon();
  }

  /** Ends it at once. */
  destroy(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }
}
