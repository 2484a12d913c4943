/** What the machine and this process are: the one place that is particular to an operating system. */

import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { freemem, hostname, setPriority } from 'node:os';
import { resolve } from 'node:path';

export const processId = process.pid;

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

/** One name for a folder, however it is spelled. */
export function canonicalPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** Bytes that may still be allocated here: what the container or the machine leaves. */
export function availableMemory(): number {
  // Node 20.13 brought availableMemory, which knows cgroup limits; freemem leaves the page cache out.
  return typeof process.availableMemory === 'function' ? process.availableMemory() : freemem();
}

/** Bytes of memory that this process holds now (resident set). */
export function residentBytes(): number {
  return process.memoryUsage.rss();
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
