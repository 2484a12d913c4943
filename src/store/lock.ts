/**
 * The writer lock: held by one process, gone the moment it dies.
 *
 * Node has no file lock of its own. LevelDB takes a kernel lock (fcntl) on its LOCK file, so an empty LevelDB
 * in a folder of its own is the lock. Nothing else may open a file in that folder while it is held: closing
 * any descriptor of LOCK in the same process would drop the kernel's lock. It is apart from the index so that
 * the index can be thrown away and rebuilt while the lock is held.
 */

import { Level } from 'level';
import { SnapError } from '../base/errors.js';
import type { Io } from '../io/io.js';
import { hostName, processExists, processId } from '../io/machine.js';
import { readSmallFile, replaceFile } from '../io/transfer.js';
import type { Layout } from './layout.js';

export interface Lock {
  release(): Promise<void>;
}

const OWNER_FILE_LIMIT = 4096;

/** Takes the lock, or fails at once with SNAP_LOCKED and the owner's pid. */
export async function acquireLock(io: Io, layout: Layout): Promise<Lock> {
  const level = await openLock(io, layout);
  try {
    const owner = { pid: processId, host: hostName(), since: new Date(io.now()).toISOString() };
    replaceFile(io, layout.owner, Buffer.from(`${JSON.stringify(owner)}\n`));
  } catch (error) {
    await level.close();
    throw error;
  }
  return {
    async release() {
      try {
        if (io.stat(layout.owner)) io.remove(layout.owner);
      } catch {
        // The file is for messages only; the lock has to go whatever becomes of it.
      }
      await level.close();
    },
  };
}

async function openLock(io: Io, layout: Layout): Promise<Level> {
  try {
    return await tryOpen(layout);
  } catch (error) {
    if (isHeld(error)) throw lockedError(io, layout);
    // Not held, yet not to be opened: its files are damaged. They hold nothing, so they are made anew; should
    // another process be doing the same, the kernel still lets only one of the two have the lock.
    for (const name of io.list(layout.lock)) {
      if (name !== 'LOCK') io.remove(`${layout.lock}/${name}`);
    }
    try {
      return await tryOpen(layout);
    } catch (second) {
      if (isHeld(second)) throw lockedError(io, layout);
      throw new SnapError(
        'SNAP_IO',
        `the store's lock (${layout.lock}) cannot be taken; check that the folder is writable`,
        { cause: second },
      );
    }
  }
}

async function tryOpen(layout: Layout): Promise<Level> {
  const level = new Level(layout.lock);
  await level.open();
  return level;
}

function isHeld(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED';
}

function lockedError(io: Io, layout: Layout): SnapError {
  const owner = readOwner(io, layout);
  if (!owner) {
    return new SnapError(
      'SNAP_LOCKED',
      'another process owns this store; open it with readOnly to read beside it',
    );
  }
  const elsewhere = owner.host === hostName() ? '' : ` on ${owner.host}`;
  const own =
    owner.pid === processId && elsewhere === '' ? ' (another thread or copy of holdfast in it)' : '';
  return new SnapError(
    'SNAP_LOCKED',
    `process ${owner.pid}${elsewhere}${own} owns this store; close it there, or open with readOnly to read beside it`,
    { pid: owner.pid },
  );
}

/** Who wrote the owner file, if it is readable and, on this machine, alive. */
export function readOwner(io: Io, layout: Layout): { pid: number; host: string } | undefined {
  try {
    const value = JSON.parse(readSmallFile(io, layout.owner, OWNER_FILE_LIMIT)?.toString('utf8') ?? '');
    const { pid, host } = value as { pid?: unknown; host?: unknown };
    if (!Number.isSafeInteger(pid) || typeof host !== 'string') return undefined;
    if (host === hostName() && !processExists(pid as number)) return undefined;
    return { pid: pid as number, host };
  } catch {
    return undefined;
  }
}
