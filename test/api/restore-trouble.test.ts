/** Restores that fail, are given up, or meet saves: whatever happens, a live state is the snapshot or as it was. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { MiB } from '../../src/base/sizes.js';
import { Snap } from '../../src/index.js';
import { Owner } from '../../src/writer/owner.js';
import { CHUNK } from './every-kind.js';
import { storePath } from './support.js';
import { watchReads } from './watched-reads.js';

const GUARD = { timeout: 60_000 };

function randomState(n: number) {
  return { n, u: randomFillSync(new Uint8Array(6 * MiB)) };
}

const TYPES = { chunk: '\u0002', page: '\u0003' } as const;

/** Flips a bit of the nth chunk, or page, in the first pack. */
function damage(path: string, type: keyof typeof TYPES, nth: number): void {
  const file = join(path, 'packs', '00000001.pack');
  const bytes = readFileSync(file);
  let at = -1;
  for (let count = 0; count <= nth; count++) at = bytes.indexOf(`HFR\u0001${TYPES[type]}`, at + 1, 'latin1');
  bytes[at + 3000] = (bytes[at + 3000] as number) ^ 4;
  writeFileSync(file, bytes);
}

/** Lets one of the two threads verify all chunks, whichever is faster. */
function letVerify(t: { after(clean: () => void): void }, thread: 'there' | 'here'): void {
  const untaken = Object.getOwnPropertyDescriptor(Owner.prototype, 'untaken') as PropertyDescriptor;
  Object.defineProperty(Owner.prototype, 'untaken', {
    configurable: true,
    get: () => (thread === 'there' ? 100 : -100),
  });
  t.after(() => Object.defineProperty(Owner.prototype, 'untaken', untaken));
}

for (const thread of ['there', 'here'] as const) {
  test(`a damaged chunk is noticed ${thread}, named, and nothing live is changed`, GUARD, async (t) => {
    const path = storePath(t);
    const saved = randomState(1);
    let id: string;
    {
      await using snap = await Snap.open(path);
      ({ id } = await snap.save(saved, { durable: true }));
    }
    // The first chunks are those of the skeleton.
    damage(path, 'chunk', 80);
    letVerify(t, thread);
    const reads = watchReads(t);
    await using snap = await Snap.open(path);
    const live = randomState(2);
    const before = structuredClone(live);
    for (const options of [{}, { only: ['u'] }, { into: live }]) {
      reads.clear();
      await assert.rejects(snap.restore(id, options), (error: Record<string, unknown>) => {
        const { code, snapshot, path: region, pack, offset } = error;
        assert.deepEqual([code, snapshot, region, pack], ['SNAP_CORRUPT', id, 'u', 1]);
        assert.ok(Number(offset) > 4 * MiB, `at byte ${offset}`);
        return true;
      });
      // The one chunk that did not verify here was asked for again, to be judged there.
      assert.deepEqual(
        [reads.verified.here > 0, reads.verified.there],
        {
          there: [false, reads.verified.there],
          here: [true, 1],
        }[thread],
      );
    }
    assert.deepEqual(live, before);
    // Where the live state holds those bytes nothing has to be read that is damaged.
    live.u.set(saved.u.subarray(70 * CHUNK), 70 * CHUNK);
    await snap.restore(id, { into: live });
    assert.deepEqual(live, saved);
  });
}

test('a damaged page is named, and in the way of nothing else', GUARD, async (t) => {
  const path = storePath(t);
  const saved = { ...randomState(1), v: randomFillSync(new Uint8Array(100_000)) };
  let id: string;
  {
    await using snap = await Snap.open(path);
    ({ id } = await snap.save(saved, { durable: true }));
  }
  damage(path, 'page', 0);
  await using snap = await Snap.open(path);
  for (const options of [{}, { only: ['u'] }]) {
    await assert.rejects(snap.restore(id, options), {
      code: 'SNAP_CORRUPT',
      snapshot: id,
      path: 'u',
      pack: 1,
    });
  }
  assert.deepEqual(await snap.restore(id, { only: ['v'] }), { v: saved.v });
});

