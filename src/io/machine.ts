/** What the machine and this process are: the one place that is particular to an operating system. */

import { fstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { availableParallelism, freemem, hostname, setPriority } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

export const processId = process.pid;

/**
 * Milliseconds of a clock that never goes back and that all threads of a process share. `performance.now()` is not
 * shared, and neither is its origin: that is what the wall clock showed when the thread was started.
 */
export function sharedMilliseconds(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function hostName(): string {
  return hostname();
}

/** True where a process of this machine has this id (it may be somebody else's). */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** One name for a folder, however it is spelled, and the same before it is made as afterwards. */
export function canonicalPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync.native(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(canonicalPath(parent), basename(absolute));
  }
}

/** True where a thread of this process has the file open, under whatever name. */
export function isOpenHere(path: string): boolean {
  const wanted = statSync(path, { bigint: true, throwIfNoEntry: false });
  return wanted !== undefined && openFiles().some(({ dev, ino }) => dev === wanted.dev && ino === wanted.ino);
}

function openFiles(): { dev: bigint; ino: bigint }[] {
  return descriptors().flatMap((descriptor) => {
    try {
      return fstatSync(Number(descriptor), { bigint: true });
    } catch {
      // It was closed in the meantime, as the one is by which they were listed.
      return [];
    }
  });
}

function descriptors(): string[] {
  try {
    return readdirSync('/dev/fd');
  } catch {
    // Not mounted here: there is no telling.
    return [];
  }
}

/** Bytes that may still be allocated here: what the container or the machine leaves. Infinite where nobody can tell. */
export function availableMemory(): number {
  // Node 20.13 brought availableMemory, which knows cgroup limits; freemem leaves the page cache out.
  const bytes = typeof process.availableMemory === 'function' ? process.availableMemory() : freemem();
  // It is read from /proc, and 0 where the process has no file descriptor left to open that.
  return bytes > 0 ? bytes : Number.POSITIVE_INFINITY;
}

/** How many threads can run at a time. */
export function processors(): number {
  return availableParallelism();
}

/** Bytes of memory that this process holds now (resident set). */
export function residentBytes(): number {
  return process.memoryUsage.rss();
}

/** Holds the calling thread for so many milliseconds. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/**
 * Lowers the priority of the calling thread alone, so that a busy loop on the same cores is not slowed down.
 * Linux gives every thread an id of its own that setPriority takes; elsewhere nothing happens.
 */
export function lowerThreadPriority(niceness: number): void {
  if (process.platform !== 'linux') return;
  try {
    const threadId = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(threadId, niceness);
  } catch {
    // No /proc, or not permitted: politeness is a courtesy, never a reason to fail.
  }
}

/** The nearest package.json's name and version at or above a folder, for the `program` of a snapshot. */
export function nearestPackage(folders: readonly string[]): { name: string; version: string } | undefined {
  for (const folder of folders) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
      if (typeof manifest !== 'object' || manifest === null) continue;
      const { name, version } = manifest as { name?: unknown; version?: unknown };
      if (typeof name !== 'string') continue;
      return { name, version: typeof version === 'string' ? version : '' };
    } catch {
      // No readable package.json here: look further up.
    }
  }
  return undefined;
}
