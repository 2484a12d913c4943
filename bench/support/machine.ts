/** What a figure was measured on: without it a figure says nothing. */

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { formatBytes } from '../../src/base/sizes.js';
import { findCompressor } from '../../src/compress/compressor.js';
import { describeDisk } from './disk.js';

export interface Machine {
  cpu: string;
  cores: number;
  memory: string;
  system: string;
  node: string;
  compressor: string;
  disk: string;
}

export function describeMachine(folder: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: formatBytes(totalmem()),
    system: `${process.platform} ${release()}`,
    node: process.version,
    compressor: findCompressor(1).name,
    disk: describeDisk(folder),
  };
}

/** Share of the machine that other processes took since this was made: above a few percent, measure again. */
export class OtherLoad {
  readonly #at = performance.now();
  readonly #busy = busyTicks();

  share(): number {
    const busy = busyTicks();
    const ticks = ((performance.now() - this.#at) / 1000) * TICKS_PER_SECOND * availableParallelism();
    return Math.max(0, (busy.all - this.#busy.all - (busy.own - this.#busy.own)) / ticks);
  }
}

export const OTHERS_NOTE =
  '"other processes": share of all cores that processes beside this one took; above a few percent, measure again';

/** What Linux counts CPU time in, in /proc. */
const TICKS_PER_SECOND = 100;

/** CPU time of the machine, and of this process and the children it has waited for; NaN where nothing tells. */
function busyTicks(): { all: number; own: number } {
  try {
    const machine = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]
      ?.trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = machine ?? [];
    // The command's name, in parentheses, may hold spaces.
    const self = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ').map(Number);
    const own = self?.slice(11, 15).reduce((total, ticks) => total + ticks, 0) ?? Number.NaN;
    return { all: user + nice + system + irq + softirq + steal, own };
  } catch {
    return { all: Number.NaN, own: Number.NaN };
  }
}
