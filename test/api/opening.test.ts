import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { Snap } from '../../src/index.js';
import { collect, ended, field, startProgram, storePath } from './support.js';

async function storeWith(path: string, states: unknown[]): Promise<string[]> {
  await using snap = await Snap.open(path);
  const ids: string[] = [];
  for (const state of states) ids.push((await snap.save(state)).id);
  return ids;
}

test('a folder that is a file', async (t) => {
  const path = storePath(t);
  writeFileSync(path, 'hello');
  await assert.rejects(Snap.open(path), { code: 'SNAP_NOT_FOUND', message: /is a file/ });
  assert.equal(readFileSync(path, 'utf8'), 'hello');
});

test('a folder that holds other things is left alone', async (t) => {
  const path = storePath(t);
  mkdirSync(path);
  writeFileSync(join(path, 'thesis.tex'), '');
  await assert.rejects(Snap.open(path), { code: 'SNAP_NOT_FOUND', message: /thesis\.tex/ });
});

test('no store and create: false', async (t) => {
  const path = storePath(t);
  await assert.rejects(Snap.open(path, { create: false }), { code: 'SNAP_NOT_FOUND' });
  await assert.rejects(Snap.open(path, { readOnly: true }), { code: 'SNAP_NOT_FOUND' });
  assert.equal(statSync(path, { throwIfNoEntry: false }), undefined, 'nothing was made');
});

test('an empty folder, and one that a crash left half created, become a store', async (t) => {
  const path = storePath(t);
  mkdirSync(join(path, 'packs'), { recursive: true });
  mkdirSync(join(path, 'lock'));
  writeFileSync(join(path, 'holdfast.json.new'), '{"format":');
  await using snap = await Snap.open(path);
  await snap.save({ n: 1 });
  assert.deepEqual(await snap.restore(), { n: 1 });
});

test('a newer format is refused with the way out', async (t) => {
  const path = storePath(t);
  await storeWith(path, [1]);
  const file = join(path, 'holdfast.json');
  const descriptor = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...descriptor, version: 2 }));
  await assert.rejects(Snap.open(path), { code: 'SNAP_FORMAT', message: /update holdfast/ });
  const { check: _, ...rest } = {
    ...descriptor,
    features: { ...descriptor.features, write: ['unheard-of'] },
  };
  const check = crc32(Buffer.from(JSON.stringify(rest)))
    .toString(16)
    .padStart(8, '0');
  writeFileSync(file, JSON.stringify({ ...rest, check }));
  await assert.rejects(Snap.open(path), { code: 'SNAP_FORMAT', message: /unheard-of/ });
  await using reader = await Snap.open(path, { readOnly: true });
  assert.equal(await reader.restore(), 1, 'a feature needed for writing only does not stop a reader');
});

test('a lost descriptor is said so, and repair makes it anew', async (t) => {
  const path = storePath(t);
  const [id] = await storeWith(path, [{ n: 5 }]);
  rmSync(join(path, 'holdfast.json'));
  await assert.rejects(Snap.open(path), { code: 'SNAP_CORRUPT', message: /repair/ });
  const report = await Snap.repair(path);
  assert.deepEqual([report.descriptor, report.snapshots, report.lost], [true, 1, []]);
  await using snap = await Snap.open(path);
  assert.deepEqual(await snap.restore(id), { n: 5 });
});

test('a store that another process owns: SNAP_LOCKED with its pid; reading goes on', async (t) => {
  const path = storePath(t);
  const child = startProgram('owner', [path]);
  const end = ended(child);
  await new Promise((resolve) => child.once('message', resolve));
  await assert.rejects(Snap.open(path), { code: 'SNAP_LOCKED', pid: child.pid });
  {
    await using reader = await Snap.open(path, { readOnly: true });
    assert.deepEqual(await reader.restore(), { n: 1 });
    await assert.rejects(reader.save({}), TypeError);
    await assert.rejects(reader.tag('x', 'latest'), TypeError);
  }
  child.kill('SIGKILL');
  await end;
  await using snap = await Snap.open(path);
  assert.deepEqual(await snap.restore(), { n: 1 }, 'the lock died with its process');
});

test('opening one folder twice in a process shares the owner, whatever it is called', async (t) => {
  const path = storePath(t);
  const [a, b] = await Promise.all([Snap.open(path), Snap.open(`${path}/../store`)]);
  await using reader = await Snap.open(path, { readOnly: true });
  await a.save({ from: 'a' }, { durable: true });
  assert.deepEqual(await b.restore(), { from: 'a' });
  assert.deepEqual(await reader.restore(), { from: 'a' });
  await a.close();
  await b.save({ from: 'b' }, { durable: true });
  await b.close();
  assert.deepEqual(await reader.restore(), { from: 'b' });
});

test('a folder that cannot be written', async (t) => {
  if (process.getuid?.() === 0) return t.skip('permissions do not bind root');
  const path = storePath(t);
  mkdirSync(path);
  chmodSync(path, 0o500);
  await assert.rejects(Snap.open(path), { code: 'SNAP_IO', message: /permission/ });
});

test('files are private', async (t) => {
  const path = storePath(t);
  await storeWith(path, [1]);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(path, 'packs/00000001.pack')).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, 'holdfast.json')).mode & 0o777, 0o600);
});

