/** The seal of a clean close: what may be believed without looking at the packs again. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SnapshotId } from '../../src/base/ids.js';
import { HEADER_BYTES } from '../../src/format/record.js';
import { repairStore } from '../../src/store/repair.js';
import type { Store } from '../../src/store/store.js';
import { pointBefore } from '../support/crash-points.js';
import { damage, flip, packPath } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { exportStore, openReal, temporaryFolder } from '../support/real-store.js';
import { type Lineage, NO_LINEAGE, putSnapshot, readSnapshot } from '../support/saved.js';
import { Session } from '../support/session.js';
import { diskAfter, SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(1);

async function save(
  store: Store,
  content: Map<string, Buffer>,
  base: Lineage = NO_LINEAGE,
): Promise<Lineage> {
  store.begin();
  const id = random.bytes(16).toString('hex') as SnapshotId;
  const lineage = await putSnapshot(store, { id, run: 'alpha', content }, base, 64, 1);
  await store.commit();
  return lineage;
}

async function idsOf(store: Store): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of store.summaries()) ids.push(id);
  return ids;
}

const content = (fill: number) =>
  new Map([
    ['', Buffer.alloc(20, fill)],
    ['u', Buffer.alloc(300, fill)],
  ]);

/**
 * Recovery set a pack with a torn commit aside; then the store was closed with nothing saved. The seal knew the size of
 * the pack and not how much of it counts, so the next header proved the torn commit.
 */
test('a torn commit stays out when its pack was set aside in a session that saved nothing', async () => {
  const first = await Session.begin({ seed: 1 });
  await first.perform({ do: 'save', run: 'alpha', edit: 1 });
  const end = first.disk.contents(packPath(1)).length;
  const point = await pointBefore(
    first,
    { do: 'save', run: 'alpha', edit: 2 },
    ({ call, path }) => call === 'sync' && path === packPath(1),
  );
  const torn = new SimulatedDisk(1, diskAfter(point.image, 'everything', 1));
  damage(torn, packPath(1), (bytes) => bytes.fill(0, end + HEADER_BYTES, end + HEADER_BYTES + 8));
  const directory = join(temporaryFolder(), 'store');
  exportStore(torn.image(), directory);

  const idle = await openReal(directory);
  assert.match(idle.warnings.map(({ message }) => message).join(), /set aside/);
  await idle.store.close();

  const { store, warnings } = await openReal(directory);
  assert.deepEqual(warnings, [], 'the seal is believed');
  await save(store, content(1));
  const live = await idsOf(store);
  await store.close();

  rmSync(join(directory, 'clean.json'));
  const rebuilt = await openReal(directory);
  assert.deepEqual(await idsOf(rebuilt.store), live);
  for await (const summary of rebuilt.store.summaries()) readSnapshot(rebuilt.store, summary);
  await rebuilt.store.close();
});

test('after a clean close a damaged last commit is damage, not a torn save', async () => {
  const directory = join(temporaryFolder(), 'store');
  const { store } = await openReal(directory);
  const first = await save(store, content(1));
  await save(store, content(2), first);
  await store.close();
  const pack = join(directory, 'packs', '00000001.pack');
  const bytes = readFileSync(pack);
  // The last record is the commit; before it lies the manifest, before that a chunk of this snapshot alone.
  flip(bytes, bytes.length - 20);
  writeFileSync(pack, bytes);
  writeFileSync(join(directory, 'index', 'extra'), 'so that the seal does not hold');
  const damaged = await openReal(directory);
  assert.ok(damaged.warnings.some(({ kind }) => kind === 'damage'));
  const ids = await idsOf(damaged.store);
  assert.equal(ids.length, 2, 'what can be read of the last commit counts');
  for await (const summary of damaged.store.summaries()) readSnapshot(damaged.store, summary);
  await save(damaged.store, content(3));
  await damaged.store.close();
  const again = await openReal(directory);
  assert.equal((await idsOf(again.store)).length, 3);
  await again.store.close();
});

/** What was saved while a pack was gone has not taken the place of anything in it. */
async function backFromBackup(directory: string, path: string, bytes: Buffer): Promise<void> {
  const damaged = existsSync(path) ? readFileSync(path) : undefined;
  writeFileSync(path, bytes);
  const { store, warnings } = await openReal(directory, { readOnly: true });
  assert.deepEqual([(await idsOf(store)).length, warnings], [6, []]);
  await store.close();
  if (damaged) writeFileSync(path, damaged);
  else rmSync(path);
}

