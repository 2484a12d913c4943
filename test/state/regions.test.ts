/** Buffers are taken out of band: whole, once, live, and under the name of the first value that reached them. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ClassRegistry, StateEncoder } from '../../src/state/index.js';
import { assertSame } from './same.js';
import { assertRefused, decodeState, load, needsOf, roundTrip, save, sources } from './trips.js';

const named = (state: unknown, inlineBytes?: number) =>
  save(state, [], inlineBytes).regions.map(({ path, kind, bytes }) => [path, kind, bytes.byteLength]);

test('a buffer is one region however many views share it', () => {
  const buffer = new ArrayBuffer(8000);
  const state = {
    solver: { grids: [{ u: new Float64Array(buffer, 0, 500) }, { u: new Float64Array(buffer, 4000) }] },
    raw: buffer,
    bytes: Buffer.from(buffer, 10, 10),
    view: new DataView(buffer),
  };
  assert.deepEqual(named(state), [['solver.grids[0].u', 'Float64Array', 8000]]);
  const restored = roundTrip(state);
  assertSame(restored, state);
  restored.solver.grids[1]?.u.fill(7);
  assert.equal(restored.view.getFloat64(4000, true), 7);
  assert.equal(restored.raw, restored.bytes.buffer);
});

test('the kind is that of the first view, even behind a bare buffer', () => {
  const [a, b, c] = [new ArrayBuffer(2000), new ArrayBuffer(2000), new ArrayBuffer(2000)];
  assert.deepEqual(named([a, new Uint16Array(a), new Float32Array(a), Buffer.from(b), new Int8Array(b), c]), [
    ['[0]', 'Uint16Array', 2000],
    ['[3]', 'Int8Array', 2000],
    ['[5]', 'bytes', 2000],
  ]);
});

test('the state itself may be a buffer or a view', () => {
  assert.deepEqual(named(new Float64Array(1000)), [['', 'Float64Array', 8000]]);
  assert.deepEqual(named(new SharedArrayBuffer(2000)), [['', 'bytes', 2000]]);
  assertSame(roundTrip(new Float64Array(1000)), new Float64Array(1000));
});

test('regions are named wherever they are', () => {
  const u = () => new Uint8Array(2000);
  const state = {
    a: [0, { 'b c': u() }],
    m: new Map<unknown, unknown>([
      ['x', u()],
      [{}, u()],
      [u(), 1],
    ]),
    s: new Set([1, u()]),
    e: Object.assign(new Error('x', { cause: u() }), { stack: '' }),
    l: Object.assign([1], { extra: u() }),
  };
  assert.deepEqual(
    named(state).map(([path]) => path),
    ['a[1]["b c"]', 'm.get("x")', 'm.values()[1]', 'm.keys()[2]', 's.values()[1]', 'e.cause', 'l.extra'],
  );
});

test('own properties of a view and a class around it add nothing to the name of its region', () => {
  const view = Object.assign(new Float64Array(500), { unit: { of: 'K' } });
  assert.deepEqual(named({ grid: [view] }), [['grid[0]', 'Float64Array', 4000]]);
});

test('a region is live memory, not a copy', () => {
  const u = new Float64Array(1000);
  const encoder = new StateEncoder(new ClassRegistry());
  const { regions } = encoder.encode({ u });
  u[3] = 5;
  assert.equal(new Float64Array(regions[0]?.bytes.buffer as ArrayBuffer)[3], 5);
  assert.equal(regions[0]?.bytes.buffer, u.buffer);
});

test('restored views lie over the very buffers that were given', () => {
  const saved = save({ u: new Float64Array(1000).fill(2) });
  const regions = sources(saved);
  const restored = decodeState(saved.skeleton, regions, new ClassRegistry()) as { u: Float64Array };
  assert.equal(restored.u.buffer, regions[0]);
});

test('small buffers stay in the skeleton, and are shared all the same', () => {
  const small = new ArrayBuffer(1024);
  const state = [new Uint8Array(small), new Float64Array(small), small];
  assert.deepEqual(named(state), []);
  assert.deepEqual(named(state, 1023), [['[0]', 'Uint8Array', 1024]]);
  assertSame(roundTrip(state), state);
  assertSame(roundTrip(state, [], 0), state);
});

test('what a region needs can be asked before its bytes are read', () => {
  const resizable = Reflect.construct(ArrayBuffer, [3000, { maxByteLength: 5000 }]);
  const growable = Reflect.construct(SharedArrayBuffer, [3000, { maxByteLength: 6000 }]);
  const saved = save([new ArrayBuffer(2000), resizable, new SharedArrayBuffer(4000), growable]);
  assert.deepEqual(needsOf(saved, ['[0]', '[1]', '[3]']), [
    { wanted: true, byteLength: 2000, shared: false },
    { wanted: true, byteLength: 3000, shared: false, maxByteLength: 5000 },
    { wanted: false, byteLength: 4000, shared: true },
    { wanted: true, byteLength: 3000, shared: true, maxByteLength: 6000 },
  ]);
});

test('a buffer of another kind than was asked for is a programming error', () => {
  const saved = save([new Float64Array(1000), new Float64Array(new SharedArrayBuffer(8000))]);
  const registry = new ClassRegistry();
  const good = sources(saved);
  const wrong = [
    [],
    [good[0]],
    [good[0], good[1], good[1]],
    [new ArrayBuffer(7999), good[1]],
    [good[1], good[1]],
    [good[0], good[0]],
    [Reflect.construct(ArrayBuffer, [8000, { maxByteLength: 8000 }]), good[1]],
    [new Uint8Array(8000), good[1]],
    [undefined, good[1]],
  ];
  for (const regions of wrong) {
    assert.throws(() => decodeState(saved.skeleton, regions as ArrayBuffer[], registry), TypeError);
  }
});

test("a Buffer cut from Node's pool is kept alone, with its own bytes only", () => {
  const text = Buffer.from('cut from the pool');
  assert.ok(text.buffer.byteLength > text.byteLength);
  const large = Buffer.allocUnsafe(3000).fill(1);
  const state = { text, large, again: text };
  const saved = save(state);
  assert.ok(saved.skeleton.byteLength < 200);
  const restored = load(saved) as typeof state;
  assert.deepEqual([restored.text.toString(), restored.large.equals(large)], ['cut from the pool', true]);
  assert.equal(restored.text.buffer.byteLength, text.byteLength);
  assert.equal(restored.again, restored.text);
  assert.ok(saved.regions.every(({ bytes }) => bytes.byteLength <= 3000));
});

test("a Buffer over part of a buffer of one's own shares it, even where the pool's size is the same", () => {
  for (const bytes of [100, Buffer.poolSize, 8192, 65536, 65600]) {
    const own = new ArrayBuffer(bytes);
    const state = { cut: Buffer.from(own, 8, 50), whole: new Uint8Array(own) };
    const restored = roundTrip(state);
    assertSame(restored, state);
    restored.cut[0] = 9;
    assert.equal(restored.whole[8], 9);
    assert.equal(own.byteLength, bytes, 'finding out detaches nothing');
  }
});

const { Memory } = (
  globalThis as unknown as { WebAssembly: { Memory: new (o: object) => { buffer: ArrayBuffer } } }
).WebAssembly;

test('a Buffer over WebAssembly memory is not taken for one from the pool', () => {
  const two = new Memory({ initial: 2 });
  assert.deepEqual(named({ cut: Buffer.from(two.buffer, 0, 100) }), [['cut', 'bytes', 131_072]]);
});

test('even a memory of the length of the pool never silently loses a Buffer over it', () => {
  // A page is just what the pool of Node 24 has: nothing tells the two apart but the memory itself.
  const one = new Memory({ initial: 1 });
  const cut = Buffer.from(one.buffer, 8, 100);
  assert.deepEqual(named({ memory: one, cut }), [['memory', 'WebAssembly.Memory', 65_536]]);
  try {
    assert.deepEqual(named({ cut, memory: one }), [['cut', 'WebAssembly.Memory', 65_536]]);
  } catch (error) {
    assertRefused(() => raise(error), 'SNAP_UNSUPPORTED', 'memory', /put the memory before it/);
  }
});

function raise(error: unknown): never {
  throw error;
}

test('regions come in the order of the state, and an encoder forgets them', () => {
  const encoder = new StateEncoder(new ClassRegistry());
  const first = encoder.encode([new Uint8Array(2000), new Uint8Array(3000)]).regions;
  const second = encoder.encode(new Uint8Array(4000)).regions;
  assert.deepEqual([first.map(({ bytes }) => bytes.byteLength), second.length], [[2000, 3000], 1]);
});

test('10^4 regions deep in a chain do not take quadratic time or memory for their names', {
  timeout: 60_000,
}, () => {
  let chain: object = {};
  for (let i = 0; i < 10_000; i++) chain = { next: chain, u: new Uint8Array(16) };
  const { regions } = save(chain, [], 0);
  assert.equal(regions.length, 10_000);
  assert.ok(regions.every(({ path }) => path.length < 1200));
  assert.equal(regions[0]?.path.includes('…'), true);
});
