/** A collection step by step, with somebody else doing something between two of them, at every place in turn. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import type { SnapshotId } from '../../src/base/ids.js';
import { HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { Gc } from '../../src/store/gc.js';
import type { Store } from '../../src/store/store.js';
import { contentOf, newId, openOn, readFrom, saveTo } from '../support/direct.js';
import { packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { assertSameContent, type Content, type Lineage, NO_LINEAGE, putSnapshot } from '../support/saved.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const CHUNK = 16;
const PACK_BYTES = 2500;

function collection(store: Store, pinned: ReadonlySet<SnapshotId> = new Set()): Gc {
  const policy = { policy: undefined, run: undefined, dryRun: false, explain: false, force: true };
  return new Gc(store, { ...policy, now: 0, pinned: () => pinned });
}

async function run(gc: Gc): Promise<void> {
  for await (const _ of gc.run());
}

/** What a store has to hold, and what is forgotten and will go. */
interface World {
  disk: SimulatedDisk;
  store: Store;
  kept: Map<SnapshotId, Content>;
  going: Map<SnapshotId, Content>;
  last: Lineage;
}

/** Saves the next version of a run: pages that are patches, chunks that are shared with what goes. */
async function saveNext(world: World, content: Content, base: Lineage): Promise<SnapshotId> {
  world.last = await saveTo(world.store, content, base, CHUNK);
  const id = world.last.id as SnapshotId;
  world.kept.set(id, content);
  return id;
}

async function noteIn(store: Store, put: () => void): Promise<void> {
  store.begin();
  put();
  await store.commit();
}

/** Every second snapshot is forgotten; each shares most of its chunks with the one before. */
async function makeWorld(): Promise<World> {
  const random = new Random(3);
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: PACK_BYTES });
  const world: World = { disk, store, kept: new Map(), going: new Map(), last: NO_LINEAGE };
  let bytes = random.bytes(CHUNK * 40);
  for (let step = 0; step < 8; step++) {
    bytes = Buffer.from(bytes);
    random.bytes(CHUNK * 5).copy(bytes, CHUNK * random.below(35));
    // A chunk that is the same in all of them is looked up rather than compared.
    const base = step % 4 === 3 ? NO_LINEAGE : world.last;
    const id = await saveNext(world, contentOf(bytes), base);
    if (step % 2 === 0) {
      world.going.set(id, contentOf(bytes));
      world.kept.delete(id);
    }
  }
  await noteIn(store, () => {
    for (const id of world.going.keys()) store.putForget(id, true);
    const [first] = world.kept.keys();
    store.putTag('first', first);
    store.putTag('moved', first);
  });
  await noteIn(store, () => store.putTag('moved', [...world.kept.keys()].at(-1)));
  return world;
}

async function check({ store, kept, going }: World, what: string): Promise<void> {
  const ids: SnapshotId[] = [];
  for await (const { id } of store.summaries()) ids.unshift(id);
  assert.deepEqual(ids.sort(), [...kept.keys()].sort(), `${what}: snapshots`);
  for (const [id, content] of kept) assertSameContent(readFrom(store, id), content, `${what}: ${id}`);
  for (const id of going.keys()) assert.equal(store.byId(id), undefined, what);
}

/** The same in the next process, which has to make its index anew. */
async function checkReopened(world: World, what: string): Promise<void> {
  await world.store.close();
  const { store, warnings } = await openOn(world.disk, { packBytes: PACK_BYTES });
  world.store = store;
  assert.deepEqual(warnings, [], what);
  await check(world, `${what}, opened again`);
}

function isWhole(store: Store, id: SnapshotId): boolean {
  try {
    readFrom(store, id);
    return true;
  } catch (error) {
    assert.ok(isSnapError(error, 'SNAP_CORRUPT'));
    return false;
  }
}

/** Does something before the nth step of a collection, for every n there is. */
async function atEveryStep(act: (world: World, nth: number) => Promise<unknown>): Promise<void> {
  let steps = 0;
  for (let nth = 1, reached = true; reached; nth++) {
    const world = await makeWorld();
    const gc = collection(world.store, new Set(world.last.id ? [world.last.id] : []));
    reached = false;
    let step = 0;
    for await (const _ of gc.run()) {
      if (++step !== nth) continue;
      reached = true;
      await act(world, nth);
    }
    steps = Math.max(steps, step);
    await check(world, `before step ${nth}`);
    await checkReopened(world, `before step ${nth}`);
    await run(collection(world.store, new Set(world.kept.keys())));
    await checkReopened(world, `before step ${nth}, collected again`);
    await world.store.close();
  }
  assert.ok(steps > 10, `${steps} steps`);
}

test('a save that holds what is to go is whole, whenever it comes', async () => {
  await atEveryStep(async (world, nth) => {
    const old = [...world.going.values()][nth % world.going.size] as Content;
    await saveNext(world, old, nth % 3 === 0 ? world.last : NO_LINEAGE);
  });
});

test('several saves one after another are whole, whenever they come', async () => {
  await atEveryStep(async (world) => {
    for (const content of [...world.going.values()]) await saveNext(world, content, NO_LINEAGE);
  });
});

test('a snapshot that is brought back, or tagged, in time stays, and otherwise is gone', async () => {
  for (const note of ['unforget', 'tag'] as const) {
    await atEveryStep(async (world) => {
      const [id, content] = [...world.going][1] as [SnapshotId, Content];
      if (!world.store.byId(id)) return;
      await noteIn(world.store, () => {
        if (note === 'unforget') world.store.putForget(id, false);
        else world.store.putTag('late', id);
      });
      world.going.delete(id);
      world.kept.set(id, content);
    });
  }
});

