/** Repair keeps what is whole, sets aside what is damaged, and says what is lost; it may be interrupted anywhere. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import { RecordType } from '../../src/format/record.js';
import { type RepairReport, repairStore } from '../../src/store/repair.js';
import { budget, replayable } from '../support/budget.js';
import { examine, type Findings } from '../support/honest.js';
import { damage, flip, packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { Session, STORE } from '../support/session.js';
import { type DiskImage, diskAfter, SimulatedDisk } from '../support/simulated-disk.js';
import { type SmallStore, smallStore } from '../support/small-store.js';

const stores = { sealed: await smallStore(), open: await smallStore({ sealed: false }) };

/** Repairs a damaged copy of a store, and checks that nothing whole was lost and nothing listed is broken. */
async function repaired(
  { model }: SmallStore,
  image: DiskImage,
): Promise<{ report: RepairReport; before: Findings; after: Findings; disk: SimulatedDisk }> {
  const before = await examine(image, model, 2);
  const disk = new SimulatedDisk(3, image);
  const report = await repairStore(STORE, {}, { io: disk, simulated: true });
  assert.equal(disk.openFiles, 0);
  const after = await examine(disk.image(), model, 4);
  for (const id of before.whole) assert.ok(after.whole.has(id), `snapshot ${id} was whole before the repair`);
  const lost = new Set(report.lost.map(({ id }) => id));
  for (const id of after.broken) {
    assert.ok(lost.has(id) || model.forgotten.get(id), `snapshot ${id} is listed, broken and not told`);
  }
  for (const id of lost) assert.ok(!after.whole.has(id as never), `snapshot ${id} is whole and told as lost`);
  assert.deepEqual(after.warnings, [], 'nothing is damaged any more');
  const again = await repairStore(STORE, {}, { io: new SimulatedDisk(5, disk.image()), simulated: true });
  assert.deepEqual(again.packs, []);
  assert.deepEqual(again.lost, []);
  return { report, before, after, disk };
}

for (const [kind, small] of Object.entries(stores)) {
  test(`an intact store is left as it is (${kind})`, async () => {
    const { report, after } = await repaired(small, small.image);
    assert.deepEqual(
      { ...report, snapshots: after.whole.size },
      {
        descriptor: false,
        snapshots: after.whole.size,
        packs: [],
        salvagedBytes: 0,
        lost: [],
        unlisted: 0,
        damagedTags: 0,
        uncertain: false,
        clean: true,
      },
    );
    // One of them is forgotten.
    assert.equal(report.snapshots, after.whole.size - 1);
  });

  test(`one damaged record costs only what needs it (${kind})`, async () => {
    const wholes: Partial<Record<RecordType, number[]>> = {};
    for (const [pack, copies] of small.copies) {
      for (const header of recordsOf(copies.at(-1) as Buffer)) {
        for (const where of [8, 100]) {
          await replayable(
            0,
            `pack ${pack}, type ${header.type}, byte ${header.offset + where}`,
            async () => {
              const disk = new SimulatedDisk(1, small.image);
              damage(disk, packPath(pack), (bytes) => flip(bytes, header.offset + where));
              const damaged = disk.contents(packPath(pack));
              const { report, after, disk: mended } = await repaired(small, disk.image());
              wholes[header.type] = [...(wholes[header.type] ?? []), after.whole.size];
              const moved = report.packs.find((entry) => entry.pack === pack)?.movedTo;
              const kept = moved && mended.contents(`${STORE}/${moved}`).subarray(0, damaged.length);
              if (kept) assert.ok(kept.equals(damaged), 'every byte is kept');
              // The tail of the last pack may have been torn as well: that is no damage.
              if (!moved) assert.equal(report.salvagedBytes, 0);
            },
          );
        }
      }
    }
    const all = Math.max(...Object.values(wholes).flat());
    for (const free of [RecordType.timing, RecordType.footer, RecordType.packHeader]) {
      for (const whole of wholes[free] ?? []) assert.equal(whole, all, `type ${free} costs no snapshot`);
    }
  });

  test(`a damaged pack, cut anywhere (${kind})`, async () => {
    for (const [pack, copies] of small.copies) {
      const bytes = copies.at(-1) as Buffer;
      for (let length = 0; length < bytes.length; length += Math.ceil(bytes.length / budget(12))) {
        await replayable(0, `pack ${pack} cut to ${length}`, async () => {
          const disk = new SimulatedDisk(1, small.image);
          disk.plant(packPath(pack), bytes.subarray(0, length));
          await repaired(small, disk.image());
        });
      }
    }
  });
}

