/**
 * One direction between two threads: messages through a port, and records in shared memory, seen in the order they were
 * sent.
 *
 * A record costs its sender no call of the system. Whoever is to read it looks by itself, or has asked for a bell before
 * it went to sleep: a message that says nothing but "look". A record that does not fit, or finds no room, goes as a
 * message.
 *
 * Invariants
 *  - a record carries the number of messages posted before it: it is taken after them and before the next
 *  - of asking for a bell and putting a record each is seen by the other: either the bell rings, or whoever asked finds
 *    the record when it looks once more, as it must
 *  - a message is counted before it is posted, the bell is not counted
 */

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { RECORD_BYTES, type RecordCodec, RecordMemory } from './records.js';

/** A power of two. */
const RECORDS = 128;
const HEADER_BYTES = 64;

/** Indexes of the header (Int32Array). */
const POSTED = 0;
const PUT = 1;
const TAKEN = 2;
const WANTS_BELL = 3;

/** "Look": there may be records. */
export interface Bell {
  type: 'bell';
}

const BELL: Bell = { type: 'bell' };

/** Takes a message; `isRecord`: it came as one, so that a bell follows where one is wanted. */
export type Take<M> = (message: M | Bell, isRecord: boolean) => void;

/** Shared memory of a lane. */
export function newLane(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + RECORDS * RECORD_BYTES);
}

/** What both ends see. */
class Lane {
  protected readonly header: Int32Array;
  protected readonly records: RecordMemory;

  constructor(memory: SharedArrayBuffer) {
    this.header = new Int32Array(memory, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.records = new RecordMemory(memory, HEADER_BYTES);
  }
}

export class Outbox<M extends { type: string }> extends Lane {
  readonly #port: Pick<MessagePort, 'postMessage'>;
  readonly #codec: RecordCodec<M>;

  constructor(memory: SharedArrayBuffer, port: Pick<MessagePort, 'postMessage'>, codec: RecordCodec<M>) {
    super(memory);
    this.#port = port;
    this.#codec = codec;
  }

  /** Sends a message, which wakes the other side. */
  post(message: M, transfer: ArrayBuffer[] = []): void {
    Atomics.add(this.header, POSTED, 1);
    this.#port.postMessage(message, transfer);
  }

  /** Sends a message as a record, where it is one; the other side may see it only when it looks next. */
  put(message: M): void {
    const { header, records } = this;
    const put = header[PUT] as number;
    records.at = put & (RECORDS - 1);
    const isFull = ((put - Atomics.load(header, TAKEN)) | 0) === RECORDS;
    if (isFull || !this.#codec.encode(message, records)) {
      this.post(message);
      return;
    }
    records.before = header[POSTED] as number;
    Atomics.store(header, PUT, (put + 1) | 0);
    if (Atomics.load(header, WANTS_BELL) === 1) this.#ring();
  }

  /** Has records that were not taken yet taken soon. */
  hurry(): void {
    if (this.header[PUT] !== Atomics.load(this.header, TAKEN)) this.#ring();
  }

  #ring(): void {
    Atomics.store(this.header, WANTS_BELL, 0);
    this.#port.postMessage(BELL);
  }
}

export class Inbox<M extends { type: string }> extends Lane {
  readonly #port: MessagePort;
  readonly #codec: RecordCodec<M>;
  readonly #take: Take<M>;
  #messages = 0;

  /** `take` is called for each message, in order, and for each bell. */
  constructor(memory: SharedArrayBuffer, port: MessagePort, codec: RecordCodec<M>, take: Take<M>) {
    super(memory);
    this.#port = port;
    this.#codec = codec;
    this.#take = take;
  }

  /** Messages that were posted and not taken yet, records aside. */
  get untaken(): number {
    return (Atomics.load(this.header, POSTED) - this.#messages) | 0;
  }

  /** True where there is a record to be taken now; one that comes after a message waits for that. */
  get hasRecord(): boolean {
    const { header, records } = this;
    const taken = header[TAKEN] as number;
    if (taken === Atomics.load(header, PUT)) return false;
    records.at = taken & (RECORDS - 1);
    return records.before === this.#messages;
  }

  /** Whether the next record rings. Whoever asks for that looks once more, before it sleeps. */
  wantBell(wants: boolean): void {
    Atomics.store(this.header, WANTS_BELL, wants ? 1 : 0);
  }

  /** Takes everything there is, without waiting for the event loop. */
  drain(): void {
    this.drainRecords();
    while (this.untaken !== 0) {
      const received = receiveMessageOnPort(this.#port);
      if (!received) return;
      this.arrived(received.message as M | Bell);
    }
  }

  /** Takes what the port gave, after the records before it, and the records behind it. */
  arrived(message: M | Bell): void {
    this.drainRecords();
    if (message.type !== 'bell') this.#messages = (this.#messages + 1) | 0;
    this.#take(message, false);
    this.drainRecords();
  }

  /** Takes the records whose turn it is. */
  drainRecords(): void {
    const { header, records } = this;
    while (this.hasRecord) {
      const message = this.#codec.decode(records);
      Atomics.store(header, TAKEN, ((header[TAKEN] as number) + 1) | 0);
      this.#take(message, true);
    }
  }
}
