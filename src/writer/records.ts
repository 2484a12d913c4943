/**
 * The messages that travel as records: what a plain save of a small state says, and what comes back for it.
 *
 * A record is of one size, numbers and one snapshot id. Whatever has more to say (tags, meta, chunks that the kernel
 * named) is no record and goes as a message. Invariant: a decoded record equals the message that was encoded.
 */

import { SNAPSHOT_ID_BYTES, type SnapshotId } from '../base/ids.js';
import type { FromWriter, ToWriter } from './protocol.js';

/** The numbers of a record, then an id. */
const NUMBERS = 14;
const ID_OFFSET = NUMBERS * Float64Array.BYTES_PER_ELEMENT;
export const RECORD_BYTES = ID_OFFSET + SNAPSHOT_ID_BYTES;

/** Indexes of the numbers; every record has the first three. */
const BEFORE = 0;
const TYPE = 1;
const CLIENT = 2;
const FIRST = 3;

/** Types of records. */
const SAVE = 1;
const RELEASED = 2;
const DURABLE = 3;

/** How messages of one direction are written to records. */
export interface RecordCodec<M> {
  /** False where the message is none that fits. */
  encode(message: M, record: RecordMemory): boolean;
  decode(record: RecordMemory): M;
}

/** Records one behind the other in shared memory; `at` chooses one. */
export class RecordMemory {
  readonly #numbers: Float64Array;
  readonly #bytes: Buffer;
  #first = 0;
  #next = 0;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#numbers = new Float64Array(memory, offset);
    this.#bytes = Buffer.from(memory, offset);
  }

  set at(index: number) {
    this.#first = (index * RECORD_BYTES) / Float64Array.BYTES_PER_ELEMENT;
  }

  /** How many messages were posted before it. */
  get before(): number {
    return this.#numbers[this.#first + BEFORE] as number;
  }

  set before(messages: number) {
    this.#numbers[this.#first + BEFORE] = messages;
  }

  get type(): number {
    return this.#numbers[this.#first + TYPE] as number;
  }

  get client(): number {
    return this.#numbers[this.#first + CLIENT] as number;
  }

  /** Begins a record; its other numbers are written, and read, one after the other. */
  begin(type: number, client: number): void {
    this.#numbers[this.#first + TYPE] = type;
    this.#numbers[this.#first + CLIENT] = client;
    this.#next = this.#first + FIRST;
  }

  write(value: number): void {
    this.#numbers[this.#next++] = value;
  }

  rewind(): void {
    this.#next = this.#first + FIRST;
  }

  read(): number {
    return this.#numbers[this.#next++] as number;
  }

  writeId(id: SnapshotId): void {
    this.#bytes.write(id, this.#idAt, SNAPSHOT_ID_BYTES, 'hex');
  }

  readId(): SnapshotId {
    return this.#bytes.toString('hex', this.#idAt, this.#idAt + SNAPSHOT_ID_BYTES) as SnapshotId;
  }

  get #idAt(): number {
    return this.#first * Float64Array.BYTES_PER_ELEMENT + ID_OFFSET;
  }
}

export const toWriterRecords: RecordCodec<ToWriter> = {
  encode(message, record) {
    if (message.type !== 'save') return false;
    const { client, job, hold } = message;
    const { changed, measure, tags, meta } = job;
    if (tags.length > 0 || meta !== '' || changed.length > 0 || measure.length > 0) return false;
    record.begin(SAVE, client);
    record.write(job.ticket);
    record.write(job.slot);
    record.write(job.skeletonBytes);
    record.write(job.step ?? Number.NaN);
    record.write(job.stallMs);
    record.write(job.createdAt);
    record.write(job.savedAt);
    record.write(hold ? 1 : 0);
    record.writeId(job.id);
    return true;
  },

  decode(record) {
    record.rewind();
    const [ticket, slot, skeletonBytes, step] = [record.read(), record.read(), record.read(), record.read()];
    const [stallMs, createdAt, savedAt, hold] = [record.read(), record.read(), record.read(), record.read()];
    return {
      type: 'save',
      client: record.client,
      job: {
        ticket,
        id: record.readId(),
        slot,
        skeletonBytes,
        follows: undefined,
        changed: [],
        measure: [],
        step: Number.isNaN(step) ? undefined : step,
        tags: [],
        meta: '',
        stallMs,
        createdAt,
        savedAt,
      },
      hold: hold === 1,
    };
  },
};

export const fromWriterRecords: RecordCodec<FromWriter> = {
  encode(message, record) {
    if (message.type === 'released') {
      record.begin(RELEASED, message.client);
      record.write(message.slot);
      return true;
    }
    if (message.type !== 'durable' || message.shares.length > 0) return false;
    const { client, ticket, written } = message;
    record.begin(DURABLE, client);
    record.write(ticket);
    record.write(written.createdAt);
    record.write(written.logicalBytes);
    record.write(written.changedBytes);
    record.write(written.storedBytes);
    record.write(written.durableMs);
    record.write(written.parent === undefined ? 0 : 1);
    if (written.parent !== undefined) record.writeId(written.parent);
    return true;
  },

  decode(record) {
    const { client } = record;
    record.rewind();
    if (record.type === RELEASED) return { type: 'released', client, slot: record.read() };
    const ticket = record.read();
    const createdAt = record.read();
    const [logicalBytes, changedBytes, storedBytes] = [record.read(), record.read(), record.read()];
    const durableMs = record.read();
    const parent = record.read() === 1 ? record.readId() : undefined;
    const written = { parent, createdAt, logicalBytes, changedBytes, storedBytes, durableMs };
    return { type: 'durable', client, ticket, written, shares: [] };
  },
};
