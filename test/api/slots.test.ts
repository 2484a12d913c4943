/** Slots through failures, restores and changes of shape: none is lost, and none is mistaken for another. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { collect, faulty, field, setFault, storePath } from './support.js';

/** Against hangs: a slot that is lost is waited for in vain. */
const GUARD = { timeout: 60_000 };
const MiB = 1 << 20;
/** Elements of a chunk. */
const CHUNK = 65_536 / 8;

test(
  'saving goes on after every restore, and what changed is counted against what was restored',
  GUARD,
  async (t) => {
    await using snap = await Snap.open(storePath(t));
    const first = { n: 0, u: field(50_000) };
    const { id } = await snap.save(first, { durable: true });
    for (let round = 1; round < 4; round++) {
      for (let n = 1; n < 4; n++) await snap.save({ n, u: field(50_000, round * n) });
      const restored = await snap.restore(id);
      assert.deepEqual(restored, first);
      const ticket = await snap.save(restored);
      const { changedBytes, parent } = await ticket.durable;
      assert.deepEqual([changedBytes, parent], [0, id]);
    }
  },
);

/**
 * Each version differs from the one before in the last number of every chunk, and from the next one not at all or just
 * so. A capture that came into the slot while it is compared with would make changed chunks look unchanged.
 */
test('a slot is filled again only when the comparison with it is through', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  const u = new Float64Array((32 * MiB) / 8);
  const fill = (n: number) => {
    for (let at = CHUNK - 1; at < u.length; at += CHUNK) u[at] = n >> 1;
  };
  const saves = 16;
  for (let n = 0; n < saves; n++) {
    fill(n);
    await snap.save({ u }, { step: n });
  }
  for (let n = 0; n < saves; n++) {
    fill(n);
    const saved = (await snap.restore({ step: n })) as { u: Float64Array };
    assert.ok(Buffer.from(saved.u.buffer).equals(Buffer.from(u.buffer)), `save ${n}`);
  }
});

test('a region under another name is saved under that name', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const u = field(20_000);
  for (const name of ['a', 'b', 'c']) {
    const { id } = await snap.save({ [name]: u }, { durable: true });
    assert.deepEqual(
      (await snap.info(id)).regions.map(({ path }) => path),
      [name],
    );
    assert.deepEqual(await snap.restore(id, { only: [name] }), { [name]: u });
  }
});

test('a new region that holds what another holds is saved too', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const a = new Float64Array(50_000);
  await snap.save({ a }, { durable: true });
  await snap.save({ a, b: a.slice() }, { durable: true });
  assert.deepEqual(await snap.restore(), { a, b: a });
});

test('a region that becomes what another was is saved anew', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const [a, b] = [new Float64Array(50_000), new Float64Array(50_000).fill(1)];
  await snap.save({ a, b }, { durable: true });
  a.set(b);
  await snap.save({ a, b }, { durable: true });
  assert.deepEqual(await snap.restore(), { a: b, b });
});

test('coalesce overtakes no save that is to wait', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t));
  const big = [1, 2].map((n) => ({ n, u: field(2_000_000, n) }));
  const tickets = await Promise.all([
    ...big.map((state) => snap.save(state, { step: state.n })),
    snap.save({ n: 3 }, { step: 3, onBusy: 'wait' }),
    snap.save({ n: 4 }, { step: 4, onBusy: 'coalesce' }),
    snap.save({ n: 5 }, { step: 5, onBusy: 'coalesce' }),
  ]);
  // The fourth may have found a slot, if this thread was held up for long enough.
  const skipped = tickets.map((ticket) => ticket.skipped);
  assert.deepEqual([skipped[2], skipped[4]], [false, false]);
  await snap.flush();
  assert.deepEqual(
    (await collect(snap.list())).map(({ step }) => step).filter((step) => step !== 4),
    [5, 3, 2, 1],
  );
});

test('a small save does not get ahead of a large one that waits for memory', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t), { memoryLimit: 8 * MiB });
  const large = () => ({ u: randomFillSync(new Float64Array((5 * MiB) / 8)) });
  const states = [large(), large(), { n: 1 }];
  await Promise.all(states.map((state, step) => snap.save(state, { step })));
  await snap.flush();
  assert.deepEqual(
    (await collect(snap.list())).map(({ step }) => step),
    [2, 1, 0],
  );
});

/** Too much to be staged: what fails is the putting of chunks, long before the commit. */
test('a save that fails half-way gives its slot back, however often', GUARD, async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path, faulty());
  const state = { n: 0, u: new Float64Array((14 * MiB) / 8) };
  for (; state.n < 4; state.n++) {
    randomFillSync(state.u);
    setFault(path, { call: 'write', code: 'ENOSPC', times: 1 });
    await assert.rejects(snap.save(state, { durable: true }), { code: 'SNAP_NO_SPACE' });
  }
  await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(), state);
});

test('every save of a commit that fails is told', GUARD, async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path, faulty());
  await snap.save({ n: 0 }, { durable: true });
  // Saves that come one right after the other share a commit, mostly.
  for (let n = 1; n < 20; n++) {
    setFault(path, { call: 'sync', code: 'EIO', times: 1000 });
    const tickets = await Promise.all([snap.save({ n }), snap.save({ n: -n })]);
    const outcomes = await Promise.allSettled(tickets.map(({ durable }) => durable));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
  }
  setFault(path);
  await snap.save({ n: 3 }, { durable: true });
  assert.deepEqual(await snap.restore(), { n: 3 });
});
