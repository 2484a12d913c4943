/** What is copied from one store to another, call by call. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkId, SnapshotId } from '../../src/base/ids.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { Gc } from '../../src/store/gc.js';
import type { Policy } from '../../src/store/retention-policy.js';
import type { Store } from '../../src/store/store.js';
import { replayable, seeds } from '../support/budget.js';
import {
  assertFaithful,
  assertSound,
  copy,
  factsOf,
  idsOf,
  packBytes,
  selecting,
} from '../support/copying.js';
import { contentOf, newId, openOn, readFrom, saveTo } from '../support/direct.js';
import { packPath } from '../support/pack-bytes.js';
import { DEEP, generateProgram, MANY, SMALL } from '../support/program.js';
import { Random } from '../support/random.js';
import { assertSameContent, type Content, type Lineage, NO_LINEAGE, putSnapshot } from '../support/saved.js';
import { Session } from '../support/session.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const PLAIN = { compression: false } as const;

/** A source with some saves of one run: each changes a few bytes of the one before. */
async function sourceOf(saves: number, options: Partial<Parameters<typeof Session.begin>[0]> = {}) {
  const session = await Session.begin({ seed: 1, shape: SMALL, ...PLAIN, ...options });
  for (let index = 0; index < saves; index++) {
    await session.perform({ do: 'save', run: 'alpha', edit: 3 + 7 * index });
  }
  return session;
}

async function emptyStore(options: Parameters<typeof openOn>[1] = {}) {
  const disk = new SimulatedDisk(99);
  const { store } = await openOn(disk, options);
  return { disk, store };
}

async function reopened(disk: SimulatedDisk, store: Store, options: Parameters<typeof openOn>[1] = {}) {
  await store.close();
  return (await openOn(disk, options)).store;
}

function chunkIdsOf(store: Store, id: SnapshotId): ChunkId[] {
  return [...readFrom(store, id).values()].flatMap((bytes) =>
    Array.from({ length: Math.ceil(bytes.length / 64) }, (_, at) =>
      chunkIdOf(bytes.subarray(64 * at, 64 * (at + 1))),
    ),
  );
}

async function collect(store: Store, policy?: Policy): Promise<void> {
  const pinned = () => new Set<SnapshotId>();
  const options = { policy, run: undefined, dryRun: false, explain: false, force: true, now: 0, pinned };
  for await (const _ of new Gc(store, options).run());
}

/** Sets a byte of the first pack. */
function overwrite(disk: SimulatedDisk, offset: number, byte: number): void {
  const bytes = Buffer.from(disk.contents(packPath(1)));
  bytes[offset] = byte;
  disk.plant(packPath(1), bytes);
}

async function forget(store: Store, id: SnapshotId): Promise<void> {
  store.begin();
  store.putForget(id, true);
  await store.commit();
}

/** The chunks that a snapshot of `saveTo` holds. */
const chunksOf = (content: Content) => [...content.values()].map((bytes) => chunkIdOf(bytes.subarray(0, 64)));

test('snapshots keep everything but their place: ids, runs, parents, steps, times, meta, tags; order is kept', async () => {
  const source = await sourceOf(3);
  await source.perform({ do: 'save', run: 'beta', edit: 5, tag: 'best' });
  await source.perform({ do: 'save', run: 'alpha', edit: 6, tag: 'good/one' });
  await source.perform({ do: 'forget', pick: 0.3 });
  const { store } = await emptyStore();
  const { copied, present, skipped, tags } = await copy(source.disk, store);
  const expected = await idsOf(source.store);
  assert.equal(expected.length, 4, 'what was forgotten is left out');
  assert.deepEqual(await idsOf(store), expected);
  assert.deepEqual(
    copied.map(({ id }) => id),
    expected,
  );
  assert.deepEqual([present, skipped, tags.length], [0, [], 2]);
  for (const id of expected) assert.deepEqual(factsOf(store, id), factsOf(source.store, id));
  assert.equal(store.tagged('best'), source.store.tagged('best'));
  await assertFaithful(source, store);
});

