/**
 * Random histories of a source and of a target, and copies between them that are cut short, fail, or lose the power:
 * what the target has is whole and right at any time, and in the end it has all, in order.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import type { SnapshotId } from '../../src/base/ids.js';
import type { CopyFindings } from '../../src/store/copy.js';
import { Gc } from '../../src/store/gc.js';
import type { Store } from '../../src/store/store.js';
import { replayable, seeds } from '../support/budget.js';
import { assertFaithful, copy, factsOf, idsOf, reader } from '../support/copying.js';
import { contentOf, openOn, saveTo } from '../support/direct.js';
import { CRASHES } from '../support/disk-crash.js';
import { SeenIndex } from '../support/index-dump.js';
import { DEEP, generateAction, generateProgram, MANY, SMALL } from '../support/program.js';
import { Random } from '../support/random.js';
import { Session, STORE } from '../support/session.js';
import { type DiskImage, diskAfter, SimulatedDisk } from '../support/simulated-disk.js';

const SMALL_PACKS = { packBytes: 3000, stagingBytes: 700 } as const;

/** A store to copy to, on a disk that may go at any moment. */
class Far {
  disk: SimulatedDisk;
  store!: Store;
  /** What was forgotten or collected here: by id, never missed. */
  readonly dropped = new Set<SnapshotId>();
  readonly #random: Random;
  readonly #index = new SeenIndex();

  constructor(random: Random) {
    this.#random = random;
    this.disk = new SimulatedDisk(random.below(1e9));
  }

