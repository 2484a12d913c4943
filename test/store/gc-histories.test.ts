/**
 * Random histories of saving, naming, forgetting and collecting, with everything else done between any two steps of a
 * collection: nothing that is not dropped is ever lost, and the index stays what the packs say.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SnapshotId } from '../../src/base/ids.js';
import type { Gc } from '../../src/store/gc.js';
import type { Policy } from '../../src/store/retention-policy.js';
import type { Store } from '../../src/store/store.js';
import { replayable, seeds } from '../support/budget.js';
import { collect, gcOf } from '../support/collecting.js';
import { openOn, readFrom } from '../support/direct.js';
import { SeenIndex } from '../support/index-dump.js';
import { DEEP, edited, freshContent, RUNS, SMALL } from '../support/program.js';
import { Random } from '../support/random.js';
import {
  assertSameContent,
  type Content,
  type Lineage,
  loadLineage,
  NO_LINEAGE,
  putSnapshot,
} from '../support/saved.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const TAGS = ['best', 'good/one', 'good/two'];
/** Of keys that say where a chunk or page lies. */
const CONTENT = Buffer.from('c', 'latin1').toString('hex');

/** A store, what it has to hold, and who uses it. */
class World {
  readonly random: Random;
  readonly disk: SimulatedDisk;
  readonly contents = new Map<SnapshotId, Content>();
  readonly tags = new Map<string, SnapshotId>();
  readonly forgotten = new Set<SnapshotId>();
  /** What each run goes on from, as a loop that is running does. */
  readonly lineages = new Map<string, Lineage>();
  /** Everything that was ever saved, to come back to. */
  readonly #past: Content[] = [];
  readonly #options: { packBytes: number; stagingBytes: number };
  readonly #chunkBytes: number;
  readonly #compression: { level: number } | false;
  readonly #index = new SeenIndex();
  #step = 0;
  #store: Store | undefined;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.disk = new SimulatedDisk(seed);
    const isDeep = this.random.chance(0.15);
    this.#chunkBytes = isDeep ? 16 : 64;
    this.#past.push(freshContent(isDeep ? DEEP : SMALL, this.random));
    const packBytes = this.random.pick(isDeep ? [4000, 15_000] : [600, 2500, 9000]);
    this.#compression = this.random.chance(0.8) && { level: 1 };
    this.#options = { packBytes, stagingBytes: 1500 };
  }

  get store(): Store {
    return this.#store ?? assert.fail('the store is not open');
  }

  async open(): Promise<void> {
    const { store, warnings } = await openOn(this.disk, {
      ...this.#options,
      compression: this.#compression,
      indexValues: this.#index.next(),
    });
    assert.deepEqual(warnings, []);
    this.#store = store;
    this.lineages.clear();
  }

  /** What the Snaps of the process build on. */
  pinned(): SnapshotId[] {
    return [...this.lineages.values()].flatMap(({ id }) => id ?? []);
  }

  /** Something that anybody may do at any time. */
  async act(): Promise<void> {
    const { random } = this;
    const roll = random.next();
    const id = this.contents.size > 0 ? random.pick([...this.contents.keys()]) : undefined;
    if (roll < 0.5 || !id) return this.#save();
    if (roll < 0.6) return this.#giveUpASave();
    if (roll < 0.7) return this.#goOnFrom(id);
    if (roll < 0.8) return this.#tag(random.pick(TAGS), random.chance(0.7) ? id : undefined);
    if (roll < 0.92) return this.#forget(id, true);
    return this.#forget(id, false);
  }

  async #save(): Promise<void> {
    const { random, store } = this;
    const run = random.pick(RUNS);
    const past = random.pick(random.chance(0.5) ? this.#past.slice(-2) : this.#past);
    const content = random.chance(0.25) ? past : edited(past, random.below(2 ** 32));
    this.#past.push(content);
    const id = this.#newId();
    const tag = random.chance(0.2) ? random.pick(TAGS) : undefined;
    const base = this.lineages.get(run) ?? NO_LINEAGE;
    this.lineages.delete(run);
    store.begin();
    const lineage = await putSnapshot(store, { id, run, content }, base, this.#chunkBytes, this.#step++);
    if (tag) store.putTag(tag, id);
    await store.commit();
    this.lineages.set(run, lineage);
    this.contents.set(id, content);
    if (tag) this.tags.set(tag, id);
  }

  #newId(): SnapshotId {
    return this.random.bytes(16).toString('hex') as SnapshotId;
  }

  async #giveUpASave(): Promise<void> {
    const content = this.random.pick(this.#past);
    this.store.begin();
    await putSnapshot(
      this.store,
      { id: this.#newId(), run: 'alpha', content },
      NO_LINEAGE,
      this.#chunkBytes,
      0,
    );
    await this.store.rollback();
  }

  /** As after restoring an older snapshot. */
  #goOnFrom(id: SnapshotId): void {
    const summary = this.store.byId(id);
    if (!summary || summary.forgotten) return;
    assertSameContent(readFrom(this.store, id), this.contents.get(id) as Content, `restored ${id}`);
    this.lineages.set(summary.run, loadLineage(this.store, summary));
  }

  async #tag(name: string, id: SnapshotId | undefined): Promise<void> {
    if (id && !this.store.byId(id)) return;
    await this.store.note(() => this.store.putTag(name, id));
    if (id) this.tags.set(name, id);
    else this.tags.delete(name);
  }

  async #forget(id: SnapshotId, flag: boolean): Promise<void> {
    if (!this.store.byId(id)) return;
    await this.store.note(() => this.store.putForget(id, flag));
    if (flag) this.forgotten.add(id);
    else this.forgotten.delete(id);
  }

  /** Collects with a policy drawn at random; perhaps not to the end. */
  async collect(): Promise<void> {
    const { random } = this;
    const policy: Policy | undefined = random.pick([
      undefined,
      { last: 1 },
      { last: 3 },
      { every: 3 },
      { last: 2, tags: ['good/*'] },
    ]);
    const run = random.chance(0.2) ? random.pick(RUNS) : undefined;
    const pinned = { [Symbol.iterator]: () => this.pinned()[Symbol.iterator]() };
    const gc = gcOf(this.store, { policy, run, force: true, pinned });
    const busy = random.pick([0, 0.1, 0.5]);
    const until = random.chance(0.2) ? random.below(40) : Number.POSITIVE_INFINITY;
    let steps = 0;
    for await (const _ of gc.run()) {
      while (random.chance(busy)) await this.act();
      if (++steps > until) break;
    }
    this.settle(gc);
  }

  /** What the plan dropped is gone, and nothing else is. */
  settle({ findings: { snapshots, collected } }: Gc): void {
    const going = new Set(snapshots.filter(({ keep }) => collected && !keep).map(({ id }) => id));
    for (const id of this.contents.keys()) {
      assert.equal(this.store.byId(id) === undefined, going.has(id), `snapshot ${id}`);
    }
    for (const id of going) {
      const gone = id as SnapshotId;
      assert.ok(!this.pinned().includes(gone), 'a snapshot that is in use is gone');
      this.contents.delete(gone);
      this.forgotten.delete(gone);
      for (const [name, target] of this.tags) if (target === gone) this.tags.delete(name);
    }
  }

  async snapshots(): Promise<SnapshotId[]> {
    const ids: SnapshotId[] = [];
    for await (const { id } of this.store.summaries()) ids.push(id);
    return ids;
  }

  async check(what: string): Promise<void> {
    const found: SnapshotId[] = [];
    for await (const { id, forgotten } of this.store.summaries()) {
      found.push(id);
      assert.equal(forgotten, this.forgotten.has(id), `${what}: forgotten`);
      assertSameContent(
        readFrom(this.store, id),
        this.contents.get(id) ?? assert.fail(`${what}: ${id}`),
        what,
      );
    }
    assert.equal(found.length, this.contents.size, `${what}: snapshots`);
    const tags = new Map<string, SnapshotId>();
    for await (const { name, snapshot } of this.store.tags()) tags.set(name, snapshot);
    assert.deepEqual(tags, new Map([...this.tags].sort()), `${what}: tags`);
  }

  /** The next process makes its index anew: it says what the last one said, and where garbage lies that is still there. */
  async reopen(what: string): Promise<void> {
    await this.store.close();
    const live = await this.#index.dump();
    await this.open();
    await this.check(`${what}, opened again`);
    const made = await this.#index.dump();
    for (const [key, value] of live) assert.equal(made.get(key), value, `${what}: ${key} differs`);
    for (const key of made.keys()) {
      if (!live.has(key)) assert.ok(key.startsWith(CONTENT), `${what}: ${key} comes back`);
    }
  }
}

