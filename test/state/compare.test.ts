/** Two skeletons compared: nothing that differs goes unsaid, and what is said is bounded. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSnapError } from '../../src/base/errors.js';
import { compareSkeletons, type ValueDiff } from '../../src/state/index.js';
import { budget } from '../support/budget.js';
import { build, CLASSES, Point, Secret, twoSpecs } from './graph-arbitrary.js';
import { regionsFor, save } from './trips.js';

const ALL = 1e9;

function compare(a: unknown, b: unknown, limit = ALL, classes: Iterable<object> = CLASSES): ValueDiff[] {
  return compareSkeletons(save(a, classes).skeleton, save(b, classes).skeleton, limit).values;
}

/** Each difference on a line: `path: a -> b`. */
function lines(a: unknown, b: unknown): string[] {
  return compare(a, b).map(({ path, count, a: x = '', b: y = '' }) => {
    const run = count > 1 ? ` (${count})` : '';
    return `${path}${run}: ${x} -> ${y}`;
  });
}

test('two states differ in their skeletons exactly where something is said', () => {
  let equal = 0;
  fc.assert(
    fc.property(twoSpecs, fc.constantFrom(0, 64, 1024), ([first, second], inline) => {
      const [a, b] = [save(build(first), CLASSES, inline), save(build(second), CLASSES, inline)];
      const { values, more } = compareSkeletons(a.skeleton, b.skeleton, ALL);
      assert.equal(more, 0);
      const isSame = Buffer.compare(a.skeleton, b.skeleton) === 0;
      const lengths = (saved: typeof a) => saved.bytes.map(({ length }) => length).join();
      if (isSame) equal++;
      if (isSame) assert.deepEqual(values, []);
      // A region that became longer is told of as a region.
      else if (lengths(a) === lengths(b)) assert.notEqual(values.length, 0);
    }),
    { numRuns: budget(600) },
  );
  assert.ok(equal > 0);
});

test('what is said of the second state can be asked for by its path', () => {
  fc.assert(
    fc.property(twoSpecs, ([first, second]) => {
      const [a, b] = [save(build(first), CLASSES), save(build(second), CLASSES)];
      for (const { path, b: there } of compareSkeletons(a.skeleton, b.skeleton, ALL).values) {
        if (there === undefined) continue;
        try {
          regionsFor(b, [path]);
        } catch (error) {
          assert.ok(isSnapError(error, 'SNAP_NOT_FOUND'));
          // The elements of a small typed array have paths, and cannot be had one by one.
          regionsFor(b, [path.replace(/\[\d+\]$/, '')]);
        }
      }
    }),
    { numRuns: budget(500) },
  );
});

test('no more is kept than the limit, and the rest is counted', () => {
  fc.assert(
    fc.property(twoSpecs, fc.nat(10), ([first, second], limit) => {
      const [a, b] = [save(build(first), CLASSES).skeleton, save(build(second), CLASSES).skeleton];
      const all = compareSkeletons(a, b, ALL).values;
      const { values, more } = compareSkeletons(a, b, limit);
      assert.deepEqual(values, all.slice(0, limit));
      assert.equal(values.length + more, all.length);
      for (const { a: x = '', b: y = '' } of all) assert.ok(x.length + y.length < 400, `${x} ${y}`);
    }),
    { numRuns: budget(500) },
  );
});

type Tree = { [key: string]: Tree | number | string };
const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree; value: Tree | number | string }>((tie) => ({
  tree: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd e', '0'), tie('value'), {
    maxKeys: 4,
    noNullPrototype: true,
  }) as fc.Arbitrary<Tree>,
  value: fc.oneof({ depthSize: 'small' }, fc.nat(3), fc.constantFrom('x', 'y'), tie('tree')),
})).tree;

/** The same of trees, by recursion. */
function naive(a: Tree, b: Tree, at: string, found: string[]): void {
  const below = (key: string) =>
    /^[a-z]$/.test(key) ? `${at}${at && '.'}${key}` : `${at}[${JSON.stringify(key)}]`;
  for (const key of Object.keys(a)) if (!(key in b)) found.push(`removed ${below(key)}`);
  for (const [key, value] of Object.entries(b)) {
    const other = a[key];
    if (other === undefined) found.push(`added ${below(key)}`);
    else if (typeof other === 'object' && typeof value === 'object') naive(other, value, below(key), found);
    else if (typeof value === 'object') found.push(`changed ${below(key)} an object`);
    else if (other !== value) found.push(`changed ${below(key)} ${JSON.stringify(value)}`);
  }
}

