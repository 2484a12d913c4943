/** A store says what a program has to know before it holds anything that takes it, whatever happens in between. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { ALL_FEATURES, type Descriptor, decodeDescriptor } from '../../src/format/descriptor.js';
import { numberFilter } from '../../src/format/number-filters.js';
import { Filter } from '../../src/format/record.js';
import { PLAINLY } from '../../src/store/content.js';
import { repairStore } from '../../src/store/repair.js';
import { openOn, readFrom, saveTo } from '../support/direct.js';
import { packPath, recordsOf } from '../support/pack-bytes.js';
import { STORE } from '../support/session.js';
import { diskAfter, SimulatedDisk } from '../support/simulated-disk.js';

const DESCRIPTOR = `${STORE}/holdfast.json`;
const field = Buffer.from(Float64Array.from({ length: 256 }, (_, at) => Math.sin(at / 40)).buffer);
const LZ = { compression: { level: 1 } };

function descriptorOn(disk: SimulatedDisk): Descriptor {
  return decodeDescriptor(disk.contents(DESCRIPTOR));
}

function holdsFiltered(disk: SimulatedDisk): boolean {
  if (!disk.stat(packPath(1))) return false;
  return recordsOf(disk.contents(packPath(1))).some(({ filter }) => numberFilter(filter) !== undefined);
}

test('a store without filtered chunks asks for nothing that older programs do not know', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, LZ);
  await saveTo(store, new Map([['', field]]), undefined, 4096, 'alpha', () => PLAINLY);
  await store.close();
  assert.deepEqual(descriptorOn(disk).features, { read: ['patch'], write: [], gc: ['patch'] });
});

test('what a chunk takes stands in the descriptor, durably, before the chunk is written', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, LZ);
  let seen = 0;
  disk.beforeChange = () => {
    const image = disk.image();
    if (!holdsFiltered(disk)) return;
    const left = new SimulatedDisk(1, diskAfter(image, 'nothing', 1));
    assert.ok(descriptorOn(left).features.read.includes('shuffle'));
    seen++;
  };
  store.begin();
  const { written } = store.putChunk(field, chunkIdOf(field), { alone: Filter.delta8 });
  assert.ok(written < field.length);
  await store.commit();
  assert.ok(seen > 0);
  disk.beforeChange = undefined;
  const before = disk.operations.length;
  store.begin();
  store.putChunk(field.subarray(8), undefined, { alone: Filter.shuffle8 });
  await store.commit();
  const paths = disk.operations.slice(before).map(({ path }) => path);
  assert.ok(!paths.some((path) => path.startsWith(DESCRIPTOR)), 'it is said once');
  await store.close();
  const { store: again } = await openOn(disk);
  assert.deepEqual(again.descriptor.features, { read: ['patch', 'shuffle'], write: [], gc: ['patch'] });
  await again.close();
});

test('what a difference takes is told readers and collectors, durably, before it is written', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, LZ);
  store.begin();
  const { id: previous } = store.putChunk(field);
  await store.commit();
  assert.deepEqual(store.descriptor.features, { read: ['patch'], write: [], gc: ['patch'] });
  let seen = 0;
  disk.beforeChange = () => {
    if (!recordsOf(disk.contents(packPath(1))).some(({ filter }) => filter === Filter.difference8)) return;
    const left = descriptorOn(new SimulatedDisk(1, diskAfter(disk.image(), 'nothing', 1)));
    for (const operation of ['read', 'gc'] as const) assert.ok(left.features[operation].includes('base'));
    seen++;
  };
  const next = Buffer.from(field);
  next.writeDoubleLE(7, 80);
  const difference = { filter: Filter.difference8, previous, atMost: (alone: number) => alone };
  store.begin();
  const { baseBytes } = store.putChunk(next, undefined, { alone: Filter.none, difference });
  await store.commit();
  assert.ok(baseBytes !== undefined && seen > 0);
  await store.close();
});

test('what a dictionary takes is told readers, durably, before it is written', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, LZ);
  store.begin();
  const { id: previous } = store.putChunk(field);
  await store.commit();
  let seen = 0;
  disk.beforeChange = () => {
    if (!recordsOf(disk.contents(packPath(1))).some(({ filter }) => filter === Filter.dictionary)) return;
    const { features } = descriptorOn(new SimulatedDisk(1, diskAfter(disk.image(), 'nothing', 1)));
    assert.deepEqual(features, { read: ['patch', 'base', 'dictionary'], write: [], gc: ['patch', 'base'] });
    seen++;
  };
  const difference = { filter: Filter.dictionary, previous, atMost: (alone: number) => alone };
  store.begin();
  store.putChunk(field.subarray(1), undefined, { alone: Filter.none, difference });
  await store.commit();
  assert.ok(seen > 0);
  await store.close();
});

test('where the descriptor cannot be written nothing is that it would have to say', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, LZ);
  const first = await saveTo(store, new Map([['', Buffer.alloc(8)]]));
  for (const call of ['create', 'write', 'sync', 'rename', 'syncFolder'] as const) {
    disk.faults.set({ call, effect: 'EIO', nth: 1, forGood: false });
    store.begin();
    assert.throws(
      () => store.putChunk(field, chunkIdOf(field), { alone: Filter.delta8 }),
      (error) => isSnapError(error, 'SNAP_IO'),
      call,
    );
    assert.ok(disk.faults.hit, call);
    disk.faults.set();
    await store.rollback();
    assert.ok(!holdsFiltered(disk));
    // Whichever descriptor is there now: what is acknowledged next relies on one that is durable.
    await saveTo(store, new Map([['', Buffer.from(call)]]), undefined, 64, 'alpha', () => PLAINLY);
    disk.acknowledged(STORE, call);
  }
  store.begin();
  store.putChunk(field, chunkIdOf(field), { alone: Filter.delta8 });
  await store.commit();
  assert.ok(holdsFiltered(disk) && descriptorOn(disk).features.read.includes('shuffle'));
  readFrom(store, first.id);
  await store.close();
});

/** Which features the packs take cannot be known without reading all of them. */
test('a descriptor that is made anew asks for all features', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const { id } = await saveTo(store, new Map([['', field]]));
  await store.close();
  disk.unplant(DESCRIPTOR);
  await repairStore(STORE, {}, { io: disk, simulated: true });
  const { features } = descriptorOn(disk);
  assert.deepEqual(features.read, ALL_FEATURES);
  assert.deepEqual(features.gc, ['patch', 'base']);
  const { store: again } = await openOn(disk);
  readFrom(again, id);
  await again.close();
});