  async open(): Promise<void> {
    const { store } = await openOn(this.disk, { ...SMALL_PACKS, indexValues: this.#index.next() });
    this.store = store;
  }

  /** Closes and opens again; the index made anew is the one there was. */
  async reopen(): Promise<void> {
    await this.store.close();
    const live = await this.#index.dump();
    await this.open();
    await this.store.close();
    assert.deepEqual(await this.#index.dump(), live, 'an index made anew');
    await this.open();
  }

  /** Goes on as another process, with what a crash left of the disk. */
  async survive(image: DiskImage): Promise<void> {
    const crash = this.#random.pick(CRASHES);
    this.disk = new SimulatedDisk(this.#random.below(1e9), diskAfter(image, crash, this.#random.below(1e9)));
    await this.open();
  }

  /** Somebody uses it: saves, forgets, collects, opens it again. */
  async use(): Promise<void> {
    const { store } = this;
    const roll = this.#random.next();
    const ids = await idsOf(store);
    if (roll < 0.3) await saveTo(store, contentOf(this.#random.bytes(150)));
    else if (roll < 0.5 && ids.length > 0) {
      const id = this.#random.pick(ids);
      this.dropped.add(id);
      store.begin();
      store.putForget(id, true);
      await store.commit();
    } else if (roll < 0.8) {
      const policy = this.#random.chance(0.5) ? { last: this.#random.between(1, 3) } : undefined;
      const pinned = () => new Set<SnapshotId>();
      const options = { run: undefined, dryRun: false, explain: false, force: true, now: 0, pinned };
      for await (const _ of new Gc(store, { ...options, policy }).run());
      // Collected is not forgotten: what is still in the source comes again.
      this.dropped.clear();
    } else await this.reopen();
  }
}

/** The order of what both have is the same. */
async function assertSameOrder(source: Store, target: Store): Promise<void> {
  const [here, there] = [await idsOf(source), await idsOf(target)];
  const both = new Set(here.filter((id) => there.includes(id)));
  assert.deepEqual(
    there.filter((id) => both.has(id)),
    here.filter((id) => both.has(id)),
    'the order of snapshots',
  );
}

/** A copy that does not come to its end, one way or another. */
async function cutShort(source: Session, far: Far, random: Random): Promise<void> {
  const roll = random.next();
  const atStep = () => random.chance(0.05);
  if (roll < 0.4) {
    await copy(source.disk, far.store, {}, atStep);
  } else if (roll < 0.7) {
    let image: DiskImage | undefined;
    far.disk.beforeChange = () => {
      if (!image && random.chance(0.1)) image = far.disk.image();
    };
    await copy(source.disk, far.store, {}, random.chance(0.5) ? atStep : undefined);
    far.disk.beforeChange = undefined;
    if (image) await far.survive(image);
  } else {
    const call = random.pick(['write', 'sync', 'read', 'create', 'syncFolder'] as const);
    const effect = random.pick(call === 'sync' ? (['EIO', 'lost'] as const) : (['EIO', 'ENOSPC'] as const));
    far.disk.faults.set({ call, effect, nth: random.between(1, 30), forGood: random.chance(0.3) });
    await copy(source.disk, far.store).catch((error: unknown) => assert.ok(isSnapError(error), `${error}`));
    far.disk.faults.set();
    if (random.chance(0.5)) await far.reopen();
  }
  assert.deepEqual(far.disk.violations, []);
}

async function endure(seed: number): Promise<void> {
  const random = new Random(seed);
  const shape = random.pick([SMALL, SMALL, SMALL, MANY, DEEP]);
  const chunkBytes = shape === DEEP ? 16 : 64;
  const source = await Session.begin({ seed, shape, chunkBytes, ...SMALL_PACKS, compression: { level: 1 } });
  const far = new Far(random);
  await far.open();
  for (let round = random.between(2, 4); round > 0; round--) {
    await source.run(generateProgram(random, random.between(1, 6)));
    while (random.chance(0.5)) await far.use();
    while (random.chance(0.6)) {
      await cutShort(source, far, random);
      await assertFaithful(source, far.store);
      await assertSameOrder(source.store, far.store);
    }
  }
  const live = random.chance(0.5);
  source.isShared = live;
  const findings = await copy(source.disk, far.store, {}, async () => {
    // The owner of the source goes on, and collects.
    if (live && random.chance(0.03)) await source.perform(generateAction(random));
    return false;
  });
  assert.deepEqual(source.failures, []);
  assert.deepEqual(
    findings.skipped.filter(({ reason }) => reason === 'damaged'),
    [],
    'nothing is damaged',
  );
  far.disk.acknowledged(STORE, 'a copy');
  source.isShared = false;
  const rest = await copy(source.disk, far.store);
  await assertComplete(source, far, rest);
  if (!live) assert.deepEqual([rest.copied, rest.tags, rest.writtenBytes], [[], [], 0], 'a second copy');
  await far.reopen();
  await assertComplete(source, far, rest);
  await far.store.close();
  await source.close();
}

/**
 * The target has what the source has, but for what was forgotten in it, and everything of it. Tags that were left to
 * somebody else name what the source collected meanwhile.
 */
async function assertComplete(source: Session, far: Far, { tagsLeft }: CopyFindings): Promise<void> {
  await assertFaithful(source, far.store);
  await assertSameOrder(source.store, far.store);
  const there = new Set(await idsOf(far.store));
  const seen = await reader(source.disk);
  for (const id of await idsOf(seen)) {
    if (far.dropped.has(id)) continue;
    assert.ok(there.has(id), `snapshot ${id} is missing`);
    assert.deepEqual(factsOf(far.store, id), factsOf(seen, id));
  }
  const left = new Map(tagsLeft.map(({ name, previous }) => [name, previous]));
  for (const previous of left.values()) assert.ok(previous && !seen.byId(previous as SnapshotId));
  for await (const { name, snapshot } of seen.tags()) {
    if (left.has(name)) assert.equal(far.store.tagged(name), left.get(name), `tag ${name}`);
    else if (seen.byId(snapshot)?.forgotten === false && !far.dropped.has(snapshot))
      assert.equal(far.store.tagged(name), snapshot, `tag ${name}`);
  }
  await seen.close();
}

test('copies that are cut short at any moment leave what is whole, and end with all, in order', async (t) => {
  let runs = 0;
  for (const seed of seeds(25)) {
    await replayable(seed, 'a copy', () => endure(seed));
    runs++;
  }
  t.diagnostic(`${runs} histories`);
});
