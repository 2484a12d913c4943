import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { INTERNALS } from '../../src/api/options.js';
import { Snap, type VerifyReport } from '../../src/index.js';
import { field, storePath } from './support.js';

async function makeStore(path: string, steps = 4): Promise<string[]> {
  await using snap = await Snap.open(path, { [INTERNALS]: { packBytes: 400_000 } });
  const ids: string[] = [];
  const state = { step: 0, u: field(60_000), v: field(30_000, 1) };
  for (let step = 0; step < steps; step++) {
    state.step = step;
    for (let index = 0; index < 60_000; index++) state.u[index] = Math.sin(index * (step + 1));
    ids.push((await snap.save(state, { step, tag: `step-${step}`, durable: true })).id);
  }
  return ids;
}

/** Flips a bit in the payload of the nth chunk of a pack. */
function damageChunk(path: string, pack: string, nth: number): void {
  const file = join(path, 'packs', pack);
  const bytes = readFileSync(file);
  let at = -1;
  for (let count = 0; count <= nth; count++) at = bytes.indexOf('HFR\u0001\u0002', at + 1, 'latin1');
  bytes[at + 300] = (bytes[at + 300] as number) ^ 4;
  writeFileSync(file, bytes);
}

/** Verifies every byte in runs that have hardly any time, to the end of the packs; then what is left. */
async function inShortRuns(snap: Snap): Promise<VerifyReport[]> {
  const reports: VerifyReport[] = [];
  for (let left = true; left; ) {
    const report = await snap.verify({ readData: true, maxSeconds: 1e-6 });
    assert.ok(report.records > 0 || report.packs > 0, 'every run gets on');
    reports.push(report);
    left = report.packsBefore + report.packs < report.packsTotal;
  }
  const last = await snap.verify({ readData: true });
  assert.ok(last.complete);
  return [...reports, last];
}

test('a sound store verifies, in structure and to the last byte', async (t) => {
  const path = storePath(t);
  await makeStore(path);
  await using snap = await Snap.open(path);
  const phases = new Set<string>();
  const structure = await snap.verify();
  assert.equal(structure.ok && structure.complete, true);
  assert.equal(structure.snapshots, 4);
  assert.equal(structure.readBytes, 0);
  const full = await snap.verify({ readData: true, onProgress: ({ phase }) => phases.add(phase) });
  assert.equal(full.ok && full.complete, true, JSON.stringify(full));
  assert.ok(full.readBytes > 1_000_000);
  assert.ok(phases.has('packs'));
  const part = await snap.verify({ readData: true, sample: 0.3 });
  assert.ok(part.readBytes < full.readBytes);
});

test('damaged data is named by pack and by what it hits', async (t) => {
  const path = storePath(t);
  const ids = await makeStore(path);
  damageChunk(path, '00000001.pack', 2);
  await using snap = await Snap.open(path, { readOnly: true });
  const report = await snap.verify({ readData: true });
  assert.equal(report.ok, false);
  assert.deepEqual(
    report.damage.map(({ pack }) => pack),
    [1],
  );
  const hit = report.damagedSnapshots.find(({ id }) => id === ids[0]);
  assert.deepEqual(hit?.tags, ['step-0']);
  assert.deepEqual(
    hit?.parts.map(({ path: region }) => region),
    ['u'],
  );
  assert.ok(report.damagedSnapshots.length < 4, 'snapshots that do not use the chunk are sound');
  assert.equal((await snap.verify()).ok, true, 'structure alone does not read the data');
});

test('a lost or shortened pack is found by structure', async (t) => {
  for (const hurt of ['remove', 'shorten'] as const) {
    const path = storePath(t);
    await makeStore(path);
    const file = join(path, 'packs/00000002.pack');
    if (hurt === 'remove') rmSync(file);
    else truncateSync(file, 20_000);
    await using snap = await Snap.open(path, { readOnly: true });
    const report = await snap.verify();
    assert.equal(report.ok, false);
    assert.ok(report.damage.some(({ pack }) => pack === 2));
    const places = report.damage.map(({ pack, offset }) => `${pack} ${offset}`);
    assert.equal(new Set(places).size, places.length, 'each place is told once');
  }
});

test('runs that end early look at everything between them, once', async (t) => {
  const path = storePath(t);
  await makeStore(path);
  await using snap = await Snap.open(path);
  const whole = await snap.verify({ readData: true });
  assert.ok(whole.packsTotal > 1);
  assert.deepEqual([whole.packs, whole.packsBefore], [whole.packsTotal, 0]);
  const runs = await inShortRuns(snap);
  assert.ok(runs.length > 2, 'no run looks at everything');
  const sum = (key: 'records' | 'readBytes' | 'packs') =>
    runs.reduce((total, report) => total + report[key], 0);
  assert.deepEqual(
    [sum('records'), sum('readBytes'), sum('packs')],
    [whole.records, whole.readBytes, whole.packs],
  );
  for (const [index, { packsBefore, continues }] of runs.entries()) {
    assert.equal(continues, index > 0);
    const earlier = runs.slice(0, index).reduce((total, { packs }) => total + packs, 0);
    assert.equal(packsBefore, earlier);
  }
  assert.equal((await snap.verify({ readData: true })).packsBefore, 0, 'the next run begins anew');
});