test('tags point where they did, however often their packs were taken away', async () => {
  const world = await makeWorld();
  const [first] = world.kept.keys();
  const expected = new Map([
    ['first', first],
    ['moved', [...world.kept.keys()].at(-1)],
  ]);
  for (let round = 0; round < 3; round++) {
    for (const pack of Object.keys(world.store.packSizes()).map(Number)) {
      const evacuation = world.store.removal.evacuation();
      world.store.removal.leave(pack);
      for await (const _ of evacuation.content(pack, world.store.ends().get(pack) ?? 0));
      await world.store.removal.retire([pack], 'removed', evacuation);
    }
    for (const [name, id] of expected) assert.equal(world.store.tagged(name), id);
    const forgotten: SnapshotId[] = [];
    for await (const summary of world.store.summaries()) if (summary.forgotten) forgotten.push(summary.id);
    assert.deepEqual(forgotten.sort(), [...world.going.keys()].sort());
    await world.store.close();
    world.store = (await openOn(world.disk, { packBytes: PACK_BYTES })).store;
  }
  await world.store.close();
});

/** Its removal was not synced: a power cut brings the file back. */
test('a pack that comes back after it was removed brings nothing back', async () => {
  const world = await makeWorld();
  const before = new Map(
    Object.keys(world.store.packSizes()).map((pack) => [pack, world.disk.contents(packPath(Number(pack)))]),
  );
  await run(collection(world.store));
  const gone = [...before.keys()].filter((pack) => !(pack in world.store.packSizes()));
  assert.ok(gone.length > 1);
  await world.store.close();
  for (const pack of gone) world.disk.plant(packPath(Number(pack)), before.get(pack) as Buffer);
  const { store, warnings } = await openOn(world.disk, { packBytes: PACK_BYTES });
  world.store = store;
  assert.deepEqual(warnings, []);
  await check(world, 'with packs that came back');
  for (const pack of gone) assert.ok(!(pack in store.packSizes()), 'it is taken away again');
  await checkReopened(world, 'later');
  await world.store.close();
});

test('what is read with another record is held with it', async () => {
  const world = await makeWorld();
  // Only the last one stays, whose pages are patches of those of snapshots that go.
  for (const id of [...world.kept.keys()].slice(0, -1)) {
    world.going.set(id, world.kept.get(id) as Content);
    world.kept.delete(id);
    await noteIn(world.store, () => world.store.putForget(id, true));
  }
  await run(collection(world.store));
  await checkReopened(world, 'with a page that is a patch');
  await world.store.close();
});

/** Somebody can perhaps still make something of it; and taking it away would turn damage into loss. */
test('a pack with a damaged record that somebody needs is not taken away', async () => {
  let refused = 0;
  for (let nth = 0, hit = true; hit; nth += 3) {
    const world = await makeWorld();
    const { disk, store } = world;
    const records = Object.keys(store.packSizes()).flatMap((pack) =>
      recordsOf(disk.contents(packPath(Number(pack)))),
    );
    const record = records.filter(({ type }) => type === RecordType.chunk)[nth];
    hit = record !== undefined;
    if (!record) break;
    const file = disk.open(packPath(record.pack), 'write');
    file.write(Buffer.alloc(CHUNK, 0xee), record.offset + HEADER_BYTES);
    file.close();
    const gc = collection(store);
    await run(gc);
    refused += gc.findings.damagedPacks.length;
    const needy = [...world.kept.keys()].filter((id) => !isWhole(store, id));
    if (needy.length > 0) assert.ok(record.pack in store.packSizes(), `pack ${record.pack} is needed`);
    await store.close();
  }
  assert.ok(refused > 0, 'no collection came to a damaged record');
});

/** Nothing is appended to what was taken away: the writer may still have had it open. */
test('the open pack is left before it is taken away', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const { id } = await saveTo(store, contentOf(Buffer.alloc(200, 1)));
  await noteIn(store, () => store.putForget(id, true));
  await run(collection(store));
  const after = await saveTo(store, contentOf(Buffer.alloc(200, 2)));
  await store.close();
  const again = await openOn(disk);
  readFrom(again.store, after.id);
  assert.equal(again.store.byId(id), undefined);
  await again.store.close();
});

/** The first attempt is undone when the disk is full; the second, which has the reserve, left out what it had put. */
test('a record of what is gone that fits only into the reserve comes with every note', async () => {
  const disk = new SimulatedDisk(1);
  const packBytes = 1000;
  const { store } = await openOn(disk, { packBytes });
  const first = await saveTo(store, contentOf(Buffer.alloc(200, 1)));
  const second = newId();
  store.begin();
  await putSnapshot(store, { id: second, run: 'alpha', content: contentOf(Buffer.alloc(9)) }, first, 64, 1);
  store.putTag('best', first.id);
  store.putForget(second, true);
  store.putTiming(first.id, 7);
  await store.commit();
  const pack = Number(Object.keys(store.packSizes()).at(-1));
  assert.ok(pack > 1);
  const evacuation = store.removal.evacuation();
  store.removal.leave(pack);
  for await (const _ of evacuation.content(pack, store.ends().get(pack) ?? 0));
  disk.capacity = disk.usedBytes();
  await store.removal.retire([pack], 'removed', evacuation);
  disk.capacity = Number.POSITIVE_INFINITY;
  await store.close();
  const again = await openOn(disk);
  assert.equal(again.store.tagged('best'), first.id);
  assert.equal(again.store.byId(second)?.forgotten, true);
  assert.equal(again.store.byId(first.id)?.durableMs, 7);
  await again.store.close();
});