test('the index can be deleted or damaged while nobody has the store: nothing is lost', async (t) => {
  const path = storePath(t);
  const states = [
    { n: 1, u: field(50_000) },
    { n: 2, u: field(50_000, 1) },
  ];
  const ids = await storeWith(path, states);
  const damage: (() => void)[] = [
    () => rmSync(join(path, 'index'), { recursive: true }),
    () => rmSync(join(path, 'index', 'CURRENT')),
    () => writeFileSync(join(path, 'index', 'CURRENT'), 'MANIFEST-999999\n'),
    () => rmSync(join(path, 'clean.json')),
    () => writeFileSync(join(path, 'clean.json'), '{}'),
    () => rmSync(join(path, 'lock'), { recursive: true }),
    () => writeFileSync(join(path, 'lock', 'CURRENT'), 'nonsense'),
    () => writeFileSync(join(path, 'owner.json'), 'nonsense'),
  ];
  for (const hurt of damage) {
    hurt();
    await using snap = await Snap.open(path);
    for (const [index, id] of ids.entries()) assert.deepEqual(await snap.restore(id), states[index]);
  }
});

test('resume passes over a damaged newest snapshot, with a warning', async (t) => {
  const path = storePath(t);
  const states = [
    { n: 1, u: field(50_000) },
    { n: 2, u: field(50_000, 1) },
  ];
  const ids = await storeWith(path, states);
  const file = join(path, 'packs/00000001.pack');
  const pack = readFileSync(file);
  const chunkOfSecond = pack.lastIndexOf('HFR\u0001\u0002', pack.length, 'latin1');
  pack[chunkOfSecond + 200] = (pack[chunkOfSecond + 200] as number) ^ 1;
  writeFileSync(file, pack);
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  t.after(() => process.off('warning', listen));
  await using snap = await Snap.open(path);
  await assert.rejects(snap.restore(), { code: 'SNAP_CORRUPT', snapshot: ids[1], pack: 1 });
  assert.deepEqual(await snap.resume(() => ({ n: -1, u: field(1) })), states[0]);
  await new Promise(setImmediate);
  assert.ok(warnings.some(({ message }) => message.includes(ids[1] as string)));
  const branch = await (await snap.save({ n: 3 })).durable;
  assert.equal(branch.parent, ids[0]);
});

test('one damaged manifest does not hide the snapshots beside it', async (t) => {
  const path = storePath(t);
  const ids = await storeWith(path, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  const file = join(path, 'packs/00000001.pack');
  const pack = readFileSync(file);
  const manifest = pack.indexOf('HFR\u0001\u0004', 0, 'latin1');
  pack[manifest + 100] = (pack[manifest + 100] as number) ^ 1;
  writeFileSync(file, pack);
  await using snap = await Snap.open(path);
  assert.deepEqual(
    (await collect(snap.list())).map(({ id }) => id),
    [ids[2], ids[1]],
  );
  assert.equal((await snap.stats()).snapshots, 2);
  await assert.rejects(snap.info(ids[0]), { code: 'SNAP_CORRUPT', snapshot: ids[0] });
});

test('resume begins with init where there is nothing, also when init is asynchronous', async (t) => {
  await using snap = await Snap.open(storePath(t));
  assert.deepEqual(await snap.resume(async () => ({ fresh: true })), { fresh: true });
  assert.equal((await collect(snap.list())).length, 0);
});

const BAD_TAGS = [
  '',
  'a/b',
  'a\\b',
  'x'.repeat(129),
  'deadbeef',
  '0123456789abcdef',
  'latest',
  ' x',
  'a\nb',
  '-x',
  '..',
];

test('tags that cannot be names are refused with what is allowed', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const { id } = await snap.save(1);
  for (const tag of BAD_TAGS) {
    await assert.rejects(snap.save(2, { tag }), TypeError, JSON.stringify(tag));
    await assert.rejects(snap.tag(tag, id), TypeError, JSON.stringify(tag));
  }
  for (const tag of ['v1.0', 'beef', 'größe', 'every-100', 'x'.repeat(128), '2026-11-20'])
    await snap.tag(tag, id);
  assert.equal((await snap.tags()).size, 6);
  assert.equal((await collect(snap.list())).length, 1, 'a refused save leaves nothing');
});

test('misuse is a TypeError or RangeError that says what is taken', async (t) => {
  const path = storePath(t);
  const open = (options: object) => Snap.open(path, options);
  await assert.rejects(Snap.open(''), TypeError);
  await assert.rejects(Snap.open(7 as never), TypeError);
  await assert.rejects(open({ onBusi: 'wait' }), { name: 'TypeError', message: /onBusi.*onBusy/ });
  await assert.rejects(open({ onBusy: 'never' }), { name: 'TypeError', message: /coalesce/ });
  await assert.rejects(open({ run: '' }), TypeError);
  await assert.rejects(open({ memoryLimit: -1 }), RangeError);
  await assert.rejects(open({ compression: { level: 99 } }), RangeError);
  await assert.rejects(open({ readOnly: 'yes' }), TypeError);
  await using snap = await Snap.open(path);
  await assert.rejects(snap.save(1, { step: 1.5 }), RangeError);
  await assert.rejects(snap.save(1, { stpe: 1 } as never), { name: 'TypeError', message: /stpe/ });
  await assert.rejects(snap.save(1, { meta: () => 1 }), TypeError);
  await assert.rejects(snap.restore(7 as never), TypeError);
  await assert.rejects(snap.restore({ before: new Date(Number.NaN) }), TypeError);
  await assert.rejects(snap.resume(7 as never), TypeError);
});
