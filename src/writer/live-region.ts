/**
 * A live buffer that is to become a region of a snapshot: which of the region's chunks it holds already.
 *
 * Comparing with the last capture runs at the speed of memory, where that has the snapshot's chunk too; hashing at a
 * third of it. Invariant: a chunk that does not differ is in the live buffer, byte for byte, when it is looked at.
 */

import { type RegionBytes, visitChangedChunks } from '../chunker/fixed.js';
import { chunkIdOf } from '../chunker/ids.js';
import type { Run } from './chunk-reader.js';
import type { CapturedPlace, RegionChunks } from './chunk-table.js';

const UNKNOWN = 0;
const SAME = 1;
const DIFFERS = 2;
/** What differs is told in runs of this many chunks at most, so that reading begins while more is compared. */
const LONGEST_RUN = 16;

export class LiveRegion {
  readonly chunks: RegionChunks;
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly #found: Uint8Array;

  constructor(chunks: RegionChunks, buffer: ArrayBuffer | SharedArrayBuffer) {
    this.chunks = chunks;
    this.buffer = buffer;
    this.#found = new Uint8Array(chunks.count);
  }

  /** Looks at the chunks that a capture has too, those with a 1 in `same`. */
  compareCapture(captured: RegionBytes, { chunkBytes }: CapturedPlace, same: Uint8Array): void {
    const live = this.#live();
    const bytes = {
      byteLength: live.length,
      slice: (start: number, end: number) => live.subarray(start, end),
    };
    const found = this.#found.fill(SAME);
    // Where the lengths differ the last chunk does too, and may be the snapshot's all the same.
    const unlike = live.length === captured.byteLength ? DIFFERS : UNKNOWN;
    visitChangedChunks(bytes, captured, chunkBytes, (index) => {
      if (index < found.length) found[index] = unlike;
    });
    for (let index = 0; index < found.length; index++) {
      if (same[index] !== 1 || this.chunks.end(index) > live.length) found[index] = UNKNOWN;
    }
  }

  /** The chunks that differ, in order; the ids tell where that is not known yet. */
  async *differing(breathe: () => Promise<void> | undefined): AsyncGenerator<Run> {
    const { chunks } = this;
    let run: Run | undefined;
    for (let index = 0; index < chunks.count; index++) {
      const pause = breathe();
      if (pause) await pause;
      if (this.#differs(index)) {
        run ??= { chunks, from: index, to: index };
        run.to = index + 1;
        if (run.to - run.from < LONGEST_RUN) continue;
      }
      if (run) yield run;
      run = undefined;
    }
    if (run) yield run;
  }

  #differs(index: number): boolean {
    const found = this.#found[index];
    if (found !== UNKNOWN) return found === DIFFERS;
    const bytes = this.#live().subarray(this.chunks.start(index), this.chunks.end(index));
    return (
      bytes.length !== this.chunks.byteLengthOf(index) || !chunkIdOf(bytes).equals(this.chunks.id(index))
    );
  }

  /** Its bytes as they are now. */
  #live(): Buffer {
    return Buffer.from(this.buffer as ArrayBuffer);
  }
}
