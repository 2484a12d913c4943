/** Copying what snapshots share: pages above damage, and region tables that are trees of their own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { copy } from '../support/copying.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { damage, flip, packPath, recordsOf } from '../support/pack-bytes.js';
import { freshContent, MANY } from '../support/program.js';
import { Random } from '../support/random.js';
import { assertSameContent } from '../support/saved.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(1);

test('the table of many regions is copied', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const content = freshContent(MANY, random);
  const { id } = await saveTo(store, content);
  assert.ok('tree' in store.manifest(store.byId(id) ?? assert.fail('it is gone')).regions);
  await store.close();
  const target = await openOn(new SimulatedDisk(2));
  await copy(disk, target.store);
  assertSameContent(readFrom(target.store, id), content, 'the copy');
  await target.store.close();
});

/** The page itself is sound, and was looked at for the first of them already. */
test('of several snapshots that share a page above a damaged chunk none is copied', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const shared = random.bytes(64 * 6);
  const hit = [];
  for (const skeleton of [1, 2, 3]) {
    const content = new Map([
      ['', Buffer.alloc(8, skeleton)],
      ['u', shared],
    ]);
    hit.push((await saveTo(store, content)).id);
  }
  const { id } = await saveTo(store, contentOf(random.bytes(300)));
  await store.close();
  damage(disk, packPath(1), (bytes) => {
    const [, , chunk] = recordsOf(bytes).filter(({ type }) => type === RecordType.chunk);
    flip(bytes, (chunk?.offset ?? 0) + HEADER_BYTES + 5);
  });
  const target = await openOn(new SimulatedDisk(2));
  const { copied, skipped } = await copy(disk, target.store);
  assert.deepEqual(
    copied.map((one) => one.id),
    [id],
  );
  assert.deepEqual(skipped.map((one) => one.id).sort(), hit.sort());
  readFrom(target.store, id);
  await target.store.close();
});