test('a second copy reads nothing and writes nothing', async () => {
  const source = await sourceOf(5);
  const { store } = await emptyStore();
  await copy(source.disk, store);
  const before = packBytes(store);
  const second = await copy(source.disk, store);
  assert.deepEqual([second.copied, second.present], [[], 5]);
  assert.deepEqual([second.readBytes, second.writtenBytes, packBytes(store)], [0, 0, before]);
});

test('an incremental copy reads and writes what is new, and knows the rest', async () => {
  const source = await sourceOf(3, { shape: DEEP, chunkBytes: 16 });
  const { store } = await emptyStore();
  const first = await copy(source.disk, store);
  await source.perform({ do: 'save', run: 'alpha', edit: 16 });
  const second = await copy(source.disk, store);
  assert.equal(second.copied.length, 1);
  assert.ok(second.writtenBytes < first.writtenBytes / 4, `${second.writtenBytes} of ${first.writtenBytes}`);
  assert.ok(second.readBytes < first.readBytes / 2, `${second.readBytes} of ${first.readBytes}`);
  assert.ok(second.sharedBytes > second.logicalBytes * 0.9);
});

test('a copy is as small as the source: pages stay patches, though the newest come first', async () => {
  const source = await Session.begin({ seed: 1, ...PLAIN });
  let lineage: Lineage = NO_LINEAGE;
  const bytes = new Random(5).bytes(16 * 256);
  const nightly = await emptyStore();
  for (let step = 0; step < 12; step++) {
    bytes[16 * 20 * step] = step;
    lineage = await saveTo(source.store, contentOf(Buffer.from(bytes)), lineage, 16);
    if (step % 3 === 2) await copy(source.disk, nightly.store);
  }
  await assertSound(nightly.store);
  assert.ok(packBytes(nightly.store) < packBytes(source.store) * 1.05, 'night by night');
  const atOnce = await emptyStore();
  await copy(source.disk, atOnce.store);
  assert.ok(packBytes(atOnce.store) < packBytes(source.store) * 1.02, 'all at once');
});

test('an interrupted copy goes on where it was: together they read and write what one does', async () => {
  const source = await sourceOf(6, { shape: DEEP, chunkBytes: 16 });
  const whole = await emptyStore();
  const once = await copy(source.disk, whole.store);
  const { store } = await emptyStore();
  let [read, written, runs] = [0, 0, 0];
  for (let copied = 0; copied < 6; runs++) {
    const part = await copy(source.disk, store, {}, (step) => step === 150);
    read += part.readBytes;
    written += part.writtenBytes;
    copied += part.copied.length;
  }
  assert.ok(runs > 2);
  assert.deepEqual(await idsOf(store), await idsOf(source.store));
  assert.ok(written < once.writtenBytes * 1.05, `${written} instead of ${once.writtenBytes}`);
  // Each run reads the manifests, and the pages on the way to where it was.
  assert.ok(read < once.readBytes * 1.5, `${read} instead of ${once.readBytes}`);
});

test('a snapshot whose copy was cut short is not there', async () => {
  const source = await sourceOf(2);
  const { disk, store } = await emptyStore();
  const { copied } = await copy(source.disk, store, {}, (step) => step === 3);
  assert.deepEqual([copied, await idsOf(store)], [[], []]);
  assert.ok(packBytes(store) > 0, 'what was read is kept');
  await assertSound(await reopened(disk, store));
});

test('a page that is there counts for nothing where gc took what it lists', async () => {
  const source = await Session.begin({ seed: 1, ...PLAIN });
  const bytes = new Random(3).bytes(16 * 100);
  const first = await saveTo(source.store, contentOf(bytes), NO_LINEAGE, 16);
  const { disk, store } = await emptyStore();
  await copy(source.disk, store);
  const gone = store.locate(chunkIdOf(bytes.subarray(16 * 7, 16 * 8))) ?? assert.fail();
  await store.close();
  overwrite(disk, gone.offset, 0);
  const { store: next } = await openOn(disk);
  const second = await saveTo(source.store, contentOf(Buffer.concat([bytes, bytes])), first, 16);
  const { copied } = await copy(source.disk, next, selecting({ last: 1 }));
  assert.deepEqual(
    copied.map(({ id }) => id),
    [second.id],
  );
  assertSameContent(readFrom(next, second.id), contentOf(Buffer.concat([bytes, bytes])), 'the copy');
});

