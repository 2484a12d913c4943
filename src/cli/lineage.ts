/** The parents of a snapshot, one before the other. */

import { SnapError } from '../base/errors.js';
import type { Snap, SnapshotInfo } from '../index.js';

export interface Lineage {
  /** The parent first; forgotten ones too. */
  ancestors: SnapshotInfo[];
  /** The next parent, where the lineage goes on: beyond the limit, or removed from the store. */
  next: string | undefined;
  /** True where `next` is not in the store any more. */
  cut: boolean;
}

export async function lineageOf(snap: Snap, info: SnapshotInfo, limit: number): Promise<Lineage> {
  const ancestors: SnapshotInfo[] = [];
  const seen = new Set([info.id]);
  let next = info.parent;
  let forgotten: Map<string, SnapshotInfo> | undefined;
  while (next !== undefined && ancestors.length < limit && !seen.has(next)) {
    seen.add(next);
    let found: SnapshotInfo | undefined = await existing(snap, next);
    if (!found) {
      forgotten ??= await everything(snap);
      found = forgotten.get(next);
    }
    if (!found) return { ancestors, next, cut: true };
    ancestors.push(found);
    next = found.parent;
  }
  return { ancestors, next, cut: false };
}

/** A snapshot by id; undefined where it was forgotten or removed, or its regions cannot be read. */
async function existing(snap: Snap, id: string): Promise<SnapshotInfo | undefined> {
  try {
    return await snap.info(id);
  } catch (error) {
    if (error instanceof SnapError) return undefined;
    throw error;
  }
}

/** Every snapshot by id. Only a listing shows forgotten ones. */
async function everything(snap: Snap): Promise<Map<string, SnapshotInfo>> {
  const all = new Map<string, SnapshotInfo>();
  for await (const info of snap.list({ forgotten: true })) all.set(info.id, info);
  return all;
}
