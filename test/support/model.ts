/**
 * What a store has to hold: everything that was acknowledged, and perhaps what was under way.
 *
 * What an open store is seen to hold is a fact from then on: it may not come and go with later crashes.
 */

import assert from 'node:assert/strict';
import type { SnapshotId } from '../../src/base/ids.js';
import type { Store } from '../../src/store/store.js';
import { assertSameContent, readSnapshot, type Saved } from './saved.js';

/** What one commit does. */
export interface Effect {
  saved?: Saved;
  tags?: ReadonlyMap<string, SnapshotId | undefined>;
  forgotten?: ReadonlyMap<SnapshotId, boolean>;
  /** Gone for good, with the tags that point at them. */
  collected?: ReadonlySet<SnapshotId>;
}

export class Model {
  readonly snapshots = new Map<SnapshotId, Saved>();
  readonly tags = new Map<string, SnapshotId | undefined>();
  readonly forgotten = new Map<SnapshotId, boolean>();
  /** Commits that were begun and not acknowledged: each is there wholly or not at all. */
  doubtful: Effect[] = [];

  clone(): Model {
    const copy = new Model();
    for (const [id, saved] of this.snapshots) copy.snapshots.set(id, saved);
    for (const [name, id] of this.tags) copy.tags.set(name, id);
    for (const [id, flag] of this.forgotten) copy.forgotten.set(id, flag);
    copy.doubtful = this.doubtful.slice();
    return copy;
  }

  /** A commit was acknowledged; what failed before it cannot come back any more. */
  acknowledge(effect: Effect): void {
    this.#apply(effect);
    this.doubtful = [];
  }

  /** Checks a store that was just opened, and takes what it holds for settled. */
  async settle(store: Store): Promise<void> {
    const there = await this.#checkSnapshots(store);
    const came = this.doubtful.filter(({ saved }) => saved && there.has(saved.id));
    const only = this.doubtful.length === 1 ? this.doubtful[0] : undefined;
    for (const effect of came) if (effect.saved) this.snapshots.set(effect.saved.id, effect.saved);
    for (const [name, value] of await this.#checkTags(store)) {
      // A save and its tags are one commit.
      if (only?.saved && only.tags?.has(name)) {
        const expected = there.has(only.saved.id) ? only.tags.get(name) : this.tags.get(name);
        assert.equal(value, expected, `tag ${name} came without its snapshot, or the other way round`);
      }
      this.tags.set(name, value);
    }
    for (const [id, saved] of this.snapshots) {
      const { forgotten } = store.byId(id) ?? assert.fail(`${describe(saved)} is not found by its id`);
      const allowed = [this.forgotten.get(id) ?? false];
      for (const effect of this.doubtful) allowed.push(...valuesOf(effect.forgotten, id));
      assert.ok(allowed.includes(forgotten), `${describe(saved)}: forgotten is ${forgotten}`);
      this.forgotten.set(id, forgotten);
    }
    this.doubtful = [];
  }

  async #checkSnapshots(store: Store): Promise<Set<SnapshotId>> {
    const known = new Map(this.snapshots);
    for (const { saved } of this.doubtful) if (saved) known.set(saved.id, saved);
    const there = new Set<SnapshotId>();
    let newest = Number.POSITIVE_INFINITY;
    for await (const summary of store.summaries()) {
      const saved =
        known.get(summary.id) ?? assert.fail(`snapshot ${summary.id} was never saved, or failed for good`);
      assert.ok(!there.has(summary.id), `${describe(saved)} is listed twice`);
      assert.ok(summary.sequence < newest, 'snapshots are out of order');
      assert.equal(summary.run, saved.run);
      newest = summary.sequence;
      there.add(summary.id);
      assertSameContent(readSnapshot(store, summary), saved.content, describe(saved));
    }
    for (const saved of [...this.snapshots.values()]) {
      if (there.has(saved.id)) continue;
      const collecting = this.doubtful.some(({ collected }) => collected?.has(saved.id));
      assert.ok(collecting, `${describe(saved)} was acknowledged and is gone`);
      this.snapshots.delete(saved.id);
      this.forgotten.delete(saved.id);
    }
    const runs = new Set([...there].map((id) => known.get(id)?.run));
    assert.deepEqual(new Set(await store.runs()), runs, 'runs');
    return there;
  }

  async #checkTags(store: Store): Promise<Map<string, SnapshotId | undefined>> {
    const names = new Set(this.tags.keys());
    for (const { tags } of this.doubtful) for (const name of tags?.keys() ?? []) names.add(name);
    const values = new Map<string, SnapshotId | undefined>();
    for (const name of names) {
      const value = store.tagged(name);
      const allowed = [this.tags.get(name)];
      for (const effect of this.doubtful) allowed.push(...valuesOf(effect.tags, name));
      const target = this.tags.get(name);
      if (this.doubtful.some(({ collected }) => target && collected?.has(target))) allowed.push(undefined);
      assert.ok(allowed.includes(value), `tag ${name} points at ${value}, not at ${allowed.join(' or ')}`);
      values.set(name, value);
    }
    for await (const { name } of store.tags()) assert.ok(names.has(name), `tag ${name} was never given`);
    return values;
  }

  #apply({ saved, tags, forgotten, collected }: Effect): void {
    if (saved) this.snapshots.set(saved.id, saved);
    for (const [name, id] of tags ?? []) this.tags.set(name, id);
    for (const [id, flag] of forgotten ?? []) this.forgotten.set(id, flag);
    for (const id of collected ?? []) {
      this.snapshots.delete(id);
      this.forgotten.delete(id);
      for (const [name, target] of this.tags) if (target === id) this.tags.set(name, undefined);
    }
  }
}

function valuesOf<K, V>(map: ReadonlyMap<K, V> | undefined, key: K): V[] {
  return map?.has(key) ? [map.get(key) as V] : [];
}

function describe({ id, run }: Saved): string {
  return `snapshot ${id.slice(0, 8)} of run ${run}`;
}