test('files under wrong names, of another store, or gone', async () => {
  const small = stores.sealed;
  const [one, two] = [1, 2].map((pack) => small.copies.get(pack)?.at(-1) as Buffer) as [Buffer, Buffer];
  const other = await Session.begin({ seed: 77 });
  await other.perform({ do: 'save', run: 'other', edit: 1 });
  const foreign = other.disk.contents(packPath(1));
  const cases: [what: string, cut: (disk: SimulatedDisk) => void, lossless: boolean][] = [
    ['swapped', (disk) => [disk.plant(packPath(1), two), disk.plant(packPath(2), one)], true],
    ['renamed', (disk) => [disk.unplant(packPath(1)), disk.plant(packPath(7), one)], true],
    ['copied', (disk) => disk.plant(packPath(7), one), true],
    ['foreign beside', (disk) => disk.plant(packPath(9), foreign), true],
    ['foreign instead', (disk) => disk.plant(packPath(1), foreign), false],
    ['gone', (disk) => disk.unplant(packPath(1)), false],
    ['no descriptor', (disk) => disk.unplant(`${STORE}/holdfast.json`), true],
    ['all packs but the last gone', (disk) => disk.unplant(packPath(1)), false],
  ];
  for (const [what, cut, lossless] of cases) {
    await replayable(0, what, async () => {
      const disk = new SimulatedDisk(1, small.image);
      cut(disk);
      const { report, after } = await repaired(small, disk.image());
      assert.equal(report.clean, false);
      if (lossless) assert.equal(after.whole.size, small.model.snapshots.size, 'nothing is lost');
      if (lossless) assert.deepEqual(report.lost, []);
    });
  }
});

test('a repair that is cut short loses nothing that was whole, and can be done again', async (t) => {
  const random = new Random(11);
  let crashes = 0;
  for (const small of Object.values(stores)) {
    const disk = new SimulatedDisk(1, small.image);
    const headers = recordsOf(small.copies.get(1)?.at(-1) as Buffer);
    const chunk = headers.find(({ type }) => type === RecordType.chunk)?.offset ?? 0;
    damage(disk, packPath(1), (bytes) => flip(bytes, chunk + 100));
    const damaged = disk.image();
    const { whole } = await examine(damaged, small.model, 2);
    const points: DiskImage[] = [];
    const repairing = new SimulatedDisk(3, damaged);
    repairing.beforeChange = () => points.push(repairing.image());
    await repairStore(STORE, {}, { io: repairing, simulated: true });
    points.push(repairing.image());
    for (const [index, image] of points.entries()) {
      for (const how of ['process', 'nothing', 'everything', 'subset'] as const) {
        const left = diskAfter(image, how, random.below(2 ** 32));
        await replayable(11, `crash ${index} of ${points.length} (${how})`, async () => {
          const { after } = await repaired(small, left);
          for (const id of whole) assert.ok(after.whole.has(id), `snapshot ${id} was lost by the crash`);
          crashes++;
        });
      }
    }
  }
  t.diagnostic(`${crashes} crashes`);
});

test('a repair that is aborted, or runs out of space, loses nothing', async () => {
  const small = stores.sealed;
  const disk = new SimulatedDisk(1, small.image);
  damage(disk, packPath(1), (bytes) => flip(bytes, 300));
  const { whole } = await examine(disk.image(), small.model, 2);
  const aborted = new SimulatedDisk(2, disk.image());
  const signal = AbortSignal.abort();
  await assert.rejects(repairStore(STORE, { signal }, { io: aborted, simulated: true }), {
    name: 'AbortError',
  });
  assert.equal(aborted.openFiles, 0);
  for (let nth = 1; nth < 12; nth++) {
    const full = new SimulatedDisk(3, disk.image());
    full.faults.set({ call: 'write', effect: 'ENOSPC', nth, forGood: true });
    try {
      await repairStore(STORE, {}, { io: full, simulated: true });
    } catch (error) {
      assert.ok(isSnapError(error, 'SNAP_NO_SPACE'), String(error));
    }
    assert.equal(full.openFiles, 0);
    const after = await examine(full.image(), small.model, 2);
    for (const id of whole) assert.ok(after.whole.has(id));
  }
});
