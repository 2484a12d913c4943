/** Resuming past damage: the newest intact snapshot with a warning for every one passed over, never a silent new beginning. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { collect, field, storePath } from './support.js';
import { watchRequests } from './watched-reads.js';

interface State {
  n: number;
  u: Float64Array;
}

/** One snapshot per state; nothing in a state is like another's. */
async function storeOf(path: string, count: number): Promise<{ ids: string[]; states: State[] }> {
  const states = Array.from({ length: count }, (_, n) => ({ n, u: field(20_000, n) }));
  await using snap = await Snap.open(path);
  const ids: string[] = [];
  for (const state of states) ids.push((await snap.save(state, { durable: true })).id);
  return { ids, states };
}

const RECORD = { chunk: 2, manifest: 4 } as const;

/** Changes the payload of some of the records of a type, by their positions among them; negative ones from the end. */
function damage(path: string, type: keyof typeof RECORD, positions: readonly number[]): void {
  const file = join(path, 'packs/00000001.pack');
  const bytes = readFileSync(file);
  const magic = Buffer.from([...Buffer.from('HFR'), 1, RECORD[type]]);
  const found: number[] = [];
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) found.push(at);
  for (const position of positions) {
    const record = found.at(position) as number;
    const at = record + 96 + (bytes.readUInt32LE(record + 12) >>> 1);
    bytes[at] = (bytes[at] as number) ^ 1;
  }
  writeFileSync(file, bytes);
}

/** What is warned of while a test runs. */
function warningsOf(t: TestContext): string[] {
  const warnings: string[] = [];
  const add = ({ message }: Error) => warnings.push(message);
  process.on('warning', add);
  t.after(() => process.off('warning', add));
  return warnings;
}

const never = () => assert.fail('begun anew');
/** Of every state here: one of its skeleton, and three of its field, which come last. */
const CHUNKS = 4;

test('the two newest are damaged: the third is taken, with a warning for each', async (t) => {
  const path = storePath(t);
  const warnings = warningsOf(t);
  const { ids, states } = await storeOf(path, 4);
  damage(path, 'chunk', [-1, -1 - CHUNKS]);
  await using snap = await Snap.open(path);
  assert.deepEqual(await snap.resume<State>(never), states[1]);
  await new Promise(setImmediate);
  for (const id of ids.slice(2))
    assert.ok(
      warnings.some((warning) => warning.includes(id)),
      warnings.join(),
    );
  const branch = await (await snap.save({ n: 9 })).durable;
  assert.equal(branch.parent, ids[1]);
});

test('manifests damaged: older snapshots are taken, whether the index was kept or made anew', async (t) => {
  for (const index of ['kept', 'made anew'] as const) {
    const path = storePath(t);
    const warnings = warningsOf(t);
    const { states } = await storeOf(path, 4);
    damage(path, 'manifest', [-1, -2]);
    if (index === 'made anew') rmSync(join(path, 'index'), { recursive: true });
    await using snap = await Snap.open(path);
    assert.deepEqual(await snap.resume<State>(never), states[1]);
    await new Promise(setImmediate);
    assert.ok(warnings.length >= 2, warnings.join('\n'));
  }
});

test('all damaged: an error that names them; after a repair there is nothing and resume begins anew', async (t) => {
  const path = storePath(t);
  const { ids } = await storeOf(path, 3);
  damage(path, 'chunk', [-1, -1 - CHUNKS, -1 - 2 * CHUNKS]);
  const message = new RegExp(`${ids[2]}.*${ids[1]}.*${ids[0]}.*repair`);
  {
    await using snap = await Snap.open(path);
    await assert.rejects(snap.resume(never), { code: 'SNAP_CORRUPT', snapshot: ids[2], message });
    assert.equal((await collect(snap.list())).length, 3, 'nothing was changed');
  }
  assert.equal((await Snap.repair(path)).lost.length, 3);
  await using snap = await Snap.open(path);
  assert.equal(await snap.resume(() => 'anew'), 'anew');
});

test('all manifests lost from a new index: an error, again after a clean close, until the store is repaired', async (t) => {
  const path = storePath(t);
  await storeOf(path, 3);
  damage(path, 'manifest', [0, 1, 2]);
  rmSync(join(path, 'index'), { recursive: true });
  for (let opening = 0; opening < 3; opening++) {
    await using snap = await Snap.open(path);
    await assert.rejects(snap.resume(never), { code: 'SNAP_CORRUPT', pack: 1, message: /may have had some/ });
    await using reader = await Snap.open(path, { readOnly: true });
    await assert.rejects(reader.resume(never), { code: 'SNAP_CORRUPT' });
  }
  await Snap.repair(path);
  await using snap = await Snap.open(path);
  assert.equal(await snap.resume(() => 'anew'), 'anew');
});

test('the only pack is gone: an error, also when the store is opened again', async (t) => {
  const path = storePath(t);
  await storeOf(path, 2);
  rmSync(join(path, 'packs/00000001.pack'));
  for (let opening = 0; opening < 2; opening++) {
    await using snap = await Snap.open(path);
    await assert.rejects(snap.resume(never), { code: 'SNAP_CORRUPT', pack: 1 });
  }
  await Snap.repair(path);
  await using snap = await Snap.open(path);
  assert.equal(await snap.resume(() => 'anew'), 'anew');
  await snap.save({ n: 1 }, { durable: true });
  assert.equal((await snap.verify({ readData: true })).ok, true);
});

test('damage that was passed over once is warned of whenever the store is opened, and new saves go on', async (t) => {
  const path = storePath(t);
  const { states } = await storeOf(path, 3);
  damage(path, 'manifest', [-1]);
  rmSync(join(path, 'index'), { recursive: true });
  for (let opening = 0; opening < 3; opening++) {
    const warnings = warningsOf(t);
    await using snap = await Snap.open(path);
    const state = await snap.resume<State>(never);
    if (opening === 0) assert.deepEqual(state, states[1]);
    else assert.equal(state.n, 100 + opening - 1);
    await snap.save({ ...state, n: 100 + opening }, { durable: true });
    await new Promise(setImmediate);
    assert.ok(
      warnings.some((warning) => warning.includes('pack 1')),
      `opening ${opening}`,
    );
  }
});

test('the newest snapshot is asked for at once, however many there are, and it is that of this run', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path, { run: 'mine' });
  await using other = await Snap.open(path, { run: 'other' });
  await snap.save({ n: 1 }, { durable: true });
  await other.save({ n: 2 }, { durable: true });
  const asked = watchRequests(t);
  assert.deepEqual(await snap.resume(() => ({ n: 0 })), { n: 1 });
  assert.deepEqual(await snap.resume(() => ({ n: 0 }), { run: 'other' }), { n: 1 });
  assert.deepEqual(asked(), ['open', 'open']);
});