/**
 * No header follows the last pack, so only the seal knows that it was there, and how long. Readers did not look at the
 * seal, and nobody looked for the file: a store that had lost its newest snapshots verified as sound.
 */
test('after a clean close a last pack that is gone, empty or shorter is told, by readers too, until it is repaired', async () => {
  for (const packBytes of [2000, 100]) {
    for (const harm of ['gone', 'empty', 'cut'] as const) {
      const directory = join(temporaryFolder(), 'store');
      const started = await openReal(directory, { packBytes });
      let lineage = NO_LINEAGE;
      for (let fill = 1; fill < 6; fill++) lineage = await save(started.store, content(fill), lineage);
      await started.store.close();
      const packs = readdirSync(join(directory, 'packs')).sort();
      const path = join(directory, 'packs', packs.at(-1) ?? '');
      const bytes = readFileSync(path);
      if (harm === 'gone') rmSync(path);
      else writeFileSync(path, harm === 'cut' ? bytes.subarray(0, bytes.length - 300) : '');
      const told = new RegExp(`^pack ${packs.length}, .*${harm === 'gone' ? 'missing' : 'cut off'}`);
      const look = async (readOnly: boolean) => {
        const { store, warnings } = await openReal(directory, { readOnly });
        const what = `${harm}, ${packBytes}, ${readOnly}`;
        assert.ok(
          warnings.some(({ message }) => told.test(message)),
          what,
        );
        return store;
      };
      await (await look(true)).close();
      const writer = await look(false);
      const ids = await idsOf(writer);
      assert.ok(ids.length < 5);
      await save(writer, content(9));
      await writer.close();
      rmSync(join(directory, 'clean.json'));
      await (await look(true)).close();
      await backFromBackup(directory, path, bytes);
      await repairStore(directory);
      const { store, warnings } = await openReal(directory, { readOnly: true });
      assert.deepEqual(warnings, []);
      assert.equal((await idsOf(store)).length, ids.length + 1);
      await store.close();
    }
  }
});

test('a repair of a store that lost its last pack says so', async () => {
  const directory = join(temporaryFolder(), 'store');
  const { store } = await openReal(directory, { packBytes: 100 });
  const first = await save(store, content(1));
  await save(store, content(2), first);
  await store.close();
  rmSync(join(directory, 'packs', '00000002.pack'));
  const { clean, packs, snapshots } = await repairStore(directory);
  assert.deepEqual([clean, snapshots], [false, 1]);
  assert.deepEqual(packs, [{ pack: 2, reasons: ['the file is missing'], movedTo: undefined }]);
});

test('an index with any file damaged or gone is rebuilt, and the store says nothing else', async () => {
  const directory = join(temporaryFolder(), 'store');
  const started = await openReal(directory, { packBytes: 2000 });
  let lineage = NO_LINEAGE;
  for (let fill = 1; fill < 6; fill++) lineage = await save(started.store, content(fill), lineage);
  started.store.begin();
  started.store.putTag('best', lineage.id as SnapshotId);
  await started.store.commit();
  const expected = await idsOf(started.store);
  await started.store.close();
  const index = join(directory, 'index');
  for (const name of readdirSync(index).filter((name) => !name.startsWith('LO'))) {
    for (const harm of ['flip', 'cut', 'gone'] as const) {
      const path = join(index, name);
      if (!readdirSync(index).includes(name)) continue;
      const bytes = readFileSync(path);
      if (harm === 'gone') rmSync(path);
      else if (harm === 'cut') writeFileSync(path, bytes.subarray(0, bytes.length >> 1));
      else if (bytes.length > 0) {
        flip(bytes, random.below(bytes.length), random.below(8));
        writeFileSync(path, bytes);
      }
      const { store, warnings } = await openReal(directory, { packBytes: 2000 });
      assert.deepEqual(warnings, []);
      assert.deepEqual(await idsOf(store), expected, `${name} ${harm}`);
      assert.equal(store.tagged('best'), lineage.id);
      await store.close();
    }
  }
});
