/** What cannot be kept exactly is refused when it is saved, with its path and with what to do. */

import { strict as assert } from 'node:assert';
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { ClassRegistry, StateEncoder } from '../../src/state/index.js';
import { assertSame } from './same.js';
import { assertRefused, load, roundTrip, save } from './trips.js';

class Point {
  x = 1;
}
class Cell extends Map {}
class List extends Array {}
class Failure extends Error {}
class Samples extends Float64Array {}

async function* later() {
  yield 1;
}
function* counter() {
  yield 1;
}
const asArguments = function (..._: unknown[]) {
  // biome-ignore lint/complexity/noArguments: the old object is what is refused
  return arguments;
};
function nodeError(): unknown {
  try {
    return Buffer.alloc('x' as unknown as number);
  } catch (error) {
    return error;
  }
}
const realm = createContext({});
const { Memory, Module } = (
  globalThis as unknown as {
    WebAssembly: { Memory: { prototype: object }; Module: new (bytes: Uint8Array) => object };
  }
).WebAssembly;

/** Each is put at `state.solver.it` and must be named there. */
const refused: [name: string, make: () => unknown, says: RegExp][] = [
  ['functions', () => function onTick() {}, /is a function onTick: keep data in the state/],
  ['arrow functions', () => () => 1, /is a function/],
  ['classes', () => Point, /is a function Point/],
  ['promises', () => Promise.resolve(1), /is a promise: await it/],
  ['generators', () => counter(), /is a generator/],
  ['async generators', () => later(), /is a generator/],
  ['array iterators', () => [1][Symbol.iterator](), /is an iterator/],
  ['map iterators', () => new Map().entries(), /is an iterator/],
  ['set iterators', () => new Set().values(), /is an iterator/],
  ['string iterators', () => 'a'[Symbol.iterator](), /is an iterator/],
  ['regular expression iterators', () => 'a'.matchAll(/a/g), /is an iterator/],
  ['WeakMaps', () => new WeakMap(), /is a WeakMap.*use a Map/],
  ['WeakSets', () => new WeakSet(), /is a WeakSet.*use a Set/],
  ['WeakRefs', () => new WeakRef({}), /is a WeakRef/],
  ['FinalizationRegistries', () => new FinalizationRegistry(() => {}), /is a FinalizationRegistry/],
  ['local symbols', () => Symbol('mine'), /is a local symbol \(Symbol\(mine\)\).*Symbol\.for/],
  ['well-known symbols', () => Symbol.iterator, /is a local symbol/],
  ['Proxies', () => new Proxy({}, {}), /is a Proxy/],
  ['Proxies of arrays', () => new Proxy([], {}), /is a Proxy/],
  [
    'revoked Proxies',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    /is a Proxy/,
  ],
  [
    'instances of unregistered classes',
    () => new Point(),
    /is an instance of Point.*\{ classes: \[Point\] \}/,
  ],
  ['instances of anonymous classes', () => new (class {})(), /an anonymous class/],
  ['subclasses of Map', () => new Cell(), /is an instance of Cell.*classes: \[Cell\]/],
  ['subclasses of Array', () => new List(), /is an instance of List/],
  ['subclasses of Error', () => new Failure('x'), /is an instance of Failure/],
  ['subclasses of typed arrays', () => new Samples(2), /is an instance of Samples/],
  ['subclasses of ArrayBuffer', () => new (class Arena extends ArrayBuffer {})(4), /Arena/],
  ['objects whose prototype is another object', () => Object.create({ a: 1 }), /prototype is another object/],
  [
    'objects whose prototype is a Proxy',
    () => Object.create(new Proxy({}, {})),
    /prototype is another object/,
  ],
  ['Blobs', () => new Blob(['a']), /is a Blob: rebuild it/],
  ['streams', () => new Readable(), /is an instance of Readable|is a Readable/],
  ['web streams', () => new ReadableStream(), /is a ReadableStream: rebuild it/],
  ['event emitters', () => new EventEmitter(), /EventEmitter/],
  ['URLs', () => new URL('http://a/'), /is a URL: rebuild it/],
  ['AbortSignals', () => new AbortController().signal, /is an? AbortSignal/],
  ['message ports', () => new MessageChannel().port1.close() ?? new MessageChannel(), /MessageChannel/],
  ['DOMExceptions', () => new DOMException('x'), /DOMException/],
  [
    'errors of an internal class',
    () => nodeError(),
    /is an error of an internal class: keep its name, message/,
  ],
  ['Intl objects', () => new Intl.DateTimeFormat(), /is a DateTimeFormat: rebuild it/],
  ['namespace objects', () => Math, /has the symbol key Symbol\(Symbol\.toStringTag\)/],
  ['the global object', () => globalThis, /is the global object/],
  ['process.env', () => process.env, /is an? |has a/],
  ['arguments objects', () => asArguments(1, 2), /is an arguments object/],
  ['objects of another realm', () => runInContext('({ a: 1 })', realm), /type Object of another realm/],
  ['arrays of another realm', () => runInContext('[1]', realm), /type Array of another realm/],
  ['Maps of another realm', () => runInContext('new Map()', realm), /type Map of another realm/],
  [
    'typed arrays of another realm',
    () => runInContext('new Float64Array(2)', realm),
    /type Float64Array of another realm/,
  ],
  [
    'Errors of another realm',
    () => runInContext('new TypeError()', realm),
    /type TypeError of another realm/,
  ],
  [
    'WebAssembly modules',
    () => new Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
    /is a Module: rebuild it/,
  ],
  [
    'look-alikes of boxed primitives',
    () => Object.create(String.prototype),
    /has the prototype of String but is no String/,
  ],
  ['look-alikes of dates', () => Object.create(Date.prototype), /but is no Date/],
  ['look-alikes of regular expressions', () => Object.create(RegExp.prototype), /but is no RegExp/],
  ['look-alikes of Sets', () => Object.create(Set.prototype), /but is no Set/],
  ['look-alikes of DataViews', () => Object.create(DataView.prototype), /but is no DataView/],
  ['look-alikes of buffers', () => Object.create(ArrayBuffer.prototype), /ArrayBuffer/],
  ['look-alikes of memories', () => Object.create(Memory.prototype), /Memory/],
  ['look-alikes of Maps', () => Object.create(Map.prototype), /has the prototype of Map but is no Map/],
  [
    'look-alikes of arrays',
    () => Object.create(Array.prototype),
    /has the prototype of Array but is no Array/,
  ],
  [
    'look-alikes of errors',
    () => Object.create(TypeError.prototype),
    /has the prototype of TypeError but is no TypeError/,
  ],
  [
    'look-alikes of typed arrays',
    () => Object.setPrototypeOf(new Uint8Array(2), Float64Array.prototype),
    /prototype of Float64Array/,
  ],
  [
    'Maps posing as plain objects',
    () => Object.setPrototypeOf(new Map(), Object.prototype),
    /is a Map behind a plain prototype/,
  ],
  [
    'Maps posing as null-prototype objects',
    () => Object.setPrototypeOf(new Map(), null),
    /is a Map behind a plain prototype/,
  ],
  [
    'dates posing as plain objects',
    () => Object.setPrototypeOf(new Date(), Object.prototype),
    /is a Date behind a plain prototype/,
  ],
  [
    'arrays posing as plain objects',
    () => Object.setPrototypeOf([1, 2], Object.prototype),
    /is an array behind/,
  ],
  [
    'typed arrays posing as plain objects',
    () => Object.setPrototypeOf(new Uint8Array(3), Object.prototype),
    /is a view behind/,
  ],
  [
    'promises posing as plain objects',
    () => Object.setPrototypeOf(Promise.resolve(), Object.prototype),
    /is a promise/,
  ],
  ['symbol keys', () => ({ [Symbol.for('k')]: 1 }), /has the symbol key Symbol\(k\)/],
  ['symbol keys of arrays', () => Object.assign([], { [Symbol.for('k')]: 1 }), /has the symbol key/],
  [
    'symbol keys of typed arrays',
    () => Object.assign(new Uint8Array(100), { [Symbol.for('k')]: 1 }),
    /has the symbol key/,
  ],
  ['symbol keys of Maps', () => Object.assign(new Map(), { [Symbol('k')]: 1 }), /has the symbol key/],
  ['symbol keys of errors', () => Object.assign(new Error(), { [Symbol('k')]: 1 }), /has the symbol key/],
  ['own properties of ArrayBuffers', () => Object.assign(new ArrayBuffer(8), { x: 1 }), /own property x/],
  [
    'buffers with own properties behind views',
    () => new Uint8Array(Object.assign(new ArrayBuffer(8), { x: 1 })),
    /own property x/,
  ],
];

