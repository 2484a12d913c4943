/**
 * Makes a span durable that recovery accepted without knowing whether it ever was.
 *
 * Its bytes can be read, but perhaps only from memory: where an earlier sync failed, the system may have kept
 * the pages, called them clean, and would sync nothing. So the same bytes are written again, then synced.
 */

import { MiB } from '../base/sizes.js';
import type { Io } from '../io/io.js';
import { readFully, writeFully } from '../io/transfer.js';
import type { CommittedSpan } from './scan.js';

const PIECE = 4 * MiB;

export function rewriteSpan(io: Io, path: string, span: CommittedSpan): void {
  const file = io.open(path, 'write');
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, span.end - span.start));
    for (let position = span.start; position < span.end; position += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, span.end - position));
      const length = readFully(file, piece, position);
      writeFully(file, piece.subarray(0, length), position);
    }
    file.sync();
  } finally {
    file.close();
  }
}
