import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CopyOptions, Snap } from '../../src/index.js';
import { budget } from '../support/budget.js';
import { collect, ended, faulty, field, setFault, startProgram, storePath } from './support.js';

interface State {
  step: number;
  u: Float64Array;
  notes: Map<string, number>;
}

/** A store of some steps of a run, and what each of them has to restore to. */
async function filled(
  t: TestContext,
  steps = 4,
): Promise<{ path: string; ids: string[]; states: Map<string, State> }> {
  const path = storePath(t);
  const ids: string[] = [];
  const states = new Map<string, State>();
  await using snap = await Snap.open(path, { run: 'heat' });
  for (let step = 1; step <= steps; step++) {
    const state = { step, u: field(40_000), notes: new Map([['at', step]]) };
    state.u[step * 1000] = step;
    const { id } = await snap.save(state, {
      step,
      meta: { step },
      durable: true,
      ...(step === 2 && { tag: 'best' }),
    });
    ids.unshift(id);
    states.set(id, structuredClone(state));
  }
  return { path, ids, states };
}

function bytesOf(path: string): number {
  const packs = join(path, 'packs');
  return readdirSync(packs).reduce((sum, name) => sum + statSync(join(packs, name)).size, 0);
}

async function assertRestores(path: string, states: ReadonlyMap<string, unknown>, ids = [...states.keys()]) {
  await using snap = await Snap.open(path, { readOnly: true });
  for (const id of ids) assert.deepEqual(await snap.restore(id), states.get(id));
  assert.ok((await snap.verify({ readData: true })).ok);
}

async function idsIn(path: string): Promise<string[]> {
  await using snap = await Snap.open(path, { readOnly: true });
  return (await collect(snap.list())).map(({ id }) => id);
}

test('a copy restores bit for bit, under the same ids, and goes on where the source was', async (t) => {
  const { path, ids, states } = await filled(t);
  const to = join(dirname(path), 'away', 'backup');
  const report = await Snap.copy(path, to);
  assert.deepEqual(
    report.copied.map(({ id }) => id),
    ids,
  );
  assert.deepEqual([report.complete, report.dryRun, report.present, report.skipped], [true, false, 0, []]);
  assert.ok(report.writtenBytes > 0 && report.readBytes > 0 && report.sharedBytes > report.logicalBytes / 2);
  await assertRestores(to, states);
  await using source = await Snap.open(path, { readOnly: true });
  await using snap = await Snap.open(to, { run: 'heat' });
  for (const id of ids) assert.deepEqual(await snap.info(id), await source.info(id));
  const state = await snap.resume<State>(() => assert.fail());
  assert.equal(state.step, 4);
  const { durable } = await snap.save(state, { step: 5 });
  assert.equal((await durable).parent, ids[0], 'the lineage goes on');
  assert.ok((await durable).storedBytes < 20_000, 'and its chunks are known');
});

test('a second copy writes nothing', async (t) => {
  const { path, ids } = await filled(t);
  const to = storePath(t);
  await Snap.copy(path, to);
  // How long the last save took was noted when the store was closed: it is there by now.
  const before = bytesOf(to);
  const report = await Snap.copy(path, to);
  assert.deepEqual([report.copied, report.present, report.writtenBytes], [[], ids.length, 0]);
  assert.equal(bytesOf(to), before);
});

test('a selection: by reference, run, tag, time and number', async (t) => {
  const { path, ids } = await filled(t);
  const chosen = async (options: CopyOptions) => {
    const { copied } = await Snap.copy(path, storePath(t), options);
    return copied.map(({ step }) => step);
  };
  assert.deepEqual(await chosen({ snapshots: ['best', ids[0]?.slice(0, 8) ?? ''] }), [4, 2]);
  assert.deepEqual(await chosen({ snapshots: ['latest', { step: 1 }] }), [4, 1]);
  assert.deepEqual(await chosen({ tags: 'b*' }), [2]);
  assert.deepEqual(await chosen({ last: 2 }), [4, 3]);
  assert.deepEqual(await chosen({ run: 'other' }), []);
  assert.deepEqual(await chosen({ since: new Date(Date.now() + 60_000) }), []);
  assert.deepEqual(await chosen({ since: new Date(0), run: 'heat', last: 1 }), [4]);
});

