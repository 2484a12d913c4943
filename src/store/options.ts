/** What a store is opened with, and what it tells while it is open. */

import type { Io } from '../io/io.js';
import type { KeyValues } from './key-values.js';
import type { RecoveryProgress } from './recovery.js';

export interface StoreOptions {
  io: Io;
  directory: string;
  create: boolean;
  readOnly: boolean;
  compression: { level: number } | false;
  /** Do not believe the index, make it anew. */
  rebuild?: boolean;
  /** Told of what is odd but not fatal. */
  onWarning(warning: StoreWarning): void;
  /** Told every now and then while the index is rebuilt. */
  onProgress?: ((progress: OpenProgress) => void) | undefined;
  /** Smaller packs, so that a test can roll them. */
  packBytes?: number;
  /** Smaller writes, so that a test can cut them. */
  stagingBytes?: number;
  /** Keep the index in memory and take no lock: for a simulated disk, which LevelDB cannot use. */
  simulated?: boolean;
  /** With `simulated`: where the index is kept, so that a test can look at it. */
  indexValues?: KeyValues;
}

/** How far opening has come, where it has to read the packs: bytes of them. */
export interface OpenProgress extends RecoveryProgress {
  phase: 'rebuild';
}

export interface StoreWarning {
  kind: 'damage' | 'index' | 'compression' | 'leftovers';
  message: string;
  pack?: number;
  offset?: number;
  snapshot?: string;
}
