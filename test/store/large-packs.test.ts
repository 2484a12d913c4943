/** Packs longer than what is read or written at once: nothing is lost where one piece ends and the next begins. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KiB, MiB } from '../../src/base/sizes.js';
import { HEADER_BYTES, RECORD_ALIGNMENT, type RecordHeader, RecordType } from '../../src/format/record.js';
import { pointBefore, pointOf, survive } from '../support/crash-points.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { damage, packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { Session } from '../support/session.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(1);
/** Of a pack this much is read at once. */
const WINDOW = 256 * KiB;

test('every record of a long pack without a footer is found', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const content = contentOf(random.bytes(280 * KiB));
  const { id } = await saveTo(store, content);
  await store.close();
  const spanning = recordsOf(disk.contents(packPath(1))).filter(
    ({ offset }) => offset % WINDOW > WINDOW - HEADER_BYTES,
  );
  assert.ok(spanning.length > 0, 'some header lies across the end of what is read at once');
  const again = await openOn(disk);
  assert.deepEqual(again.warnings, []);
  assert.ok(
    readFrom(again.store, id)
      .get('u')
      ?.equals(content.get('u') as Buffer),
  );
  await again.store.close();
});

/** Two chunks between which the search for the next record reads just to the middle of the header of the second. */
function gapIn(chunks: readonly RecordHeader[]): [first: RecordHeader, next: RecordHeader] {
  for (const first of chunks) {
    for (const next of chunks) {
      const searched = next.offset - (first.offset + RECORD_ALIGNMENT);
      if (searched > WINDOW - HEADER_BYTES && searched < WINDOW) return [first, next];
    }
  }
  return assert.fail('no two chunks lie so');
}

test('behind a long stretch of damage the very next record is found', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  await saveTo(store, contentOf(random.bytes(200 * KiB)));
  // Something saved afterwards, so that the damage is no torn tail.
  const last = await saveTo(store, contentOf(random.bytes(100)));
  await store.close();
  const chunks = recordsOf(disk.contents(packPath(1))).filter(({ type }) => type === RecordType.chunk);
  const [first, next] = gapIn(chunks);
  damage(disk, packPath(1), (bytes) => bytes.fill(0, first.offset, next.offset));
  const again = await openOn(disk);
  assert.equal(again.store.locate(first.id), undefined);
  assert.equal(again.store.locate(next.id)?.offset, next.offset);
  readFrom(again.store, last.id);
  await again.store.close();
});

test('all of a long span is made durable again, whatever a failed sync had dropped', async () => {
  const options = {
    seed: 1,
    shape: new Map([
      ['', 40],
      ['u', 5 * MiB],
    ]),
    chunkBytes: 64 * KiB,
    packBytes: 100 * MiB,
    stagingBytes: 4 * MiB,
    compression: false,
  } as const;
  const session = await Session.begin(options);
  session.disk.faults.set({
    call: 'sync',
    effect: 'EIO',
    nth: 1,
    forGood: false,
    suffix: '.pack',
    written: () => false,
  });
  const point = await pointBefore(
    session,
    { do: 'save', run: 'alpha', edit: 3 },
    ({ call }) => call === 'truncate',
  );
  const next = await Session.begin({ ...options, image: point.image, model: point.model });
  assert.ok((next.store.packSizes()[1] ?? 0) > 5 * MiB, 'more than is written at once');
  assert.equal(next.model.snapshots.size, 1, 'the failed save can be read, so it is there');
  await survive(pointOf(next, 'right after recovery'), 'nothing', 1, 0, options);
});
