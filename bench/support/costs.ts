/** What work costs: time by the clock, CPU of the whole process, bytes written. */

import type { Snap } from '../../src/index.js';
import { folderBytes, kernelWrittenBytes } from './disk.js';
import { sleep } from './program.js';

/** After this the index has been written, what goes on behind a restore is over, and the process rests. */
export const REST_MS = 25;

/** Milliseconds by the clock. */
export function millisOf(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** Milliseconds of user and system time that the whole process, every thread of it, took since. */
export function cpuMillis(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

export interface SaveCost {
  /** From the call of save. */
  durableMs: number;
  /** From the call of save until the process rests again. */
  cpuMs: number;
  /** Growth of the store's folder until then: the index is written behind. */
  writtenBytes: number;
  /** What the kernel counts as sent to disks, in whole pages; NaN where it does not say. */
  kernelBytes: number;
  /** Bytes in chunks that were put. */
  newBytes: number;
}

/** One save that the loop waits for, so that all CPU time is the save's. */
export async function saveCost(snap: Snap, store: string, state: object): Promise<SaveCost> {
  const bytesBefore = folderBytes(store);
  const kernelBefore = kernelWrittenBytes() ?? Number.NaN;
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const { changedBytes } = await (await snap.save(state)).durable;
  const durableMs = performance.now() - start;
  await sleep(REST_MS);
  return {
    durableMs,
    cpuMs: cpuMillis(cpuBefore),
    writtenBytes: folderBytes(store) - bytesBefore,
    kernelBytes: (kernelWrittenBytes() ?? Number.NaN) - kernelBefore,
    newBytes: changedBytes,
  };
}
