import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { collect, field, storePath } from './support.js';

interface Model {
  step: number;
  u: Float64Array;
  probes: Map<string, number>;
}

function model(step: number, length = 100_000): Model {
  return { step, u: field(length), probes: new Map([['north', step]]) };
}

test('a state comes back exactly, in the same process and after reopening', async (t) => {
  const path = storePath(t);
  const state = model(7);
  {
    const snap = await Snap.open(path);
    const ticket = await snap.save(state, { step: 7, tag: 'seven', meta: { note: 'ok' } });
    const info = await ticket.durable;
    assert.equal(info.id, ticket.id);
    assert.equal(info.step, 7);
    assert.deepEqual(info.tags, ['seven']);
    assert.deepEqual(info.meta, { note: 'ok' });
    assert.equal(info.parent, undefined);
    assert.ok((info.durableMs ?? -1) >= 0);
    assert.deepEqual(await snap.restore(), state);
    await snap.close();
  }
  await using snap = await Snap.open(path, { create: false });
  assert.deepEqual(await snap.restore('seven'), state);
  const info = await snap.info();
  assert.equal(info.step, 7);
  assert.ok(info.durableMs !== undefined, 'the duration was noted when the store was closed');
  assert.deepEqual(
    info.regions.map(({ path, kind, byteLength }) => [path, kind, byteLength]),
    [['u', 'Float64Array', 800_000]],
  );
});

test('the caller may change the state as soon as save resolves, and even before it is awaited', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { u: field(1000) };
  const before = structuredClone(state);
  const promise = snap.save(state);
  state.u.fill(-1);
  const { id } = await promise;
  assert.deepEqual(await snap.restore(id), before);
});

test('a save writes only the chunks that changed', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = model(0);
  const first = await (await snap.save(state, { durable: true })).durable;
  assert.equal(first.changedBytes, first.logicalBytes);
  const same = await (await snap.save(state)).durable;
  assert.equal(same.changedBytes, 0);
  assert.equal(same.storedBytes, 0);
  state.u[50_000] = 1;
  const one = await (await snap.save(state)).durable;
  assert.equal(one.changedBytes, 65_536);
  assert.deepEqual(await snap.restore(one.id), state);
});

test('the first save after a restart is incremental against its parent', async (t) => {
  const path = storePath(t);
  {
    await using snap = await Snap.open(path);
    await snap.save(model(0), { durable: true });
  }
  await using snap = await Snap.open(path);
  const state = await snap.resume(() => model(-1));
  assert.equal(state.step, 0);
  state.u[0] = 5;
  const info = await (await snap.save(state)).durable;
  assert.equal(info.changedBytes, 65_536);
  assert.ok(info.parent);
});

test('saving on after restoring an older snapshot makes a branch', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const ids: string[] = [];
  for (const step of [0, 1, 2]) ids.push((await snap.save(model(step), { step })).id);
  await snap.restore(ids[0] as string);
  const branch = await (await snap.save(model(10), { step: 10 })).durable;
  assert.equal(branch.parent, ids[0]);
  const infos = await collect(snap.list());
  assert.deepEqual(
    infos.map(({ step }) => step),
    [10, 2, 1, 0],
  );
  assert.deepEqual(
    infos.map(({ parent }) => parent),
    [ids[0], ids[1], ids[0], undefined],
  );
});

test('restoring only a part does not change what the next save continues', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const first = await snap.save(model(0));
  const second = await snap.save(model(1));
  await snap.restore(first.id, { only: ['u'] });
  const third = await (await snap.save(model(2))).durable;
  assert.equal(third.parent, second.id);
});

test('runs of one store are apart in lineage and share their chunks', async (t) => {
  const path = storePath(t);
  await using a = await Snap.open(path, { run: 'a' });
  await using b = await Snap.open(path, { run: 'b' });
  const state = model(1);
  await a.save(state, { durable: true });
  const info = await (await b.save(state, { durable: true })).durable;
  assert.equal(info.parent, undefined);
  assert.equal(info.storedBytes, 0, 'every chunk was known from the other run');
  assert.equal((await collect(a.list({ run: 'b' }))).length, 1);
  assert.equal((await collect(a.list())).length, 2);
  await assert.rejects(a.restore('latest', { run: 'c' }), {
    code: 'SNAP_NOT_FOUND',
    message: /run c .*a, b/,
  });
});

test('references: latest, tag, id, prefix, step, time', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const ids: string[] = [];
  for (const step of [1, 2, 2, 3])
    ids.push((await snap.save({ at: ids.length }, { step, durable: true })).id);
  await snap.tag('best', ids[1] as string);
  const at = async (ref: Parameters<typeof snap.restore>[0]) =>
    ((await snap.restore(ref)) as { at: number }).at;
  assert.equal(await at('latest'), 3);
  assert.equal(await at('best'), 1);
  assert.equal(await at(ids[0] as string), 0);
  assert.equal(await at((ids[0] as string).slice(0, 12).toUpperCase()), 0);
  assert.equal(await at({ step: 2 }), 2, 'the newest with that step');
  assert.equal(await at({ before: new Date(Date.now() + 60_000) }), 3);
  await assert.rejects(at({ before: new Date(0) }), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(at({ step: 99 }), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(at('nothing-of-that-name'), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(at('ab'), { code: 'SNAP_NOT_FOUND' });
});

test('a prefix that several ids share is ambiguous, and says which', async (t) => {
  await using snap = await Snap.open(storePath(t));
  // Four digits are enough for a collision after a few hundred saves of next to nothing.
  const seen = new Map<string, string>();
  for (let count = 0; ; count++) {
    const { id } = await snap.save({ count });
    const prefix = id.slice(0, 4);
    const other = seen.get(prefix);
    seen.set(prefix, id);
    if (!other) continue;
    await assert.rejects(snap.info(prefix), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'SNAP_AMBIGUOUS');
      assert.ok(error.message.includes(id) && error.message.includes(other));
      return true;
    });
    break;
  }
});

