/**
 * What a damaged store still owes: correct bytes or a typed error, a word about what is missing, and the next save.
 */

import assert from 'node:assert/strict';
import { isSnapError } from '../../src/base/errors.js';
import type { SnapshotId } from '../../src/base/ids.js';
import { Store } from '../../src/store/store.js';
import type { Model } from './model.js';
import { assertSameContent, readSnapshot } from './saved.js';
import { Session, type SessionOptions, STORE } from './session.js';
import { type DiskImage, SimulatedDisk } from './simulated-disk.js';

export interface Findings {
  /** The store could not be opened, with a typed error. */
  refused: boolean;
  warnings: string[];
  /** Snapshots that came back bit for bit. */
  whole: Set<SnapshotId>;
  /** Snapshots that are listed and fail with a typed error. */
  broken: Set<SnapshotId>;
  /** Snapshots that are not even listed. */
  missing: Set<SnapshotId>;
}

/** Opens a damaged store for reading and looks at everything in it. */
export async function examine(image: DiskImage, model: Model, seed: number): Promise<Findings> {
  const warnings: string[] = [];
  const disk = new SimulatedDisk(seed, image);
  let store: Store;
  try {
    store = await Store.open({
      io: disk,
      directory: STORE,
      create: false,
      readOnly: true,
      compression: false,
      onWarning: ({ message }) => warnings.push(message),
      simulated: true,
    });
  } catch (error) {
    assert.ok(isSnapError(error), `an untyped error: ${error}`);
    assert.equal(disk.openFiles, 0);
    return { refused: true, warnings, whole: new Set(), broken: new Set(), missing: new Set() };
  }
  const findings = await look(store, model, warnings);
  await store.close();
  assert.equal(disk.openFiles, 0);
  return findings;
}

/**
 * Opens a damaged store for writing, saves, and opens it again: what was whole stays whole, and what is saved now is.
 * Says whether the store could be opened.
 */
export async function goOn(
  image: DiskImage,
  model: Model,
  options: SessionOptions,
): Promise<Findings | undefined> {
  const session = new Session({ ...options, seed: options.seed + 1000, image, model });
  if (!(await session.tryOpen())) return undefined;
  const before = await look(session.store, session.model, []);
  assert.ok(
    await session.perform({ do: 'save', run: 'gamma', edit: 5 }),
    `no more saves: ${session.failures[0]}`,
  );
  assert.ok(
    await session.perform({ do: 'save', run: 'gamma', edit: 6 }),
    `no more saves: ${session.failures[0]}`,
  );
  await session.close();
  await session.open();
  const after = await look(session.store, session.model, []);
  await session.close();
  for (const id of session.model.snapshots.keys()) {
    if (model.snapshots.has(id) && !before.whole.has(id)) continue;
    assert.ok(
      after.whole.has(id),
      `snapshot ${id.slice(0, 8)} was whole and is not after saves and a new open`,
    );
  }
  return before;
}

async function look(store: Store, model: Model, warnings: string[]): Promise<Findings> {
  const whole = new Set<SnapshotId>();
  const broken = new Set<SnapshotId>();
  for await (const summary of store.summaries()) {
    const saved = model.snapshots.get(summary.id) ?? assert.fail(`snapshot ${summary.id} was never saved`);
    assert.equal(summary.run, saved.run);
    try {
      assertSameContent(readSnapshot(store, summary), saved.content, `snapshot ${summary.id}`);
      whole.add(summary.id);
    } catch (error) {
      if (!isSnapError(error)) throw error;
      broken.add(summary.id);
    }
  }
  for await (const { name, snapshot } of store.tags()) {
    assert.ok(model.snapshots.has(snapshot), `tag ${name} points at what was never saved`);
  }
  const missing = new Set([...model.snapshots.keys()].filter((id) => !whole.has(id) && !broken.has(id)));
  return { refused: false, warnings, whole, broken, missing };
}
