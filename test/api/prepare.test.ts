/** Slots that are sized and touched before the first save, and what is in them meanwhile. */

import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { test } from 'node:test';
import { MiB } from '../../src/base/sizes.js';
import { Snap } from '../../src/index.js';
import { residentBytes } from '../../src/io/machine.js';
import type { Store } from '../../src/store/store.js';
import { touchJob } from '../../src/writer/touch-job.js';
import { collect, storePath } from './support.js';

/** The first of this process: later ones would not rehearse anyway. */
test('what is rehearsed for the compiler reaches no store, no listener and nothing of the caller', async (t) => {
  const heard: unknown[] = [];
  const listener = (message: unknown) => void heard.push(message);
  const channels = ['holdfast:save:captured', 'holdfast:save:durable', 'holdfast:save:error'];
  for (const listens of [true, false]) {
    await using snap = await Snap.open(storePath(t));
    let asked = 0;
    const state = {
      u: new Float64Array(100),
      get time() {
        return ++asked;
      },
    };
    if (listens) for (const channel of channels) subscribe(channel, listener);
    await snap.prepare(state);
    for (const channel of channels) unsubscribe(channel, listener);
    assert.equal(asked, 1);
    await snap.flush();
    assert.deepEqual(await collect(snap.list()), []);
    const { skipped, durable } = await snap.save({ n: 1 });
    assert.deepEqual([skipped, (await durable).parent], [false, undefined]);
  }
  assert.deepEqual(heard, []);
});

test('touching changes no byte, and ends when it is told to', async () => {
  const segments = [new SharedArrayBuffer(3 * MiB + 4), new SharedArrayBuffer(65_536)];
  const filled = segments.map((segment) => new Uint8Array(segment).fill(0xa5));
  let stopped = false;
  const context = { shouldStop: () => stopped, pinned: () => new Set<string>() };
  let steps = 0;
  for await (const _ of touchJob(undefined as never as Store, context, [segments])) steps++;
  assert.equal(steps, 5, 'one for each megabyte that is begun');
  for (const bytes of filled) assert.ok(bytes.every((byte) => byte === 0xa5));
  stopped = true;
  const job = touchJob(undefined as never as Store, context, [segments]);
  await job.next();
  assert.equal((await job.next()).done, true);
});

test('after prepare the slots have their pages', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { u: new Float64Array((64 * MiB) / 8).fill(1) };
  const before = residentBytes();
  await snap.prepare(state);
  const added = residentBytes() - before;
  assert.ok(added > 100 * MiB, `${Math.round(added / MiB)} MiB of two times 64`);
});

test('a save that comes while slots are touched is whole', async (t) => {
  const path = storePath(t);
  const state = { n: 0, u: new Float64Array((16 * MiB) / 8).fill(3) };
  {
    await using snap = await Snap.open(path);
    await snap.save(state, { durable: true });
  }
  await using snap = await Snap.open(path);
  const restored = await snap.restore<typeof state>();
  for (const n of [1, 2]) {
    restored.n = n;
    restored.u.fill(n);
    await snap.save(restored);
  }
  assert.deepEqual(await snap.restore(), restored);
});
