/**
 * Requests for a durable save now. The loop saves, not this thread: a shared word counts the requests, the loop reads
 * it at each step, and each request is answered by the first save captured after it, once that is durable.
 */

import { type SnapshotInfo, Word } from './protocol.js';

interface Asked {
  client: number;
  request: number;
  /** In the clock of `SaveJob.savedAt`. */
  at: number;
}

/** `info`: the save that was asked for, or undefined where it did not come. */
export type Answer = (client: number, request: number, info: SnapshotInfo | undefined) => void;

export class Checkpoints {
  readonly #words: Int32Array;
  readonly #answer: Answer;
  #asked: Asked[] = [];

  constructor(words: Int32Array, answer: Answer) {
    this.#words = words;
    this.#answer = answer;
  }

  ask(client: number, request: number, at: number): void {
    this.#asked.push({ client, request, at });
    Atomics.add(this.#words, Word.checkpoints, 1);
  }

  /** A save that was captured at `savedAt` is durable. */
  saved(savedAt: number, info: SnapshotInfo): void {
    this.#settle(({ at }) => at <= savedAt, info);
  }

  stop(client: number, request: number): void {
    this.#settle((asked) => asked.client === client && asked.request === request, undefined);
  }

  stopAll(): void {
    this.#settle(() => true, undefined);
  }

  #settle(isMeant: (asked: Asked) => boolean, info: SnapshotInfo | undefined): void {
    if (this.#asked.length === 0) return;
    const settled = this.#asked.filter(isMeant);
    this.#asked = this.#asked.filter((asked) => !isMeant(asked));
    for (const { client, request } of settled) this.#answer(client, request, info);
  }
}
