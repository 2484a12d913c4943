import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { unzipSync } from 'fflate';
import { Snap } from '../../src/index.js';
import { assertSame } from '../state/same.js';
import { fromJson, type StateJson } from '../support/from-json.js';
import { askNumpy, readNpy, withoutNumpy } from '../support/npy.js';
import { document, rows, scratch, short, snap } from './support.js';

class Solver {
  t = 0.5;
  u = new Float64Array(300);
}

class Secret {
  readonly #inside: unknown;
  constructor(inside: unknown) {
    this.#inside = inside;
  }
  static [Symbol.for('holdfast.encode')](secret: Secret): unknown {
    return secret.#inside;
  }
  static [Symbol.for('holdfast.decode')](inside: unknown): Secret {
    return new Secret(inside);
  }
}

/** One array of every kind, longer than what stays in the document. */
const TYPES = {
  i8: Int8Array,
  u8: Uint8Array,
  c8: Uint8ClampedArray,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
  // Since Node 24.
  ...('Float16Array' in globalThis && {
    f16: (globalThis as unknown as { Float16Array: typeof Uint16Array }).Float16Array,
  }),
} as const;
const DTYPES: Record<string, string> = {
  i8: '|i1',
  u8: '|u1',
  c8: '|u1',
  i16: '<i2',
  u16: '<u2',
  i32: '<i4',
  u32: '<u4',
  i64: '<i8',
  u64: '<u8',
  f16: '<f2',
  f32: '<f4',
  f64: '<f8',
};

function arrays(): Record<string, ArrayBufferView> {
  return Object.fromEntries(
    Object.entries(TYPES).map(([name, type]) => {
      const bytes = new Uint8Array(2400);
      for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 37 + 11) ^ (at >>> 3);
      return [name, new type(bytes.buffer)];
    }),
  );
}

interface Export extends StateJson {
  format: string;
  snapshot: { id: string };
  archive?: string;
  regions: (StateJson['regions'][number] & { path: string; dtype: string; shape: number[] })[];
}

const folder = scratch({ after });
const directory = join(folder, 'store');
const state = {
  step: 7,
  arrays: arrays(),
  grid: { data: Float64Array.from({ length: 600 }, (_, i) => i / 7), shape: [20, 30] },
  bytes: Buffer.alloc(2000, 'holdfast'),
  view: new DataView(new ArrayBuffer(1500)),
  shared: new Uint8Array(new SharedArrayBuffer(1600)),
  odd: new Float32Array(new ArrayBuffer(1604), 0, 400),
  solver: new Solver(),
  secret: new Secret({ key: 1n }),
  few: new Float32Array([1, -0, NaN]),
  probes: new Map<unknown, unknown>([['a', { at: new Date(0), none: undefined }]]),
  tags: new Set([1, 'x']),
  error: Object.assign(new RangeError('no'), { code: 5 }),
  pattern: /a+/g,
  nothing: -0,
  $odd: { '': 1 },
};
const self: Record<string, unknown> = Object.assign(state, {});
self.self = state;
self.tail = (state.arrays.f64 as Float64Array).subarray(100);
const classes = [Solver, Secret];
let id = '';
/** An export of all of it. */
const whole = join(folder, 'whole');

before(async () => {
  await using store = await Snap.open(directory, { classes });
  id = (await store.save(state, { step: 7, tag: 'best', durable: true })).id;
  assert.equal(restore(whole).status, 0);
});

/** A name that is free. */
let exports = 0;
const free = () => join(folder, `out-${++exports}`);

function restore(to: string, ...args: string[]) {
  return snap(['--store', directory, 'restore', 'best', '--to', to, ...args]);
}

function documentIn(to: string): Export {
  return JSON.parse(readFileSync(join(to, 'state.json'), 'utf8')) as Export;
}

/** All files below a folder. */
function filesIn(to: string): string[] {
  return readdirSync(to, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(to, name)).isFile())
    .sort();
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

test('every kind of array is a .npy of its dtype, with its very bytes', () => {
  const to = whole;
  for (const [name, array] of Object.entries(state.arrays)) {
    const npy = readNpy(readFileSync(join(to, `arrays/${name}.npy`)));
    assert.equal(npy.dtype, DTYPES[name]);
    assert.deepEqual(npy.shape, [(array as Uint8Array).length]);
    assert.ok(Buffer.compare(npy.bytes, bytesOf(array)) === 0, name);
  }
  assert.deepEqual(readNpy(readFileSync(join(to, 'grid/data.npy'))).shape, [20, 30]);
  assert.equal(readNpy(readFileSync(join(to, 'bytes.npy'))).dtype, '|u1');
  assert.deepEqual(
    readNpy(readFileSync(join(to, 'odd.npy'))).shape,
    [401],
    'all of a buffer, not of its view',
  );
});