test('selection: by id, run, tag, time, and the newest of each run', async () => {
  const source = await sourceOf(3);
  await source.perform({ do: 'save', run: 'beta', edit: 8, tag: 'best' });
  await source.perform({ do: 'save', run: 'beta', edit: 9 });
  const [b2, b1, a3, a2, a1] = (await idsOf(source.store)) as [SnapshotId, SnapshotId, ...SnapshotId[]];
  const chosen = async (selection: Parameters<typeof selecting>[0]) => {
    const { copied } = await copy(source.disk, undefined, { ...selecting(selection), dryRun: true });
    return copied.map(({ id }) => id);
  };
  assert.deepEqual(await chosen({ ids: new Set([a2 ?? '', b1]) }), [b1, a2]);
  assert.deepEqual(await chosen({ run: 'alpha' }), [a3, a2, a1]);
  assert.deepEqual(await chosen({ tags: ['b*'] }), [b1]);
  assert.deepEqual(await chosen({ last: 1 }), [b2, a3]);
  assert.deepEqual(await chosen({ last: 2, run: 'alpha' }), [a3, a2]);
  assert.deepEqual(await chosen({ since: 3 }), [b2, b1]);
  assert.deepEqual(await chosen({ since: 3, tags: ['best', 'other'] }), [b1]);
});

test('a dry run says what a copy does, and does nothing', async () => {
  const source = await sourceOf(4);
  const { store } = await emptyStore();
  await copy(source.disk, store, selecting({ last: 1 }));
  const before = packBytes(store);
  const planned = await copy(source.disk, store, { dryRun: true });
  assert.equal(packBytes(store), before);
  const done = await copy(source.disk, store);
  const facts = ({ copied, present, tags }: typeof done) => [copied.map(({ id }) => id), present, tags];
  assert.deepEqual(facts(planned), facts(done));
  assert.ok(Math.abs(planned.writtenBytes - done.writtenBytes) < done.writtenBytes * 0.2);
  const missing = await copy(source.disk, undefined, { dryRun: true });
  assert.equal(missing.copied.length, 4, 'to where there is no store yet');
});

test('what is copied later comes in its place: latest means the same, whatever came first', async () => {
  const source = await sourceOf(3);
  const { disk, store } = await emptyStore();
  await copy(source.disk, store, selecting({ last: 1 }));
  const own = await saveTo(store, contentOf(Buffer.from('of its own')));
  await copy(source.disk, store);
  const [newest, ...older] = await idsOf(source.store);
  assert.deepEqual(await idsOf(store), [own.id, newest, ...older]);
  await source.perform({ do: 'save', run: 'alpha', edit: 77 });
  const next = await reopened(disk, store);
  await copy(source.disk, next);
  assert.equal((await idsOf(next, 'alpha'))[0], (await idsOf(source.store))[0]);
  const last = await saveTo(next, contentOf(Buffer.from('goes on from here')));
  assert.equal((await idsOf(next))[0], last.id, 'what is saved after a copy is newer than all of it');
});

test('two stores flow into one, and chunks that both have are there once', async () => {
  const shared = contentOf(new Random(1).bytes(2000));
  const [one, two] = [await Session.begin({ seed: 1, ...PLAIN }), await Session.begin({ seed: 2, ...PLAIN })];
  const a = await saveTo(one.store, shared);
  const b = await saveTo(two.store, shared);
  const { store } = await emptyStore();
  await copy(one.disk, store);
  const second = await copy(two.disk, store);
  assert.equal(second.sharedBytes, second.logicalBytes);
  assert.deepEqual(await idsOf(store), [b.id, a.id]);
  assertSameContent(readFrom(store, b.id), shared, 'the second');
});

