/** A store on a simulated disk, used call by call: for tests that look at single steps. */

import assert from 'node:assert/strict';
import type { SnapshotId } from '../../src/base/ids.js';
import { Store, type StoreOptions, type StoreWarning } from '../../src/store/store.js';
import { Random } from './random.js';
import { type Lineage, NO_LINEAGE, putSnapshot, readSnapshot, type StorageOf } from './saved.js';
import { STORE } from './session.js';
import type { SimulatedDisk } from './simulated-disk.js';

const random = new Random(1);

export async function openOn(
  disk: SimulatedDisk,
  options: Partial<StoreOptions> = {},
): Promise<{ store: Store; warnings: StoreWarning[] }> {
  const warnings: StoreWarning[] = [];
  disk.newProcess();
  const store = await Store.open({
    io: disk,
    directory: STORE,
    create: true,
    readOnly: false,
    compression: false,
    onWarning: (warning) => warnings.push(warning),
    simulated: true,
    ...options,
  });
  return { store, warnings };
}

export function newId(): SnapshotId {
  return random.bytes(16).toString('hex') as SnapshotId;
}

/** A state of one region. */
export function contentOf(bytes: Buffer): Map<string, Buffer> {
  return new Map([
    ['', Buffer.alloc(8)],
    ['u', bytes],
  ]);
}

/** Saves and commits; the lineage says the id, and is what the next save may build on. */
export async function saveTo(
  store: Store,
  content: ReadonlyMap<string, Buffer>,
  base: Lineage = NO_LINEAGE,
  chunkBytes = 64,
  run = 'alpha',
  storage?: StorageOf,
): Promise<Lineage & { id: SnapshotId }> {
  const id = newId();
  store.begin();
  const lineage = await putSnapshot(store, { id, run, content }, base, chunkBytes, 0, storage);
  await store.commit();
  return { ...lineage, id };
}

export function readFrom(store: Store, id: SnapshotId): Map<string, Buffer> {
  return readSnapshot(store, store.byId(id) ?? assert.fail(`snapshot ${id} is gone`));
}