test('trees of objects: exactly the differences that a recursive comparison finds', () => {
  fc.assert(
    fc.property(tree, tree, (a, b) => {
      const found: string[] = [];
      naive(a, b, '', found);
      const said = compare(a, b)
        .filter(({ a: x }) => !x?.startsWith('keys in the order'))
        .map(({ path, change, b: there = '' }) => {
          if (change !== 'changed') return `${change} ${path}`;
          return `changed ${path} ${there.startsWith('{') ? 'an object' : there}`;
        });
      assert.deepEqual(said.sort(), found.sort());
    }),
    { numRuns: budget(500) },
  );
});

test('values are written as JavaScript would', () => {
  const a = { n: 0, big: 1n, text: 'a', none: undefined, sym: Symbol.for('x'), when: new Date(0), re: /a/g };
  const b = { n: -0, big: -2n, text: 'a"b', none: null, sym: Symbol.for('y'), when: new Date(NaN), re: /b/g };
  assert.deepEqual(lines(a, b), [
    'n: 0 -> -0',
    'big: 1n -> -2n',
    'text: "a" -> "a\\"b"',
    'none: undefined -> null',
    'sym: Symbol.for("x") -> Symbol.for("y")',
    'when: Date 1970-01-01T00:00:00.000Z -> Date invalid',
    're: /a/g -> /b/g',
  ]);
});

test('neighbours in an array are told together, and holes are absent', () => {
  assert.deepEqual(lines([1, 2, 3, 4, 5], [1, 7, 8, 4, 5, 6, 7]), [
    '[1] (2): 2, 3 -> 7, 8',
    '[5] (2):  -> 6, 7',
  ]);
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is looked for
  assert.deepEqual(lines([1, , 3], [1, 2]), ['[1]:  -> 2', '[2]: 3 -> ']);
  const sparse: number[] = [];
  sparse[2 ** 31] = 1;
  assert.deepEqual(lines([], sparse), ['[2147483648]:  -> 1']);
  const longer: unknown[] = [1];
  longer.length = 2 ** 32 - 1;
  assert.deepEqual(lines([1], longer), [': [1] -> [1, 4294967294 x missing]']);
});

test('Maps by key, Sets by member, objects among them by order', () => {
  const a = {
    m: new Map<unknown, unknown>([
      ['a', 1],
      ['b', 2],
      [{ k: 1 }, 3],
    ]),
    s: new Set<unknown>([1, { q: 1 }]),
  };
  const b = {
    m: new Map<unknown, unknown>([
      ['a', 9],
      [{ k: 2 }, 4],
      ['c', 5],
    ]),
    s: new Set<unknown>([2, { q: 5 }]),
  };
  assert.deepEqual(lines(a, b), [
    'm.get("b"): 2 -> ',
    'm.get("c"):  -> 5',
    'm.get("a"): 1 -> 9',
    'm.keys()[1].k: 1 -> 2',
    'm.values()[1]: 3 -> 4',
    's.values()[0]: 1 -> ',
    's.values()[0]:  -> 2',
    's.values()[1].q: 1 -> 5',
  ]);
});

test('an entry whose key is undefined can be gone too', () => {
  assert.deepEqual(lines(new Map([[undefined, 1]]), new Map()), ['get(undefined): 1 -> ']);
  assert.deepEqual(lines(new Set([undefined]), new Set()), ['values()[0]: undefined -> ']);
});

test('another order is a difference', () => {
  assert.deepEqual(lines({ x: 1, y: 2 }, { y: 2, x: 1 }), [
    ': keys in the order "x", "y" -> keys in the order "y", "x"',
  ]);
  assert.equal(
    lines(
      new Map([
        [1, 1],
        [2, 2],
      ]),
      new Map([
        [2, 2],
        [1, 1],
      ]),
    ).length,
    1,
  );
  assert.equal(lines(new Set([1, 2]), new Set([2, 1])).length, 1);
});

