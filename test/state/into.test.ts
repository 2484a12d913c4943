// biome-ignore-all lint/complexity/noStaticOnlyClass: what is tested of a class is often its statics
/** `into`: a live state of the same shape is rewritten in place, or nothing of it is. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  ClassRegistry,
  RegionPatch,
  type RegionSource,
  Restoration,
  snapDecode,
  snapEncode,
  snapMigrate,
  snapName,
  snapVersion,
} from '../../src/state/index.js';
import { assertSame } from './same.js';
import { assertRefused, load, roundTrip, type Saved, save, sources } from './trips.js';

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (o: object) => Memory } })
  .WebAssembly;

const refuses = (saved: unknown, live: object, path: string, says: RegExp, classes: object[] = []): void => {
  const before = roundTrip(live, classes);
  assertRefused(() => load(save(saved, classes), classes, { into: live }), 'SNAP_MISMATCH', path, says);
  assertSame(live, before);
};

test('containers, views and buffers keep their identity and get the saved content', () => {
  const make = (seed: number) => {
    const u = new Float64Array(1000).fill(seed);
    return {
      step: seed,
      solver: { grids: [{ u, tail: u.subarray(500) }, { small: Int32Array.of(seed) }] as const },
      probes: new Map<string, { at: number }>([['a', { at: seed }]]),
      tags: new Set([`t${seed}`]),
      list: [seed, [seed]],
      bare: new Uint8Array(2000).fill(seed).buffer,
      shared: new Int32Array(new SharedArrayBuffer(4000)).fill(seed),
      when: new Date(seed),
    };
  };
  const partsOf = ({ solver, probes, tags, list, bare, shared }: ReturnType<typeof make>): unknown[] => {
    const [{ u, tail }, { small }] = solver.grids;
    return [
      solver,
      solver.grids,
      u,
      u.buffer,
      tail,
      small,
      probes,
      probes.get('a'),
      tags,
      list,
      list[1],
      bare,
      shared,
    ];
  };
  const live = make(1);
  const parts = partsOf(live);
  const outside = new Float64Array(live.solver.grids[0].u.buffer);
  const restored = load(save(make(2)), [], { into: live });
  assert.equal(restored, live);
  assertSame(live, make(2));
  for (const [i, part] of partsOf(live).entries()) assert.equal(part, parts[i]);
  assert.equal(outside[999], 2, 'a view of the program sees the restored bytes');
});

test('only bytes that differ are written', () => {
  const live = { u: new Uint8Array(300_000).fill(1) };
  const saved = save(live);
  live.u[70_000] = 9;
  const written: number[] = [];
  const copy = Buffer.prototype.copy;
  Buffer.prototype.copy = function (...args: Parameters<typeof copy>) {
    written.push(Number(args[1]));
    return copy.apply(this, args);
  };
  try {
    load(saved, [], { into: live });
  } finally {
    Buffer.prototype.copy = copy;
  }
  assert.deepEqual(written, [65_536]);
  assert.equal(live.u[70_000], 1);
});

test('keys, entries, members and elements that only one side has follow the snapshot, in its order', () => {
  const saved = {
    o: { b: 1, a: 2, z: undefined },
    n: Object.assign(Object.create(null), { x: 1 }),
    l: [1, 2, 3],
    s: [1],
    m: new Map<unknown, unknown>([
      ['b', 1],
      ['a', 2],
    ]),
    t: new Set([3, 1, 2]),
    e: Object.assign([1], { note: 'x' }),
    fresh: { deep: new Float64Array(3) },
    gone: null,
  };
  const live = {
    o: { a: 2, b: 1, c: 3 },
    n: Object.assign(Object.create(null), { y: 1 }),
    l: [9],
    s: [1, 2, 3, 4],
    m: new Map<unknown, unknown>([
      ['a', 2],
      ['c', 3],
      ['b', 9],
    ]),
    t: new Set([1, 2, 3]),
    e: Object.assign([1, 2], { other: 'y' }),
    gone: { was: 1 },
    extra: 1,
  };
  const { o, m, e } = live;
  load(save(saved), [], { into: live });
  assertSame(live, saved);
  assert.ok(live.o === o && live.m === m && live.e === e);
});

test('holes of either side', () => {
  const holes = (length: number, at: object) => Object.assign(new Array(length), at);
  const saved = {
    a: holes(5, { 1: 'x' }),
    b: holes(100_000, { 99999: 1 }),
    c: [1, 2, undefined],
    d: holes(3000, {}),
  };
  const live = {
    a: [1, 2, 3],
    b: new Array(50_000).fill(7),
    c: holes(3, { 0: 1 }),
    d: new Array(3000).fill(1),
  };
  load(save(saved), [], { into: live });
  assertSame(live, saved);
});

test('double buffers that were swapped come back swapped', () => {
  const make = () => {
    const [a, b] = [new Float64Array(500).fill(1), new Float64Array(500).fill(2)];
    return { grids: [a, b], now: a, next: b };
  };
  const state = make();
  [state.now, state.next] = [state.next, state.now];
  const live = make();
  const [a, b] = live.grids;
  load(save(state), [], { into: live });
  assertSame(live, state);
  assert.ok(live.now === b && live.next === a && live.grids[0] === a);
});

test('sharing follows the snapshot', () => {
  const one = { x: 1 };
  const saved = { a: one, b: one, c: { x: 2 }, d: { x: 3 } };
  const both = { x: 0 };
  const live = { a: { x: 5 }, b: { x: 6 }, c: both, d: both };
  const { a } = live;
  load(save(saved), [], { into: live });
  assertSame(live, saved);
  assert.ok(live.a === a && live.b === a && live.c === both && live.d !== (both as unknown));
});

test('a view that lies elsewhere on its buffer is made anew on the live buffer', () => {
  const buffer = new ArrayBuffer(4000);
  const live = { whole: new Float64Array(buffer), window: new Float64Array(buffer, 0, 10) };
  const from = new ArrayBuffer(4000);
  const state = { whole: new Float64Array(from).fill(3), window: new Float64Array(from, 80, 20) };
  load(save(state), [], { into: live });
  assertSame(live, state);
  assert.equal(live.window.buffer, buffer);
});

test('a view of the same length at another place of its buffer is made anew', () => {
  const make = (offset: number) => {
    const buffer = new ArrayBuffer(4000);
    return { whole: new Uint8Array(buffer).fill(offset), window: new Float64Array(buffer, offset, 10) };
  };
  const live = make(0);
  const { whole } = live;
  load(save(make(80)), [], { into: live });
  assertSame(live, make(80));
  assert.equal(live.whole, whole);
});

test('an encoded instance whose data leads back to what encloses it', () => {
  class Child {
    owner: unknown;
    static [snapEncode](child: Child): unknown {
      return { owner: child.owner, own: [1] };
    }
    static [snapDecode](data: { owner: unknown; own: number[] }): Child {
      assert.deepEqual(data.own, [1]);
      return Object.assign(new Child(), { owner: data.owner });
    }
  }
  const make = (n: number) => {
    const owner = { n, inner: { child: new Child() } };
    owner.inner.child.owner = owner;
    return owner;
  };
  const live = make(1);
  const { inner } = live;
  load(save(make(2), [Child]), [Child], { into: live });
  assert.deepEqual([live.n, live.inner === inner, inner.child.owner === live], [2, true, true]);
});

test('instances of registered classes keep their identity', () => {
  class Body {
    v = new Float64Array(3);
    name = 'x';
  }
  const live = { bodies: [new Body(), new Body()] };
  const [first] = live.bodies;
  const state = { bodies: [new Body(), new Body(), new Body()] };
  (state.bodies[0] as Body).v[1] = 5;
  load(save(state, [Body]), [Body], { into: live });
  assertSame(live, state);
  assert.equal(live.bodies[0], first);
});

test('values are replaced: dates, errors, boxed primitives, regular expressions, encoded instances', () => {
  class Token {
    static [snapEncode](): unknown {
      return { list: [1] };
    }
    static [snapDecode](data: { list: number[] }): Token {
      assert.deepEqual(data.list, [1]);
      return new Token();
    }
  }
  const make = () => ({ d: new Date(1), e: new Error('x'), b: Object(1), r: /x/, t: new Token() });
  const live = make();
  const before = { ...live };
  const state = make();
  load(save(state, [Token]), [Token], { into: live });
  assertSame(live, state);
  for (const key of ['d', 'e', 'b', 'r', 't'] as const) assert.notEqual(live[key], before[key]);
});

test('a root that is a typed array, an array, a Map or an instance', () => {
  for (const [live, state] of [
    [new Float64Array(500), new Float64Array(500).fill(3)],
    [[1], [2, 3]],
    [new Map([[1, 1]]), new Map([[2, 2]])],
    [new Set([1]), new Set([2])],
    [new ArrayBuffer(2000), new Uint8Array(2000).fill(1).buffer],
    [new Int8Array(3), Int8Array.of(1, 2, 3)],
  ] as object[][]) {
    assert.equal(load(save(state), [], { into: live }), live);
    assertSame(live, state);
  }
});

test('resizable buffers are resized, and tracking views follow', () => {
  const make = (bytes: number, fill: number) => {
    const buffer = Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 8192 }]) as ArrayBuffer;
    const tracking = new Uint8Array(buffer).fill(fill);
    return { buffer, tracking, head: new Uint8Array(buffer, 0, 8) };
  };
  for (const [from, to] of [
    [2048, 4096],
    [4096, 2048],
  ] as const) {
    const live = make(from, 1);
    const { buffer, tracking, head } = live;
    load(save(make(to, 2)), [], { into: live });
    assertSame(live, make(to, 2));
    assert.ok(live.buffer === buffer && live.tracking === tracking && live.head === head);
    assert.equal(tracking.length, to);
  }
});

test('a longer view over a live buffer that has to grow first', () => {
  const buffer = (bytes: number) =>
    Reflect.construct(ArrayBuffer, [bytes, { maxByteLength: 8192 }]) as ArrayBuffer;
  const live = { u: new Uint8Array(buffer(2048), 0, 2048) };
  const state = { u: new Uint8Array(buffer(4096), 0, 4096).fill(5) };
  load(save(state), [], { into: live });
  assertSame(live, state);
});

test('growable shared buffers grow and never shrink', () => {
  const make = (bytes: number) => {
    const buffer = Reflect.construct(SharedArrayBuffer, [
      bytes,
      { maxByteLength: 8192 },
    ]) as SharedArrayBuffer;
    return { u: new Uint8Array(buffer).fill(bytes / 1024) };
  };
  const live = make(2048);
  load(save(make(4096)), [], { into: live });
  assertSame(live, make(4096));
  refuses(make(2048), live, 'u', /a buffer of 2048 bytes in the snapshot and of 4096 in the live state/);
});

test('what does not fit is named, and nothing is changed', () => {
  class A {
    x = 1;
  }
  class B {
    x = 1;
  }
  const detached = new Float64Array(500);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const f64 = (n: number) => new Float64Array(n);
  const cases: [unknown, object, string, RegExp][] = [
    [
      { a: 1, s: { u: f64(500) } },
      { a: 2, s: { u: f64(501) } },
      's.u',
      /buffer of 4000 bytes in the snapshot and of 4008/,
    ],
    [{ a: 1, s: [f64(2)] }, { a: 2, s: [f64(3)] }, 's[0]', /buffer of 16 bytes in the snapshot and of 24/],
    [
      { a: 1, u: f64(500) },
      { a: 2, u: new Float32Array(1000) },
      'u',
      /is a Float64Array in the snapshot and a Float32Array/,
    ],
    [{ a: 1, u: f64(500) }, { a: 2, u: {} }, 'u', /is a Float64Array in the snapshot and a plain object/],
    [
      { a: 1, u: f64(500).buffer },
      { a: 2, u: f64(500) },
      'u',
      /is an ArrayBuffer in the snapshot and a Float64Array/,
    ],
    [
      { a: 1, u: new SharedArrayBuffer(2000) },
      { a: 2, u: new ArrayBuffer(2000) },
      'u',
      /has a shared buffer in the snapshot/,
    ],
    [
      { a: 1, m: new Map() },
      { a: 2, m: {} },
      'm',
      /is a Map in the snapshot and a plain object in the live state/,
    ],
    [{ a: 1, m: [] }, { a: 2, m: new Set() }, 'm', /is an Array in the snapshot and a Set/],
    [{ a: 1, m: {} }, { a: 2, m: [] }, 'm', /is a plain object in the snapshot and an Array/],
    [{ a: 1, m: {} }, { a: 2, m: Object.create(null) }, 'm', /an object without a prototype in the live/],
    [
      { a: 1, m: new A() },
      { a: 2, m: new B() },
      'm',
      /is an instance of A in the snapshot and an instance of B/,
    ],
    [{ a: 1, m: new A() }, { a: 2, m: {} }, 'm', /is an instance of A in the snapshot and a plain object/],
    [[1], {}, '', /^state is an Array in the snapshot and a plain object/],
    [new Date(), {}, '', /^state is a value that cannot be rewritten in place/],
    [f64(600), f64(500), '', /^state has a buffer of 4800 bytes/],
    [
      { a: 1, u: Reflect.construct(ArrayBuffer, [2000, { maxByteLength: 3000 }]) },
      { a: 2, u: Reflect.construct(ArrayBuffer, [2000, { maxByteLength: 4000 }]) },
      'u',
      /resized in another way/,
    ],
  ];
  for (const [saved, live, path, says] of cases) refuses(saved, live, path, says, [A, B]);
  const misfit = { a: 2, u: detached };
  assertRefused(
    () => load(save({ a: 1, u: f64(500) }), [], { into: misfit }),
    'SNAP_MISMATCH',
    'u',
    /of 4000 bytes in the snapshot and of 0/,
  );
  const proxied = { a: 2, m: new Proxy({}, { get: () => assert.fail('a trap ran') }) };
  assertRefused(() => load(save({ a: 1, m: {} }), [], { into: proxied }), 'SNAP_MISMATCH', 'm', /is a Proxy/);
  assert.deepEqual([misfit.a, proxied.a], [2, 2]);
});

test('a primitive on either side is no misfit', () => {
  const live = { a: null, b: { x: 1 }, c: 5, d: undefined } as Record<string, unknown>;
  const state = { a: { u: new Float64Array(500) }, b: 7, c: [1], d: new Map() };
  load(save(state), [], { into: live });
  assertSame(live, state);
});

test('`into` must be an object', () => {
  for (const live of [null, 5, 'x', () => {}]) {
    assert.throws(() => load(save({}), [], { into: live }), {
      code: 'SNAP_MISMATCH',
      message: /^state cannot be restored into/,
    });
  }
  assert.throws(() => load(save(5), [], { into: {} }), { code: 'SNAP_MISMATCH' });
  assertSame(load(save({}), [], { into: undefined }), {});
});

test('objects that cannot take the change are refused before anything is changed; others may be frozen', () => {
  const frozen = Object.freeze({ u: new Float64Array(500), list: Object.freeze([1, 2]), n: 5 });
  const state = { first: 1, f: { u: new Float64Array(500).fill(1), list: [1, 2], n: 5 } };
  const live = { first: 0, f: frozen };
  load(save(state), [], { into: live });
  assert.deepEqual([live.first, frozen.u[7]], [1, 1]);
  const cases: [object, object, string][] = [
    [{ n: 1 }, Object.freeze({ n: 2 }), 'n'],
    [{ n: 1, m: 1 }, Object.seal({ n: 1 }), 'm'],
    [{ n: 1 }, Object.seal({ n: 1, gone: 1 }), 'gone'],
    [[1, 2], Object.freeze([1, 3]), 'frozen or sealed'],
    [[1, 2, 3], Object.freeze([1, 2]), 'frozen or sealed'],
    [Object.assign(new Map(), { x: 1 }), Object.freeze(new Map()), 'x'],
    [new Map(), Object.freeze(Object.assign(new Map(), { x: 1 })), 'x'],
  ];
  for (const [saved, fixed, says] of cases) {
    const holder = { first: 0, it: fixed };
    assertRefused(
      () => load(save({ first: 1, it: saved }), [], { into: holder }),
      'SNAP_MISMATCH',
      'it',
      new RegExp(says),
    );
    assert.equal(holder.first, 0);
  }
});

test('own accessors of the live state are replaced by the saved value, and neither getter nor setter runs', () => {
  const live = {
    get total(): number {
      return assert.fail('a getter ran') as number;
    },
    set total(_: number) {
      assert.fail('a setter ran');
    },
  };
  load(save({ total: 5 }), [], { into: live });
  assertSame(live, { total: 5 });
});

test('what no snapshot holds stays: symbol keys and hidden properties', () => {
  const key = Symbol('mine');
  const live = Object.defineProperty({ a: 1, [key]: 2 }, 'hidden', { value: 3 });
  load(save({ a: 5, b: 6 }), [], { into: live });
  assert.deepEqual([live.a, live[key], (live as { hidden?: number }).hidden], [5, 2, 3]);
});

test('a pooled Buffer is replaced, its neighbours in the pool untouched', () => {
  const live = { text: Buffer.from('before'), other: 1 };
  const neighbour = Buffer.from('neighbour');
  const old = live.text;
  load(save({ text: Buffer.from('after!'), other: 2 }), [], { into: live });
  assert.deepEqual(
    [live.text.toString(), old.toString(), neighbour.toString()],
    ['after!', 'before', 'neighbour'],
  );
});

test('cyclic and deep live states', () => {
  const make = (n: number) => {
    let chain: { next: unknown; n: number } = { next: null, n };
    const first = chain;
    for (let i = 0; i < 50_000; i++) chain = { next: chain, n };
    first.next = chain;
    return chain;
  };
  const live = make(1);
  load(save(make(2)), [], { into: live });
  assertSame(live, make(2));
});

test('decode and migrate are given complete data, never a live object not yet rewritten', () => {
  class Reader {
    seen: unknown;
    static [snapEncode](): unknown {
      return Reader.data;
    }
    static [snapDecode](data: { u: Float64Array; list: number[] }): Reader {
      return Object.assign(new Reader(), { seen: [data.u[0], data.list[0]] });
    }
    static data: unknown;
  }
  const state = { u: new Float64Array(500).fill(7), list: [7], reader: new Reader() };
  Reader.data = { u: state.u, list: state.list };
  const saved = save(state, [Reader]);
  const live = { u: new Float64Array(500), list: [0], reader: new Reader() };
  const restored = load(saved, [Reader], { into: live }) as typeof live;
  assert.deepEqual(restored.reader.seen, [7, 7]);
});

test('an instance of an older version is migrated in place', () => {
  class Old {
    static [snapName] = 'Sim';
    w = 3;
    grid = new Float64Array(500).fill(2);
  }
  class Sim {
    static [snapName] = 'Sim';
    static [snapVersion] = 1;
    width = 0;
    grid = new Float64Array(500);
    static [snapMigrate](data: { w: number; grid: Float64Array }): unknown {
      assert.equal(data.grid[0], 2);
      return { width: data.w, grid: data.grid };
    }
  }
  const live = new Sim();
  assert.equal(load(save(new Old(), [Old]), [Sim], { into: live }), live);
  assert.deepEqual([live.width, live.grid[499], Object.keys(live)], [3, 2, ['width', 'grid']]);
});

test('a hook that throws leaves the live state as it was', () => {
  class Bad {
    static [snapEncode](): unknown {
      return 1;
    }
    static [snapDecode](): Bad {
      throw new Error('no');
    }
  }
  const live = { a: 1, u: new Float64Array(500), bad: new Bad() };
  const saved = save({ a: 2, u: new Float64Array(500).fill(1), bad: new Bad() }, [Bad]);
  assert.throws(() => load(saved, [Bad], { into: live }), { code: 'SNAP_UNSUPPORTED', path: 'bad' });
  assert.deepEqual([live.a, live.u[0]], [1, 0]);
});

// WebAssembly memories.

const withMemory = (pages: number, fill: number, maximum = 10) => {
  const memory = new Memory({ initial: pages, maximum });
  new Uint8Array(memory.buffer).fill(fill);
  return {
    step: fill,
    heap: new Float64Array(memory.buffer, 64, 100),
    memory,
    all: new Uint8Array(memory.buffer),
  };
};

test('a memory is a region, and comes back only into a live one', () => {
  const saved = save(withMemory(2, 5));
  assert.deepEqual(
    saved.regions.map(({ path, kind, bytes }) => [path, kind, bytes.byteLength]),
    [['heap', 'WebAssembly.Memory', 131_072]],
  );
  assertRefused(() => load(saved), 'SNAP_MISMATCH', 'memory', /is a WebAssembly\.Memory.*`into`/);
});

test('a memory of the same size is rewritten, and all views on it stay', () => {
  const live = withMemory(2, 1);
  const { memory, heap, all } = live;
  const { buffer } = memory;
  load(save(withMemory(2, 5)), [], { into: live });
  assert.ok(live.memory === memory && live.heap === heap && live.all === all && memory.buffer === buffer);
  assert.deepEqual([live.step, all[0], all[131_071]], [5, 5, 5]);
});

test('a memory that is smaller grows, and the views of the state lie over it again', () => {
  const live = withMemory(1, 1);
  const { memory } = live;
  load(save(withMemory(3, 5)), [], { into: live });
  assert.equal(live.memory, memory);
  assert.equal(memory.buffer.byteLength, 3 * 65_536);
  assert.ok(live.heap.buffer === memory.buffer && live.all.buffer === memory.buffer);
  assert.deepEqual(
    [live.heap.byteOffset, live.heap.length, live.all.length, live.all[3 * 65_536 - 1]],
    [64, 100, 3 * 65_536, 5],
  );
});

test('a memory first reached by itself, and one without views', () => {
  for (const wrap of [(m: Memory) => ({ m, u: new Uint8Array(m.buffer) }), (m: Memory) => ({ m })]) {
    const [live, other] = [new Memory({ initial: 1 }), new Memory({ initial: 2 })];
    new Uint8Array(other.buffer)[70_000] = 3;
    load(save(wrap(other)), [], { into: wrap(live) });
    assert.equal(new Uint8Array(live.buffer)[70_000], 3);
  }
});

test('an empty memory, and inline limits beyond a page', () => {
  const live = { memory: new Memory({ initial: 0 }) };
  load(save({ memory: new Memory({ initial: 0 }) }), [], { into: live });
  load(save(withMemory(1, 4), [], 1e6), [], { into: withMemory(1, 0) });
  const state = withMemory(1, 0);
  load(save(withMemory(1, 4), [], 1e6), [], { into: state });
  assert.equal(state.all[9], 4);
});

test('shared memories', () => {
  const make = (pages: number, fill: number) => {
    const memory = new Memory({ initial: pages, maximum: 10, shared: true });
    new Uint8Array(memory.buffer).fill(fill);
    return { memory, u: new Uint8Array(memory.buffer) };
  };
  const live = make(1, 1);
  load(save(make(2, 3)), [], { into: live });
  assert.equal(live.u.buffer, live.memory.buffer);
  assert.deepEqual([live.u.length, live.u[131_071]], [131_072, 3]);
  refuses2(
    make(1, 1),
    { memory: new Memory({ initial: 1 }), u: new Uint8Array(1) },
    'memory',
    /shared in the snapshot/,
  );
});

test('a memory that does not fit is named', () => {
  refuses2(
    withMemory(1, 5),
    withMemory(2, 1),
    'memory',
    /has 65536 bytes in the snapshot and already 131072 in the live state.*new instance/,
  );
  refuses2(withMemory(3, 5), withMemory(1, 1, 2), 'memory', /cannot grow by 2 pages/);
  refuses2(
    withMemory(1, 5),
    { step: 1, memory: null },
    'memory',
    /is a WebAssembly\.Memory in the snapshot and null in the live state/,
  );
  refuses2(withMemory(1, 5), { step: 1 }, 'memory', /a WebAssembly\.Memory in the snapshot and undefined/);
  refuses2({ deep: withMemory(1, 5) }, { deep: 1 }, 'deep.memory', /its place is missing/);
  const memory = new Memory({ initial: 1 });
  refuses2(
    { a: new Memory({ initial: 1 }), b: new Memory({ initial: 1 }) },
    { a: memory, b: memory },
    'b',
    /one of two memories/,
  );
});

function refuses2(saved: object, live: Record<string, unknown>, path: string, says: RegExp): void {
  const { step } = live;
  assertRefused(() => load(save(saved), [], { into: live }), 'SNAP_MISMATCH', path, says);
  assert.equal(live.step, step);
}

test('a memory inside of an encoded instance is found in what the live instance encodes', () => {
  class Solver {
    readonly #memory: Memory;
    readonly sum: number;
    constructor(memory: Memory) {
      this.#memory = memory;
      this.sum = new Uint8Array(memory.buffer).reduce((a, b) => a + b, 0);
    }
    static [snapEncode](solver: Solver): unknown {
      return { memory: solver.#memory };
    }
    static [snapDecode](data: { memory: Memory }): Solver {
      return new Solver(data.memory);
    }
    static memory(solver: Solver): Memory {
      return solver.#memory;
    }
  }
  const memory = new Memory({ initial: 1 });
  const live = { solver: new Solver(memory) };
  const other = new Memory({ initial: 2 });
  new Uint8Array(other.buffer).fill(1);
  load(save({ solver: new Solver(other) }, [Solver]), [Solver], { into: live });
  assert.equal(Solver.memory(live.solver), memory);
  assert.equal(live.solver.sum, 131_072, 'decode found the bytes already there');
});

/** The regions of a saved state as patches of the live buffers that are there, and whole where none is. */
function patches(saved: Saved, restoration: Restoration): RegionSource[] {
  const found = restoration.liveBuffers();
  return sources(saved).map((source, i) => {
    const live = found[i];
    return live ? new RegionPatch(live, (to) => new Uint8Array(to).set(new Uint8Array(source))) : source;
  });
}

