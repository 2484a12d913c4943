/** Limits, as a caller meets them: the smallest and the largest, and very many of everything. */

import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { budget } from '../support/budget.js';
import { collect, storePath } from './support.js';

test('opening tells how far it has come while it reads the packs, and says nothing after a clean close', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path);
  await snap.save({ u: new Float64Array(10_000) });
  await snap.close();
  const bytes = readdirSync(join(path, 'packs')).reduce(
    (sum, name) => sum + statSync(join(path, 'packs', name)).size,
    0,
  );
  for (const { readOnly, remove, tells } of [
    { readOnly: false, remove: false, tells: false },
    { readOnly: true, remove: false, tells: true },
    { readOnly: false, remove: true, tells: true },
  ]) {
    if (remove) rmSync(join(path, 'index'), { recursive: true });
    const told: object[] = [];
    const again = await Snap.open(path, { readOnly, onProgress: (progress) => told.push(progress) });
    await again.close();
    assert.deepEqual(told, tells ? [{ phase: 'rebuild', done: bytes, total: bytes }] : []);
  }
  await assert.rejects(Snap.open(path, { onProgress: 1 as never }), TypeError);
});

test('buffers of no bytes, of one, and around the sizes at which they are stored in another way', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = {
    none: new Uint8Array(0),
    one: new Uint8Array([7]),
    buffer: new ArrayBuffer(0),
    shared: new SharedArrayBuffer(0),
    view: new DataView(new ArrayBuffer(1)),
    double: new Float64Array(0),
    // Inline in the skeleton up to 1 KiB, then a region of its own; chunks have 64 KiB.
    edges: [1023, 1024, 1025, 65_535, 65_536, 65_537].map((length) => new Uint8Array(length).fill(length)),
  };
  const { id } = await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(id), state);
  // From nothing to something and back, as what is compared with the save before.
  for (const length of [1, 0, 65_536, 1024, 65_537, 1025, 65_535, 0, 1]) {
    state.none = new Uint8Array(length).fill(9);
    const ticket = await snap.save(state, { durable: true });
    assert.deepEqual(await snap.restore(ticket.id), state);
  }
});

test('nothing but a number, and nothing at all', async (t) => {
  await using snap = await Snap.open(storePath(t));
  for (const state of [0, -0, undefined, null, '', {}, [], Number.NaN]) {
    const { id } = await snap.save(state, { durable: true });
    assert.deepEqual(await snap.restore(id), state);
  }
});

test('names of runs and tags: 128 bytes, in any script, and not one more', async (t) => {
  const path = storePath(t);
  for (const letter of ['x', 'ß', '雪', '🧊']) {
    const bytes = Buffer.byteLength(letter);
    const name = letter.repeat(Math.floor(128 / bytes)) + 'x'.repeat(128 % bytes);
    assert.equal(Buffer.byteLength(name), 128);
    await using snap = await Snap.open(path, { run: name });
    const { id } = await snap.save({ letter }, { tag: name, durable: true });
    assert.equal((await snap.tags()).get(name), id);
    assert.deepEqual(await snap.restore(name), { letter });
    assert.equal((await collect(snap.list({ run: name }))).length, 1);
    await assert.rejects(snap.save({}, { tag: `${name}x` }), TypeError);
    await snap.close();
    await assert.rejects(Snap.open(path, { run: `${name}x` }), TypeError);
  }
  rmSync(join(path, 'index'), { recursive: true });
  await using again = await Snap.open(path, { run: 'x'.repeat(128) });
  assert.deepEqual(
    (await collect(again.list())).map(({ run }) => Buffer.byteLength(run)),
    [128, 128, 128, 128],
  );
});

test('very many small arrays: each comes back, and a changed one is all that is written', async (t) => {
  const count = budget(3000);
  await using snap = await Snap.open(storePath(t));
  const state = { arrays: Array.from({ length: count }, (_, index) => new Float64Array(130).fill(index)) };
  await snap.save(state, { durable: true });
  const { durable } = await snap.save(state);
  assert.equal((await durable).changedBytes, 0);
  (state.arrays[count >> 1] as Float64Array)[2] = -1;
  const { id, durable: third } = await snap.save(state);
  const info = await third;
  assert.equal(info.changedBytes, 1040);
  assert.ok(info.storedBytes < 40_000, `${info.storedBytes} bytes stored`);
  assert.deepEqual(await snap.restore(id), state);
  assert.equal((await snap.info(id)).regions.length, count);
  const one = await snap.restore<typeof state>(id, { only: [`arrays[${count >> 1}]`] });
  assert.deepEqual(one.arrays[count >> 1], state.arrays[count >> 1]);
});

test('very many snapshots, each with a tag: the same answers live, for a reader, and from an index made anew', async (t) => {
  const count = 2 * budget(300);
  const path = storePath(t);
  const snap = await Snap.open(path, { run: 'odd' });
  const other = await Snap.open(path, { run: 'even' });
  const ids: string[] = [];
  for (let step = 0; step < count; step++) {
    const { id } = await (step % 2 === 0 ? other : snap).save({ step }, { step, tag: `tag-${step}` });
    ids.unshift(id);
  }
  const middle = ids[count >> 1] as string;
  await snap.flush();
  await other.flush();
  await snap.tag('also', middle);
  await snap.forget(ids[1] as string);

  async function check(from: Snap): Promise<void> {
    const listed = await collect(from.list());
    assert.deepEqual(
      listed.map(({ id }) => id),
      ids.filter((id) => id !== ids[1]),
    );
    for (const { id, tags } of listed) {
      const own = `tag-${count - 1 - ids.indexOf(id)}`;
      assert.deepEqual(tags, id === middle ? ['also', own] : [own]);
    }
    const odd = await collect(from.list({ run: 'odd', forgotten: true }));
    assert.equal(odd.length, count >> 1);
    assert.equal((await from.tags()).size, count);
    assert.equal((await from.info(middle.slice(0, 16))).id, middle);
    assert.equal((await from.info('also')).step, count - 1 - (count >> 1));
    assert.equal((await from.info({ step: 1 })).id, ids.at(-2));
    assert.equal((await from.info('latest')).id, ids[0]);
    assert.equal((await from.stats()).snapshots, count - 1);
  }

  await check(snap);
  const reader = await Snap.open(path, { readOnly: true, run: 'odd' });
  await check(reader);
  await reader.close();
  await other.close();
  await snap.close();
  rmSync(join(path, 'index'), { recursive: true });
  await using again = await Snap.open(path, { run: 'odd' });
  await check(again);
  const report = await again.verify();
  assert.deepEqual([report.ok, report.snapshots], [true, count - 1]);
});
