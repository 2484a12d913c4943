/** States that come back in one answer: from the same bytes, and with the same errors, as those that come in pieces. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { FEW_BYTES } from '../../src/writer/protocol.js';
import { bytesOf, makeEveryKind } from './every-kind.js';
import { storePath } from './support.js';
import { watchRequests } from './watched-reads.js';

const GUARD = { timeout: 60_000 };

function randomState(n: number) {
  return { n, u: randomFillSync(new Uint8Array(40_000)), v: randomFillSync(new Uint8Array(30_000)) };
}

/** Flips a bit of a region's bytes, which stand in the pack as they are. */
function damage(path: string, bytes: Uint8Array): void {
  const file = join(path, 'packs', '00000001.pack');
  const pack = readFileSync(file);
  const at = pack.indexOf(bytes.subarray(0, 100));
  assert.ok(at > 0);
  pack[at + 50] = (pack[at + 50] as number) ^ 4;
  writeFileSync(file, pack);
}

test(
  'a small state takes one request, into fresh memory and into a live state, and is what was saved',
  GUARD,
  async (t) => {
    const path = storePath(t);
    await using snap = await Snap.open(path);
    const small = { resizable: 5000, growable: 5000, pages: 1 };
    const saved = makeEveryKind(small);
    for (const bytes of bytesOf(saved).values()) randomFillSync(bytes);
    await snap.save(saved, { durable: true, step: 1 });
    const { memory, heap, ...anywhere } = saved;
    const { id } = await snap.save(anywhere, { durable: true });
    await using reader = await Snap.open(path, { readOnly: true });
    for (const who of [snap, reader]) {
      const asked = watchRequests(t);
      assert.deepEqual(await who.restore(id), anywhere);
      const live = makeEveryKind({ resizable: 7000, growable: 1000, pages: 1 });
      assert.equal(await who.restore({ step: 1 }, { into: live }), live);
      assert.deepEqual(asked(), ['open', 'open']);
      assert.deepEqual(live, saved);
    }
  },
);

test('the limit is what all regions take', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  for (const [more, requests] of [
    [0, ['open']],
    [1, ['open', 'chunkBytes', 'chunkBytes']],
  ] as const) {
    const saved = {
      u: randomFillSync(new Uint8Array(10_000)),
      v: randomFillSync(new Uint8Array(FEW_BYTES - 10_000 + more)),
    };
    await snap.save(saved, { durable: true });
    const asked = watchRequests(t);
    assert.deepEqual(await snap.restore(), saved);
    assert.deepEqual(asked(), requests);
  }
});

test('what is damaged is named, and in the way of nothing else', GUARD, async (t) => {
  const path = storePath(t);
  const saved = randomState(1);
  let id: string;
  {
    await using snap = await Snap.open(path, { compression: false });
    ({ id } = await snap.save(saved, { durable: true }));
  }
  damage(path, saved.v);
  await using snap = await Snap.open(path);
  const live = randomState(2);
  const before = structuredClone(live);
  for (const options of [{}, { only: ['v'] }, { into: live }]) {
    await assert.rejects(snap.restore(id, options), {
      code: 'SNAP_CORRUPT',
      snapshot: id,
      path: 'v',
      pack: 1,
    });
  }
  assert.deepEqual(live, before);
  assert.deepEqual(await snap.restore(id, { only: ['u'] }), { u: saved.u });
  // Where the live state holds those bytes nothing has to be read that is damaged.
  live.v.set(saved.v);
  assert.deepEqual(await snap.restore(id, { into: live }), saved);
});

test('what does not fit, or is given up, leaves the live state as it was', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  const saved = randomState(1);
  await snap.save(saved, { durable: true });
  const live = { ...randomState(2), v: new Uint8Array(5) };
  const before = structuredClone(live);
  await assert.rejects(snap.restore('latest', { into: live }), { code: 'SNAP_MISMATCH' });
  const giveUp = new AbortController();
  const fitting = randomState(3);
  const unchanged = structuredClone(fitting);
  const restoring = snap.restore('latest', { into: fitting, signal: giveUp.signal });
  giveUp.abort();
  await assert.rejects(restoring, { name: 'AbortError' });
  assert.deepEqual([live, fitting], [before, unchanged]);
});

test('progress of a small state is told once, to the end', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  await snap.save(randomState(1), { durable: true });
  const told: unknown[] = [];
  await snap.restore('latest', { onProgress: (progress) => told.push({ ...progress }) });
  assert.deepEqual(told, [{ doneBytes: 70_000, totalBytes: 70_000 }]);
});

test('slots are sized behind a small state, unless the Snap is being closed', GUARD, async (t) => {
  const path = storePath(t);
  const saved = randomState(1);
  {
    await using snap = await Snap.open(path);
    await snap.save(saved, { durable: true });
  }
  await using other = await Snap.open(path, { run: 'other' });
  const snap = await Snap.open(path);
  await snap.restore();
  await snap.close();
  await new Promise(setImmediate);
  // The writer thread would not know whose slots these are.
  await other.save(saved, { durable: true });
  await using again = await Snap.open(path);
  const state = await again.restore<typeof saved>();
  // What can no longer be saved is refused by the save, and by nothing before.
  Object.assign(state, { n: () => {} });
  await new Promise(setImmediate);
  await assert.rejects(again.save(state), { code: 'SNAP_UNSUPPORTED' });
});
