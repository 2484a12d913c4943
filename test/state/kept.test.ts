/** What a state may hold comes back exactly: one test for each kind. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { types } from 'node:util';
import { assertSame } from './same.js';
import { roundTrip } from './trips.js';

/** An array of holes but for these elements. */
const withHoles = (length: number, elements: object) => Object.assign(new Array(length), elements);

const kept: [name: string, make: () => unknown][] = [
  ['undefined, null and booleans', () => [undefined, null, true, false]],
  ['int32 numbers', () => [0, 1, -1, 63, 64, 127, 128, 2 ** 31 - 1, -(2 ** 31)]],
  ['other numbers', () => [1.5, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1e308, 5e-324, Infinity, -Infinity, NaN]],
  ['-0, and 0 beside it', () => [-0, 0, { x: -0 }, new Set([1])]],
  [
    'strings of one-byte characters',
    () => ['', 'a', 'ab', 'abc', '\u0000', 'é', 'ÿ', 'x'.repeat(31), 'é'.repeat(500)],
  ],
  [
    'strings of any characters',
    () => ['Ā', '日本', '😀', '日'.repeat(33), 'mostly ascii, and one ’'.repeat(9)],
  ],
  [
    'lone surrogates',
    () => ['\ud800', '\udc00', 'a\ud800b', '\ud83d', '\ud800'.repeat(40), 'é\udfff'.repeat(40)],
  ],
  ['a string of a megabyte', () => ['a'.repeat(2 ** 20), 'Ā'.repeat(2 ** 19)]],
  ['the same string many times', () => Array.from({ length: 300 }, (_, i) => `name ${i % 7}`)],
  [
    'more strings than the table has slots',
    () => Array.from({ length: 9000 }, (_, i) => [`s${i}`, `s${i - 1}`]),
  ],
  ['BigInts', () => [0n, 1n, -1n, 255n, 256n, -256n, 2n ** 64n, -(2n ** 64n), 2n ** 1000n + 1n]],
  ['symbols made by Symbol.for', () => [Symbol.for('a'), Symbol.for(''), Symbol.for('日本 and more')]],
  ['plain objects with their key order', () => [{}, { b: 1, a: 2 }, { a: 2, b: 1 }]],
  ['integer-like keys', () => ({ b: 1, 10: 'x', 2: 'y', '-1': 'z', '01': 'w', 4294967295: 'v' })],
  [
    'keys of any characters',
    () => ({ '': 1, ' ': 2, 'a.b': 3, é: 4, 日本: 5, '\ud800': 6, ['k'.repeat(500)]: 7 }),
  ],
  ['a key __proto__ as an own property', () => [JSON.parse('{"a":1,"__proto__":{"polluted":true},"b":2}')]],
  [
    'keys that Object.prototype has',
    () => ({ toString: 1, constructor: 2, hasOwnProperty: 3, valueOf: null }),
  ],
  [
    'null-prototype objects',
    () => Object.assign(Object.create(null), { a: 1, toString: 2, nested: Object.create(null) }),
  ],
  [
    'a key __proto__ of a null-prototype object',
    () => Object.assign(Object.create(null), JSON.parse('{"__proto__":1}')),
  ],
  [
    'objects of more keys than a shape has',
    () => Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i])),
  ],
  [
    'a large null-prototype dictionary',
    () =>
      Object.assign(
        Object.create(null),
        Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`k${i}`, { i }])),
      ),
  ],
  [
    'more shapes than the table has slots',
    () => Array.from({ length: 9000 }, (_, i) => ({ [`a${i}`]: 1, [`b${i % 5000}`]: { [`a${i}`]: 2 } })),
  ],
  ['arrays', () => [[], [1], [[]], [undefined, null], ['a', { b: [1, 2, 3] }]]],
  [
    'arrays of only int32 numbers',
    () => [Array.from({ length: 16 }, (_, i) => i - 8), new Array(1000).fill(7)],
  ],
  [
    'arrays of only numbers',
    () => [
      Array.from({ length: 16 }, (_, i) => i / 3),
      [...new Array(20).fill(0), -0],
      [...new Array(20).fill(NaN)],
    ],
  ],
  [
    'arrays of numbers and one other thing',
    () => [
      [...new Array(100).fill(1), null],
      [...new Array(100).fill(0.5), 'x'],
    ],
  ],
  [
    'holes',
    () => [
      withHoles(3, { 0: 1, 2: 3 }),
      withHoles(2, {}),
      withHoles(2, { 1: 1 }),
      withHoles(4, { 2: undefined }),
    ],
  ],
  [
    'large sparse arrays',
    () => {
      const far: unknown[] = [];
      far[2 ** 32 - 2] = 'last';
      const some = new Array(100_000);
      some[500] = { x: 1 };
      some[99_998] = some[500];
      return [far, some, new Array(2 ** 32 - 1), new Array(65), new Array(5000).fill(1, 100, 4000)];
    },
  ],
  [
    'own properties of arrays',
    () => [Object.assign([1, 2], { name: 'x', 7.5: 1 }), Object.assign(new Array(200).fill(1), { meta: {} })],
  ],
  ['the result of String.prototype.match', () => ['a-b'.match(/(?<first>a)-(b)/), 'ab'.match(/(b)/d)]],
  [
    'Maps, with any keys, in their order',
    () =>
      new Map<unknown, unknown>([
        ['b', 1],
        [1, 2],
        ['1', 3],
        [NaN, 4],
        [{}, 5],
        [null, 6],
        [undefined, 7],
        [Symbol.for('s'), 8],
      ]),
  ],
  ['Maps of Maps', () => new Map([[new Map([[1, 2]]), new Map([[new Set([1]), new Map()]])]])],
  ['Sets', () => new Set<unknown>(['b', 'a', 1, NaN, null, undefined, {}, [], new Set()])],
  [
    'own properties of Maps and Sets',
    () => [Object.assign(new Map([[1, 2]]), { x: 1 }), Object.assign(new Set([1]), { y: [2] })],
  ],
  ['Dates, the invalid one too', () => [new Date(0), new Date(8.64e15), new Date(-1), new Date(NaN)]],
  ['own properties of Dates', () => Object.assign(new Date(5), { zone: 'UTC' })],
  [
    'regular expressions with flags and lastIndex',
    () => [
      /a/,
      /a\/b"\n[/]/dgimsuy,
      Reflect.construct(RegExp, ['[\\p{L}--a]', 'v']),
      Object.assign(/x/g, { lastIndex: 3 }),
      /(?:)/,
      /日/u,
    ],
  ],
  [
    'own properties of regular expressions, and any lastIndex',
    () => [Object.assign(/x/, { note: 1 }), Object.assign(/x/, { lastIndex: { valueOf: 1 } })],
  ],
  [
    'boxed primitives',
    () => [
      Object(1),
      Object(-0),
      Object(NaN),
      Object(''),
      Object('日本'),
      Object(true),
      Object(false),
      Object(7n),
      Object(Symbol.for('s')),
    ],
  ],
  [
    'own properties of boxed primitives',
    () => [Object.assign(Object('abc'), { x: 1, 9: 2 }), Object.assign(Object(1), { y: 2 })],
  ],
  [
    'errors of every type',
    () => [
      new Error('a'),
      new EvalError('b'),
      new RangeError('c'),
      new ReferenceError('d'),
      new SyntaxError('e'),
      new TypeError('f'),
      new URIError('g'),
    ],
  ],
  ['errors with a cause', () => new Error('outer', { cause: new TypeError('inner', { cause: { any: 1 } }) })],
  ['errors with a cause of undefined', () => new Error('x', { cause: undefined })],
  ['AggregateErrors', () => new AggregateError([new Error('one'), 2], 'several')],
  [
    'own properties of errors',
    () => Object.assign(new Error('x'), { code: 'E_X', detail: { a: [1] }, name: 'Mine' }),
  ],
  ['errors without a message of their own', () => [new Error(), new TypeError(undefined)]],
  [
    'errors without a stack',
    () => {
      const error = new Error('x');
      Reflect.deleteProperty(error, 'stack');
      return error;
    },
  ],
  [
    'errors whose properties are in another order',
    () => {
      const error = new Error('x');
      Reflect.deleteProperty(error, 'message');
      Object.defineProperty(error, 'extra', {
        value: 1,
        enumerable: true,
        configurable: true,
        writable: true,
      });
      Object.defineProperty(error, 'message', {
        value: 'late',
        enumerable: true,
        configurable: true,
        writable: true,
      });
      return error;
    },
  ],
  [
    'all typed arrays',
    () =>
      [
        Int8Array,
        Uint8Array,
        Uint8ClampedArray,
        Int16Array,
        Uint16Array,
        Int32Array,
        Uint32Array,
        Float32Array,
        Float64Array,
      ].map((view) => view.of(1, 2, 250)),
  ],
  ['BigInt typed arrays', () => [BigInt64Array.of(-1n, 2n), BigUint64Array.of(2n ** 64n - 1n)]],
  [
    'Float16Array, where there is one',
    () => {
      const view = (globalThis as { Float16Array?: { of(...n: number[]): object } }).Float16Array;
      return view === undefined ? [] : [view.of(1.5, -0)];
    },
  ],
  [
    'NaN payloads in typed arrays',
    () => {
      const bits = new Uint32Array([0x7fc00001, 0xffc12345, 0x7f800001]);
      return [new Float32Array(bits.buffer), bits];
    },
  ],
  [
    'typed arrays of no elements',
    () => [new Float64Array(0), new Uint8Array(new ArrayBuffer(8), 8), new DataView(new ArrayBuffer(0))],
  ],
  [
    'own properties of typed arrays',
    () => [
      Object.assign(new Float64Array(3), { unit: 'K' }),
      Object.assign(new Float32Array(5000), { shape: [50, 100] }),
    ],
  ],
  ['DataViews', () => [new DataView(new ArrayBuffer(8)), new DataView(new ArrayBuffer(3000), 5, 100)]],
  ['ArrayBuffers', () => [new ArrayBuffer(0), new ArrayBuffer(5), new Uint8Array(5000).fill(7).buffer]],
  [
    'SharedArrayBuffers',
    () => [
      new SharedArrayBuffer(0),
      new SharedArrayBuffer(16),
      new Int32Array(new SharedArrayBuffer(4096)).fill(-2),
    ],
  ],
  [
    'Buffers',
    () => [
      Buffer.alloc(0),
      Buffer.alloc(10, 1),
      Buffer.alloc(5000, 2),
      Buffer.from(new ArrayBuffer(64), 8, 16),
    ],
  ],
];

