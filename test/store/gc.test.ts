/** Garbage collection at the store: what it takes, what it leaves, and what the next save and the next process find. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import type { SnapshotId } from '../../src/base/ids.js';
import { HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { realIo } from '../../src/io/real.js';
import { groupsOf } from '../../src/store/gc.js';
import type { Store } from '../../src/store/store.js';
import { collect, drop, forget } from '../support/collecting.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { packPath, recordsOf } from '../support/pack-bytes.js';
import { Random } from '../support/random.js';
import { openReal, temporaryFolder } from '../support/real-store.js';
import { assertSameContent, type Content } from '../support/saved.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const random = new Random(4);
const bytes = (length: number) => random.bytes(length);
/** Shares nothing with any other. */
const fresh = (length: number): Content =>
  new Map([
    ['', bytes(8)],
    ['u', bytes(length)],
  ]);

function poked(before: Buffer, at = 0): Buffer {
  const next = Buffer.from(before);
  next[at] = (next[at] as number) ^ 1;
  return next;
}

/** The page over a region of more chunks than a root holds. */
function pageOf(store: Store, id: SnapshotId) {
  const { regions } = store.manifest(store.byId(id) ?? assert.fail('it is gone'));
  const entry = 'inline' in regions && regions.inline[0]?.tree.entries[0];
  return entry || assert.fail('no page');
}

/** Fills a pack with what stays, so that the garbage in it is not worth carrying the rest elsewhere. */
async function saveBallast(store: Store): Promise<SnapshotId> {
  return (await saveTo(store, fresh(6000), undefined, 4096)).id;
}

/** Carries everything that counts out of packs, and takes them away. */
async function retire(store: Store, packs: readonly number[]): Promise<void> {
  const evacuation = store.removal.evacuation();
  for (const pack of packs) {
    store.removal.leave(pack);
    for await (const _ of evacuation.content(pack, store.ends().get(pack) ?? 0));
  }
  await store.removal.retire(packs, 'removed', evacuation);
}

// ---- what stays ------------------------------------------------------------------------------------

/** The page was known, so the chunk was not written; but only who holds the page holds what it is a patch of. */
test('a chunk does not rely on a page with the same bytes that is stored as a patch', async () => {
  const { store } = await openOn(new SimulatedDisk(1), { packBytes: 500 });
  const before = bytes(64 * 6);
  const first = await saveTo(store, contentOf(before));
  const second = await saveTo(store, contentOf(poked(before)), first);
  const page = pageOf(store, second.id);
  assert.ok(!store.isWhole(page.id));
  const content = new Map([
    ['', Buffer.alloc(8)],
    ['copy', store.readPage(page.id)],
  ]);
  const third = await saveTo(store, content, undefined, 4096);
  await drop(store, first.id, second.id);
  assertSameContent(readFrom(store, third.id), content, 'a chunk that is a page');
  await store.close();
});

/** Back to a version that is only there as a patch of another: a patch of it could never be read. */
test('a page is never stored as a patch of a patch', async () => {
  const { store } = await openOn(new SimulatedDisk(1), { packBytes: 500 });
  const base = bytes(64 * 6);
  const alpha = await saveTo(store, contentOf(base));
  // Another line of saves comes to the same bytes, as a patch.
  await forget(store, alpha.id);
  await collect(store, { force: true });
  assert.equal(store.byId(alpha.id), undefined);
  const near = await saveTo(store, contentOf(poked(base, 100)));
  const again = await saveTo(store, contentOf(base), near);
  assert.ok(!store.isWhole(pageOf(store, again.id).id));
  // The first line goes on from what it remembers.
  const next = contentOf(poked(base, 200));
  const last = await saveTo(store, next, alpha);
  assertSameContent(readFrom(store, last.id), next, 'what was built on a version that was gone');
  await store.close();
});

test('what is condemned is written again, and is not if that save is given up', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 500 });
  const content = fresh(300);
  const gone = await saveTo(store, content);
  const stays = fresh(300);
  const kept = await saveTo(store, stays);
  await forget(store, gone.id);
  let saved: SnapshotId | undefined;
  let steps = 0;
  await collect(store, {}, async ({ phase }) => {
    if (phase !== 'free' || steps++ > 0) return;
    store.begin();
    for (const raw of content.values())
      assert.ok(store.putChunk(raw).written > 0, 'it is not known any more');
    await store.rollback();
    for (const raw of content.values()) {
      store.begin();
      assert.ok(store.putChunk(raw).written > 0, 'what was rolled back is not known either');
      await store.rollback();
    }
    saved = (await saveTo(store, content)).id;
  });
  assert.ok(steps > 0 && saved);
  for (const again of [store, (await openOn(disk)).store]) {
    assertSameContent(readFrom(again, saved), content, 'saved while it was condemned');
    assertSameContent(readFrom(again, kept.id), stays, 'kept');
    await again.close();
  }
});

