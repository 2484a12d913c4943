/** Large and deep states, and how little of a skeleton changes when little of the state does. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ClassRegistry, StateEncoder } from '../../src/state/index.js';
import { assertSame } from './same.js';
import { load, roundTrip, save } from './trips.js';

/** Generous: these are guards against what never ends, not measurements. */
const guard = { timeout: 240_000 };

test('chains 10^5 deep, of every container', guard, () => {
  const links: [string, (inner: unknown) => unknown][] = [
    ['objects', (inner) => ({ inner })],
    ['arrays', (inner) => [inner]],
    ['Maps by value', (inner) => new Map([[1, inner]])],
    ['Maps by key', (inner) => new Map([[inner, 1]])],
    ['Sets', (inner) => new Set([inner])],
    [
      'causes',
      (cause) =>
        Object.defineProperty(Object.create(null), 'cause', {
          value: cause,
          enumerable: true,
          configurable: true,
          writable: true,
        }),
    ],
    ['own properties', (inner) => Object.assign([], { inner })],
    ['mixed', (inner) => ({ a: [new Map([['x', { inner }]])] })],
  ];
  for (const [name, wrap] of links) {
    let chain: unknown = 'end';
    for (let i = 0; i < 100_000; i++) chain = wrap(chain);
    const saved = save(chain);
    assertSame(load(saved), chain);
    assert.ok(saved.skeleton.byteLength < 5e6, name);
  }
});

test('10^6 objects, with references among them', guard, () => {
  interface Node {
    id: number;
    next: Node | null;
    first: Node;
  }
  const first = { id: 0, next: null } as unknown as Node;
  first.first = first;
  const nodes: Node[] = [first];
  for (let id = 1; id < 1_000_000; id++) nodes.push({ id, next: nodes[id >> 1] as Node, first });
  const restored = roundTrip(nodes);
  assert.equal(restored.length, nodes.length);
  assert.equal(restored[999_999]?.next, restored[499_999]);
  assert.equal(restored[123_456]?.first, restored[0]);
});

test('an object with 10^5 keys, and a Map with 10^6 entries', guard, () => {
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`key ${i}`, i]));
  assertSame(roundTrip(wide), wide);
  const map = new Map(Array.from({ length: 1_000_000 }, (_, i) => [i, `value ${i % 10}`]));
  assert.deepEqual(roundTrip(map), map);
});

interface Item {
  id: number;
  x: number;
  y: number;
  name: string;
  alive: boolean;
  tags: string[];
}
const items = (): Item[] =>
  Array.from({ length: 100_000 }, (_, id) => ({
    id,
    x: id / 3,
    y: -id / 7,
    name: `kind ${id % 50}`,
    alive: id % 3 === 0,
    tags: [`t${id % 9}`],
  }));

/** Bytes from the first to the last that differ, and by how much the length does. */
function changed(a: Uint8Array, b: Uint8Array): { span: number; longer: number } {
  let first = 0;
  while (first < a.length && a[first] === b[first]) first++;
  let tail = 0;
  while (tail < a.length - first && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return { span: Math.max(a.length, b.length) - first - tail, longer: b.length - a.length };
}

test('a changed number changes just its own bytes among 10^5 objects', guard, () => {
  const state = { step: 1, t: 0.5, items: items() };
  const before = save(state).skeleton;
  const item = state.items[50_000] as Item;
  const changes: [string, () => void][] = [
    ['a double', () => (item.x = 1e300)],
    ['an integer', () => (item.id = -2_000_000)],
    ['a boolean', () => (item.alive = !item.alive)],
    ['a counter at the front', () => (state.step = 2 ** 30)],
    ['a time at the front', () => (state.t = 7.25)],
  ];
  for (const [what, change] of changes) {
    change();
    const { skeleton } = save(state);
    const { span, longer } = changed(before, skeleton);
    assert.ok(longer === 0 && span <= 8, `${what}: ${span} bytes, ${longer} longer`);
    before.set(skeleton);
  }
});

test('what is inserted moves the rest and changes nothing else of it', guard, () => {
  const state = { items: items() };
  const before = save(state).skeleton;
  state.items.splice(100, 0, {
    id: -1,
    x: 1.5,
    y: 2.5,
    name: 'never seen before',
    alive: true,
    tags: ['another new text'],
  });
  const { span, longer } = changed(before, save(state).skeleton);
  // The array's length stands before its elements; from there to the insertion everything is as it was.
  assert.ok(longer < 120 && span < 10_000, `${span} bytes, ${longer} longer`);
});

test('a shape or a string seen for the first time shifts no number of those seen later', guard, () => {
  const rest = items();
  const a = save([{ mode: 'kind 7' }, rest]).skeleton;
  const b = save([{ other: 'a text of its own', more: 1 }, rest]).skeleton;
  // Slots follow from the text itself, so only what stood in a slot that is now taken can differ.
  let same = 0;
  for (let i = 1; i <= 1_000_000; i++) if (a[a.length - i] === b[b.length - i]) same++;
  assert.ok(same > 999_000, `${same} of the last 10^6 bytes`);
});

test('a view that grows changes its length and the table at the end', () => {
  const state = (n: number) => ({ u: new Float64Array(n), after: 'x'.repeat(1000) });
  const [a, b] = [save(state(1000)).skeleton, save(state(1001)).skeleton];
  let differing = 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) differing++;
  assert.ok(a.length === b.length && differing <= 4, `${differing} bytes`);
});

test('an encoder that has seen anything gives the bytes of a new one', guard, () => {
  const encoder = new StateEncoder(new ClassRegistry());
  const state = { items: items().slice(0, 1000), m: new Map([['kind 3', 1]]) };
  const expected = save(state).skeleton;
  const others: unknown[] = [
    5,
    items(),
    Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, { [`k${i}`]: `kind ${i}` }])),
    Array.from({ length: 70_000 }, (_, i) => ({ [`unique ${i}`]: i })),
    new Float64Array(10_000),
  ];
  for (const other of others) {
    encoder.encode(other);
    assert.deepEqual(Buffer.compare(encoder.encode(state).skeleton, expected), 0);
  }
});

test('a skeleton is valid until the next encode, and the state is not held after it', {
  timeout: 60_000,
}, async () => {
  const encoder = new StateEncoder(new ClassRegistry());
  const { skeleton } = encoder.encode({ a: 1 });
  const first = skeleton.slice();
  assert.deepEqual(load({ skeleton, regions: [], bytes: [] }), { a: 1 });
  const ref = encodeAndDrop(encoder);
  if (globalThis.gc === undefined) return;
  for (let i = 0; i < 10 && ref.deref() !== undefined; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc();
  }
  assert.equal(ref.deref(), undefined);
  assert.deepEqual(encoder.encode({ a: 1 }).skeleton.slice(), first);
});

function encodeAndDrop(encoder: StateEncoder): WeakRef<object> {
  const state = { big: [{ some: 'object' }], u: new Float64Array(1000), m: new Map([[{}, {}]]) };
  encoder.encode(state);
  return new WeakRef(state);
}

test('options of the encoder are checked', () => {
  for (const inlineBytes of [-1, 0.5, Number.NaN, 2 ** 60]) {
    assert.throws(() => new StateEncoder(new ClassRegistry(), { inlineBytes }), RangeError);
  }
});