for (const [name, make] of kept) {
  test(`kept: ${name}`, () => {
    const state = make();
    assertSame(roundTrip(state), state);
    assertSame(roundTrip({ a: state, b: [state] }, [], 0), { a: state, b: [state] });
  });
}

test('every kind by itself is a state', () => {
  for (const [, make] of kept) {
    const made = make();
    for (const value of Array.isArray(made) ? made : [made]) assertSame(roundTrip(value), value);
  }
});

test('a resizable buffer stays resizable, and views that track its length track it', () => {
  const buffer = Reflect.construct(ArrayBuffer, [4096, { maxByteLength: 8192 }]) as ArrayBuffer & {
    resize(n: number): void;
  };
  const state = {
    tracking: new Float64Array(buffer),
    behind: new Float64Array(buffer, 64),
    fixed: new Float64Array(buffer, 0, 512),
    trackingView: new DataView(buffer, 8),
    fixedView: new DataView(buffer, 0, 4096),
    small: Reflect.construct(ArrayBuffer, [10, { maxByteLength: 20 }]) as ArrayBuffer,
  };
  const restored = roundTrip(state);
  assertSame(restored, state);
  (restored.tracking.buffer as typeof buffer).resize(8192);
  assert.deepEqual(
    [restored.tracking.length, restored.behind.length, restored.fixed.length],
    [1024, 1016, 512],
  );
  assert.deepEqual([restored.trackingView.byteLength, restored.fixedView.byteLength], [8184, 4096]);
});