for (const [name, make, says] of refused) {
  test(`refused: ${name}`, () => {
    assertRefused(() => save({ solver: { it: make() } }), 'SNAP_UNSUPPORTED', 'solver.it', says);
    assertRefused(
      () => save({ solver: { it: make() } }),
      'SNAP_UNSUPPORTED',
      'solver.it',
      /^state\.solver\.it .*: ./,
    );
  });
}

test('refused: non-enumerable own properties, by their own path', () => {
  const hide = <T extends object>(target: T): T =>
    Object.defineProperty(target, 'hidden', { value: 1, configurable: true });
  const holders = [
    { a: 1 },
    Object.create(null),
    [1, 2],
    new Array(500).fill(0),
    new Map(),
    new Set(),
    new Date(),
    /x/,
    Object('s'),
    new Uint8Array(3),
    new Float64Array(500),
    Buffer.alloc(500),
  ];
  for (const holder of holders) {
    assertRefused(
      () => save({ a: hide(holder) }),
      'SNAP_UNSUPPORTED',
      'a.hidden',
      /^state\.a\.hidden is a non-enumerable property/,
    );
  }
});

test('refused: detached buffers and views, but not empty ones', () => {
  const gone = new ArrayBuffer(64);
  const views = { u: new Float64Array(gone), d: new DataView(gone) };
  structuredClone(gone, { transfer: [gone] });
  assertRefused(() => save({ a: views.u }), 'SNAP_UNSUPPORTED', 'a', /detached/);
  assertRefused(() => save({ a: views.d }), 'SNAP_UNSUPPORTED', 'a', /detached/);
  assertRefused(() => save({ a: [gone] }), 'SNAP_UNSUPPORTED', 'a[0]', /detached/);
  assertSame(roundTrip([new ArrayBuffer(0), new Float64Array()]), [new ArrayBuffer(0), new Float64Array()]);
});

