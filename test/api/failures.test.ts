import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { MiB } from '../../src/base/sizes.js';
import { chunkBytesFor } from '../../src/chunker/fixed.js';
import { Snap, SnapError } from '../../src/index.js';
import { Random } from '../support/random.js';
import { collect, type Fault, faulty, field, setFault, storePath } from './support.js';

/** Numbers in a chunk. */
const CHUNK = chunkBytesFor('Float64Array') / 8;

const FAULTS: [string, Fault, string][] = [
  ['a failed sync', { call: 'sync', code: 'EIO', times: 1 }, 'SNAP_IO'],
  ['a full disk', { call: 'write', code: 'ENOSPC', times: 1 }, 'SNAP_NO_SPACE'],
  ['a failed write', { call: 'write', code: 'EIO', times: 1 }, 'SNAP_IO'],
];

for (const [what, fault, code] of FAULTS) {
  test(`${what}: that save fails, the next one is whole, also after reopening`, async (t) => {
    const path = storePath(t);
    const state = { n: 0, u: field(200_000), quiet: field(100_000, 1) };
    const snap = await Snap.open(path, faulty());
    const good = await snap.save(state, { durable: true });
    const kept = structuredClone(state);
    setFault(path, fault);
    state.n = 1;
    state.u.fill(1);
    const bad = await snap.save(state);
    await assert.rejects(bad.durable, { code });
    // What the failed save alone held must count as changed: the state is saved again without a change.
    const after = await snap.save(state, { durable: true });
    const expected = structuredClone(state);
    assert.deepEqual(await snap.restore(after.id), expected);
    assert.equal((await snap.info(after.id)).parent, good.id);
    state.u[100] = 9;
    const later = await snap.save(state, { durable: true });
    await snap.close();
    await using again = await Snap.open(path);
    assert.deepEqual(await again.restore(good.id), kept);
    assert.deepEqual(await again.restore(after.id), expected);
    assert.deepEqual(await again.restore(later.id), state);
    await assert.rejects(again.restore(bad.id), { code: 'SNAP_NOT_FOUND' });
    assert.equal((await collect(again.list())).length, 3);
  });
}

for (const [what, fault, code] of FAULTS) {
  test(`${what} in the midst of megabytes that nothing will be read from again: the next save is whole`, async (t) => {
    const path = storePath(t);
    const random = new Random(1);
    const state = { n: 0, u: new Uint8Array(9 * MiB) };
    const next = () => {
      state.n++;
      state.u.set(random.bytes(state.u.length));
    };
    await using snap = await Snap.open(path, { compression: false, ...faulty() });
    // By the third save it is known that differences are of no use.
    for (let times = 0; times < 3; times++) {
      next();
      await snap.save(state, { durable: true });
    }
    setFault(path, fault);
    next();
    await assert.rejects((await snap.save(state)).durable, { code });
    const { id } = await snap.save(state, { durable: true });
    assert.deepEqual(await snap.restore(id), state);
  });
}

/** Its chunks are known, but the pages above them went with the save that failed. */
test('after a failed save that only moved chunks about the next one is whole', async (t) => {
  const path = storePath(t);
  const state = { u: field(200_000) };
  await using snap = await Snap.open(path, faulty());
  await snap.save(state, { durable: true });
  setFault(path, { call: 'sync', code: 'EIO', times: 1 });
  state.u.copyWithin(0, CHUNK, 2 * CHUNK);
  await assert.rejects((await snap.save(state)).durable, { code: 'SNAP_IO' });
  const { id } = await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(id), state);
});

test('a pack that is deleted in mid-run: the loop hears, and the next save is whole', async (t) => {
  const path = storePath(t);
  const state = { n: 0, u: field(10_000) };
  await using snap = await Snap.open(path);
  await snap.save(state, { durable: true });
  // Reads it, so that the store has the file open for reading too.
  await snap.restore();
  rmSync(`${path}/packs/00000001.pack`);
  state.n = 1;
  await assert.rejects(snap.save(state, { durable: true }), { code: 'SNAP_IO', message: /deleted/ });
  const { id } = await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(id), state);
});

test('a store that is deleted in mid-run: every save says so, and the state is untouched', async (t) => {
  const path = storePath(t);
  const state = { n: 0, u: field(100_000) };
  const snap = await Snap.open(path);
  await snap.save(state, { durable: true });
  rmSync(path, { recursive: true, maxRetries: 5 });
  for (state.n = 1; state.n < 3; state.n++) {
    await assert.rejects(snap.save(state, { durable: true }), { code: 'SNAP_IO', message: /deleted/ });
  }
  assert.deepEqual(state.u, field(100_000));
  await snap.close().catch(() => {});
});

test('a failure that nobody awaits is thrown once, by the next save, which carries its ticket', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path, faulty());
  await snap.save({ n: 0 }, { durable: true });
  setFault(path, { call: 'sync', code: 'EIO', times: 1 });
  const lost = await snap.save({ n: 1 });
  await snap.stats();
  let thrown: (SnapError & { ticket?: { id: string; durable: Promise<unknown> } }) | undefined;
  await snap.save({ n: 2 }).catch((error) => {
    thrown = error;
  });
  assert.ok(thrown instanceof SnapError && thrown.code === 'SNAP_IO');
  assert.ok(thrown.ticket && thrown.ticket.id !== lost.id);
  await thrown.ticket.durable;
  assert.deepEqual(await snap.restore(), { n: 2 });
  await snap.save({ n: 3 });
  await snap.close();
});