test('what was given up stays known where its pack stays, and is written again where it went', async () => {
  const { store } = await openOn(new SimulatedDisk(1), { packBytes: 10_000 });
  await saveBallast(store);
  const content = fresh(300);
  await drop(store, (await saveTo(store, content)).id);
  store.begin();
  const { written } = store.putChunk(content.get('') as Buffer);
  assert.equal(written, 0, 'the garbage was too little to be worth anything, so it is of use again');
  await store.rollback();
  await store.close();
});

// ---- readers ---------------------------------------------------------------------------------------

/** A reader looked into the oldest pack first, and found a patch whose base had been collected. */
test('a reader finds what was written last, not the garbage with the same id', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 3000 });
  const before = bytes(64 * 6);
  const first = await saveTo(store, contentOf(before));
  store.removal.leave(1);
  const second = await saveTo(store, contentOf(poked(before)), first);
  await saveBallast(store);
  store.removal.leave(2);
  await drop(store, first.id, second.id);
  assert.ok('2' in store.packSizes() && !('1' in store.packSizes()));
  const again = await saveTo(store, contentOf(poked(before)));
  await saveBallast(store);
  for (const pack of Object.keys(store.packSizes())) store.removal.leave(Number(pack));
  const { store: reader } = await openOn(disk, { readOnly: true, create: false });
  assertSameContent(readFrom(reader, again.id), contentOf(poked(before)), 'beside the owner');
  await reader.close();
  await store.close();
});

// ---- packs -----------------------------------------------------------------------------------------

test('a second collection finds nothing to do, and writes nothing', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 3000 });
  const ids: SnapshotId[] = [];
  for (let step = 0; step < 20; step++) ids.push((await saveTo(store, fresh(384))).id);
  for (const going of [ids.slice(0, 15), ids.slice(15)]) {
    await forget(store, ...going);
    const { freedBytes } = await collect(store, { force: true });
    assert.ok(freedBytes > 0);
    const before = store.packSizes();
    const { packs, ...again } = await collect(store, { force: true });
    assert.deepEqual([packs, again.freedBytes, again.copiedBytes], [0, 0, 0]);
    assert.deepEqual(store.packSizes(), before);
  }
  await store.close();
});

test('the dry run tells what the collection then does', async () => {
  const { store } = await openOn(new SimulatedDisk(1), { packBytes: 3000 });
  const ids: SnapshotId[] = [];
  for (let step = 0; step < 12; step++) {
    ids.push((await saveTo(store, fresh(384))).id);
    if (step % 3 === 0) await saveBallast(store);
  }
  await forget(store, ...ids.slice(2, 9));
  const sizes = () => Object.values(store.packSizes()).reduce((sum, size) => sum + size, 0);
  const planned = await collect(store, { dryRun: true });
  const before = sizes();
  const done = await collect(store);
  assert.ok(planned.packs > 0 && planned.repackedPacks > 0 && planned.garbageBytes > 0);
  const counts = ({ packs, repackedPacks, garbageBytes, snapshots }: typeof done) => {
    return { packs, repackedPacks, garbageBytes, snapshots };
  };
  assert.deepEqual(counts(done), counts(planned));
  // Notes and what stands around the records come on top.
  const around = (bytes: number) => Math.abs(bytes - done.freedBytes) < 1000 * done.packs;
  assert.ok(around(planned.freedBytes), `${planned.freedBytes} planned, ${done.freedBytes} freed`);
  assert.ok(around(before - sizes()), `${before - sizes()} less, ${done.freedBytes} freed`);
  await store.close();
});

test('a pack that has no footer is collected like any other', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 500 });
  const gone = await saveTo(store, fresh(384));
  disk.faults.set({ call: 'sync', effect: 'EIO', nth: 1, forGood: false, suffix: '1.pack' });
  const content = fresh(384);
  const kept = await saveTo(store, content);
  disk.faults.set();
  assert.ok(!recordsOf(disk.contents(packPath(1))).some(({ type }) => type === RecordType.footer));
  await drop(store, gone.id);
  assert.ok(!('1' in store.packSizes()));
  for (const again of [store, (await openOn(disk)).store]) {
    assertSameContent(readFrom(again, kept.id), content, 'kept');
    await again.close();
  }
});