test('refused: views that a resize left outside of their buffer', () => {
  const buffer = Reflect.construct(ArrayBuffer, [64, { maxByteLength: 64 }]) as ArrayBuffer & {
    resize(n: number): void;
  };
  const views = [new Float64Array(buffer, 32, 4), new DataView(buffer, 32, 8), new Float64Array(buffer, 56)];
  buffer.resize(16);
  for (const view of views)
    assertRefused(() => save({ view }), 'SNAP_UNSUPPORTED', 'view', /outside of its resized buffer/);
});

test('the path is exact, whatever leads there', () => {
  const bad = () => {};
  const key = {};
  const paths: [string, unknown][] = [
    ['', bad],
    ['a.b.c', { a: { b: { c: bad } } }],
    ['a[3].b', { a: [1, 2, 3, { b: bad }] }],
    ['[0][1]', [[0, bad]]],
    ['a["b c"]', { a: { 'b c': bad } }],
    ['["1a"].x', { '1a': { x: bad } }],
    ['[""]', { '': bad }],
    ['a["\\"quoted\\""]', { a: { '"quoted"': bad } }],
    ['a["7"]', { a: { 7: bad } }],
    ['größe.日本.$_1', { größe: { 日本: { $_1: bad } } }],
    [
      'probes.get("a").x',
      {
        probes: new Map([
          ['b', {}],
          ['a', { x: bad }],
        ]),
      },
    ],
    ['probes.get(5)', { probes: new Map([[5, bad]]) }],
    ['probes.get(-1.5)', { probes: new Map([[-1.5, bad]]) }],
    ['probes.get(10n)', { probes: new Map([[10n, bad]]) }],
    ['probes.get(null)', { probes: new Map([[null, bad]]) }],
    ['probes.get(Symbol.for("s"))', { probes: new Map([[Symbol.for('s'), bad]]) }],
    ['get("a")', new Map([['a', bad]])],
    [
      'probes.values()[1]',
      {
        probes: new Map<unknown, unknown>([
          ['a', 1],
          [key, bad],
        ]),
      },
    ],
    [
      'probes.keys()[1].z',
      {
        probes: new Map<unknown, unknown>([
          ['a', 1],
          [{ z: bad }, 2],
        ]),
      },
    ],
    ['tags.values()[2]', { tags: new Set([1, 2, bad]) }],
    ['list.note', { list: Object.assign([1], { note: bad }) }],
    ['grid.unit.of', { grid: Object.assign(new Float64Array(500), { unit: { of: bad } }) }],
    ['map.owner', { map: Object.assign(new Map([[1, {}]]), { owner: bad }) }],
    ['error.cause.x', { error: new Error('a', { cause: { x: bad } }) }],
    ['error.errors[0]', { error: new AggregateError([bad], 'a') }],
    ['re.lastIndex', { re: Object.assign(/x/, { lastIndex: bad }) }],
    ['sparse[70000]', { sparse: Object.assign(new Array(70_000), { 70000: bad }) }],
    ['again.x', { first: key, again: { key, x: bad } }],
  ];
  for (const [path, state] of paths)
    assertRefused(() => save(state), 'SNAP_UNSUPPORTED', path, /is a function bad: /);
});