test('a view that tracks a buffer whose length is no multiple of its element comes back', () => {
  for (const maxByteLength of [4099, 8192]) {
    const buffer = Reflect.construct(ArrayBuffer, [4096, { maxByteLength }]) as ArrayBuffer & {
      resize(n: number): void;
    };
    const tracking = new Float64Array(buffer, 8);
    buffer.resize(4099);
    new Uint8Array(buffer).fill(7);
    const restored = roundTrip({ tracking });
    assertSame(restored, { tracking });
    (restored.tracking.buffer as typeof buffer).resize(16);
    assert.equal(restored.tracking.length, 1);
  }
});

test('a growable SharedArrayBuffer stays growable, with its tracking views', () => {
  const buffer = Reflect.construct(SharedArrayBuffer, [
    2048,
    { maxByteLength: 4096 },
  ]) as SharedArrayBuffer & { grow(n: number): void };
  const restored = roundTrip({
    buffer,
    tracking: new Int32Array(buffer),
    fixed: new Int32Array(buffer, 0, 512),
  });
  assertSame(restored, { buffer, tracking: new Int32Array(buffer), fixed: new Int32Array(buffer, 0, 512) });
  restored.buffer.grow(4096);
  assert.deepEqual([restored.tracking.length, restored.fixed.length], [1024, 512]);
});