test('a tag follows the source, unless it names in the target what the source knows nothing of', async () => {
  const source = await sourceOf(2);
  const { store } = await emptyStore();
  const [second, first] = (await idsOf(source.store)) as [SnapshotId, SnapshotId];
  const tag = async (where: Store, name: string, id: SnapshotId) => {
    where.begin();
    where.putTag(name, id);
    await where.commit();
  };
  await tag(source.store, 'best', first);
  await tag(source.store, 'mine', first);
  const foreign = newId();
  store.begin();
  await putSnapshot(
    store,
    { id: foreign, run: 'other', content: contentOf(Buffer.from('x')) },
    NO_LINEAGE,
    64,
    0,
  );
  store.putTag('mine', foreign);
  await store.commit();
  const { tags, tagsLeft } = await copy(source.disk, store);
  assert.deepEqual(tags, [{ name: 'best', snapshot: first, previous: undefined }]);
  assert.deepEqual(tagsLeft, [{ name: 'mine', snapshot: first, previous: foreign }]);
  await tag(source.store, 'best', second);
  const moved = await copy(source.disk, store);
  assert.deepEqual(moved.tags, [{ name: 'best', snapshot: second, previous: first }]);
  assert.deepEqual([store.tagged('best'), store.tagged('mine')], [second, foreign]);
});

test('a snapshot that cannot be read in the source is skipped and told; the others are copied', async () => {
  const source = await Session.begin({ seed: 1, ...PLAIN });
  const contents = [1, 2, 3].map((seed) => contentOf(new Random(seed).bytes(300)));
  const ids: SnapshotId[] = [];
  for (const content of contents) ids.push((await saveTo(source.store, content)).id);
  const [, lost] = chunksOf(contents[1] as Content);
  const { offset } = source.store.locate(lost ?? assert.fail()) ?? assert.fail();
  const byte = source.disk.contents(packPath(1))[offset + 100] as number;
  overwrite(source.disk, offset + 100, byte ^ 1);
  const { disk, store } = await emptyStore();
  const { copied, skipped } = await copy(source.disk, store);
  assert.deepEqual(
    skipped.map(({ id, reason }) => [id, reason]),
    [[ids[1], 'damaged']],
  );
  assert.deepEqual(copied.map(({ id }) => id).toReversed(), [ids[0], ids[2]]);
  const next = await reopened(disk, store);
  await assertSound(next);
  assertSameContent(readFrom(next, ids[2] as SnapshotId), contents[2] as Content, 'the one after it');
});

test('a disk that fails under the source costs what lies there, and no more', async () => {
  const source = await Session.begin({ seed: 1, packBytes: 100, ...PLAIN });
  const ids: SnapshotId[] = [];
  for (const seed of [1, 2, 3]) {
    ids.push((await saveTo(source.store, contentOf(new Random(seed).bytes(300)))).id);
  }
  const { store } = await emptyStore();
  const { copied, skipped } = await copy(source.disk, store, {}, (step) => {
    if (step === 0)
      source.disk.faults.set({ call: 'read', effect: 'EIO', nth: 1, forGood: true, suffix: '2.pack' });
    return false;
  });
  assert.deepEqual(copied.map(({ id }) => id).toReversed(), [ids[0], ids[2]]);
  assert.deepEqual(
    skipped.map(({ id, reason }) => [id, reason]),
    [[ids[1], 'damaged']],
  );
  assert.match(skipped[0]?.message ?? '', /disk reported an error/);
  await assertSound(store);
});

test('what was forgotten in the target stays so; what was lost there comes back', async () => {
  const source = await sourceOf(3);
  const { disk, store } = await emptyStore();
  await copy(source.disk, store);
  const [lost, kept] = (await idsOf(source.store)) as [SnapshotId, SnapshotId];
  await forget(store, kept);
  const [again] = (await copy(source.disk, store)).skipped;
  assert.deepEqual([again?.id, again?.reason], [kept, 'forgotten']);
  // As repair leaves it: a chunk is gone, and the snapshot forgotten.
  await forget(store, lost);
  const others = chunkIdsOf(store, kept);
  const chunk = chunkIdsOf(store, lost).find((id) => !others.some((other) => other.equals(id)));
  const { offset } = store.locate(chunk ?? assert.fail('no chunk of its own')) ?? assert.fail();
  await store.close();
  overwrite(disk, offset, 0);
  const { store: next } = await openOn(disk);
  const { copied, skipped } = await copy(source.disk, next);
  assert.deepEqual(
    copied.map(({ id }) => id),
    [lost],
  );
  assert.deepEqual(
    skipped.map(({ id }) => id),
    [kept],
  );
  assertSameContent(readFrom(next, lost), readFrom(source.store, lost), 'the one that was lost');
  assert.deepEqual(
    await idsOf(next),
    (await idsOf(source.store)).filter((id) => id !== kept),
  );
});