test('collections beside everything else lose nothing, and come to rest', async (t) => {
  let collections = 0;
  for (const seed of seeds(100)) {
    await replayable(seed, 'a history with collections', async () => {
      const world = new World(seed);
      await world.open();
      for (let round = 0; round < 4; round++) {
        for (let actions = world.random.between(2, 6); actions > 0; actions--) await world.act();
        await world.collect();
        collections++;
        await world.check(`round ${round}`);
        if (world.random.chance(0.4)) await world.reopen(`round ${round}`);
      }
      await world.reopen('at the end');
      await collect(world.store, { force: true });
      const sizes = world.store.packSizes();
      const again = await collect(world.store, { force: true });
      assert.deepEqual([again.packs, world.store.packSizes()], [0, sizes], 'nothing is left to be done');
      await world.store.close();
    });
  }
  t.diagnostic(`${collections} collections`);
});

test('a collection that is cut short after any step loses nothing, and the next one ends as if it had not been', async (t) => {
  let cuts = 0;
  for (const seed of seeds(6)) {
    await replayable(seed, 'cut short', async () => {
      cuts += await cutShortEverywhere(seed);
    });
  }
  t.diagnostic(`${cuts} cuts`);
  assert.ok(cuts > 10, `${cuts} cuts`);
});

async function cutShortEverywhere(seed: number): Promise<number> {
  const policy: Policy = { last: 2 };
  const begin = async (): Promise<World> => {
    const world = new World(seed);
    await world.open();
    for (let actions = 0; actions < 25; actions++) await world.act();
    return world;
  };
  const whole = await begin();
  await collect(whole.store, { policy, pinned: whole.pinned() });
  const expected = await whole.snapshots();
  for (let cut = 1; ; cut++) {
    const world = await begin();
    const gc = gcOf(world.store, { policy, pinned: world.pinned() });
    let steps = 0;
    for await (const _ of gc.run()) if (++steps === cut) break;
    world.settle(gc);
    await world.check(`cut short after step ${cut}`);
    // Nobody uses anything in the next process, and what is done then may be with what was condemned.
    if (cut % 2 === 0) await world.reopen(`cut short after step ${cut}`);
    for (let actions = cut % 3; actions > 0; actions--) await world.act();
    const next = gcOf(world.store, { policy, pinned: world.pinned() });
    for await (const _ of next.run());
    world.settle(next);
    await world.reopen(`collected again after step ${cut}`);
    if (cut % 6 === 3) assert.deepEqual(await world.snapshots(), expected);
    await world.store.close();
    if (steps < cut) return cut;
  }
}