test('what is shared in one state and not in the other is told', () => {
  const one = { v: 1 };
  assert.deepEqual(lines({ a: one, b: one }, { a: { v: 1 }, b: { v: 1 } }), [
    'b: the Object at a -> its own Object',
  ]);
  assert.deepEqual(lines({ a: one, b: one }, { a: { v: 1 }, b: { v: 2 } }), [
    'b: the Object at a -> its own Object',
    'b.v: 1 -> 2',
  ]);
  const own: Record<string, unknown> = {};
  own.self = own;
  const other: Record<string, unknown> = { self: own };
  assert.deepEqual(lines(own, other), [
    'self: the Object at the root -> its own Object',
    'self.self: the Object at the root -> the Object at self',
  ]);
  const buffer = new ArrayBuffer(16);
  const shared = { a: new Uint8Array(buffer), b: new Uint8Array(buffer) };
  assert.deepEqual(lines(shared, { a: new Uint8Array(16), b: new Uint8Array(16) }), [
    'b: the ArrayBuffer at a -> its own ArrayBuffer',
  ]);
});

test('small typed arrays are compared by element, others by their place and form', () => {
  assert.deepEqual(lines(new Float32Array([1, 2, 3]), new Float32Array([1, 5, 3, 4])), [
    '[1]: 2 -> 5',
    '[3]:  -> 4',
  ]);
  const [quiet, other] = [new Float64Array([NaN]), new Float64Array([NaN])];
  new Uint8Array(other.buffer)[0] = 1;
  assert.deepEqual(lines(quiet, other), [
    ': bytes from 0: 000000000000f87f -> bytes from 0: 010000000000f87f',
  ]);
  const buffer = new ArrayBuffer(16);
  assert.deepEqual(lines(new Uint8Array(buffer, 0, 8), new Uint8Array(buffer, 4, 8)), [
    ': Uint8Array(8) [0, 0, 0, 0, 0, 0, 0, 0] -> Uint8Array(8) at byte 4 [0, 0, 0, 0, 0, 0, 0, 0]',
  ]);
  assert.deepEqual(
    lines({ u: new Float64Array(500) }, { u: new Float64Array(600) }),
    [],
    'a region tells of itself',
  );
  assert.equal(lines({ u: new Float64Array(500) }, { u: new Float32Array(1000) }).length, 1);
  assert.equal(lines({ u: new Float64Array(10) }, { u: new Float64Array(1000) }).length, 1);
});

test('classes: another class or version is told, and what is inside too', () => {
  const point = Object.assign(new Point(), { x: 1 });
  assert.deepEqual(lines({ p: point }, { p: { x: 2 } }), ['p: Point -> Object', 'p.x: 1 -> 2']);
  class Versioned {
    x = 1;
  }
  const skeleton = (version: number) => {
    Object.defineProperty(Versioned, Symbol.for('holdfast.version'), { value: version, configurable: true });
    return save(new Versioned(), [Versioned]).skeleton;
  };
  assert.deepEqual(compareSkeletons(skeleton(1), skeleton(2), ALL).values, [
    { path: '', change: 'changed', count: 1, a: 'Versioned (version 1)', b: 'Versioned (version 2)' },
  ]);
  assert.deepEqual(lines(new Secret(1), new Secret(2)), [': 1 -> 2']);
});

test('errors: properties by name, and whether they are enumerable', () => {
  const error = (message: string, enumerable: boolean): Error => {
    const made = new RangeError(message);
    Object.defineProperty(made, 'stack', { value: 'here', enumerable, configurable: true, writable: true });
    return made;
  };
  assert.deepEqual(lines(error('a', false), error('b', true)), [
    'stack: not enumerable -> enumerable',
    'message: "a" -> "b"',
  ]);
});

test('long strings are shown from where they differ', () => {
  const text = 'x'.repeat(5000);
  assert.deepEqual(lines({ text: `${text}a` }, { text: `${text}b` }), [
    'text: …"xxxxxxxxxxxxa" (5001 characters) -> …"xxxxxxxxxxxxb" (5001 characters)',
  ]);
});

test('a chain of 100,000 objects, and 100,000 differences', () => {
  const chain = (last: number) => {
    let head: object = { last };
    for (let i = 0; i < 100_000; i++) head = { next: head };
    return head;
  };
  const [only, ...rest] = compare(chain(1), chain(2));
  assert.deepEqual([only?.a, only?.b, rest.length], ['1', '2', 0]);
  assert.match(only?.path ?? '', /^(next\.?)+….*last$/);
  const numbers = (step: number) =>
    Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i * step]));
  const { values, more } = compareSkeletons(save(numbers(1)).skeleton, save(numbers(2)).skeleton, 10);
  assert.deepEqual([values.length, more], [10, 99_989]);
});