const resizable = (byteLength: number, fill: number) =>
  new Uint8Array(Reflect.construct(ArrayBuffer, [byteLength, { maxByteLength: 4000 }]) as ArrayBuffer).fill(
    fill,
  );

test('live buffers can be found first, of whatever length, and given what they lack', () => {
  const make = (fill: number) => ({
    u: new Float64Array(500).fill(fill),
    other: new Uint8Array(3000).fill(fill),
    heap: withMemory(1, fill),
    growing: withMemory(fill, fill),
    resized: resizable(2000 + fill, fill),
    shrunk: resizable(2010 - fill, fill),
  });
  const live = { ...make(1), other: null };
  const saved = save(make(2));
  const restoration = new Restoration(saved.skeleton, new ClassRegistry(), { into: live });
  const buffers = [live.u, live.heap.all, live.growing.all, live.resized, live.shrunk].map(
    ({ buffer }) => buffer,
  );
  assert.deepEqual(
    restoration.liveBuffers().map((buffer) => buffers.indexOf(buffer as ArrayBuffer)),
    [0, -1, 1, 2, 3, 4],
  );
  assert.equal(live.u[0], 1, 'nothing is changed');
  assert.equal(restoration.finish(patches(saved, restoration)), live);
  assertSame(live, make(2));
  assert.ok(live.u.buffer === buffers[0] && live.heap.all.buffer === buffers[1]);
  assert.ok(live.resized.buffer === buffers[3] && live.shrunk.buffer === buffers[4]);
  const misfit = new Restoration(saved.skeleton, new ClassRegistry(), { into: [] });
  assert.throws(() => misfit.liveBuffers(), { code: 'SNAP_MISMATCH' });
});