test('tags move, go, and are seen in list and info', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const a = await snap.save({ n: 1 }, { tags: ['x', 'y'] });
  const b = await snap.save({ n: 2 }, { tag: 'x' });
  assert.deepEqual(
    await snap.tags(),
    new Map([
      ['x', b.id],
      ['y', a.id],
    ]),
  );
  assert.equal(await snap.tag('y', 'latest'), b.id);
  assert.deepEqual((await snap.info()).tags.sort(), ['x', 'y']);
  await snap.untag('x');
  await assert.rejects(snap.restore('x'), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(snap.untag('x'), { code: 'SNAP_NOT_FOUND' });
});

test('a forgotten snapshot is not found until it is unforgotten', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path);
  const a = await snap.save({ n: 1 });
  const b = await snap.save({ n: 2 }, { tag: 'two' });
  assert.equal(await snap.forget('two'), b.id);
  assert.deepEqual(await snap.restore(), { n: 1 });
  await assert.rejects(snap.restore('two'), { code: 'SNAP_NOT_FOUND', message: /forgotten/ });
  await assert.rejects(snap.info(b.id), { code: 'SNAP_NOT_FOUND', snapshot: b.id });
  assert.deepEqual([...(await snap.tags()).keys()], []);
  await snap.close();
  await using again = await Snap.open(path);
  assert.deepEqual(await collect(again.list()).then((all) => all.map(({ id }) => id)), [a.id]);
  assert.equal((await collect(again.list({ forgotten: true }))).length, 2);
  assert.equal(await again.unforget(b.id.slice(0, 10)), b.id);
  assert.deepEqual(await again.restore('two'), { n: 2 });
});

test('a state may change its shape from save to save', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const shapes: unknown[] = [
    { u: field(10_000) },
    { u: field(30_000), v: field(5) },
    { u: field(5_000) },
    [1, 2, 3],
    field(100_000),
    'just a string',
    { u: { u: field(20_000, 3) } },
    null,
  ];
  const ids: string[] = [];
  for (const shape of shapes) ids.push((await snap.save(shape)).id);
  for (const [index, id] of ids.entries()) assert.deepEqual(await snap.restore(id), shapes[index]);
});

test('empty and tiny buffers, and a region around chunk boundaries', async (t) => {
  await using snap = await Snap.open(storePath(t));
  for (const length of [0, 1, 65_535, 65_536, 65_537, 131_072]) {
    const state = { bytes: new Uint8Array(length).fill(7), none: new Float64Array(0) };
    const { id } = await snap.save(state);
    assert.deepEqual(await snap.restore(id), state);
  }
});

test('restore into a live state rewrites it in place', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = model(1);
  const { u } = state;
  await snap.save(state);
  const saved = structuredClone(state);
  u.fill(0);
  state.step = 99;
  const restored = await snap.restore('latest', { into: state });
  assert.equal(restored, state);
  assert.equal(state.u, u, 'the same view');
  assert.deepEqual(state, saved);
});

test('restore of only some regions leaves the others out', async (t) => {
  await using snap = await Snap.open(storePath(t));
  await snap.save({ a: { u: field(9000) }, b: field(9000, 2), n: 1 });
  const progress: number[] = [];
  const part = (await snap.restore('latest', {
    only: ['a.u'],
    onProgress: ({ doneBytes, totalBytes }) => progress.push(doneBytes / totalBytes),
  })) as { a: { u: Float64Array }; b?: unknown };
  assert.deepEqual(part.a.u, field(9000));
  assert.equal(part.b, undefined);
  assert.deepEqual(progress, [1]);
});

test('a state of many regions keeps a small manifest and comes back', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = Array.from({ length: 500 }, (_, index) => field(1000, index));
  await snap.save(state, { durable: true });
  (state[250] as Float64Array)[10] = 42;
  const info = await (await snap.save(state)).durable;
  assert.ok(info.storedBytes < 40_000, `${info.storedBytes} bytes for one changed region of 8000`);
  assert.deepEqual(await snap.restore(), state);
});

test('stats add up', async (t) => {
  await using snap = await Snap.open(storePath(t), { run: 'sum' });
  const infos = [];
  for (const step of [0, 1]) infos.push(await (await snap.save(model(step))).durable);
  const stats = await snap.stats();
  assert.equal(stats.snapshots, 2);
  assert.equal(
    stats.logicalBytes,
    infos.reduce((sum, info) => sum + info.logicalBytes, 0),
  );
  assert.ok(stats.packBytes >= stats.storedBytes);
  assert.deepEqual(
    stats.runs.map(({ run, snapshots, newest }) => [run, snapshots, newest]),
    [['sum', 2, infos[1]?.id]],
  );
});

test('compression off and every level restore the same', async (t) => {
  for (const compression of [false, { level: 1 }, { level: 9 }] as const) {
    await using snap = await Snap.open(storePath(t), { compression });
    await snap.save(model(3));
    assert.deepEqual(await snap.restore(), model(3));
  }
});

test('aborts reject with an AbortError and lose nothing', async (t) => {
  const path = storePath(t);
  await assert.rejects(Snap.open(path, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  await using snap = await Snap.open(path);
  await assert.rejects(snap.save({}, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  await snap.save({ n: 1 });
  await assert.rejects(snap.restore('latest', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.deepEqual(await snap.restore(), { n: 1 });
});
