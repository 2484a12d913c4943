/** Which appends go past the page cache: large ones, of which nothing or little will be read again. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkId } from '../../src/base/ids.js';
import type { Store } from '../../src/store/store.js';
import { openOn } from '../support/direct.js';
import { Random } from '../support/random.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const STAGING = 100_000;
const CHUNK = 5000;
const random = new Random(1);

async function opened(seed = 1): Promise<{ store: Store; disk: SimulatedDisk }> {
  const disk = new SimulatedDisk(seed);
  const { store } = await openOn(disk, { stagingBytes: STAGING });
  return { store, disk };
}

/**
 * Puts so many chunks in one commit, some of which will be read again, and reads them all; returns how many bytes went past
 * the cache.
 */
async function put(store: Store, disk: SimulatedDisk, chunks: number, readAgain = 0): Promise<number> {
  const before = disk.uncachedBytes;
  const put: { id: ChunkId; raw: Buffer }[] = [];
  store.begin();
  for (let index = 0; index < chunks; index++) {
    const raw = random.bytes(CHUNK);
    await store.makeRoom(CHUNK);
    put.push({ raw, id: store.putChunk(raw, undefined, { alone: 0, readAgain: index < readAgain }).id });
  }
  await store.commit();
  for (const { id, raw } of put) {
    const read = Buffer.alloc(CHUNK);
    store.readChunk(id, read);
    assert.ok(read.equals(raw));
  }
  return disk.uncachedBytes - before;
}

test('a large commit that nobody reads again goes past the cache, a small one does not', async () => {
  const { store, disk } = await opened();
  for (const chunks of [6, 19, 50]) {
    assert.ok((await put(store, disk, chunks)) > chunks * CHUNK, `${chunks} chunks`);
  }
  assert.equal(await put(store, disk, 4), 0);
  await store.close();
  assert.deepEqual(disk.violations, []);
});

test('what will be read again stays in the cache, and does not keep others there while it is little', async () => {
  const { store, disk } = await opened();
  assert.equal(await put(store, disk, 18, 18), 0);
  assert.equal(await put(store, disk, 18, 4), 0);
  assert.ok((await put(store, disk, 18, 2)) > 18 * CHUNK);
  // Of the second area nothing will be read again, whatever was in the first.
  const uncached = await put(store, disk, 36, 18);
  assert.ok(uncached > 15 * CHUNK && uncached < 20 * CHUNK, `${uncached} bytes`);
  await store.close();
});

test('after a rollback what is put next is judged by itself', async () => {
  const { store, disk } = await opened();
  store.begin();
  for (let index = 0; index < 10; index++) {
    store.putChunk(random.bytes(CHUNK), undefined, { alone: 0, readAgain: true });
  }
  await store.rollback();
  assert.ok((await put(store, disk, 10)) > 10 * CHUNK);
  await store.close();
});

test('what is being written is left alone, however long that takes', async () => {
  for (let seed = 1; seed < 9; seed++) {
    const { store, disk } = await opened(seed);
    await put(store, disk, 80);
    await store.close();
  }
});
