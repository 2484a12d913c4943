/**
 * Reads chunks from the caller's thread: asks the writer thread for pieces of them, several ahead, and takes each as it
 * comes. So the two threads share the work: there a piece is read and decoded, while here the one before is put in its
 * place, which in fresh memory is the dearer half. Whichever thread waits for the other verifies.
 *
 * Invariants
 *  - what is taken was verified, there or here
 *  - when `read` is over, however it ends, nobody writes to the places any more
 */

import { throwIfAborted } from '../base/abort.js';
import { MiB } from '../base/sizes.js';
import { chunkIdOf } from '../chunker/ids.js';
import type { RegionChunks } from './chunk-table.js';
import type { PieceRequest } from './restore-requests.js';

/** Chunks `[from, to)` of a region. */
export interface Run {
  chunks: RegionChunks;
  from: number;
  to: number;
}

/** What is read at once: chunks that follow each other in memory. */
export interface Piece {
  runs: Run[];
  byteLength: number;
}

/** Where in shared memory something is. */
export interface Place {
  memory: SharedArrayBuffer;
  offset: number;
}

/** How the writer thread is asked. */
export interface ChunkSource {
  request(method: string, args: unknown[]): Promise<unknown>;
  /** How many answers there are that were not taken yet. */
  readonly untaken: number;
}

/** Large enough that a message costs little beside it, small enough to stay in the cache between the two threads. */
const PIECE_BYTES = MiB;
/** How many pieces are asked for before the first is taken. */
export const DEPTH = 4;
/** With fewer pieces than this to read the writer thread is about to wait, and verifies the next one too. */
const BUSY = 2;

/** Cuts runs into pieces of PIECE_BYTES at most, or of one chunk where that is larger. */
export async function* cutPieces(runs: AsyncIterable<Run> | Iterable<Run>): AsyncGenerator<Piece> {
  let piece: Piece = { runs: [], byteLength: 0 };
  for await (const { chunks, from, to } of runs) {
    for (let next = from; next < to; ) {
      const start = chunks.start(next);
      let end = next;
      while (end < to && chunks.end(end) - start <= PIECE_BYTES - piece.byteLength) end++;
      if (end === next && piece.byteLength === 0) end++;
      if (end > next) {
        piece.runs.push({ chunks, from: next, to: end });
        piece.byteLength += chunks.start(end) - start;
        next = end;
      }
      if (next === to && piece.byteLength < PIECE_BYTES) break;
      yield piece;
      piece = { runs: [], byteLength: 0 };
    }
  }
  if (piece.byteLength > 0) yield piece;
}

export class ChunkReader {
  readonly #source: ChunkSource;
  readonly #snapshot: string;
  readonly #signal: AbortSignal | undefined;

  constructor(source: ChunkSource, snapshot: string, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#snapshot = snapshot;
    this.#signal = signal;
  }

  /**
   * Reads pieces to where `place` says, and calls `take` with each, in order. When a piece is placed, all but DEPTH - 1
   * of those before it have been taken.
   */
  async read(
    pieces: AsyncIterable<Piece>,
    place: (byteLength: number) => Place,
    take: (piece: Piece, place: Place) => void,
  ): Promise<void> {
    const underway: Underway[] = [];
    const takeFirst = async (): Promise<void> => {
      const first = underway[0] as Underway;
      await first.answer;
      underway.shift();
      if (!first.verified) await this.#verify(first);
      take(first.piece, first.place);
    };
    try {
      for await (const piece of pieces) {
        throwIfAborted(this.#signal);
        const unanswered = underway.length - this.#source.untaken;
        underway.push(this.#ask(piece, place(piece.byteLength), unanswered < BUSY));
        if (underway.length === DEPTH) await takeFirst();
      }
      while (underway.length > 0) await takeFirst();
      throwIfAborted(this.#signal);
    } finally {
      await Promise.allSettled(underway.map(({ answer }) => answer));
    }
  }

  #ask(piece: Piece, place: Place, verify: boolean): Underway {
    const request: PieceRequest = {
      parts: piece.runs.map(({ chunks, from, to }) => ({ region: chunks.region, count: to - from })),
      entries: Buffer.concat(piece.runs.map(({ chunks, from, to }) => chunks.entries(from, to))),
      ...place,
      verify,
    };
    const answer = this.#source.request('chunkBytes', [this.#snapshot, request]);
    // Whoever waits for it hears of a failure; until then it is nobody's.
    answer.catch(() => {});
    return { piece, place, verified: verify, answer };
  }

  /** What does not verify is read once more by the thread that can say where it lies. */
  async #verify({ piece, place: { memory, offset } }: Underway): Promise<void> {
    let at = offset;
    for (const { chunks, from, to } of piece.runs) {
      for (let index = from; index < to; index++) {
        const byteLength = chunks.byteLengthOf(index);
        if (!chunkIdOf(Buffer.from(memory, at, byteLength)).equals(chunks.id(index))) {
          const again = { runs: [{ chunks, from: index, to: index + 1 }], byteLength };
          await this.#ask(again, { memory, offset: at }, true).answer;
        }
        at += byteLength;
      }
    }
  }
}

interface Underway {
  piece: Piece;
  place: Place;
  /** The writer thread verifies. */
  verified: boolean;
  answer: Promise<unknown>;
}
