/** When the seal of the index is believed, and what it takes for one to be left. */

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import type { SnapshotId } from '../../src/base/ids.js';
import type { Io } from '../../src/io/io.js';
import { realIo } from '../../src/io/real.js';
import { idKey } from '../../src/store/index-keys.js';
import { hashIndex, readSeal, writeSeal } from '../../src/store/index-seal.js';
import { openLevel } from '../../src/store/key-values.js';
import { Layout } from '../../src/store/layout.js';
import type { Store } from '../../src/store/store.js';
import { contentOf, readFrom, saveTo } from '../support/direct.js';
import { Random } from '../support/random.js';
import { openReal, temporaryFolder } from '../support/real-store.js';

const random = new Random(1);
const save = (store: Store) => saveTo(store, contentOf(random.bytes(300)));

/** Ids of all snapshots, newest first, after reading every byte of them. */
async function wholeIn(store: Store): Promise<SnapshotId[]> {
  const ids: SnapshotId[] = [];
  for await (const { id } of store.summaries()) {
    readFrom(store, id);
    ids.push(id);
  }
  return ids;
}

/** A store that was closed cleanly, with some snapshots in it, newest first. */
async function closedStore(
  packBytes = 100_000,
): Promise<{ directory: string; ids: SnapshotId[]; seal: string }> {
  const directory = join(temporaryFolder(), 'store');
  const { store } = await openReal(directory, { packBytes });
  const ids: SnapshotId[] = [];
  for (let times = 0; times < 4; times++) ids.unshift((await save(store)).id);
  await store.close();
  return { directory, ids, seal: join(directory, 'clean.json') };
}

test('the seal is gone before anything is written, whether it held or not', async () => {
  const { directory, seal } = await closedStore();
  for (const holds of [true, false]) {
    assert.ok(existsSync(seal));
    if (!holds) writeFileSync(join(directory, 'index', 'extra'), 'so that the seal does not hold');
    const { store } = await openReal(directory);
    assert.ok(!existsSync(seal));
    await store.close();
  }
});

test('after a clean close numbers go on, and a new snapshot is the newest', async () => {
  const { directory, ids } = await closedStore();
  for (let opens = 0; opens < 3; opens++) {
    const { store, warnings } = await openReal(directory);
    ids.unshift((await save(store)).id);
    assert.deepEqual(await wholeIn(store), ids);
    assert.deepEqual(warnings, []);
    await store.close();
    if (opens === 1) rmSync(join(directory, 'clean.json'));
  }
});

test('a seal is not believed where a sealed pack has another size', async () => {
  const { directory, ids } = await closedStore(1000);
  truncateSync(join(directory, 'packs', '00000001.pack'), 900);
  const { store, warnings } = await openReal(directory);
  assert.match(warnings.map(({ message }) => message).join(), /pack 1.*cut off/);
  assert.ok((await store.summaries().next()).value?.id === ids[0]);
  await store.close();
});

function uuidOf(directory: string): string {
  return (JSON.parse(readFileSync(join(directory, 'holdfast.json'), 'utf8')) as { uuid: string }).uuid;
}

/** It says how long the packs of its own store are: of these it would call some missing. */
test('the seal of another store is not believed', async () => {
  const { directory, ids } = await closedStore();
  const other = await closedStore(1000);
  copyFileSync(other.seal, join(directory, 'clean.json'));
  for (const readOnly of [true, false]) {
    const { store, warnings } = await openReal(directory, { readOnly });
    assert.deepEqual([await wholeIn(store), warnings], [ids, []]);
    await store.close();
  }
});

/** Nothing but a mistake of ours makes one; a repair mends that too. */
test('a store that is opened to be rebuilt does not even believe a seal that holds', async () => {
  const { directory, ids } = await closedStore();
  const layout = new Layout(directory);
  const values = await openLevel(realIo, layout.index, false);
  const gone = idKey(ids[0] as SnapshotId);
  await values.write([{ key: gone, value: undefined }]);
  await values.close();
  const state = readSeal(realIo, layout, uuidOf(directory)) ?? assert.fail('no seal');
  writeSeal(realIo, layout, { ...state, index: hashIndex(realIo, layout) });
  for (const rebuild of [false, true]) {
    const { store } = await openReal(directory, { rebuild });
    assert.equal(store.byId(ids[0] as SnapshotId) !== undefined, rebuild);
    await store.close();
  }
});

test('a seal with a wrong number in it is not believed', async () => {
  const { directory, ids, seal } = await closedStore();
  const text = readFileSync(seal, 'utf8');
  const forged = text.replace(/\\"sequence\\":\d+/, '\\"sequence\\":1');
  assert.notEqual(forged, text);
  writeFileSync(seal, forged);
  const { store } = await openReal(directory);
  ids.unshift((await save(store)).id);
  assert.deepEqual(await wholeIn(store), ids);
  await store.close();
});

/** LevelDB could not be written to; sealed all the same, the index would be believed without the last snapshots. */
test('an index that was not written to its end is not sealed', async (t) => {
  const { directory, ids, seal } = await closedStore();
  const { store, warnings } = await openReal(directory);
  const broken = t.mock.method(Level.prototype, 'batch', async () => {
    throw new Error('not today');
  });
  ids.unshift((await save(store)).id);
  await store.close();
  broken.mock.restore();
  assert.deepEqual([...new Set(warnings.map(({ kind }) => kind))], ['index']);
  assert.ok(!existsSync(seal));
  const again = await openReal(directory);
  assert.deepEqual(await wholeIn(again.store), ids);
  await again.store.close();
});

/** The real disk, on which syncs of packs fail while `fails` is set. */
function failingSyncs(): Io & { fails: boolean } {
  const io = {
    ...realIo,
    fails: false,
    open(path: string, mode: Parameters<Io['open']>[1]) {
      const file = realIo.open(path, mode);
      if (!path.endsWith('.pack')) return file;
      const sync = file.sync.bind(file);
      file.sync = () => {
        if (io.fails) throw Object.assign(new Error('EIO: made up by a test'), { code: 'EIO' });
        sync();
      };
      return file;
    },
  };
  return io;
}

/**
 * The pack of a failed sync is not appended to any more, so the first pack of the next process is a new one; its header
 * has to say how much of the one before counts, or the index made anew would pass over all of it.
 */
test('a store that is closed after a failed sync goes on behind everything that counts', async () => {
  const directory = join(temporaryFolder(), 'store');
  const io = failingSyncs();
  const { store } = await openReal(directory, { io });
  const ids = [(await save(store)).id];
  io.fails = true;
  await assert.rejects(save(store), { code: 'SNAP_IO' });
  io.fails = false;
  await store.close();
  for (let opens = 0; opens < 2; opens++) {
    const { store, warnings } = await openReal(directory);
    assert.deepEqual(warnings, []);
    ids.unshift((await save(store)).id);
    await store.close();
  }
  rmSync(join(directory, 'clean.json'));
  const rebuilt = await openReal(directory);
  assert.deepEqual(rebuilt.warnings, []);
  assert.deepEqual(await wholeIn(rebuilt.store), ids);
  await rebuilt.store.close();
});
