/** What gc and repair took out of the store, as the last gc record says it, and what the next one has to say. */

import type { SnapshotId } from '../base/ids.js';
import { type GcRecord, isAmong, withPacks } from '../format/gc.js';

/** What becomes of the files of packs that are no part of the store any more. */
export type Fate = 'removed' | 'setAside';

export function isGone({ removed, setAside }: GcRecord, pack: number): boolean {
  return isAmong(removed, pack) || isAmong(setAside, pack);
}

/** The record after some packs went, with how much counts of those that stay and have no footer. */
export function afterPacks(
  record: GcRecord,
  packs: readonly number[],
  fate: Fate,
  unsealed: GcRecord['unsealed'],
): GcRecord {
  const collected = record.collected.filter(({ pack }) => !packs.includes(pack));
  return { ...record, [fate]: withPacks(record[fate], packs), unsealed, collected };
}

/** The record after some snapshots went, whose manifests still stand in packs. */
export function afterSnapshots(
  record: GcRecord,
  snapshots: readonly { snapshot: SnapshotId; pack: number }[],
): GcRecord {
  return { ...record, collected: [...record.collected, ...snapshots] };
}