/** The index still spoke of the pack after a clean close: what was saved then relied on nothing. */
test('a pack whose file cannot be removed is no part of the store all the same', async () => {
  const directory = join(temporaryFolder(), 'store');
  let stuck = true;
  const remove = (path: string) => {
    if (stuck && path.endsWith('.pack')) throw Object.assign(new Error('EPERM: no'), { code: 'EPERM' });
    realIo.remove(path);
  };
  const options = { io: { ...realIo, remove }, packBytes: 500 };
  const { store, warnings } = await openReal(directory, options);
  const content = fresh(384);
  const gone = await saveTo(store, content);
  const kept = await saveTo(store, fresh(384));
  await drop(store, gone.id);
  assert.match(warnings.map(({ message }) => message).join(), /files of packs .* stay.*EPERM/);
  await store.close();
  stuck = false;
  const next = await openReal(directory, options);
  assert.deepEqual(next.warnings, []);
  const { id } = await saveTo(next.store, content);
  assertSameContent(readFrom(next.store, id), content, 'the same, saved again');
  readFrom(next.store, kept.id);
  await next.store.close();
});

test('a pack that was deleted under an open store is missed by the next, which builds on nothing of it', async () => {
  const directory = join(temporaryFolder(), 'store');
  const { store } = await openReal(directory);
  const content = fresh(384);
  await saveTo(store, content);
  realIo.remove(join(directory, 'packs', '00000001.pack'));
  await assert.rejects(saveTo(store, content), { code: 'SNAP_IO' });
  await saveTo(store, fresh(384));
  await store.close();
  const next = await openReal(directory);
  assert.match(next.warnings.map(({ message }) => message).join(), /pack 1.*missing/);
  const { id } = await saveTo(next.store, content);
  assertSameContent(readFrom(next.store, id), content, 'the same, saved again');
  await next.store.close();
});

// ---- notes -----------------------------------------------------------------------------------------

test('tags and what was forgotten outlive the packs that say so; what no pack contradicts is not said for ever', async () => {
  const disk = new SimulatedDisk(1);
  let { store } = await openOn(disk, { packBytes: 500 });
  const first = await saveTo(store, fresh(384));
  const second = await saveTo(store, fresh(384));
  await store.note(() => {
    store.putTag('kept', first.id);
    store.putTag('moved', first.id);
    store.putTag('gone', first.id);
    store.putTiming(first.id, 7);
  });
  await store.note(() => {
    store.putTag('moved', second.id);
    store.putTag('gone', undefined);
    store.putForget(second.id, true);
    store.putForget(second.id, false);
  });
  for (let round = 0; round < 3; round++) {
    await retire(store, [...store.ends().keys()]);
    for (const again of [store, (await openOn(disk, { readOnly: true })).store]) {
      assert.deepEqual(
        ['kept', 'moved', 'gone'].map((name) => again.tagged(name)),
        [first.id, second.id, undefined],
      );
      assert.equal(again.byId(second.id)?.forgotten, false);
      assert.equal(again.byId(first.id)?.durableMs, 7);
    }
  }
  const notes = Object.keys(store.packSizes())
    .flatMap((pack) => recordsOf(disk.contents(packPath(Number(pack)))))
    .filter(({ type }) => type === RecordType.tag || type === RecordType.timing);
  assert.equal(notes.length, 3, 'two tags and a timing, each said once');
  await store.close();
  ({ store } = await openOn(disk));
  assert.equal(store.tagged('gone'), undefined);
  await store.close();
});

test('that a tag was removed is said as long as a pack stays that set it', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 500 });
  const { id } = await saveTo(store, fresh(384));
  await store.note(() => store.putTag('gone', id));
  store.removal.leave(2);
  await store.note(() => store.putTag('gone', undefined));
  const last = Math.max(...store.ends().keys());
  await retire(store, [last]);
  assert.ok('2' in store.packSizes() && !(String(last) in store.packSizes()));
  const { store: reader } = await openOn(disk, { readOnly: true });
  assert.deepEqual([store.tagged('gone'), reader.tagged('gone')], [undefined, undefined]);
  await reader.close();
  await store.close();
});

// ---- damage ----------------------------------------------------------------------------------------