test('resume into a state passes over what is damaged', GUARD, async (t) => {
  const path = storePath(t);
  const older = randomState(1);
  {
    await using snap = await Snap.open(path);
    await snap.save(older, { durable: true });
    // Content of its own, so that the damage does not hit the older one too.
    await snap.save(randomState(2), { durable: true });
  }
  damage(path, 'chunk', 97 + 50);
  await using snap = await Snap.open(path);
  const live = randomState(3);
  assert.equal(await snap.resume(() => live, { into: live }), live);
  assert.deepEqual(live, older);
});

test('a restore that is given up half-way changes nothing, and gives its slot back', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  const saved = randomState(1);
  const { id } = await snap.save(saved, { durable: true });
  const live = randomState(2);
  const before = structuredClone(live);
  for (let round = 0; round < 3; round++) {
    const giveUp = new AbortController();
    const restoring = snap.restore(id, {
      into: live,
      signal: giveUp.signal,
      onProgress: () => giveUp.abort(),
    });
    await assert.rejects(restoring, { name: 'AbortError' });
    assert.deepEqual(live, before);
  }
  for (let n = 3; n < 6; n++) await snap.save(randomState(n), { durable: true });
  await snap.restore(id, { into: live });
  assert.deepEqual(live, saved);
});

test('saves and restores at once, with two slots and with one', GUARD, async (t) => {
  for (const memoryLimit of [undefined, 9 * MiB]) {
    await using snap = await Snap.open(storePath(t), memoryLimit === undefined ? {} : { memoryLimit });
    const saved = randomState(1);
    const { id } = await snap.save(saved, { durable: true });
    const lives = [randomState(2), randomState(3), randomState(4)];
    const others = [randomState(5), randomState(6), randomState(7)];
    const restores = lives.map((live) => snap.restore(id, { into: live }));
    const tickets = await Promise.all(others.map((state) => snap.save(state)));
    for (const live of lives) assert.equal(await restores.shift(), live);
    for (const live of lives) assert.deepEqual(live, saved);
    for (const [index, { durable }] of tickets.entries()) {
      assert.deepEqual(await snap.restore((await durable).id), others[index]);
    }
  }
});

test('a slot is not given back before the writer thread is through with it', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  const { id } = await snap.save(randomState(1), { durable: true });
  const { request } = Owner.prototype;
  let [asked, answered] = [0, 0];
  Owner.prototype.request = async function (client, method, args, long) {
    if (method !== 'chunkBytes') return request.call(this, client, method, args, long);
    const number = ++asked;
    const result = await request.call(this, client, method, args, long);
    // Those that follow the first are answered when the restore has been given up.
    if (number > 1) await new Promise((resolve) => setTimeout(resolve, 50));
    answered++;
    return result;
  };
  t.after(() => {
    Owner.prototype.request = request;
  });
  const giveUp = new AbortController();
  const restoring = snap.restore(id, {
    into: randomState(2),
    signal: giveUp.signal,
    onProgress: () => giveUp.abort(),
  });
  await assert.rejects(restoring, { name: 'AbortError' });
  assert.ok(asked > 1);
  assert.equal(answered, asked);
});

test('the writer thread dies under a restore', GUARD, async (t) => {
  const threads: Worker[] = [];
  const note = (worker: Worker) => threads.push(worker);
  process.on('worker', note);
  t.after(() => process.off('worker', note));
  const snap = await Snap.open(storePath(t));
  await snap.save(randomState(1), { durable: true });
  const live = randomState(2);
  const before = structuredClone(live);
  // Later pieces have not even been asked for when the first is there.
  const restoring = snap.restore('latest', {
    into: live,
    onProgress: () => void threads[0]?.terminate(),
  });
  await assert.rejects(restoring, { code: 'SNAP_BROKEN' });
  assert.deepEqual(live, before);
  await snap.close();
});
