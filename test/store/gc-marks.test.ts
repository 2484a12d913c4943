/** What a collection has to hold on to where it is easily overlooked, and what the next process knows of it. */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SnapshotId } from '../../src/base/ids.js';
import { HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { Gc, type GcProgress } from '../../src/store/gc.js';
import { type KeyValues, memoryKeyValues } from '../../src/store/key-values.js';
import type { Store } from '../../src/store/store.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { packPath, recordsOf } from '../support/pack-bytes.js';
import { freshContent, MANY } from '../support/program.js';
import { Random } from '../support/random.js';
import { openReal, temporaryFolder } from '../support/real-store.js';
import { assertSameContent, type Content } from '../support/saved.js';
import { type Operation, SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(1);
const fresh = (length: number) => contentOf(random.bytes(length));

async function collect(
  store: Store,
  between: (progress: GcProgress) => Promise<unknown> | undefined = () => undefined,
): Promise<void> {
  const options = { policy: undefined, run: undefined, dryRun: false, explain: false, force: true, now: 0 };
  const gc = new Gc(store, { ...options, pinned: () => new Set() });
  for await (const progress of gc.run()) await between(progress);
}

async function forget(store: Store, id: SnapshotId): Promise<void> {
  store.begin();
  store.putForget(id, true);
  await store.commit();
}

/** Much that goes, so that whatever else lies in the pack has to be carried elsewhere. */
async function saveGarbage(store: Store, length = 20_000): Promise<void> {
  await forget(store, (await saveTo(store, fresh(length))).id);
}

/** Collects, and reads everything that is to be there, now and in the next process. */
async function checkAfterCollecting(disk: SimulatedDisk, store: Store, kept: Map<SnapshotId, Content>) {
  const first = Math.min(...Object.keys(store.packSizes()).map(Number));
  await collect(store);
  assert.ok(!(first in store.packSizes()), 'the pack was taken away');
  await check(disk, store, kept);
}

async function check(disk: SimulatedDisk, store: Store, kept: Map<SnapshotId, Content>) {
  for (const [id, content] of kept) assertSameContent(readFrom(store, id), content, id);
  await store.close();
  const again = await openOn(disk);
  assert.deepEqual(again.warnings, []);
  for (const [id, content] of kept) assertSameContent(readFrom(again.store, id), content, id);
  await again.store.close();
}

test('the table of many regions is held', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const content = freshContent(MANY, random);
  const { id } = await saveTo(store, content);
  assert.ok('tree' in store.manifest(store.byId(id) ?? assert.fail('it is gone')).regions);
  await saveGarbage(store);
  await checkAfterCollecting(disk, store, new Map([[id, content]]));
});

test('a page is held with all below it although another state holds its bytes as a chunk', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const wide = fresh(64 * 6);
  const first = await saveTo(store, wide);
  const bytes = disk.contents(packPath(1));
  const page = recordsOf(bytes).find(({ type }) => type === RecordType.page) ?? assert.fail('no page');
  const start = page.offset + HEADER_BYTES;
  const copy = contentOf(Buffer.from(bytes.subarray(start, start + page.rawLength)));
  const second = await saveTo(store, copy, undefined, 4096);
  await saveGarbage(store);
  const kept = new Map([
    [first.id, wide],
    [second.id, copy],
  ]);
  await checkAfterCollecting(disk, store, kept);
});

test('a page is held with all below it although it is the base of another too', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const bytes = random.bytes(64 * 40);
  const older = contentOf(bytes);
  const first = await saveTo(store, older);
  const poked = Buffer.from(bytes);
  poked[0] = (poked[0] as number) ^ 1;
  const newer = contentOf(poked);
  const second = await saveTo(store, newer, first);
  await saveGarbage(store);
  const kept = new Map([
    [first.id, older],
    [second.id, newer],
  ]);
  await checkAfterCollecting(disk, store, kept);
});

/**
 * How much of a pack counts stood in the header of the next, which was collected. What a failed save had left there was
 * cut off, but a power cut may undo that.
 */
test('a save that failed stays out when the pack that says so is collected', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const first = await saveTo(store, fresh(300));
  let left: Buffer | undefined;
  disk.beforeChange = ({ call, path }: Operation) => {
    if (call === 'truncate') left ??= disk.contents(path);
  };
  disk.faults.set({ call: 'sync', effect: 'EIO', nth: 1, forGood: false, written: () => true });
  await assert.rejects(saveTo(store, fresh(300)), { code: 'SNAP_IO' });
  disk.beforeChange = undefined;
  await saveGarbage(store);
  await collect(store);
  assert.ok(!('2' in store.packSizes()) && '1' in store.packSizes());
  const last = await saveTo(store, fresh(300));
  await store.close();
  disk.plant(packPath(1), left ?? assert.fail('nothing was cut off'));
  const again = await openOn(disk);
  const ids: SnapshotId[] = [];
  for await (const { id } of again.store.summaries()) ids.unshift(id);
  assert.deepEqual(ids, [first.id, last.id]);
  await again.store.close();
});