test('what several lost at once comes back with all of them', async () => {
  const source = await sourceOf(3);
  const { disk, store } = await emptyStore();
  await copy(source.disk, store);
  const ids = await idsOf(source.store);
  for (const id of ids) await forget(store, id);
  const chunks = ids.map((id) => chunkIdsOf(store, id));
  const chunk = chunks[0]?.find((id) => chunks.every((list) => list.some((other) => other.equals(id))));
  const { offset } = store.locate(chunk ?? assert.fail('they share nothing')) ?? assert.fail();
  await store.close();
  overwrite(disk, offset, 0);
  const { store: next } = await openOn(disk);
  const { copied, skipped } = await copy(source.disk, next);
  assert.deepEqual([copied.map(({ id }) => id), skipped], [ids, []]);
  for (const id of ids) assertSameContent(readFrom(next, id), readFrom(source.store, id), id);
});

test('what the policy of the target would drop is not copied, so a second copy writes nothing', async () => {
  const source = await sourceOf(8);
  const { store } = await emptyStore();
  const options = { policy: { last: 3 } };
  const first = await copy(source.disk, store, options);
  assert.deepEqual([first.copied.length, first.notKept], [3, 5]);
  await source.perform({ do: 'save', run: 'alpha', edit: 50 });
  assert.equal((await copy(source.disk, store, options)).copied.length, 1);
  await collect(store, { last: 3 });
  assert.deepEqual(await idsOf(store), (await idsOf(source.store)).slice(0, 3));
  const before = packBytes(store);
  const second = await copy(source.disk, store, options);
  assert.deepEqual([second.copied, second.notKept, packBytes(store)], [[], 6, before]);
});

test('a limit of bytes: what is copied fits when gc measures it, so it stays, and copying comes to rest', async () => {
  for (const seed of seeds(12)) {
    await replayable(seed, 'a limit of bytes', async () => {
      const random = new Random(seed);
      const shape = random.pick([SMALL, MANY, DEEP]);
      const source = await Session.begin({ seed, shape, chunkBytes: shape === DEEP ? 16 : 64, ...PLAIN });
      const { disk, store } = await emptyStore({ packBytes: random.pick([2000, 1_000_000]) });
      for (let round = 0; round < 3; round++) {
        await source.run(generateProgram(random, 6).filter((action) => action.do === 'save'));
        const maxBytes = Math.round(packBytes(source.store) * (0.2 + random.next() * 0.8));
        const policy = { maxBytes, ...(random.chance(0.5) && { last: random.between(1, 5) }) };
        // What is there is known exactly, so that a little more may fit the next time; then nothing more does.
        for (let nights = 0; ; nights++) {
          assert.ok(nights < 10, 'it comes to rest');
          const before = packBytes(store);
          const { copied } = await copy(source.disk, store, { policy });
          if (copied.length === 0) {
            assert.equal(packBytes(store), before);
            break;
          }
          await collect(store, policy);
          const there = new Set<string>(await idsOf(store));
          assert.deepEqual(
            copied.filter(({ id }) => !there.has(id)),
            [],
            'what was copied stays',
          );
        }
      }
      await assertFaithful(source, store);
      assert.deepEqual(disk.violations, []);
    });
  }
});

test('a glob of the policy that matches no tag is refused where a tagged snapshot would go for it', async () => {
  const source = await sourceOf(2);
  const { store } = await emptyStore();
  await copy(source.disk, store);
  const [, first] = (await idsOf(source.store)) as [SnapshotId, SnapshotId];
  store.begin();
  store.putTag('best', first);
  await store.commit();
  const before = packBytes(store);
  const mistyped = copy(source.disk, store, { policy: { last: 1, tags: ['bset'] } });
  await assert.rejects(
    mistyped,
    (error: Error) => error instanceof RangeError && /"bset"/.test(error.message),
  );
  assert.equal(packBytes(store), before);
  await copy(source.disk, store, { policy: { last: 1, tags: ['best'] } });
});