test('a failure that nobody awaits is thrown by flush, or by close', async (t) => {
  for (const method of ['flush', 'close'] as const) {
    const path = storePath(t);
    const snap = await Snap.open(path, faulty());
    await snap.save({ n: 0 }, { durable: true });
    setFault(path, { call: 'sync', code: 'EIO', times: 1 });
    await snap.save({ n: 1 });
    await assert.rejects(snap[method](), { code: 'SNAP_IO' });
    if (method === 'flush') await snap.flush();
    await snap.close().catch(() => {});
  }
});

test('a failure looked at through durable after the fact is not thrown again', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path, faulty());
  await snap.save({ n: 0 }, { durable: true });
  setFault(path, { call: 'sync', code: 'EIO', times: 1 });
  const lost = await snap.save({ n: 1 });
  await snap.stats();
  await assert.rejects(lost.durable, { code: 'SNAP_IO' });
  await snap.save({ n: 2 });
});

test('a loop that only awaits microtasks hears of a failure', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path, faulty());
  setFault(path, { call: 'sync', code: 'EIO', times: 1 });
  const start = performance.now();
  let error: unknown;
  while (error === undefined && performance.now() - start < 30_000) {
    await Promise.resolve();
    await snap.save({ n: 1 }).catch((failure) => {
      error = failure;
    });
  }
  assert.ok(error instanceof SnapError && error.code === 'SNAP_IO');
  // Other saves may have shared the failed sync; each is reported by itself.
  await snap.close().catch(() => {});
});

test('timers run beside a loop that only awaits saves', async (t) => {
  await using snap = await Snap.open(storePath(t));
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 1);
  const start = performance.now();
  while (!fired && performance.now() - start < 30_000) await snap.save({ n: 1 });
  assert.ok(fired);
});

test('several failures are reported one by one', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path, faulty());
  await snap.save({ n: 0 }, { durable: true });
  setFault(path, { call: 'sync', code: 'EIO', times: 2 });
  await snap.save({ n: 1 });
  await snap.stats();
  await assert.rejects(snap.save({ n: 2 }), { code: 'SNAP_IO' });
  await assert.rejects(snap.flush(), { code: 'SNAP_IO' });
  await snap.save({ n: 3 }, { durable: true });
  assert.deepEqual(await snap.restore(), { n: 3 });
  await snap.close();
});

test('saving goes on once space is free again', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path, faulty());
  const state = { u: field(100_000) };
  await snap.save(state, { durable: true });
  setFault(path, { call: 'write', code: 'ENOSPC', times: 3 });
  for (let n = 0; n < 3; n++) {
    state.u.fill(n);
    await assert.rejects(snap.save(state, { durable: true }), {
      code: 'SNAP_NO_SPACE',
      message: /free some/,
    });
  }
  await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(), state);
});

test('a refused state names what and where, and leaves nothing behind', async (t) => {
  await using snap = await Snap.open(storePath(t));
  await assert.rejects(snap.save({ solver: { onTick() {} } }), {
    code: 'SNAP_UNSUPPORTED',
    path: 'solver.onTick',
    message: /state\.solver\.onTick is a function/,
  });
  await snap.save({ ok: true });
  assert.equal((await collect(snap.list())).length, 1);
});

test('a detached buffer is refused with its path', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const view = new Float64Array(100_000);
  structuredClone(view, { transfer: [view.buffer] });
  await assert.rejects(snap.save({ grid: view }), { code: 'SNAP_UNSUPPORTED', path: 'grid' });
});

test('everything after close is SNAP_CLOSED, and close may be called again', async (t) => {
  const snap = await Snap.open(storePath(t));
  await snap.close();
  await snap.close();
  await assert.rejects(snap.save({}), { code: 'SNAP_CLOSED' });
  await assert.rejects(snap.restore(), { code: 'SNAP_CLOSED' });
  await assert.rejects(snap.flush(), { code: 'SNAP_CLOSED' });
  await assert.rejects(snap.tags(), { code: 'SNAP_CLOSED' });
  await assert.rejects(collect(snap.list()), { code: 'SNAP_CLOSED' });
});

test('channels tell of captures, durable saves and failures', async (t) => {
  const path = storePath(t);
  const heard: string[] = [];
  const names = ['holdfast:save:captured', 'holdfast:save:durable', 'holdfast:save:error'];
  const listener = (message: unknown, name: string | symbol) => {
    const { id, info } = message as { id?: string; info?: { id: string } };
    heard.push(`${String(name).split(':').at(-1)} ${(id ?? info?.id)?.slice(0, 4)}`);
  };
  for (const name of names) diagnostics.subscribe(name, listener);
  t.after(() => names.forEach((name) => void diagnostics.unsubscribe(name, listener)));
  await using snap = await Snap.open(path, faulty());
  const a = await snap.save({ n: 1 }, { durable: true });
  setFault(path, { call: 'sync', code: 'EIO', times: 1 });
  const b = await snap.save({ n: 2 });
  await b.durable.catch(() => {});
  const [x, y] = [a.id.slice(0, 4), b.id.slice(0, 4)];
  assert.deepEqual(heard, [`captured ${x}`, `durable ${x}`, `captured ${y}`, `error ${y}`]);
});
