/** A store that is being created when the disk fails: no store yet, or one whose name is durable. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import { packPath } from '../support/pack-bytes.js';
import { Session, STORE } from '../support/session.js';
import { diskAfter, SimulatedDisk } from '../support/simulated-disk.js';

test('what could not be made durable while creating is made durable by the next attempt', async () => {
  let failed = 0;
  for (let nth = 1, hit = true; hit; nth++) {
    const session = new Session({ seed: nth });
    session.disk.faults.set({ call: 'syncFolder', effect: 'EIO', nth, forGood: false });
    const opened = await session.tryOpen();
    ({ hit } = session.disk.faults);
    session.disk.faults.set();
    if (!hit) break;
    assert.ok(!opened, `opened although folder sync ${nth} had failed`);
    failed++;
    await session.open();
    assert.ok(await session.perform({ do: 'save', run: 'alpha', edit: 1 }));
    const image = diskAfter(session.disk.image(), 'nothing', 1);
    await Session.begin({ seed: 2, image, model: session.model });
  }
  assert.ok(failed > 3, `${failed} folders are synced`);
});

/** A new descriptor would make them packs of another store. */
test('packs whose descriptor is gone are left as they are', async () => {
  const first = await Session.begin({ seed: 1 });
  await first.perform({ do: 'save', run: 'alpha', edit: 1 });
  await first.close();
  const disk = new SimulatedDisk(1, first.disk.image());
  disk.unplant(`${STORE}/holdfast.json`);
  const bytes = disk.contents(packPath(1));
  const next = new Session({ seed: 2, image: disk.image() });
  await assert.rejects(next.open(), (error) => isSnapError(error, 'SNAP_CORRUPT'));
  assert.equal(next.disk.stat(`${STORE}/holdfast.json`), undefined);
  assert.ok(next.disk.contents(packPath(1)).equals(bytes));
});