test('numpy reads what was written', { skip: withoutNumpy }, () => {
  const seen = askNumpy<Record<string, [string, number[], string]>>(
    `
document = json.load(open(argv[0] + '/state.json'))
out = {}
for region in document['regions']:
    array = np.load(argv[0] + '/' + region['file'], allow_pickle=False)
    out[region['path']] = [array.dtype.str, list(array.shape), array.tobytes().hex()]
print(json.dumps(out))`,
    whole,
  );
  for (const [name, array] of Object.entries(state.arrays)) {
    const [dtype, shape, hex] = seen[`arrays.${name}`] ?? [];
    assert.deepEqual([dtype, shape], [DTYPES[name], [(array as Uint8Array).length]]);
    assert.equal(hex, Buffer.from(bytesOf(array)).toString('hex'));
  }
  assert.deepEqual(seen['grid.data']?.[1], [20, 30]);
  const zipped = free();
  restore(zipped, '--format', 'npz');
  assert.deepEqual(
    askNumpy(
      `
archive = np.load(argv[0] + '/arrays.npz')
print(json.dumps([archive['arrays/f64'].tobytes().hex() == archive['arrays/i8'].tobytes().hex(), archive['grid/data'][1, 2], len(archive.files)]))`,
      zipped,
    ),
    [true, 32 / 7, documentIn(zipped).regions.length],
  );
});

test('the document and the arrays together are the whole state', () => {
  const formats: [string, (to: string) => (file: string) => Uint8Array][] = [
    ['npy', (to) => (file) => readNpy(readFileSync(join(to, file))).bytes],
    ['raw', (to) => (file) => readFileSync(join(to, file))],
    [
      'npz',
      (to) => {
        const entries = unzipSync(readFileSync(join(to, 'arrays.npz')));
        return (file) => readNpy(entries[file] as Uint8Array).bytes;
      },
    ],
  ];
  for (const [format, reader] of formats) {
    const to = format === 'npy' ? whole : free();
    if (to !== whole) assert.equal(restore(to, '--format', format).status, 0);
    const json = documentIn(to);
    assert.deepEqual([json.format, json.snapshot.id], ['holdfast export 1', id]);
    const expected = json.regions.map(({ file }) => file);
    const archived = format === 'npz';
    assert.equal(json.archive, archived ? 'arrays.npz' : undefined);
    assert.deepEqual(filesIn(to), [...(archived ? ['arrays.npz'] : expected), 'state.json'].sort());
    const read = fromJson(json, reader(to), classes) as typeof state;
    assert.ok(read.secret instanceof Secret);
    assertSame({ ...read, secret: 0, self: 0 }, { ...state, secret: 0, self: 0 });
    assert.equal((read as unknown as { self: unknown }).self, read);
  }
});

test('people read where it was written and what', () => {
  const to = relative(folder, free());
  const { stdout, stderr } = snap(['--store', directory, 'restore', 'best', '--to', to], { cwd: folder });
  assert.equal(stderr, '');
  const [line = '', table = ''] = stdout.split('\n\n');
  const count = documentIn(join(folder, to)).regions.length;
  assert.match(line, new RegExp(`^wrote ${short(id)} \\(run main, step 7\\) to ${to}: ${count} arrays of `));
  const [title, ...listed] = rows({ status: 0, signal: null, stdout: table, stderr });
  assert.deepEqual(title, ['file', 'dtype', 'shape', 'size', 'region']);
  assert.ok(listed.some((row) => row.join('|') === 'grid/data.npy|<f8|20 x 30|4.69 KiB|grid.data'));
});

test('--json says the same, exactly', () => {
  const to = free();
  const said = document<{
    store: string;
    directory: string;
    format: string;
    snapshot: { id: string };
    files: object[];
  }>(restore(to, '--json'));
  assert.deepEqual([said.store, said.directory, said.format, said.snapshot.id], [directory, to, 'npy', id]);
  assert.deepEqual(said.files, documentIn(to).regions);
});

test('--only writes a part, under the names that the whole has', () => {
  const to = free();
  assert.equal(restore(to, '--only', 'grid', 'arrays.f64', 'probes.get("a").at').status, 0);
  assert.deepEqual(filesIn(to), ['arrays/f64.npy', 'grid/data.npy', 'state.json']);
  const { state: part } = documentIn(to) as unknown as { state: Record<string, unknown> };
  assert.deepEqual(Object.keys(part), ['arrays', 'grid', 'probes']);
  const nothing = free();
  const { status, stdout, stderr } = restore(nothing, '--only', 'nope');
  assert.deepEqual([status, stdout, existsSync(nothing)], [1, '', false]);
  assert.match(stderr, /^snap: the snapshot holds nothing at "nope": .*\n$/);
});