test('a patch is written to no other buffer than the one that was found, and to that of its length then', () => {
  const meddle: Record<string, (live: ReturnType<typeof make>) => void> = {
    'u is another view': (live) => {
      live.u = new Float64Array(500);
    },
    'u is gone': (live) => {
      live.u = null as never;
    },
    'resized is resized': (live) => {
      (live.resized.buffer as unknown as { resize(bytes: number): void }).resize(1000);
    },
    'memory is grown': (live) => {
      live.heap.memory.grow(1);
    },
  };
  const make = (fill: number) => ({
    n: fill,
    u: new Float64Array(500).fill(fill),
    heap: withMemory(fill, fill),
    resized: resizable(2000, fill),
  });
  for (const [what, change] of Object.entries(meddle)) {
    const live = make(1);
    const { u } = live;
    const saved = save(make(3));
    const restoration = new Restoration(saved.skeleton, new ClassRegistry(), { into: live });
    const regions = patches(saved, restoration);
    change(live);
    assert.throws(
      () => restoration.finish(regions),
      { code: 'SNAP_MISMATCH' },
      `${what}, and that is noticed`,
    );
    assert.deepEqual([live.n, u[0], live.heap.all[0] ?? 1, live.resized[0]], [1, 1, 1, 1], what);
  }
});

test('a memory that a class is given comes whole: what the class writes to it does not stay', () => {
  class Solver {
    readonly memory: Memory;
    constructor(memory: Memory) {
      this.memory = memory;
    }
    static [snapEncode]({ memory }: Solver): unknown {
      return { memory };
    }
    static [snapDecode]({ memory }: { memory: Memory }): Solver {
      new Uint8Array(memory.buffer).fill(99);
      return new Solver(memory);
    }
  }
  const make = (fill: number) => {
    const memory = new Memory({ initial: 1 });
    new Uint8Array(memory.buffer).fill(fill);
    return { solver: new Solver(memory), u: new Uint8Array(5000).fill(fill) };
  };
  const live = make(1);
  const saved = save(make(2), [Solver]);
  const restoration = new Restoration(saved.skeleton, new ClassRegistry([Solver]), { into: live });
  assert.deepEqual(
    restoration.liveBuffers().map((buffer) => buffer === live.u.buffer),
    [false, true],
  );
  restoration.finish(patches(saved, restoration));
  assert.deepEqual([new Uint8Array(live.solver.memory.buffer)[7], live.u[7]], [2, 2]);
});
