/** What the tests of the public face share: folders that go away, and children that are this library's callers. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { INTERNALS, type OpenOptions } from '../../src/api/options.js';
import { Owner } from '../../src/writer/owner.js';
import type { Internals } from '../../src/writer/thread.js';

/** A fresh path for a store; whatever is there is removed after the test. */
export function storePath(t: { after(clean: () => unknown): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'store');
}

/** Numbers that look like physics and differ with the seed. */
export function field(length: number, seed = 0): Float64Array {
  return Float64Array.from({ length }, (_, index) => Math.sin(index * 0.01 + seed) * 100 + seed);
}

export function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  return (async () => {
    const all: T[] = [];
    for await (const item of items) all.push(item);
    return all;
  })();
}

/** The owner that this process has of a store, to be asked beside its Snaps; to be detached. */
export async function ownerHere(directory: string): Promise<{ owner: Owner; client: number }> {
  const wanted = { directory, create: false, readOnly: false, compression: false, internals: {} } as const;
  const owner = await Owner.acquire(wanted, undefined);
  const nothing = () => {};
  const client = owner.attach('aside', undefined, {
    released: nothing,
    returned: nothing,
    durable: nothing,
    failed: nothing,
    warning: nothing,
    kept: nothing,
    broken: nothing,
  });
  return { owner, client };
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Starts one of the programs beside this file, compiled. */
export function startProgram(name: string, args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const path = fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url));
  return spawn(process.execPath, [path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
}

/** Runs one of the programs to its end. A hang is a failure, after a minute. */
export function runProgram(name: string, args: string[]): Promise<Ended> {
  const child = startProgram(name, args);
  return ended(child);
}

export function ended(child: ChildProcess, limitMs = 60_000): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data) => {
    stdout += data;
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const guard = setTimeout(() => child.kill('SIGKILL'), limitMs);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(guard);
      resolve({ code, signal, stdout, stderr });
    });
  });
}

/** Faults that the disk of a store opened with `faulty` shows, written to a file that the writer thread reads. */
export interface Fault {
  /** Which call fails. */
  call: 'sync' | 'write' | 'open' | 'syncFolder' | 'truncate' | 'read';
  /**
   * An error of the system, or what becomes of the writer thread there and then: it exits (`DIE`), runs out of memory,
   * throws where nobody catches, or stands still until it is terminated.
   */
  code: 'EIO' | 'ENOSPC' | 'EMFILE' | 'EACCES' | 'EROFS' | 'DIE' | 'OUT-OF-MEMORY' | 'THROW' | 'STALL';
  /** How many of them fail; then all is well again. */
  times: number;
}

/** What the disk of the store at a path, opened with `faulty`, does from now on. */
export function setFault(path: string, ...faults: Fault[]): void {
  writeFileSync(`${path}.fault`, JSON.stringify(faults));
}

/** True where all faults that were set have shown. */
export function faultsAreOver(path: string): boolean {
  const faults = JSON.parse(readFileSync(`${path}.fault`, 'utf8')) as Fault[];
  return faults.every(({ times }) => times <= 0);
}

/** Options that put a disk under the store whose faults `setFault` decides, and a heap that can be exhausted. */
export function faulty(internals: Internals = {}): OpenOptions {
  const ioModule = new URL('./faulty-io.js', import.meta.url).href;
  return { [INTERNALS]: { ioModule, heapMiB: 64, ...internals } };
}
