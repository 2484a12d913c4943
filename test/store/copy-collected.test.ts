/** Copying where snapshots are collected: in the target, where they come again, and in the source while it is read. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SnapshotId } from '../../src/base/ids.js';
import { Gc } from '../../src/store/gc.js';
import type { Store } from '../../src/store/store.js';
import { replayable, seeds } from '../support/budget.js';
import { assertFaithful, assertSound, copy, idsOf, reader } from '../support/copying.js';
import { contentOf, openOn, saveTo } from '../support/direct.js';
import { SeenIndex } from '../support/index-dump.js';
import { Random } from '../support/random.js';
import { readSnapshot } from '../support/saved.js';
import { Session, STORE } from '../support/session.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

/** Takes snapshots out of a store, for good. */
async function collect(store: Store, ids: readonly SnapshotId[]): Promise<void> {
  store.begin();
  for (const id of ids) store.putForget(id, true);
  await store.commit();
  const pinned = () => new Set<SnapshotId>();
  const options = { policy: undefined, run: undefined, dryRun: false, explain: false, force: true, now: 0 };
  for await (const _ of new Gc(store, { ...options, pinned }).run());
}

async function retire(store: Store, pack: number): Promise<void> {
  const evacuation = store.removal.evacuation();
  store.removal.leave(pack);
  for await (const _ of evacuation.content(pack, store.ends().get(pack) ?? 0));
  await store.removal.retire([pack], 'setAside', evacuation);
}

/** A manifest of the same snapshot then stands in the packs more than once, and only the last one may count. */
test('what was collected in the target comes again with the next copy, and goes again, any number of times', async () => {
  for (const seed of seeds(50)) {
    await replayable(seed, 'collected and copied again', async () => {
      const random = new Random(seed);
      const source = await Session.begin({ seed, compression: false });
      for (let saves = 0; saves < 6; saves++) await saveTo(source.store, contentOf(random.bytes(100)));
      const all = await idsOf(source.store);
      const disk = new SimulatedDisk(seed);
      const options = { packBytes: random.pick([600, 2000, 4000, 1_000_000]) };
      const index = new SeenIndex();
      const open = async () => (await openOn(disk, { ...options, indexValues: index.next() })).store;
      let store = await open();
      // So much that is held that packs stay when others in them go, manifests and all.
      const there = new Set([(await saveTo(store, contentOf(random.bytes(3000)))).id]);
      for (let times = 0; times < 12; times++) {
        const roll = random.next();
        if (roll < 0.35) {
          await copy(source.disk, store);
          for (const id of all) there.add(id);
        } else if (roll < 0.6) {
          const going = [...there].slice(1).filter(() => random.chance(0.3));
          await collect(store, going);
          for (const id of going) there.delete(id);
        } else if (roll < 0.68) {
          const { id } = await saveTo(store, contentOf(random.bytes(random.pick([60, 1000]))));
          there.add(id);
        } else if (roll < 0.8) {
          const packs = [...store.ends().keys()];
          if (packs.length > 0) await retire(store, random.pick(packs));
        } else {
          await store.close();
          const live = await index.dump();
          store = await open();
          assert.deepEqual(await index.dump(), live, 'an index made anew');
        }
        assert.deepEqual(new Set(await idsOf(store)), there, `after ${times + 1}`);
        for await (const summary of store.summaries()) readSnapshot(store, summary);
      }
      assert.deepEqual(disk.violations, []);
      await store.close();
    });
  }
});

test('the manifest of a snapshot that was collected stays dead, though the record that says so went with its pack', async () => {
  const source = await Session.begin({ seed: 1, compression: false });
  await saveTo(source.store, contentOf(Buffer.alloc(100, 1)));
  const [id = assert.fail()] = await idsOf(source.store);
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const own = await saveTo(store, contentOf(Buffer.alloc(3000, 2)));
  await copy(source.disk, store);
  store.removal.leave(1);
  await collect(store, [id]);
  await copy(source.disk, store);
  const { pack } = store.byId(id)?.manifest ?? assert.fail();
  assert.ok(pack > 1);
  await retire(store, pack);
  await store.close();
  const { store: next } = await openOn(disk);
  const found: SnapshotId[] = [];
  for await (const summary of next.summaries()) found.push(summary.id);
  assert.deepEqual(found, [id, own.id]);
});

/** More packs than a reader keeps open, each with the chunks of one snapshot. */
async function manyPacks(seed: number): Promise<{ source: Session; ids: SnapshotId[] }> {
  const source = await Session.begin({ seed, packBytes: 300, compression: false });
  for (let saves = 0; saves < 50; saves++) {
    await source.perform({ do: 'save', run: 'alpha', edit: (saves * 7919) % 100_003 });
  }
  return { source, ids: await idsOf(source.store) };
}

test('packs that the owner of the source takes away are found elsewhere', async () => {
  const { source, ids } = await manyPacks(1);
  const { store } = await openOn(new SimulatedDisk(5));
  const { copied, skipped } = await copy(source.disk, store, {}, async (step) => {
    if (step === 10)
      for (const pack of [...source.store.ends().keys()].slice(0, 40)) await retire(source.store, pack);
    return false;
  });
  assert.deepEqual(
    copied.map(({ id }) => id),
    ids,
  );
  assert.deepEqual(skipped, []);
  await assertFaithful(source, store);
});

test('a snapshot that is collected in the source while it is copied is skipped, and said to be gone', async () => {
  const { source, ids } = await manyPacks(2);
  const { store } = await openOn(new SimulatedDisk(5));
  const { copied, skipped } = await copy(source.disk, store, {}, async (step) => {
    if (step === 10) await source.perform({ do: 'gc', last: 1 });
    return false;
  });
  assert.ok(skipped.length > 30 && skipped.every(({ reason }) => reason === 'gone'));
  assert.equal(copied.length + skipped.length, ids.length);
  assert.ok(copied.some(({ id }) => id === ids[0]));
  await assertFaithful(source, store);
  await assertSound(store);
});

test('a reader that opens the store while its owner takes packs away looks once more', async () => {
  const { source } = await manyPacks(3);
  const names = source.disk.list(`${STORE}/packs`);
  const [going = assert.fail()] = source.store.ends().keys();
  await retire(source.store, going);
  // As if it had gone after they were listed.
  let lists = 0;
  const late = new Proxy(source.disk, {
    get(disk, name) {
      if (name === 'list') {
        return (path: string) => (path.endsWith('/packs') && ++lists <= 2 ? names : disk.list(path));
      }
      const value: unknown = Reflect.get(disk, name, disk);
      return typeof value === 'function' ? value.bind(disk) : value;
    },
  });
  const seen = await reader(late);
  assert.deepEqual(await idsOf(seen), await idsOf(source.store));
  await assertSound(seen);
  await seen.close();
});