test('what cannot be meant is refused before anything is opened', async (t) => {
  const to = storePath(t);
  const refused = (options: object, expected: RegExp, from = 'nowhere') =>
    assert.rejects(Snap.copy(from, to, options as CopyOptions), (error: Error) => {
      assert.ok(error instanceof TypeError || error instanceof RangeError, `${error}`);
      assert.match(error.message, expected);
      return true;
    });
  await refused({ dryrun: true }, /no option dryrun/);
  await refused({ last: 0 }, /whole number from 1/);
  await refused({ since: 'yesterday' }, /since takes a Date/);
  await refused({ snapshots: [''] }, /a snapshot is named by/);
  await refused({ tags: 'a[' }, /tags/);
  await refused({ run: 'a/b' }, /slash/);
  await refused({ maxSeconds: -1 }, /above 0/);
  await refused({ keep: { maxBytes: '1G' } }, /maxBytes/);
  await refused({ keep: { lasts: 1 } }, /did you mean last/);
  await refused({}, /takes the paths of two folders/, '');
  assert.ok(!existsSync(to));
});

test('a source that is not there, or a snapshot that is not in it, makes no store', async (t) => {
  const { path } = await filled(t, 1);
  const to = storePath(t);
  const nowhere = storePath(t);
  await assert.rejects(Snap.copy(nowhere, to), { code: 'SNAP_NOT_FOUND', path: nowhere });
  await assert.rejects(Snap.copy(path, to, { snapshots: ['nope'] }), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(Snap.copy(path, to, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal((await Snap.copy(path, to, { dryRun: true })).copied.length, 1);
  assert.ok(!existsSync(to));
});

test('a store is not copied onto itself, whatever it is called there', async (t) => {
  const { path, ids } = await filled(t, 2);
  const link = `${storePath(t)}-link`;
  symlinkSync(path, link);
  const twin = storePath(t);
  cpSync(path, twin, { recursive: true });
  for (const to of [path, `${path}/.`, link, twin]) {
    await assert.rejects(Snap.copy(path, to, { keep: { last: 1 } }), TypeError);
  }
  assert.deepEqual(await idsIn(path), ids);
});

test('a target that somebody owns is SNAP_LOCKED; one that holds other files is refused', async (t) => {
  const { path } = await filled(t, 1);
  const to = storePath(t);
  const child = startProgram('owner', [to]);
  const end = ended(child);
  await new Promise((resolve) => child.once('message', resolve));
  await assert.rejects(Snap.copy(path, to), (error: Error & { code: string; pid: number }) => {
    assert.deepEqual([error.code, error.pid], ['SNAP_LOCKED', child.pid]);
    assert.ok(error.message.includes(to));
    return true;
  });
  assert.equal((await Snap.copy(path, to, { dryRun: true })).copied.length, 1, 'a dry run looks beside it');
  child.kill('SIGKILL');
  await end;
  assert.equal((await Snap.copy(path, to)).copied.length, 1);
  const other = storePath(t);
  mkdirSync(other);
  writeFileSync(join(other, 'thesis.tex'), 'x');
  await assert.rejects(Snap.copy(path, other), { code: 'SNAP_NOT_FOUND', message: /thesis\.tex/ });
  assert.deepEqual(readdirSync(other), ['thesis.tex']);
});

test('the store of a loop that saves and collects is copied beside it, over and over', async (t) => {
  const path = storePath(t);
  const to = storePath(t);
  const child = startProgram('collecting', [path]);
  const end = ended(child);
  let step = 0;
  const reached = (wanted: number) =>
    new Promise<void>((resolve, reject) => {
      const listen = (message: { step: number }) => {
        step = message.step;
        if (step >= wanted) resolve();
      };
      child.on('message', listen);
      child.once('exit', () => reject(new Error('the loop ended')));
    });
  for (let round = 0; round < 3; round++) {
    await reached(step + 6);
    const { skipped, copied } = await Snap.copy(path, to);
    assert.ok(copied.length > 0);
    assert.ok(skipped.every(({ reason }) => reason === 'gone'));
  }
  child.send('stop');
  assert.equal((await end).code, 0);
  await Snap.copy(path, to);
  const here = await idsIn(path);
  const there = await idsIn(to);
  assert.deepEqual(there.slice(0, here.length), here);
  assert.ok(there.length > here.length, 'what was collected in the source stays in the copy');
  await using source = await Snap.open(path, { readOnly: true });
  await assertRestores(to, new Map([[here[0] ?? '', await source.restore(here[0])]]));
});

test('an abort ends a copy; what was copied stays, and the next one goes on from there', async (t) => {
  const { path, ids, states } = await filled(t, 6);
  const to = storePath(t);
  const controller = new AbortController();
  const copying = Snap.copy(path, to, { signal: controller.signal, onProgress: () => controller.abort() });
  await assert.rejects(copying, { name: 'AbortError' });
  const written = bytesOf(to);
  const report = await Snap.copy(path, to);
  assert.deepEqual(await idsIn(to), ids);
  assert.ok(report.writtenBytes + written < bytesOf(path) * 1.2, 'nothing is written twice');
  await assertRestores(to, states);
});

test('a copy with little time gets on each time, and comes to its end', async (t) => {
  const { path, ids, states } = await filled(t, 3);
  const to = storePath(t);
  let runs = 0;
  for (let complete = false; !complete; runs++) {
    assert.ok(runs < 200);
    ({ complete } = await Snap.copy(path, to, { maxSeconds: 0.0001, keep: { last: 1 } }));
  }
  assert.ok(runs > 1);
  const kept = ids.slice(0, 2);
  assert.deepEqual(await idsIn(to), kept, 'the newest, and the tagged one');
  await assertRestores(to, states, kept);
});

test('a copier that is killed at random moments leaves what is whole, and the next one goes on', async (t) => {
  const { path, ids, states } = await filled(t, 8);
  const to = storePath(t);
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  let kills = 0;
  for (let round = 0; round < budget(5); round++) {
    const child = startProgram('copier', [path, to]);
    const end = ended(child);
    const delay = ((seed >>> (round % 16)) % 97) * 4;
    setTimeout(() => child.kill('SIGKILL'), delay).unref();
    if ((await end).signal === 'SIGKILL') kills++;
    if (!existsSync(join(to, 'holdfast.json'))) continue;
    const there = await idsIn(to);
    assert.deepEqual(
      there,
      ids.filter((id) => there.includes(id)),
    );
    await assertRestores(to, states, there);
  }
  t.diagnostic(`${kills} killed`);
  await Snap.copy(path, to);
  assert.deepEqual(await idsIn(to), ids);
  await assertRestores(to, states);
});

test('trouble of the disk that is copied to ends the copy with its code; what was copied stays', async (t) => {
  const { path, ids, states } = await filled(t, 3);
  const to = storePath(t);
  await Snap.copy(path, to, { snapshots: ['best'] });
  for (const [call, code, expected] of [
    ['write', 'ENOSPC', 'SNAP_NO_SPACE'],
    ['sync', 'EIO', 'SNAP_IO'],
    ['write', 'DIE', 'SNAP_BROKEN'],
  ] as const) {
    setFault(to, { call, code, times: 1 });
    await assert.rejects(Snap.copy(path, to, faulty() as CopyOptions), { code: expected });
    assert.equal((await idsIn(to)).length, 1);
  }
  await Snap.copy(path, to);
  assert.deepEqual(await idsIn(to), ids);
  await assertRestores(to, states);
});

test('damage in the source is skipped and told, with a warning of the process', async (t) => {
  const { path, ids } = await filled(t, 3);
  const pack = join(path, 'packs', '00000001.pack');
  const bytes = readFileSync(pack);
  // Within a chunk of the first snapshot that no other shares.
  bytes[4000] = (bytes[4000] as number) ^ 1;
  writeFileSync(pack, bytes);
  const to = storePath(t);
  const { copied, skipped } = await Snap.copy(path, to);
  assert.ok(
    skipped.length > 0 && skipped.every(({ reason, message }) => reason === 'damaged' && message !== ''),
  );
  assert.equal(copied.length + skipped.length, ids.length);
  await using snap = await Snap.open(to, { readOnly: true });
  assert.ok((await snap.verify({ readData: true })).ok);
});

test('a policy on the far side: what it would drop is not copied, what it drops is collected', async (t) => {
  const { path, ids } = await filled(t, 6);
  const to = storePath(t);
  const keep = { last: 2 };
  const first = await Snap.copy(path, to, { keep });
  assert.deepEqual(
    [first.copied.length, first.notKept, first.gc?.dropped],
    [3, 3, 0],
    'two, and the tagged one',
  );
  await using snap = await Snap.open(path, { run: 'heat' });
  const state = await snap.resume<State>(() => assert.fail());
  const { id } = await snap.save(state, { step: 7, durable: true });
  const second = await Snap.copy(path, to, { keep });
  assert.deepEqual([second.copied.length, second.gc?.dropped], [1, 1]);
  assert.deepEqual(await idsIn(to), [id, ids[0], ids[4]]);
  const third = await Snap.copy(path, to, { keep });
  assert.deepEqual([third.copied, third.gc?.dropped], [[], 0]);
});

test('a lost store comes back from its copy, and one that was damaged is made whole by it', async (t) => {
  const { path, ids, states } = await filled(t, 4);
  const backup = storePath(t);
  await Snap.copy(path, backup);
  const again = storePath(t);
  await Snap.copy(backup, again);
  assert.deepEqual(await idsIn(again), ids);
  await assertRestores(again, states);
  const pack = join(path, 'packs', '00000001.pack');
  const bytes = readFileSync(pack);
  bytes.fill(0, 3000, 3200);
  writeFileSync(pack, bytes);
  const { lost } = await Snap.repair(path);
  assert.ok(lost.length > 0);
  await Snap.copy(backup, path);
  assert.deepEqual(new Set(await idsIn(path)), new Set(ids));
  await assertRestores(path, states);
});