test('after a clean close a save that holds what was collected is written anew', async () => {
  const directory = join(temporaryFolder(), 'store');
  const { store } = await openReal(directory, { packBytes: 4000 });
  const content = fresh(3000);
  await forget(store, (await saveTo(store, content)).id);
  await saveTo(store, fresh(3000));
  await collect(store);
  assert.ok(!('1' in store.packSizes()));
  await store.close();
  const again = await openReal(directory);
  assert.deepEqual(again.warnings, []);
  const { id } = await saveTo(again.store, content);
  assertSameContent(readFrom(again.store, id), content, 'what was collected and saved again');
  await again.store.close();
});

test('collections before and after a clean close are all known to an index made anew', async () => {
  const directory = join(temporaryFolder(), 'store');
  const ids: SnapshotId[] = [];
  for (let round = 0; round < 3; round++) {
    const { store, warnings } = await openReal(directory, { packBytes: 4000 });
    assert.deepEqual(warnings, []);
    await saveGarbage(store, 5000);
    ids.unshift((await saveTo(store, fresh(3000))).id);
    await collect(store);
    await store.close();
  }
  rmSync(join(directory, 'clean.json'));
  const { store, warnings } = await openReal(directory);
  assert.deepEqual(warnings, []);
  const found: SnapshotId[] = [];
  for await (const { id } of store.summaries()) {
    readFrom(store, id);
    found.push(id);
  }
  assert.deepEqual(found, ids);
  await store.close();
});

/** The manifest was carried to a later pack once; then both packs go together, the one with the note first. */
test('a forgotten snapshot stays forgotten where a note of it lies before its manifest', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 1500 });
  const { id } = await saveTo(store, fresh(1500));
  await forget(store, id);
  store.begin();
  store.putTiming(id, 7);
  await store.commit();
  const retire = async (...packs: number[]) => {
    const evacuation = store.removal.evacuation();
    for (const pack of packs) {
      store.removal.leave(pack);
      for await (const _ of evacuation.content(pack, store.ends().get(pack) ?? 0));
    }
    await store.removal.retire(packs, 'removed', evacuation);
  };
  await retire(1);
  const [notes, manifest] = [2, store.byId(id)?.manifest.pack ?? 0];
  assert.ok(notes in store.packSizes() && manifest > notes);
  await retire(notes, manifest);
  await store.close();
  const again = await openOn(disk);
  const { forgotten, durableMs } = again.store.byId(id) ?? assert.fail('it is gone');
  assert.deepEqual([forgotten, durableMs], [true, 7]);
  await again.store.close();
});

test('a tag that was removed does not come back when the pack that says so goes', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 1500 });
  const { id } = await saveTo(store, fresh(1000));
  for (const target of [id, undefined]) {
    store.begin();
    store.putTag('best', target);
    await store.commit();
    if (target) while (Object.keys(store.packSizes()).length < 3) await saveTo(store, fresh(1000));
  }
  const last = Math.max(...Object.keys(store.packSizes()).map(Number));
  const evacuation = store.removal.evacuation();
  store.removal.leave(last);
  for await (const _ of evacuation.content(last, store.ends().get(last) ?? 0));
  await store.removal.retire([last], 'removed', evacuation);
  assert.equal(store.tagged('best'), undefined);
  await store.close();
  const again = await openOn(disk);
  assert.equal(again.store.tagged('best'), undefined);
  await again.store.close();
});

test('what is saved into the open pack after it was found dead is carried out of it', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  await saveGarbage(store);
  const kept = new Map<SnapshotId, Content>();
  const content = fresh(300);
  await collect(store, async ({ phase }) => {
    if (phase === 'free' && kept.size === 0) kept.set((await saveTo(store, content)).id, content);
  });
  assert.ok(kept.size === 1 && !('1' in store.packSizes()));
  await check(disk, store, kept);
});

/** The first pack stays, because most of it is held; those behind it go, with the record that said it first. */
test('a collected snapshot stays away while its manifest stands in a pack that stays', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 6000 });
  const gone = await saveTo(store, fresh(100));
  const content = fresh(5000);
  const { id } = await saveTo(store, content);
  await forget(store, gone.id);
  for (let times = 0; times < 2; times++) {
    await saveGarbage(store);
    await collect(store);
  }
  assert.deepEqual(Object.keys(store.packSizes()), ['1', '4']);
  assert.equal(store.byId(gone.id), undefined);
  await store.close();
  const again = await openOn(disk);
  assert.equal(again.store.byId(gone.id), undefined);
  assertSameContent(readFrom(again.store, id), content, id);
  await again.store.close();
});

/** Such an index names what lay in a pack as long as the store is open. */
test('an index that was made anew in memory is not asked for what lay in a pack that is gone', async () => {
  const disk = new SimulatedDisk(1);
  const memory = memoryKeyValues();
  let fails = false;
  const indexValues: KeyValues = {
    ...memory,
    get(key) {
      if (fails) throw new Error('the index fails');
      return memory.get(key);
    },
  };
  const { store, warnings } = await openOn(disk, { indexValues });
  const content = fresh(5000);
  await forget(store, (await saveTo(store, content)).id);
  fails = true;
  await collect(store);
  assert.deepEqual(
    warnings.map(({ kind }) => kind),
    ['index'],
  );
  assert.ok(!('1' in store.packSizes()));
  const { id } = await saveTo(store, content);
  assertSameContent(readFrom(store, id), content, id);
  await store.close();
});
