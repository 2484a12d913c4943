/** What a figure was measured on: without it a figure says nothing. */

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
