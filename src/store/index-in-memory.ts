/** An index that takes no LevelDB: made from the packs in one go, as a reader's is. */

import type { Footer } from '../format/pack.js';
import { Index } from './index.js';
import { type KeyValues, memoryKeyValues } from './key-values.js';
import type { Packs } from './packs.js';
import { type RecoveryOptions, recover } from './recovery.js';

export interface IndexInMemory {
  /** Snapshots and tags. */
  values: KeyValues;
  /** Where chunks and pages lie, the newest pack first: 52 bytes for each. */
  footers: readonly Footer[];
}

export function indexInMemory(packs: Packs, options: Omit<RecoveryOptions, 'indexContent'>): IndexInMemory {
  const index = new Index(memoryKeyValues(), { needed() {}, make: memoryKeyValues });
  const steps = recover(packs, index, { ...options, indexContent: false });
  let step = steps.next();
  while (!step.done) step = steps.next();
  return { values: memoryKeyValues(index.unwritten), footers: step.value.footers };
}
