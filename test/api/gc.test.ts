/** Garbage collection as a caller sees it: what goes, what stays, and that a loop beside it loses nothing. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { test } from 'node:test';
import { INTERNALS } from '../../src/api/options.js';
import { isSnapError } from '../../src/base/errors.js';
import { type GcMessage, type GcReport, Snap } from '../../src/index.js';
import { budget } from '../support/budget.js';
import { Random } from '../support/random.js';
import { collect, field, startProgram, storePath } from './support.js';

const SMALL_PACKS = { [INTERNALS]: { packBytes: 200_000 } };

/** Four chunks that change one at a time, and one that never does. */
function stateAt(step: number): { step: number; grid: Float64Array; fixed: Float64Array } {
  const grid = field(32_768, 1);
  for (let index = 0; index <= step; index++) grid[(index % 4) * 8192] = index;
  for (let index = 0; index < 2000; index++) grid[(step % 4) * 8192 + index] = Math.sin(step * index);
  return { step, grid, fixed: field(8192, 7) };
}

async function saveSteps(snap: Snap, from: number, to: number): Promise<string[]> {
  const ids: string[] = [];
  for (let step = from; step < to; step++) {
    const ticket = await snap.save(stateAt(step), { step });
    ids.push((await ticket.durable).id);
  }
  return ids;
}

async function assertRestores(snap: Snap, steps: Iterable<number>): Promise<void> {
  for (const step of steps) assert.deepEqual(await snap.restore({ step }), stateAt(step), `step ${step}`);
}

test('what the policy does not keep is gone, and its space; the rest restores', async (t) => {
  const path = storePath(t);
  let snap = await Snap.open(path, SMALL_PACKS);
  const ids = await saveSteps(snap, 0, 60);
  await snap.tag('first', ids[0] as string);
  const before = (await snap.stats()).packBytes;

  const planned = await snap.gc({ last: 3 }, { dryRun: true, explain: true });
  assert.equal(planned.dropped, 56);
  assert.equal((await snap.stats()).packBytes, before, 'a dry run changes nothing');
  assert.ok(planned.snapshots.every(({ ownBytes, reasons }) => (ownBytes ?? -1) >= 0 && reasons.length > 0));

  const report = await snap.gc({ last: 3 });
  assert.deepEqual(
    report.snapshots.map(({ id, keep, reasons }) => ({ id, keep, reasons })),
    planned.snapshots.map(({ id, keep, reasons }) => ({ id, keep, reasons })),
  );
  const after = (await snap.stats()).packBytes;
  assert.ok(after < before / 2, `${before} bytes before, ${after} after`);
  const kept = (await collect(snap.list({ forgotten: true }))).map(({ step }) => step);
  assert.deepEqual(kept, [59, 58, 57, 0]);
  await assertRestores(snap, [59, 58, 57, 0]);
  await assert.rejects(snap.restore(ids[30] as string), (error) => isSnapError(error, 'SNAP_NOT_FOUND'));
  await assert.rejects(snap.unforget(ids[30] as string), (error) => isSnapError(error, 'SNAP_NOT_FOUND'));
  await saveSteps(snap, 60, 64);
  await snap.close();

  snap = await Snap.open(path, SMALL_PACKS);
  await assertRestores(snap, [63, 60, 59, 0]);
  assert.ok((await snap.verify({ readData: true })).ok);
  assert.equal((await snap.gc()).dropped, 0, 'nothing is forgotten');
  await snap.close();
});

test('forgotten until gc, and then for good', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const [a, b] = (await saveSteps(snap, 0, 3)) as [string, string];
  await snap.tag('mine', a);
  await snap.forget(a);
  await snap.forget(b);
  await snap.unforget(b);
  const report = await snap.gc();
  assert.deepEqual(
    report.snapshots.filter(({ keep }) => !keep).map(({ id, reasons }) => [id, reasons]),
    [[a, ['forgotten']]],
  );
  assert.equal((await snap.tags()).size, 0);
  await assertRestores(snap, [1, 2]);
});

test('a plan that keeps nothing is refused unless forced', async (t) => {
  await using snap = await Snap.open(storePath(t));
  await assert.rejects(snap.gc({ last: -1 }), RangeError);
  await assert.rejects(snap.gc({ lats: 1 } as never), TypeError);
  const [id] = (await saveSteps(snap, 0, 1)) as [string];
  await snap.forget(id);
  // What the Snap itself builds on is in use.
  assert.equal((await snap.gc()).dropped, 0);
});

