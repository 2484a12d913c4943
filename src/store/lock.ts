/**
 * The writer lock: held by one process, gone the moment it dies.
 *
 * Node has no file lock of its own. LevelDB takes a kernel lock (fcntl) on its LOCK file, so an empty LevelDB
 * in a folder of its own is the lock. It is apart from the index so that the index can be thrown away and rebuilt
 * while the lock is held.
 *
 * Such a lock is a process's, and closing any descriptor of LOCK in that process drops it. LevelDB itself opens and
 * closes LOCK when a second thread asks for what its process holds. Hence the gate, a LevelDB that has to be opened
 * first: the second thread gets no further, and the lock that it makes its process drop is only the gate's.
 *
 * Invariants
 *  - no file in lock/ is opened but by LevelDB, and LOCK by nobody in a process that has it open
 *  - whoever holds the lock holds the gate too, or his own process shut it for others
 */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Level } from 'level';
import { SnapError } from '../base/errors.js';
import { toSnapError } from '../io/failure.js';
import type { Io } from '../io/io.js';
import { hostName, isOpenHere, processExists, processId } from '../io/machine.js';
import type { Layout } from './layout.js';
import { type OwnerFile, readOwnerFile, writeOwnerFile } from './owner-file.js';
import { giveUpReserve } from './reserve.js';

export interface Lock {
  /** Says where the owner can be asked. */
  announce(socket: string): void;
  release(): Promise<void>;
}

/** A new owner takes the lock first and then says who he is. */
const INTRODUCTION_MS = 500;
const LOOK_MS = 10;

/** Takes the lock, or fails at once with SNAP_LOCKED and the owner's pid. */
export async function acquireLock(io: Io, layout: Layout): Promise<Lock> {
  try {
    return await takeLock(io, layout);
  } catch (error) {
    const typed = toSnapError(error, `taking the lock of ${layout.root}`);
    // Nobody owns the store, or that had been told first: so the space held back is there for whoever comes.
    if (typed.code !== 'SNAP_NO_SPACE' || !giveUpReserve(io, layout.reserve)) throw typed;
    return await takeLock(io, layout);
  }
}

async function takeLock(io: Io, layout: Layout): Promise<Lock> {
  const gateFolder = join(layout.lock, 'gate');
  io.makeFolder(gateFolder);
  const gate = await take(io, layout, gateFolder);
  const owner = { pid: processId, host: hostName(), since: new Date(io.now()).toISOString() };
  let lock: Level | undefined;
  try {
    // In this process and through the gate: the folder has been moved, or is mounted under two names.
    if (isOpenHere(`${layout.lock}/LOCK`)) throw await lockedError(io, layout);
    lock = await take(io, layout, layout.lock);
    writeOwnerFile(io, layout, owner);
  } catch (error) {
    await letGo(gate, lock);
    throw error;
  }
  return {
    announce: (socket) => writeOwnerFile(io, layout, { ...owner, socket }),
    async release() {
      try {
        if (io.stat(layout.owner)) io.remove(layout.owner);
      } catch {
        // The file is for messages only; the lock has to go whatever becomes of it.
      }
      await letGo(gate, lock);
    },
  };
}

async function letGo(gate: Level, lock: Level | undefined): Promise<void> {
  try {
    await lock?.close();
  } finally {
    await gate.close();
  }
}

/** Opens the LevelDB in a folder: it then has the kernel's lock on it. */
async function take(io: Io, layout: Layout, folder: string): Promise<Level> {
  try {
    return await open(folder);
  } catch (error) {
    if (isHeld(error)) throw await lockedError(io, layout);
    // Not held, yet not to be opened: its files are damaged. They hold nothing, so they are made anew; should
    // another process be doing the same, the kernel still lets only one of the two have the lock.
    for (const name of io.list(folder)) {
      const path = `${folder}/${name}`;
      if (name !== 'LOCK' && io.stat(path)?.kind === 'file') io.remove(path);
    }
    try {
      return await open(folder);
    } catch (second) {
      if (isHeld(second)) throw await lockedError(io, layout);
      if (isFull(second)) throw noSpaceForLock(folder, second);
      throw new SnapError(
        'SNAP_IO',
        `the store's lock (${folder}) cannot be taken; check that the folder is writable`,
        { cause: second },
      );
    }
  }
}

async function open(folder: string): Promise<Level> {
  const level = new Level(folder);
  await level.open();
  return level;
}

function isHeld(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED';
}

/** LevelDB passes on what the system says, in words alone. */
function isFull(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && /No space left|quota exceeded/i.test(cause.message);
}

function noSpaceForLock(folder: string, cause: unknown): SnapError {
  return new SnapError(
    'SNAP_NO_SPACE',
    `no space left for the store's lock (${folder}); free 100 KiB, as by deleting the store's folder index, which is made anew`,
    { cause },
  );
}

async function lockedError(io: Io, layout: Layout): Promise<SnapError> {
  let owner = readOwner(io, layout);
  for (let waited = 0; !owner && waited < INTRODUCTION_MS; waited += LOOK_MS) {
    await sleep(LOOK_MS);
    owner = readOwner(io, layout);
  }
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
function readOwner(io: Io, layout: Layout): OwnerFile | undefined {
  const owner = readOwnerFile(io, layout);
  return owner && owner.host === hostName() && !processExists(owner.pid) ? undefined : owner;
}
