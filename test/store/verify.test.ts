/** Verification of a store that is damaged while it is open, or that was never in order. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { HEADER_BYTES, type RecordHeader, RecordType } from '../../src/format/record.js';
import type { Store } from '../../src/store/store.js';
import type { VerifiedSoFar, VerifyFindings } from '../../src/store/verify.js';
import { NOTHING_VERIFIED } from '../../src/store/verify-cursor.js';
import { type VerifyReport, verifyJob } from '../../src/writer/verify-job.js';
import { contentOf, newId, openOn, saveTo } from '../support/direct.js';
import { FORGED_ID, Forge, treeOf } from '../support/forge.js';
import { packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(1);

async function verify(store: Store, share: number): Promise<VerifyFindings> {
  const dice = new Random(7);
  const { findings, run } = store.verification({
    share,
    from: NOTHING_VERIFIED,
    random: () => dice.next(),
  });
  for await (const _ of run());
  return findings;
}

function recordsIn(disk: SimulatedDisk, type: RecordType): RecordHeader[] {
  return recordsOf(disk.contents(packPath(1))).filter((header) => header.type === type);
}

/** Changes a byte of the pack although it is open. */
function spoil(disk: SimulatedDisk, offset: number): void {
  const byte = disk.contents(packPath(1))[offset] as number;
  const file = disk.open(packPath(1), 'write');
  file.write(Buffer.from([byte ^ 1]), offset);
  file.close();
}

test('a sound store has no damage, and a sample reads some of it', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  await saveTo(store, contentOf(random.bytes(6000)));
  const read: number[] = [];
  for (const share of [0, 0.3, 1]) {
    const { damage, damagedSnapshots, snapshots, readBytes } = await verify(store, share);
    assert.deepEqual([damage, damagedSnapshots, snapshots], [[], [], 1]);
    read.push(readBytes);
  }
  const [none, some, all] = read as [number, number, number];
  assert.ok(none === 0 && some > 0 && some < all, read.join());
  await store.close();
});

test('a damaged note is found when data is read', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  store.begin();
  store.putTag('best', newId());
  await store.commit();
  const { offset } = recordsIn(disk, RecordType.tag)[0] ?? assert.fail('no tag');
  spoil(disk, offset + HEADER_BYTES + 3);
  assert.deepEqual((await verify(store, 0)).damage, []);
  const { damage, damagedTags, unlisted, uncertain } = await verify(store, 1);
  assert.deepEqual(damage, [{ pack: 1, offset, reason: 'a tag is damaged', costs: 'tag' }]);
  assert.deepEqual([damagedTags, unlisted, uncertain], [1, 0, false]);
  await store.close();
});

test('a record that is none any more is found by structure, with what it hits', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const hit = await saveTo(store, contentOf(random.bytes(300)));
  await saveTo(store, contentOf(random.bytes(300)));
  // The first chunk is that of the skeleton, which both have.
  const { offset } = recordsIn(disk, RecordType.chunk)[1] ?? assert.fail('no chunk');
  spoil(disk, offset);
  const { damage, damagedSnapshots } = await verify(store, 0);
  assert.deepEqual(damage, [{ pack: 1, offset, reason: 'there is no readable record', costs: 'unknown' }]);
  assert.deepEqual(
    damagedSnapshots.map(({ id, parts }) => [id, parts.map(({ path, pack }) => [path, pack])]),
    [[hit.id, [['u', 1]]]],
  );
  await store.close();
});

test('a pack that was cut off is found by structure', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  await saveTo(store, contentOf(random.bytes(300)));
  const { offset } = recordsIn(disk, RecordType.commit)[0] ?? assert.fail('no commit');
  const file = disk.open(packPath(1), 'write');
  file.truncate(offset);
  file.close();
  const { damage } = await verify(store, 0);
  assert.deepEqual(damage, [{ pack: 1, offset, reason: 'the pack was cut off', costs: 'unknown' }]);
  await store.close();
});

test('a damaged chunk below a page that snapshots share is told of each of them', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const content = contentOf(random.bytes(600));
  const ids = [(await saveTo(store, content)).id, (await saveTo(store, content)).id];
  const { offset } = recordsIn(disk, RecordType.chunk)[3] ?? assert.fail('no chunk');
  spoil(disk, offset + HEADER_BYTES);
  const { damagedSnapshots } = await verify(store, 1);
  assert.deepEqual(damagedSnapshots.map(({ id }) => id).sort(), ids.sort());
  await store.close();
});

/** Every record is in order, and yet: a chunk that a snapshot names was never written. */
test('a chunk that is nowhere is missed, although no pack is damaged', async () => {
  const forge = new Forge();
  forge.addSnapshot(treeOf(chunkIdOf(Buffer.from('nowhere')), 7));
  forge.commit();
  const { store } = await openOn(new SimulatedDisk(1, forge.image()), { readOnly: true });
  const context = { shouldStop: () => false, pinned: () => new Set<string>() };
  const job = verifyJob(store, context, [{ share: 0, maxSeconds: undefined }]);
  let step = await job.next();
  while (!step.done) step = await job.next();
  const report = step.value as VerifyReport;
  assert.deepEqual(report.damage, []);
  assert.deepEqual(
    report.damagedSnapshots.map(({ id }) => id),
    [FORGED_ID],
  );
  assert.equal(report.ok, false);
  await store.close();
});

test('runs that end at any place look at every record between them, once', async () => {
  const { store } = await openOn(new SimulatedDisk(1), { packBytes: 20_000 });
  for (let times = 0; times < 4; times++) await saveTo(store, contentOf(random.bytes(6000)));
  const whole = await verify(store, 1);
  let from: VerifiedSoFar = NOTHING_VERIFIED;
  const sums = { records: 0, readBytes: 0, runs: 0 };
  for (let isLast = false; !isLast; sums.runs++) {
    const { findings, run } = store.verification({ share: 1, from, random: () => 0 });
    isLast = true;
    for await (const { phase } of run()) {
      if (phase !== 'packs' || findings.records === 0) continue;
      isLast = false;
      break;
    }
    assert.deepEqual(findings.damage, []);
    sums.records += findings.records;
    sums.readBytes += findings.readBytes;
    from = findings;
  }
  assert.deepEqual([sums.records, sums.readBytes], [whole.records, whole.readBytes]);
  assert.ok(sums.runs > whole.packs + 3, 'most runs end in the middle of a pack');
  await store.close();
});

test('what was looked at without its data has to be looked at again with it', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  await saveTo(store, contentOf(random.bytes(300)));
  const soFar = { pack: 1, offset: 96, damage: [] };
  store.noteVerified(0, soFar);
  const { pack, offset } = store.verifiedSoFar(0);
  assert.deepEqual([pack, offset], [1, 96]);
  assert.deepEqual(store.verifiedSoFar(1), NOTHING_VERIFIED);
  store.noteVerified(0, undefined);
  assert.deepEqual(store.verifiedSoFar(0), NOTHING_VERIFIED);
  await store.close();
});
