/**
 * How far an unfinished verification came and what it had found, so that the next one goes on there. A file of its own
 * beside the packs; lost or damaged, verification begins at the first pack again.
 */

import type { Io } from '../io/io.js';
import { readSmallFile, replaceFile } from '../io/transfer.js';
import type { Layout } from './layout.js';
import type { VerifiedSoFar } from './verify.js';

interface Cursor extends VerifiedSoFar {
  share: number;
}

const LIMIT = 256 * 1024;
/** More of it is not kept: a store with so much damage is not in want of a longer list. */
const MOST_DAMAGE = 500;

export const NOTHING_VERIFIED: VerifiedSoFar = { pack: 0, offset: 0, damage: [] };

/** Where a run that read this share of the data ended. */
export function readCursor(io: Io, layout: Layout, share: number): VerifiedSoFar {
  try {
    const cursor: unknown = JSON.parse(readSmallFile(io, layout.verified, LIMIT)?.toString('utf8') ?? '');
    return isCursor(cursor) && cursor.share === share ? cursor : NOTHING_VERIFIED;
  } catch {
    return NOTHING_VERIFIED;
  }
}

/** Notes it; undefined where the run was finished. */
export function writeCursor(io: Io, layout: Layout, share: number, soFar: VerifiedSoFar | undefined): void {
  if (!soFar) {
    if (io.stat(layout.verified)) io.remove(layout.verified);
    return;
  }
  const { pack, offset, damage } = soFar;
  const cursor: Cursor = { share, pack, offset, damage: damage.slice(0, MOST_DAMAGE) };
  replaceFile(io, layout.verified, Buffer.from(`${JSON.stringify(cursor)}\n`));
}

function isCursor(value: unknown): value is Cursor {
  const { share, pack, offset, damage } = value as Cursor;
  return (
    typeof share === 'number' &&
    isPlace({ pack, offset }) &&
    Array.isArray(damage) &&
    damage.every((found) => isPlace(found) && typeof found.reason === 'string')
  );
}

function isPlace({ pack, offset }: { pack: number; offset: number }): boolean {
  return Number.isSafeInteger(pack) && pack >= 0 && Number.isSafeInteger(offset) && offset >= 0;
}
