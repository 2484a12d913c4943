/**
 * How far an unfinished verification came, so that the next one goes on there. A file of its own beside the packs;
 * lost or damaged, verification begins at the first pack again.
 */

import type { Io } from '../io/io.js';
import { readSmallFile, replaceFile } from '../io/transfer.js';
import type { Layout } from './layout.js';

interface Cursor {
  share: number;
  pack: number;
}

const LIMIT = 1024;

/** Number of the last pack that a run reading this share finished; 0 for none. */
export function readCursor(io: Io, layout: Layout, share: number): number {
  try {
    const cursor = JSON.parse(readSmallFile(io, layout.verified, LIMIT)?.toString('utf8') ?? '') as Cursor;
    return cursor.share === share && Number.isSafeInteger(cursor.pack) ? cursor.pack : 0;
  } catch {
    return 0;
  }
}

/** Notes it; undefined where the run was finished. */
export function writeCursor(io: Io, layout: Layout, share: number, pack: number | undefined): void {
  if (pack !== undefined)
    replaceFile(io, layout.verified, Buffer.from(`${JSON.stringify({ share, pack })}\n`));
  else if (io.stat(layout.verified)) io.remove(layout.verified);
}
