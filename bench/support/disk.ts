/** What the disk under a folder is, what a folder holds, and what the kernel wrote for a process. */

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { median } from './samples.js';

export interface FileSystem {
  /** As the kernel names it (`ext4`), or `unknown`. */
  type: string;
  device: string;
  /** True where nothing survives the machine: a sync there proves nothing. */
  inMemory: boolean;
}

const IN_MEMORY: ReadonlySet<string> = new Set(['tmpfs', 'ramfs', 'devtmpfs']);

/** The file system that a folder lies on: the mount with the longest path above it. */
export function fileSystemOf(folder: string): FileSystem {
  let found = { type: 'unknown', device: '', inMemory: false };
  let longest = -1;
  let mounts: string;
  try {
    mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return found;
  }
  const path = fs.realpathSync(folder);
  for (const line of mounts.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const mount = before.split(' ')[4]?.replaceAll('\\040', ' ');
    const [type = '', device = ''] = after.split(' ');
    if (mount === undefined || mount.length < longest) continue;
    if (path !== mount && !path.startsWith(mount.endsWith('/') ? mount : `${mount}/`)) continue;
    longest = mount.length;
    found = { type, device, inMemory: IN_MEMORY.has(type) };
  }
  return found;
}

/** Milliseconds, at the median, to append 4 KiB and make it durable. */
export function syncMillis(folder: string, rounds = 25): number {
  const path = join(folder, `.sync-${process.pid}`);
  const file = fs.openSync(path, 'wx');
  const block = Buffer.alloc(4096, 0x5a);
  try {
    const samples = Array.from({ length: rounds }, (_, round) => {
      const start = performance.now();
      fs.writeSync(file, block, 0, block.length, round * block.length);
      fs.fdatasyncSync(file);
      return performance.now() - start;
    });
    return median(samples);
  } finally {
    fs.closeSync(file);
    fs.rmSync(path);
  }
}

/** `ext4 on /dev/vda, 4 KiB append + fdatasync 0.31 ms`. */
export function describeDisk(folder: string): string {
  const { type, device, inMemory } = fileSystemOf(folder);
  const sync = `4 KiB append + fdatasync ${syncMillis(folder).toFixed(2)} ms`;
  return inMemory ? `${type}: IN MEMORY, nothing here survives the machine` : `${type} on ${device}, ${sync}`;
}

/** Bytes of all files in a folder. One that vanishes while it is counted counts for nothing. */
export function folderBytes(folder: string): number {
  let total = 0;
  for (const name of fs.readdirSync(folder, { recursive: true })) {
    const stats = fs.statSync(join(folder, String(name)), { throwIfNoEntry: false });
    if (stats?.isFile()) total += stats.size;
  }
  return total;
}

/** Bytes that the kernel has sent, or will send, to disks for a process; undefined where it does not say. */
export function kernelWrittenBytes(pid: number | 'self' = 'self'): number | undefined {
  try {
    const match = /^write_bytes: (\d+)$/m.exec(fs.readFileSync(`/proc/${pid}/io`, 'utf8'));
    return match ? Number(match[1]) : undefined;
  } catch {
    return undefined;
  }
}

/** Makes an empty folder, on a real disk if any of the usual places is one. */
export function scratchFolder(prefix: string): string {
  const places = [tmpdir(), '/var/tmp', resolve('build')].filter((place) => fs.existsSync(place));
  const place = places.find((candidate) => !fileSystemOf(candidate).inMemory) ?? tmpdir();
  return fs.mkdtempSync(join(place, prefix));
}

/** Takes a file that is durable out of the page cache; false where that cannot be asked for here. */
export function dropFromCache(path: string): boolean {
  // Node has no posix_fadvise; dd of the GNU coreutils asks for it when it is told to read nothing without the cache.
  const { status } = spawnSync('dd', [`if=${path}`, 'of=/dev/null', 'iflag=nocache', 'count=0'], {
    stdio: 'ignore',
  });
  return status === 0;
}
