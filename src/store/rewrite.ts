/**
 * Makes bytes durable that recovery accepted without knowing whether they ever were.
 *
 * Its bytes can be read, but perhaps only from memory: where an earlier sync failed, the system may have kept
 * the pages, called them clean, and would sync nothing. So the same bytes are written again, then synced.
 */

import { MiB } from '../base/sizes.js';
import type { Io } from '../io/io.js';
import { readFully, writeFully } from '../io/transfer.js';

const PIECE = 4 * MiB;

/** A part of a file. */
export interface ByteRange {
  start: number;
  end: number;
}

export function rewrite(io: Io, path: string, { start, end }: ByteRange): void {
  const file = io.open(path, 'write');
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, end - start));
    for (let position = start; position < end; position += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, end - position));
      const length = readFully(file, piece, position);
      writeFully(file, piece.subarray(0, length), position);
    }
    file.sync();
  } finally {
    file.close();
  }
}