test('a property given to a long typed array or array between two saves is kept, or refused', () => {
  for (const list of [new Float64Array(5000), Buffer.alloc(5000), new Array(5000).fill(0.5)]) {
    assertSame(roundTrip({ list }), { list });
    Object.assign(list, { unit: 'K' });
    assertSame(roundTrip({ list }), { list });
    assertSame(roundTrip({ list }).list, list);
  }
});

test('what comes back is the real thing: internal slots, not look-alikes', () => {
  const restored = roundTrip({
    error: new RangeError('x'),
    map: new Map(),
    date: new Date(1),
    boxed: Object('s'),
    buffer: Buffer.alloc(2000),
  });
  assert.ok(types.isNativeError(restored.error) && types.isMap(restored.map) && types.isDate(restored.date));
  assert.ok(types.isStringObject(restored.boxed) && Buffer.isBuffer(restored.buffer));
  assert.equal(restored.error.stack?.split('\n')[0], 'RangeError: x');
});

test('objects may refer to themselves and to each other', () => {
  interface Item {
    self?: Item;
    all: unknown[];
    map: Map<unknown, unknown>;
    set: Set<unknown>;
  }
  const item: Item = { all: [], map: new Map(), set: new Set() };
  item.self = item;
  item.all.push(item, item.all, item.map);
  item.map.set(item, item.set).set(item.map, item.map);
  item.set.add(item).add(item.set);
  const error = new Error('x', { cause: item }) as Error & { self?: unknown };
  error.self = error;
  const extra = Object.assign(new Float64Array(2), { item, error });
  const array = Object.assign([extra], { owner: extra }) as unknown[] & { self?: unknown };
  array.self = array;
  assertSame(roundTrip([item, error, extra, array]), [item, error, extra, array]);
});

test('an own accessor comes back as its value, and a frozen object comes back unfrozen', () => {
  let reads = 0;
  const state = Object.freeze({
    get total() {
      reads++;
      return 7;
    },
    list: Object.freeze([1, 2]),
  });
  const restored = roundTrip(state);
  assert.deepEqual(Object.getOwnPropertyDescriptor(restored, 'total'), {
    value: 7,
    writable: true,
    enumerable: true,
    configurable: true,
  });
  assert.equal(reads, 1);
  assert.ok(!Object.isFrozen(restored) && !Object.isFrozen(restored.list));
});

test('a state may be a primitive', () => {
  for (const value of [1, -0, 'x', null, undefined, 5n, true, Symbol.for('s')])
    assertSame(roundTrip(value), value);
});
