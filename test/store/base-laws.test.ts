/**
 * Random histories of a store that holds many differences, then damage of one bit: what verification calls whole restores
 * bit for bit, is copied, outlives a repair and a collection, and the next saves are whole.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SnapshotId } from '../../src/base/ids.js';
import { takesBase } from '../../src/format/bases.js';
import { RecordType } from '../../src/format/record.js';
import { repairStore } from '../../src/store/repair.js';
import type { Store } from '../../src/store/store.js';
import { NOTHING_VERIFIED } from '../../src/store/verify-cursor.js';
import { budget, replayable, seeds } from '../support/budget.js';
import { collect } from '../support/collecting.js';
import { copy, reader } from '../support/copying.js';
import { openOn, readFrom } from '../support/direct.js';
import { goOn } from '../support/honest.js';
import { damage, flip, packPath, recordsOf } from '../support/pack-bytes.js';
import { type Action, generateAction, type Shape } from '../support/program.js';
import { Random } from '../support/random.js';
import { assertSameContent } from '../support/saved.js';
import { Session, type SessionOptions, STORE } from '../support/session.js';
import { type DiskImage, SimulatedDisk } from '../support/simulated-disk.js';

const CHUNK_BYTES = 256;
const SHAPE: Shape = new Map([
  ['', 300],
  ['u', 256 * 6],
  ['w', 700],
]);

/** Mostly saves, so that there is much to go on from. */
function actionsOf(random: Random): Action[] {
  return Array.from({ length: 14 }, (): Action => {
    if (random.chance(0.4)) return generateAction(random);
    return { do: 'save', run: random.pick(['alpha', 'beta']), edit: random.below(1e9) };
  });
}

function differencesOn(disk: SimulatedDisk): number {
  const packs = disk.list(`${STORE}/packs`).map((name) => disk.contents(`${STORE}/packs/${name}`));
  const records = packs.flatMap(recordsOf);
  return records.filter(({ type, filter }) => type === RecordType.chunk && takesBase(filter)).length;
}

/** Every snapshot that is listed and not forgotten, but for those that verification names. */
async function wholeIn(store: Store): Promise<Set<SnapshotId>> {
  const { findings, run } = store.verification({ share: 1, from: NOTHING_VERIFIED, random: () => 0 });
  for await (const _ of run());
  const broken = new Set<string>(findings.damagedSnapshots.map(({ id }) => id));
  const whole = new Set<SnapshotId>();
  for await (const { id, forgotten } of store.summaries()) {
    if (!forgotten && !broken.has(id)) whole.add(id);
  }
  return whole;
}

async function withstand(session: Session, options: SessionOptions, image: DiskImage): Promise<void> {
  const { snapshots } = session.model;
  const check = (store: Store, ids: Iterable<SnapshotId>, what: string) => {
    for (const id of ids) {
      const { content } = snapshots.get(id) ?? assert.fail(`${what}: ${id} was never saved`);
      assertSameContent(readFrom(store, id), content, `${what}: ${id}`);
    }
  };
  const seen = await reader(new SimulatedDisk(1, image)).catch(() => undefined);
  if (!seen) return;
  const whole = await wholeIn(seen);
  check(seen, whole, 'called whole');
  await seen.close();

  const far = await openOn(new SimulatedDisk(2));
  await copy(new SimulatedDisk(3, image), far.store);
  const copied = await wholeIn(far.store);
  for (const id of whole) assert.ok(copied.has(id), `${id} is whole and was not copied`);
  check(far.store, copied, 'a copy');
  await far.store.close();

  await goOn(image, session.model, options);

  const disk = new SimulatedDisk(4, image);
  await repairStore(STORE, {}, { io: disk, simulated: true });
  const { store } = await openOn(disk, { packBytes: 4000, compression: { level: 1 } });
  const left = await wholeIn(store);
  for (const id of whole) assert.ok(left.has(id), `${id} was whole before the repair`);
  await collect(store, { policy: { last: 2 }, force: true });
  const kept = await wholeIn(store);
  check(store, kept, 'repaired and collected');
  for await (const { id, forgotten } of store.summaries())
    assert.ok(forgotten || kept.has(id), `${id} is listed`);
  await store.close();
}

test('what is called whole is whole, whatever bit of a store of differences is wrong', async (t) => {
  let differences = 0;
  let flips = 0;
  for (const seed of seeds(6)) {
    await replayable(seed, 'a history of differences', async () => {
      const random = new Random(seed);
      const options: SessionOptions = {
        seed,
        shape: SHAPE,
        chunkBytes: CHUNK_BYTES,
        packBytes: random.pick([2000, 6000, 1_000_000]),
        compression: { level: 1 },
      };
      const session = await Session.begin(options);
      await session.run(actionsOf(random));
      await session.close();
      differences += differencesOn(session.disk);
      await withstand(session, options, session.disk.image());
      for (let times = budget(6); times > 0; times--) {
        const disk = new SimulatedDisk(seed, session.disk.image());
        const packs = disk.list(`${STORE}/packs`).filter((name) => name.endsWith('.pack'));
        const path = packPath(Number.parseInt(random.pick(packs), 10));
        const records = recordsOf(disk.contents(path)).filter(({ type }) => type === RecordType.chunk);
        // Most of the bytes of a pack are chunks; one in two times the header is hit, or a base's name.
        const at =
          records.length > 0 ? random.pick(records).offset + random.below(random.chance(0.5) ? 140 : 300) : 5;
        damage(disk, path, (bytes) => flip(bytes, Math.min(at, bytes.length - 1), random.below(8)));
        await withstand(session, options, disk.image());
        flips++;
      }
    });
  }
  t.diagnostic(`${differences} differences, ${flips} flips`);
  assert.ok(differences > 0, `${differences} differences`);
});