test('a path of 10^5 steps keeps its ends', () => {
  let chain: unknown = { bad: () => {} };
  for (let i = 0; i < 100_000; i++) chain = { next: chain };
  assertRefused(
    () => save(chain),
    'SNAP_UNSUPPORTED',
    `${'next.'.repeat(100).slice(0, -1)}…${'.next'.repeat(99)}.bad`,
    /function/,
  );
});

test('a refused encode leaves nothing behind', () => {
  const encoder = new StateEncoder(new ClassRegistry());
  const good = { a: [1, 'some text', { b: new Float64Array(500) }], c: new Map([[1, { d: 'some text' }]]) };
  const before = encoder.encode(good).skeleton.slice();
  for (const [, make] of refused) {
    assert.throws(() =>
      encoder.encode({
        deep: [
          { u: new Float64Array(999), text: 'some text' },
          new Map([
            [1, make()],
            [2, 3],
          ]),
          'rest',
        ],
        after: 1,
      }),
    );
    const { skeleton, regions } = encoder.encode(good);
    assert.deepEqual(skeleton.slice(), before);
    assert.equal(regions.length, 1);
  }
});

test('a getter that throws is named, with the error as the cause', () => {
  const cause = new Error('no');
  const fail = () => {
    throw cause;
  };
  const states: [string, object][] = [
    [
      'a.bad',
      {
        a: {
          ok: 1,
          get bad() {
            return fail();
          },
        },
      },
    ],
    ['a.bad', { a: Object.defineProperty([1], 'bad', { get: fail, enumerable: true }) }],
    ['a.bad', { a: Object.defineProperty(new Error('x'), 'bad', { get: fail }) }],
    ['a', { a: Object.defineProperty([1, 2], 1, { get: fail, enumerable: true }) }],
  ];
  for (const [path, state] of states) {
    assert.throws(() => save(state), { code: 'SNAP_UNSUPPORTED', path, cause });
  }
});

test('a getter must not save the state it is in', () => {
  const encoder = new StateEncoder(new ClassRegistry());
  const state = {
    get again() {
      return encoder.encode(1);
    },
  };
  assert.throws(() => encoder.encode(state), { code: 'SNAP_UNSUPPORTED', path: 'again' });
  assert.equal(load(save(5)), 5);
});

test('no trap of a Proxy runs, and no inherited accessor', () => {
  const trap = () => assert.fail('a trap ran');
  const handler = new Proxy({}, { get: () => trap });
  assertRefused(() => save({ a: new Proxy({}, handler) }), 'SNAP_UNSUPPORTED', 'a', /Proxy/);
  const odd = Object.create(Object.defineProperty({}, 'constructor', { get: trap }));
  assertRefused(() => save({ a: odd }), 'SNAP_UNSUPPORTED', 'a', /./);
});
