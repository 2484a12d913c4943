/** Calls that fail: the Nth of a kind, once or from then on. */

import type { FileChange } from './disk-file.js';
import type { Random } from './random.js';

export const CALLS = [
  'open',
  'create',
  'read',
  'write',
  'size',
  'truncate',
  'sync',
  'close',
  'stat',
  'list',
  'makeFolder',
  'rename',
  'remove',
  'removeFolder',
  'syncFolder',
] as const;
export type Call = (typeof CALLS)[number];

/** `short`: fewer bytes than asked for. `lost`: a failed sync whose pages cannot even be read back. */
export type Effect = 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EMFILE' | 'EACCES' | 'short' | 'lost';

export interface Fault {
  call: Call;
  effect: Effect;
  /** Counted from 1. */
  nth: number;
  forGood: boolean;
  /** Only calls on paths that end with this count. */
  suffix?: string;
  /** Of a failed sync: which changes reached the platter all the same. By default any may have. */
  written?: (change: FileChange) => boolean;
}

export class Faults {
  #faults: { fault: Fault; seen: number }[] = [];
  /** True once the first of the faults has struck. */
  hit = false;

  constructor(readonly random: Random) {}

  set(...faults: Fault[]): void {
    this.#faults = faults.map((fault) => ({ fault, seen: 0 }));
    this.hit = false;
  }

  /** What becomes of this call, if anything does. */
  strike(call: Call, path: string): Effect | undefined {
    let effect: Effect | undefined;
    for (const [index, entry] of this.#faults.entries()) {
      const { fault } = entry;
      if (fault.call !== call || !path.endsWith(fault.suffix ?? '')) continue;
      entry.seen++;
      if (fault.forGood ? entry.seen < fault.nth : entry.seen !== fault.nth) continue;
      if (index === 0) this.hit = true;
      effect ??= fault.effect;
    }
    return effect;
  }

  /** True where a change reached the platter although its sync failed. */
  wasWritten(change: FileChange): boolean {
    const written = this.#faults.find(({ fault }) => fault.written)?.fault.written;
    return written ? written(change) : this.random.chance(0.4);
  }
}
