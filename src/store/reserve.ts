/**
 * A little space held back, so that forgetting and gc can say what they do on a disk that is full.
 *
 * A file of its own that is given up when a note finds no space, and made again when there is some.
 */

import { isSnapError } from '../base/errors.js';
import { KiB } from '../base/sizes.js';
import type { Io } from '../io/io.js';
import { closeQuietly, writeFully } from '../io/transfer.js';

/** Notes of thousands of snapshots, and the blocks of file systems around them. */
const RESERVE_BYTES = 128 * KiB;

/** Holds space back where there is some; where not, nothing is said: what needs it will be. */
export function holdReserve(io: Io, path: string): void {
  try {
    if (io.stat(path)?.size === RESERVE_BYTES) return;
    if (io.stat(path)) io.remove(path);
    const file = io.open(path, 'create');
    try {
      // Random, because a file system that compresses would hold nothing back for zeros.
      writeFully(file, io.random(RESERVE_BYTES), 0);
    } finally {
      closeQuietly(file);
    }
  } catch {
    // A full disk is reported by whatever has to be written to it.
  }
}

/**
 * Does what helps on a full disk. Where it finds no space it is done again with the space that is held back, and
 * then with that which `giveMore` gives, if it has any. What is left is held again.
 */
export async function withReserve(
  io: Io,
  path: string,
  work: () => Promise<void>,
  giveMore: (reason: unknown) => Promise<boolean>,
): Promise<void> {
  const gifts = [() => giveUpReserve(io, path), giveMore];
  for (let isFull = false; ; isFull = true) {
    try {
      await work();
      if (isFull) holdReserve(io, path);
      return;
    } catch (error) {
      if (!isSnapError(error, 'SNAP_NO_SPACE')) throw error;
      let given = false;
      while (!given && gifts.length > 0) given = (await gifts.shift()?.(error)) ?? false;
      if (!given) throw error;
    }
  }
}

/** Gives the space up; says whether there was any. */
export function giveUpReserve(io: Io, path: string): boolean {
  try {
    if (!io.stat(path)) return false;
    io.remove(path);
    return true;
  } catch {
    return false;
  }
}