test('the last of several runs tells what the first had found', async (t) => {
  const path = storePath(t);
  const ids = await makeStore(path);
  const sound = readFileSync(join(path, 'packs/00000001.pack'));
  damageChunk(path, '00000001.pack', 2);
  await using snap = await Snap.open(path, { readOnly: true });
  const runs = await inShortRuns(snap);
  assert.ok(runs.length > 2);
  for (const { damage, ok } of runs) assert.deepEqual([damage.length, ok], [1, false]);
  assert.ok(runs.at(-1)?.damagedSnapshots.some(({ id }) => id === ids[0]));
  const { complete, damage } = await snap.verify({ readData: true, maxSeconds: 1e-6 });
  assert.deepEqual([complete, damage.length], [false, 1]);
  writeFileSync(join(path, 'packs/00000001.pack'), sound);
  assert.equal((await snap.verify({ readData: true })).ok, true, 'what is sound again is not called damaged');
});

test('a note of an earlier run that cannot be read is passed over', async (t) => {
  const path = storePath(t);
  await makeStore(path);
  await using snap = await Snap.open(path, { readOnly: true });
  for (const note of [
    '',
    '{',
    'null',
    '{"share":1,"pack":-1,"offset":0,"damage":[]}',
    '{"share":1,"pack":1}',
  ]) {
    writeFileSync(join(path, 'verified.json'), note);
    const { complete, packsBefore } = await snap.verify({ readData: true });
    assert.deepEqual([complete, packsBefore], [true, 0], note);
  }
});

test('what opening found wrong is told too, once', async (t) => {
  const path = storePath(t);
  await makeStore(path);
  const other = storePath(t);
  await makeStore(other, 8);
  const last = readdirSync(join(other, 'packs')).sort().at(-1) ?? '';
  const pack = Number.parseInt(last, 10);
  copyFileSync(join(other, 'packs', last), join(path, 'packs', last));
  await using snap = await Snap.open(path, { readOnly: true });
  for (const readData of [false, true]) {
    const { ok, damage, damagedSnapshots } = await snap.verify({ readData });
    assert.deepEqual([ok, damagedSnapshots], [false, []]);
    assert.deepEqual(damage, [{ pack, offset: 0, reason: 'it belongs to another store' }]);
  }
});

test('saves go on while a store is verified, and closing ends it', async (t) => {
  const path = storePath(t);
  await makeStore(path);
  const snap = await Snap.open(path);
  const verifying = snap.verify({ readData: true });
  await snap.save({ n: 1 }, { durable: true });
  await verifying;
  const late = snap.verify({ readData: true });
  await snap.close();
  await late;
});

test('verify can be aborted, and refuses nonsense', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const controller = new AbortController();
  const verifying = snap.verify({ readData: true, signal: controller.signal });
  controller.abort();
  await assert.rejects(verifying, { name: 'AbortError' });
  await assert.rejects(snap.verify({ sample: 0 }), RangeError);
  await assert.rejects(snap.verify({ maxSeconds: -1 }), RangeError);
  await assert.rejects(snap.verify({ readdata: true } as never), TypeError);
});

/** They were incremental: what was known to be damaged, or gone, was relied upon all the same, and the save was durable. */
for (const [what, find] of [
  ['verified', (snap: Snap) => snap.verify({ readData: true })],
  ['restored', (snap: Snap) => snap.restore('step-0').catch(() => {})],
] as const) {
  test(`what was found damaged when it was ${what} is written again by the next save, and older ones have it back`, async (t) => {
    for (const where of ['header', 'payload', 'page'] as const) {
      if (where !== 'payload' && what === 'restored') continue;
      const path = storePath(t);
      await using snap = await Snap.open(path, { compression: false });
      const state = { u: field(60_000), v: field(30_000, 1) };
      const { id } = await snap.save(state, { tag: 'step-0', durable: true });
      const file = join(path, 'packs/00000001.pack');
      const bytes = readFileSync(file);
      let at = bytes.indexOf(`HFR\u0001${where === 'page' ? '\u0003' : '\u0002'}`, 1000, 'latin1');
      at += where === 'header' ? 8 : 120;
      bytes[at] = (bytes[at] as number) ^ 4;
      writeFileSync(file, bytes);
      await find(snap);
      const next = await snap.save(state, { durable: true });
      assert.equal((await snap.verify()).damagedSnapshots.length, 0, where);
      for (const whole of [id, next.id]) assert.deepEqual(await snap.restore(whole), state, where);
    }
  });
}

test('a save after a restart does not rely on chunks of its lineage that are gone', async (t) => {
  const path = storePath(t);
  // Four chunks: no pages, whose loss would be noticed when the lineage is loaded.
  const state = { v: field(30_000), step: 0 };
  const packBytes = { [INTERNALS]: { packBytes: 100_000 } };
  for (let step = 0; step < 3; step++) {
    await using snap = await Snap.open(path, packBytes);
    state.step = step;
    await snap.save(state, { durable: true });
  }
  rmSync(join(path, 'packs/00000001.pack'));
  await using snap = await Snap.open(path, packBytes);
  const { id } = await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(id), state);
});