test('a folder that is not empty is refused; with --force an earlier export is replaced, and nothing else', () => {
  const to = free();
  mkdirSync(to);
  assert.equal(restore(to, '--only', 'few').status, 0, 'an empty folder will do');
  const again = restore(to);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /^snap: .* is not empty; name another folder, or replace .* with --force\n$/);
  assert.equal(restore(to, '--force', '--format', 'raw', '--only', 'grid').status, 0);
  assert.deepEqual(filesIn(to), ['grid/data.bin', 'state.json']);
  writeFileSync(join(to, 'grid/plot.py'), 'mine');
  const mixed = restore(to, '--force');
  assert.equal(mixed.status, 1);
  assert.match(mixed.stderr, /holds grid\/plot\.py, which no export wrote/);
  assert.deepEqual(filesIn(to), ['grid/data.bin', 'grid/plot.py', 'state.json']);
  const other = free();
  mkdirSync(other);
  writeFileSync(join(other, 'state.json'), '{"regions":[]}');
  assert.match(restore(other, '--force').stderr, /is not an earlier export, so it is not replaced/);
  assert.equal(readFileSync(join(other, 'state.json'), 'utf8'), '{"regions":[]}');
  const file = join(other, 'state.json');
  assert.match(restore(file, '--force').stderr, /is a file; --to takes a folder/);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.partial')),
    [],
  );
});

test('names from the state stay inside of the folder, and apart from each other', async (t) => {
  const store = join(scratch(t), 'store');
  const u = (value: number) => new Uint8Array(1100).fill(value);
  const names = {
    '../../up': u(1),
    '/etc/x': u(2),
    a: u(3),
    A: u(4),
    'a ': u(5),
    'a.npy': { u: u(6) },
    '': u(7),
    '.': u(8),
    CON: u(9),
    'x\u0000y\n': u(10),
    日本: u(11),
    ['long'.repeat(100)]: u(12),
    deep: Array.from({ length: 70 }).reduce<unknown>((inner) => ({ level: inner }), u(13)),
    state: u(14),
    m: new Map<unknown, unknown>([
      ['k/l', u(15)],
      [{}, u(16)],
    ]),
  };
  {
    await using saving = await Snap.open(store);
    await saving.save(names, { durable: true });
  }
  const to = join(dirname(store), 'out');
  assert.equal(snap(['--store', store, 'restore', 'latest', '--to', to]).status, 0);
  const { regions } = documentIn(to);
  const files = regions.map(({ file }) => file);
  assert.equal(new Set(files.map((file) => file.toLowerCase())).size, 16);
  assert.deepEqual(filesIn(to), [...files, 'state.json'].sort());
  for (const [index, file] of files.entries()) {
    assert.match(file, /^[\w-]+(\/[\w-]+)*\.npy$/);
    assert.ok(resolve(to, file).startsWith(`${to}/`) && file.length < 200);
    assert.ok(!/(^|\/)con[./]/i.test(file));
    assert.equal(readNpy(readFileSync(join(to, file))).bytes[0], index + 1, file);
  }
  assert.deepEqual(readdirSync(dirname(to)).sort(), ['out', 'store']);
});

test('what cannot be read is a failure that leaves nothing', async (t) => {
  const path = join(scratch(t), 'store');
  const u = Float64Array.from({ length: 40_000 }, (_, index) => Math.sin(index));
  {
    await using store = await Snap.open(path, { compression: false });
    await store.save({ ok: new Uint8Array(3000), u }, { durable: true });
  }
  const pack = join(path, 'packs/00000001.pack');
  const bytes = readFileSync(pack);
  const at = bytes.indexOf(new Uint8Array(u.buffer, 2 * 65_536, 64)) + 200;
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(pack, bytes);
  const to = join(dirname(path), 'out');
  const failed = snap(['--store', path, 'restore', 'latest', '--to', to]);
  assert.equal(failed.status, 12);
  assert.match(failed.stderr, /snap: snapshot [0-9a-f]{32}, region u cannot be restored: /);
  assert.deepEqual(readdirSync(dirname(path)), ['store']);
  assert.equal(snap(['--store', path, 'restore', 'latest', '--to', to, '--only', 'ok']).status, 0);
  assert.deepEqual(filesIn(to), ['ok.npy', 'state.json']);
});

test('a region that is read in several pieces comes whole', async (t) => {
  const path = join(scratch(t), 'store');
  const u = new Uint32Array(9 * 1024 * 1024 + 3);
  for (let index = 0; index < u.length; index++) u[index] = index;
  {
    await using store = await Snap.open(path);
    await store.save({ u }, { durable: true });
  }
  for (const format of ['npy', 'npz']) {
    const to = join(dirname(path), format);
    assert.equal(snap(['--store', path, 'restore', 'latest', '--to', to, '--format', format]).status, 0);
    const file =
      format === 'npy'
        ? readFileSync(join(to, 'u.npy'))
        : unzipSync(readFileSync(join(to, 'arrays.npz')))['u.npy'];
    assert.ok(Buffer.compare(readNpy(file as Uint8Array).bytes, bytesOf(u)) === 0);
  }
});

test('a state without arrays is its document', async (t) => {
  const path = join(scratch(t), 'store');
  {
    await using store = await Snap.open(path);
    await store.save({ step: 1 }, { durable: true });
  }
  const to = join(dirname(path), 'out');
  const { stdout } = snap(['--store', path, 'restore', 'latest', '--to', to]);
  assert.match(stdout, /^wrote [0-9a-f]{8} \(run main\) to .*out: state\.json\n$/);
  assert.deepEqual(documentIn(to).state, { step: 1 });
});
