/** One bit wrong anywhere: correct data or a typed error, and a word about it. Never wrong bytes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { budget, replayable } from '../support/budget.js';
import { examine, goOn } from '../support/honest.js';
import { damage, flip, packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { STORE } from '../support/session.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { smallStore } from '../support/small-store.js';

for (const sealed of [true, false]) {
  test(`a flipped bit in any byte of any pack, ${sealed ? 'sealed and open' : 'none of them sealed'}`, async (t) => {
    const { image, model, options, copies, lastSpan } = await smallStore({ sealed });
    const counts = { flips: 0, harmless: 0, broken: 0, missing: 0 };
    for (const [pack, versions] of copies) {
      const size = versions.at(-1)?.length ?? 0;
      // What a footer says is read from the records themselves where there is none: every other byte will do.
      for (let offset = 0; offset < size; offset += sealed || budget(1) > 1 ? 1 : 2) {
        const random = new Random(pack * 100_000 + offset);
        for (let times = 0; times < budget(1); times++) {
          const bit = random.below(8);
          await replayable(offset, `pack ${pack}, byte ${offset}, bit ${bit}`, async () => {
            const disk = new SimulatedDisk(1, image);
            damage(disk, packPath(pack), (bytes) => flip(bytes, offset, bit));
            const found = await examine(disk.image(), model, 2);
            assert.ok(!found.refused, 'one bit makes the store unreadable');
            counts.flips++;
            counts.broken += found.broken.size;
            counts.missing += found.missing.size;
            counts.harmless += Number(found.broken.size + found.missing.size === 0);
            // A last commit that does not verify looks like one that a power cut tore: it may go without a word.
            const torn = pack === lastSpan.pack && offset >= lastSpan.start;
            if (!torn) assert.ok(found.missing.size <= 1, 'one bit takes more than one snapshot away');
            if (found.missing.size > 0 && !torn) assert.ok(found.warnings.length > 0, 'without a word');
            if (offset % 32 === times % 32) await goOn(disk.image(), model, options);
          });
        }
      }
    }
    t.diagnostic(JSON.stringify(counts));
  });
}

/** Only what holds the chunk suffers: later snapshots share most chunks with the first, in the same open pack. */
test('a flipped bit in the header of a chunk costs that chunk and no other', async () => {
  const { image, model, copies } = await smallStore({ sealed: false });
  for (const [pack, versions] of copies) {
    const bytes = versions.at(-1) as Buffer;
    for (const { type, offset, storedLength } of recordsOf(bytes)) {
      if (type !== RecordType.chunk) continue;
      const disk = new SimulatedDisk(1, image);
      damage(disk, packPath(pack), (copy) => flip(copy, offset + 40));
      const chunk = bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + storedLength);
      const found = await examine(disk.image(), model, 2);
      for (const [id, { content }] of model.snapshots) {
        const holds = [...content.values()].some((region) => region.includes(chunk));
        const isLast = id === [...model.snapshots.keys()].at(-1);
        if (!holds && !isLast) assert.ok(found.whole.has(id), `pack ${pack}, byte ${offset}`);
      }
    }
  }
});

test('a flipped bit in any byte of the descriptor', async () => {
  const { image, model } = await smallStore();
  const path = `${STORE}/holdfast.json`;
  const size = new SimulatedDisk(1, image).contents(path).length;
  for (let position = 0; position < size * 8; position++) {
    const disk = new SimulatedDisk(1, image);
    damage(disk, path, (bytes) => flip(bytes, position >> 3, position & 7));
    const found = await examine(disk.image(), model, 2);
    assert.ok(found.refused || found.whole.size === model.snapshots.size, `byte ${position >> 3}`);
  }
});