test('a reader may plan, and not collect', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path);
  await saveSteps(snap, 0, 5);
  await snap.close();
  await using reader = await Snap.open(path, { readOnly: true });
  assert.equal((await reader.gc({ last: 1 }, { dryRun: true })).dropped, 4);
  await assert.rejects(reader.gc({ last: 1 }), TypeError);
});

test('saves and gc side by side lose nothing, whatever is shared between what goes and what comes', async (t) => {
  const random = new Random(5);
  const path = storePath(t);
  let snap = await Snap.open(path, SMALL_PACKS);
  const known = new Map<string, ReturnType<typeof stateAt>>();
  const pending: Promise<unknown>[] = [];
  let step = 0;
  for (let round = 0; round < budget(12); round++) {
    const collecting = snap.gc({ last: 2 }, { maxSeconds: random.chance(0.2) ? 0.02 : 60 });
    for (let index = 0; index < 8; index++) {
      // Old contents come back, whose chunks are being condemned.
      const state = stateAt(random.chance(0.5) ? random.below(6) : 100 + step);
      const ticket = await snap.save(state, { step: step++ });
      pending.push(ticket.durable.then(({ id }) => known.set(id, state)));
      if (random.chance(0.3)) await Promise.all(pending.splice(0));
      if (random.chance(0.1)) await snap.restore('latest');
    }
    await collecting;
    await Promise.all(pending.splice(0));
    if (random.chance(0.2)) {
      await snap.close();
      snap = await Snap.open(path, SMALL_PACKS);
    }
    for (const info of await collect(snap.list())) {
      assert.deepEqual(await snap.restore(info.id), known.get(info.id), `seed 5, round ${round}, ${info.id}`);
    }
  }
  await snap.gc({ last: 1 });
  const report = await snap.verify({ readData: true });
  assert.deepEqual(report.damage, []);
  assert.ok(report.ok);
  await snap.close();
});

test('a store with keep stays small by itself, and says so', async (t) => {
  const path = storePath(t);
  const reports: GcReport[] = [];
  const listen = (message: unknown) => reports.push((message as GcMessage).report);
  subscribe('holdfast:gc', listen);
  t.after(() => unsubscribe('holdfast:gc', listen));
  const other = await Snap.open(path, { run: 'other', ...SMALL_PACKS });
  await saveSteps(other, 0, 4);
  const snap = await Snap.open(path, { run: 'mine', keep: { last: 2 }, ...SMALL_PACKS });
  await saveSteps(snap, 0, 20);
  await other.close();
  await snap.close();
  assert.equal(reports.length, 1, 'at the latest when it is closed');
  const reader = await Snap.open(path, { readOnly: true });
  const left = (await collect(reader.list())).map(({ run, step }) => `${run} ${step}`);
  assert.deepEqual(left, ['mine 19', 'mine 18', 'other 3', 'other 2', 'other 1', 'other 0']);
  await reader.close();
});

test('a reader beside gc restores what is there, wherever it went', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path, SMALL_PACKS);
  await saveSteps(snap, 0, 30);
  const reader = startProgram('reader', [path]);
  t.after(() => reader.kill('SIGKILL'));
  const ask = async (message: number[] | 'verify'): Promise<unknown> => {
    const [answer] = await Promise.all([once(reader, 'message'), reader.send(message)]);
    return answer[0];
  };
  await once(reader, 'message');
  const hashes = (steps: number[]) =>
    steps.map((step) =>
      createHash('sha256')
        .update(new Uint8Array(stateAt(step).grid.buffer))
        .digest('hex'),
    );
  assert.deepEqual(await ask([0, 29]), hashes([0, 29]));
  for (let from = 30; from < 60; from += 10) {
    await snap.gc({ last: 3 });
    await saveSteps(snap, from, from + 10);
    await snap.gc({ last: 3 });
    assert.deepEqual(await ask([from + 7, from + 9, 2]), [...hashes([from + 7, from + 9]), 'SNAP_NOT_FOUND']);
    assert.equal(((await ask('verify')) as { ok: boolean }).ok, true);
  }
  // While packs are being taken away.
  for (let round = 0; round < 10; round++) {
    await saveSteps(snap, 60 + 4 * round, 64 + 4 * round);
    const collecting = snap.gc({ last: 2 });
    assert.deepEqual(await ask([63 + 4 * round]), hashes([63 + 4 * round]), `round ${round}`);
    await collecting;
  }
  const ended = once(reader, 'exit');
  reader.send('end');
  await ended;
  await snap.close();
});