test('a page that cannot be read ends a collection before anything is dropped', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk, { packBytes: 500 });
  const gone = await saveTo(store, fresh(384));
  const kept = await saveTo(store, fresh(384));
  const { pack, offset } = store.locate(pageOf(store, kept.id).id) ?? assert.fail('no page');
  await forget(store, gone.id);
  const file = disk.open(packPath(pack), 'write');
  file.write(Buffer.alloc(8, 0xee), offset + HEADER_BYTES + 9);
  file.close();
  const before = store.packSizes();
  await assert.rejects(collect(store), (error) => isSnapError(error, 'SNAP_CORRUPT'));
  assert.deepEqual(store.packSizes(), before);
  assert.equal(store.byId(gone.id)?.forgotten, true, 'it can be brought back');
  await assert.rejects(collect(store, { dryRun: true }), (error) => isSnapError(error, 'SNAP_CORRUPT'));
  // What is damaged may go itself.
  await forget(store, kept.id);
  await collect(store, { force: true });
  assert.equal(store.byId(gone.id), undefined);
  await store.close();
});

test('a pack with something that cannot be read stays, and keeps none of the others', async () => {
  const disk = new SimulatedDisk(1);
  const { store, warnings } = await openOn(disk, { packBytes: 5000 });
  const gone: SnapshotId[] = [];
  for (let step = 0; step < 6; step++) {
    gone.push((await saveTo(store, fresh(384))).id);
    if (step === 3) await store.note(() => store.putTag('best', gone[3]));
    store.removal.leave(step + 1);
  }
  const kept = await saveTo(store, fresh(100));
  const note = recordsOf(disk.contents(packPath(4))).find(({ type }) => type === RecordType.tag);
  const file = disk.open(packPath(4), 'write');
  file.write(Buffer.alloc(8, 0xee), (note ?? assert.fail('no note')).offset + HEADER_BYTES);
  file.close();
  const { packs, damagedPacks, garbageBytes } = await drop(store, ...gone);
  assert.deepEqual(damagedPacks, [4]);
  assert.ok(packs >= 5 && garbageBytes > 384);
  assert.match(warnings.map(({ message }) => message).join(), /^pack 4 holds something that cannot be read/);
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].filter((pack) => String(pack) in store.packSizes()),
    [4],
  );
  readFrom(store, kept.id);
  await store.close();
});

// ---- plans -----------------------------------------------------------------------------------------

test('what only one snapshot holds is told as of the whole store, also where the plan is for one run', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  const content = fresh(64 * 6);
  const alpha = await saveTo(store, content);
  await saveTo(store, content, undefined, 64, 'beta');
  const own = await saveTo(store, fresh(64 * 6));
  for (const run of [undefined, 'alpha']) {
    const { snapshots } = await collect(store, { run, explain: true, dryRun: true });
    const bytesOf = (id: SnapshotId) => snapshots.find((one) => one.id === id)?.ownBytes ?? assert.fail();
    assert.ok(bytesOf(alpha.id) < 600, 'all but its manifest is shared');
    assert.ok(bytesOf(own.id) > 64 * 6);
    assert.equal(snapshots.length, run ? 2 : 3);
  }
  await store.close();
});

test('a policy for one run leaves the others alone', async () => {
  const { store } = await openOn(new SimulatedDisk(1), { packBytes: 500 });
  const ids: Record<string, SnapshotId[]> = { alpha: [], beta: [] };
  for (let step = 0; step < 8; step++) {
    const run = step % 2 === 0 ? 'alpha' : 'beta';
    ids[run]?.push((await saveTo(store, fresh(200), undefined, 64, run)).id);
  }
  await collect(store, { policy: { last: 1 }, run: 'alpha' });
  assert.deepEqual(
    ids.alpha?.map((id) => store.byId(id) !== undefined),
    [false, false, false, true],
  );
  assert.ok(ids.beta?.every((id) => store.byId(id)));
  for (const id of ids.beta ?? []) readFrom(store, id);
  await collect(store, { policy: { last: 2 } });
  assert.deepEqual(
    ids.beta?.map((id) => store.byId(id) !== undefined),
    [false, false, true, true],
  );
  await store.close();
});

test('packs are retired a few at a time, and fewer where they hold many records: memory does not follow the store', () => {
  const sizes = (records: number[]) =>
    groupsOf(records.map((count) => ({ records: count }))).map((group) => group.map((one) => one.records));
  assert.deepEqual(
    sizes(Array(40).fill(1000)).map(({ length }) => length),
    [16, 16, 8],
  );
  const many = 100_000;
  assert.deepEqual(sizes([many, many, many, 10 * many, 1, many]), [
    [many, many],
    [many],
    [10 * many],
    [1, many],
  ]);
  assert.deepEqual(sizes([]), []);
});
