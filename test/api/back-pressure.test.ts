import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { collect, field, storePath } from './support.js';

/** Large enough that the writer is still busy with it when the next saves are made. */
const big = () => ({ n: 0, u: field(2_000_000) });

/** Made before the first of them is saved, so that the saves come one right after the other. */
const manyStates = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ n, u: field(2_000_000, n) }));

function change(state: { n: number; u: Float64Array }, n: number): void {
  state.n = n;
  for (let index = 0; index < state.u.length; index += 8) state.u[index] = n + index;
}

test('wait: every save is captured, in order', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = big();
  const steps: number[] = [];
  for (let n = 1; n <= 6; n++) {
    change(state, n);
    const ticket = await snap.save(state, { step: n });
    void ticket.durable.then((info) => steps.push(info.step as number));
  }
  await snap.flush();
  await new Promise(setImmediate);
  assert.deepEqual(steps, [1, 2, 3, 4, 5, 6]);
  for (let n = 1; n <= 6; n++) {
    const expected = big();
    for (let k = 1; k <= n; k++) change(expected, k);
    assert.deepEqual(await snap.restore({ step: n }), expected);
  }
});

test('wait: saves that are not awaited keep their order too', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const tickets = await Promise.all(
    Array.from({ length: 8 }, (_, n) => snap.save({ n, u: field(500_000, n) }, { step: n })),
  );
  assert.deepEqual(
    (await Promise.all(tickets.map((ticket) => ticket.durable))).map(({ step }) => step),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
});

test('skip: a save that finds no slot is skipped, and says so', async (t) => {
  await using snap = await Snap.open(storePath(t), { onBusy: 'skip' });
  const tickets = await Promise.all(manyStates(10).map((state) => snap.save(state, { step: state.n })));
  const skipped = tickets.filter((ticket) => ticket.skipped);
  assert.ok(skipped.length > 0 && skipped.length < 10, `${skipped.length} of 10 skipped`);
  await assert.rejects((skipped[0] as (typeof tickets)[0]).durable, { code: 'SNAP_BUSY' });
  await snap.flush();
  assert.equal((await collect(snap.list())).length, 10 - skipped.length);
});

test('coalesce: the newest waiting save overtakes the older', async (t) => {
  await using snap = await Snap.open(storePath(t), { onBusy: 'coalesce' });
  const tickets = await Promise.all(manyStates(10).map((state) => snap.save(state, { step: state.n })));
  await snap.flush();
  assert.equal(tickets.at(-1)?.skipped, false, 'the newest is never the one that is skipped');
  assert.ok(tickets.some((ticket) => ticket.skipped));
  assert.equal(((await snap.restore()) as { n: number }).n, 9);
});

test('a save that waits can be given up by its signal', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const controller = new AbortController();
  const saves = manyStates(4).map((state) => snap.save(state));
  const last = snap.save({ n: 99 }, { signal: controller.signal });
  controller.abort();
  await assert.rejects(last, { name: 'AbortError' });
  await Promise.all(saves);
  assert.equal(((await snap.restore()) as { n: number }).n, 3);
});

test('slots grow with the state', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const log: number[] = [];
  for (let n = 0; n < 40; n++) {
    for (let k = 0; k < 3000; k++) log.push(n * k);
    const u = field(1000 + n * 7000, n);
    const { id } = await snap.save({ log, u });
    if (n % 8 === 0) assert.deepEqual(await snap.restore(id), { log, u });
  }
});

test('a state larger than memoryLimit is refused, and saving goes on', async (t) => {
  const MiB = 1 << 20;
  await using snap = await Snap.open(storePath(t), { memoryLimit: 8 * MiB });
  const small = { u: field(MiB / 8) };
  await snap.save(small);
  await assert.rejects(snap.save({ u: field((16 * MiB) / 8) }), {
    code: 'SNAP_TOO_LARGE',
    message: /memoryLimit/,
  });
  small.u[3] = 1;
  await snap.save(small);
  assert.deepEqual(await snap.restore(), small);
});

test('where memory allows one slot only, saves still work and are incremental', async (t) => {
  const MiB = 1 << 20;
  await using snap = await Snap.open(storePath(t), { memoryLimit: 8 * MiB });
  const small = { u: field(MiB / 8) };
  await snap.save(small);
  small.u[0] = 2;
  await snap.save(small);
  const large = { u: field((5 * MiB) / 8) };
  for (let n = 0; n < 5; n++) {
    large.u[n * 60_000] = n;
    const info = await (await snap.save(large)).durable;
    if (n > 0) assert.ok(info.changedBytes <= 2 * 65_536, `${info.changedBytes} bytes changed`);
  }
  assert.deepEqual(await snap.restore(), large);
});
