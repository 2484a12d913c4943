/** `into` and `only`: of a snapshot just what a live state lacks is read, and what comes of it is the snapshot. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { replayable, seeds } from '../support/budget.js';
import { Random } from '../support/random.js';
import {
  bytesOf,
  CHUNK,
  contentOf,
  differingChunks,
  type EveryKind,
  LARGEST,
  makeEveryKind,
  resizeTo,
  type Sizes,
  scribble,
} from './every-kind.js';
import { field, storePath } from './support.js';
import { afterRequest, type Reads, watchReads } from './watched-reads.js';

const GUARD = { timeout: 120_000 };

interface Saved {
  id: string;
  n: number;
  sizes: Sizes;
  content: Map<string, Buffer>;
  /** Numbers of the regions, by path. */
  regions: Map<string, number>;
}

async function saveIt(snap: Snap, state: EveryKind, sizes: Sizes): Promise<Saved> {
  const { id } = await snap.save(state, { durable: true });
  const { regions } = await snap.info(id);
  const numbers = new Map(regions.map(({ path }, index) => [path, index]));
  return { id, n: state.n, sizes, content: contentOf(state), regions: numbers };
}

function lacking(live: EveryKind, { content, regions }: Saved, wanted: ReadonlySet<string>) {
  const counts = new Map<number, number>();
  for (const [path, bytes] of bytesOf(live)) {
    const count = differingChunks(bytes, content.get(path) as Buffer);
    if (count > 0 && wanted.has(path)) counts.set(regions.get(path) as number, count);
  }
  return counts;
}

function assertSame(live: EveryKind, { content, n }: Saved, what: string): void {
  assert.equal(live.n, n, what);
  for (const [path, bytes] of bytesOf(live)) {
    assert.ok(bytes.equals(content.get(path) as Buffer), `${what}: ${path}`);
  }
}

/** A live state that can become `saved`: some of it is the same already. */
function liveFor(saved: Saved, random: Random): EveryKind {
  const live = makeEveryKind({
    resizable: random.pick([saved.sizes.resizable, random.between(1, LARGEST.resizable)]),
    growable: random.between(2000, saved.sizes.growable),
    pages: random.between(1, saved.sizes.pages),
  });
  if (random.chance(0.8)) {
    for (const [path, bytes] of bytesOf(live)) saved.content.get(path)?.copy(bytes);
    scribble(live, random);
  }
  return live;
}

const FRESH = ['n', 'numbers', 'shared', 'resizable', 'growable', 'bytes', 'view', 'views'];
const PATHS = ['numbers', 'shared', 'resizable', 'growable', 'memory', 'bytes', 'view', 'views[0]'];

async function restoreAnyway(snap: Snap, reads: Reads, saved: Saved, live: EveryKind, random: Random) {
  const before = contentOf(live);
  const { n } = live;
  const only = random.chance(0.3) ? PATHS.filter(() => random.chance(0.4)) : undefined;
  const expected = lacking(live, saved, new Set(only ?? PATHS));
  const { memory, ...buffers } = live;
  reads.clear();
  const told: number[] = [];
  const restored = await snap.restore<EveryKind>(saved.id, {
    into: live,
    only,
    onProgress: ({ doneBytes, totalBytes }) => told.push(doneBytes / totalBytes),
  });
  assert.equal(restored, live);
  assert.ok(live.memory === memory && live.numbers === buffers.numbers && live.shared === buffers.shared);
  assert.deepEqual(
    new Map([...reads.chunks].sort()),
    new Map([...expected].sort()),
    'chunks read, by region',
  );
  if (only?.length !== 0) assert.equal(told.at(-1), 1);
  if (only === undefined) {
    assertSame(live, saved, 'into');
    assert.equal(live.heap.buffer, live.memory.buffer);
    return;
  }
  assert.equal(live.n, n);
  for (const [path, bytes] of bytesOf(live)) {
    const wanted = only.includes(path) ? saved : { content: before };
    assert.ok(bytes.equals(wanted.content.get(path) as Buffer), `only ${only}: ${path}`);
  }
}

test('what a live state lacks is read and no more, and it becomes the snapshot', GUARD, async (t) => {
  const reads = watchReads(t);
  for (const seed of seeds(4)) {
    await replayable(seed, 'into', async () => {
      const random = new Random(seed);
      const path = storePath(t);
      await using snap = await Snap.open(path);
      await using reader = await Snap.open(path, { readOnly: true });
      let sizes: Sizes = { resizable: 150_000, growable: 80_000, pages: 1 };
      const state = makeEveryKind(sizes);
      const saves: Saved[] = [];
      for (let count = 0; count < 8; count++) {
        if (random.chance(0.3)) {
          sizes = {
            resizable: random.between(2000, LARGEST.resizable),
            growable: random.between(sizes.growable, LARGEST.growable),
            pages: random.between(sizes.pages, LARGEST.pages),
          };
          resizeTo(state, sizes);
        }
        scribble(state, random);
        saves.push(await saveIt(snap, state, sizes));
        for (let restores = random.below(3); restores > 0; restores--) {
          const saved = random.pick(saves);
          const who = random.pick([snap, reader]);
          await restoreAnyway(who, reads, saved, liveFor(saved, random), random);
        }
        // The running state itself, back to where it was a moment ago: mostly compared with the capture.
        const newest = saves.at(-1) as Saved;
        scribble(state, random);
        await restoreAnyway(snap, reads, newest, state, random);
        for (const [name, bytes] of bytesOf(state)) newest.content.get(name)?.copy(bytes);
        state.n = newest.n;
      }
      for (const saved of saves) {
        const blank = makeEveryKind({ resizable: 2000, growable: 2000, pages: 1 });
        await snap.restore(saved.id, { into: blank });
        assertSame(blank, saved, 'into a blank state');
        const fresh = await reader.restore<EveryKind>(saved.id, { only: FRESH });
        for (const [name, bytes] of bytesOf({ ...fresh, memory: blank.memory })) {
          assert.ok(bytes.equals(saved.content.get(name) as Buffer), `fresh: ${name}`);
        }
      }
    });
  }
});

test('where nothing differs nothing is read', async (t) => {
  const reads = watchReads(t);
  const path = storePath(t);
  await using snap = await Snap.open(path);
  await using reader = await Snap.open(path, { readOnly: true });
  const state = makeEveryKind(LARGEST);
  await snap.save(state, { durable: true });
  for (const who of [snap, reader]) {
    await who.restore('latest', { into: state });
    assert.deepEqual(reads.chunks, new Map());
  }
});

test('a slot into which something else came is not what the last capture was', async (t) => {
  await using snap = await Snap.open(storePath(t));
  // Large enough to have two slots, and no more.
  const state = { u: field(500_000) };
  const { id } = await snap.save(state, { durable: true });
  const saved = structuredClone(state);
  state.u.fill(1, 0, 10);
  // Before the answer is looked at, both slots are filled with what the live state holds.
  afterRequest(t, 'open', async () => {
    for (let count = 0; count < 2; count++) await snap.save(state, { durable: true });
  });
  await snap.restore(id, { into: state });
  assert.deepEqual(state, saved);
});

test('the next save is counted against what was restored', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { u: field(100_000) };
  const { id } = await snap.save(state, { durable: true });
  state.u.fill(1);
  await snap.save(state, { durable: true });
  await snap.restore(id, { into: state });
  state.u[0] = 7;
  const info = await (await snap.save(state)).durable;
  assert.deepEqual([info.parent, info.changedBytes], [id, CHUNK]);
});
