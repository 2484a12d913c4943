/** Two stores on a simulated disk each, and copies from one to the other. */

import assert from 'node:assert/strict';
import type { SnapshotId } from '../../src/base/ids.js';
import { Copy, type CopyFindings, type CopyOptions } from '../../src/store/copy.js';
import { CopySource } from '../../src/store/copy-source.js';
import { Store } from '../../src/store/store.js';
import { NOTHING_VERIFIED } from '../../src/store/verify-cursor.js';
import { assertSameContent, readSnapshot } from './saved.js';
import { type Session, STORE } from './session.js';
import type { SimulatedDisk } from './simulated-disk.js';

export const EVERYTHING: CopyOptions = {
  dryRun: false,
  selection: { ids: undefined, run: undefined, tags: undefined, since: undefined, last: undefined },
  policy: undefined,
  now: 0,
};

export function selecting(selection: Partial<CopyOptions['selection']>): Partial<CopyOptions> {
  return { selection: { ...EVERYTHING.selection, ...selection } };
}

/** What happens at a step of a copy; `true`: end it there. */
export type AtStep = (step: number) => boolean | undefined | Promise<boolean | undefined>;

/** Opens the store on a disk as a reader does. */
export function reader(disk: SimulatedDisk): Promise<Store> {
  return Store.open({
    io: disk,
    directory: STORE,
    create: false,
    readOnly: true,
    compression: false,
    onWarning: () => {},
    simulated: true,
  });
}

/** Copies to the open store of a session; reads the source beside whoever owns it. */
export async function copy(
  from: SimulatedDisk,
  target: Store | undefined,
  options: Partial<CopyOptions> = {},
  atStep: AtStep = () => false,
): Promise<CopyFindings> {
  const source = await reader(from);
  try {
    await source.refresh();
    const copying = new Copy(new CopySource(source), target, { ...EVERYTHING, ...options });
    let step = 0;
    for await (const _ of copying.run()) if (await atStep(step++)) break;
    return copying.findings;
  } finally {
    await source.close();
  }
}

/** Bytes of all packs. */
export function packBytes(store: Store): number {
  return Object.values(store.packSizes()).reduce((sum, size) => sum + size, 0);
}

/** Ids in order, the newest first; forgotten ones are left out. */
export async function idsOf(store: Store, run?: string): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  for await (const { id, forgotten } of store.summaries(run)) if (!forgotten) ids.push(id);
  return ids;
}

/** Everything of a snapshot that a copy has to keep. */
export function factsOf(store: Store, id: SnapshotId) {
  const summary = store.byId(id) ?? assert.fail(`snapshot ${id} is not there`);
  const { sequence: _, ...manifest } = store.manifest(summary);
  return { manifest, durableMs: summary.durableMs };
}

/** Every snapshot in the target is one of the source, bit for bit, and verification finds nothing. */
export async function assertFaithful(source: Session, target: Store): Promise<void> {
  for await (const summary of target.summaries()) {
    const saved = source.model.snapshots.get(summary.id);
    if (saved) assertSameContent(readSnapshot(target, summary), saved.content, `the copy of ${summary.id}`);
    else readSnapshot(target, summary);
  }
  await assertSound(target);
}

export async function assertSound(store: Store): Promise<void> {
  const { findings, run } = store.verification({ share: 1, from: NOTHING_VERIFIED, random: Math.random });
  for await (const _ of run());
  assert.deepEqual([findings.damage, findings.damagedSnapshots], [[], []]);
}
