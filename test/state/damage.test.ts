/** A damaged or hostile skeleton gives a typed error or a value, soon, and in bounded memory. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSnapError, SnapError } from '../../src/base/errors.js';
import { ClassRegistry, Restoration } from '../../src/state/index.js';
import { build, CLASSES, graphSpec } from './graph-arbitrary.js';
import { assertSame } from './same.js';
import { allocate, load, save } from './trips.js';

fc.configureGlobal({ includeErrorInReport: true });
const RUNS = Number(process.env.FC_RUNS ?? 2000);
const registry = new ClassRegistry(CLASSES);

/** Codes that a skeleton of unknown origin may end in. */
const TYPED = new Set(['SNAP_CORRUPT', 'SNAP_FORMAT', 'SNAP_UNSUPPORTED', 'SNAP_MISMATCH', 'SNAP_TOO_LARGE']);

/** Decodes whatever this is; anything but a value or a typed error fails the test. */
function survive(skeleton: Uint8Array): 'value' | string {
  try {
    const restoration = new Restoration(skeleton, registry);
    const bytes = restoration.regions.reduce(
      (sum, { byteLength, maxByteLength }) => sum + (maxByteLength ?? byteLength),
      0,
    );
    // A caller that knows the snapshot refuses regions of the wrong size before it allocates.
    if (bytes > 1e7) return 'too large for the caller';
    restoration.finish(restoration.regions.map(allocate));
    new Restoration(skeleton, registry, { only: [''] });
    return 'value';
  } catch (error) {
    if (isSnapError(error) && TYPED.has(error.code)) return error.code;
    throw error;
  }
}

const polluted = () =>
  ['polluted', 'x', 'trap', 'length', 'name'].some((key) => Object.hasOwn(Object.prototype, key));

test('a skeleton cut anywhere is damage', () => {
  const { skeleton } = save([
    { a: [1, 2.5, 'text', { b: new Float64Array(500) }], c: new Map([[1, new Set([2n])]]) },
    new Error('x'),
  ]);
  for (let length = 0; length < skeleton.length; length++) {
    assert.equal(survive(skeleton.slice(0, length)), 'SNAP_CORRUPT', `cut to ${length}`);
  }
});

test('any change of a byte gives a value or a typed error, and pollutes nothing', {
  timeout: 240_000,
}, () => {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(
      graphSpec,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
      (specs, changes) => {
        const { skeleton } = save(build(specs), CLASSES);
        for (const [at, byte] of changes) skeleton[at % skeleton.length] = byte;
        const outcome = survive(skeleton);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        assert.ok(!polluted());
      },
    ),
    { numRuns: RUNS },
  );
  assert.ok((outcomes.get('SNAP_CORRUPT') ?? 0) > RUNS / 20 && (outcomes.get('value') ?? 0) > RUNS / 20);
});

test('every single bit of a skeleton, flipped', { timeout: 240_000 }, () => {
  const resizable = Reflect.construct(ArrayBuffer, [64, { maxByteLength: 128 }]);
  const { skeleton } = save({
    o: { a: 1, b: -1.5, c: 'text', d: 'text' },
    l: Object.assign(new Array(9), { 1: 1, 8: 2 }),
    n: new Array(20).fill(0.5),
    m: new Map<unknown, unknown>([['k', { v: 1 }]]),
    e: new TypeError('x', { cause: [1n, Symbol.for('s')] }),
    v: [new Float32Array(resizable as ArrayBuffer), new DataView(new ArrayBuffer(9), 1), Buffer.alloc(2000)],
    r: Object.assign(/a/g, { x: Object('s') }),
    d: new Date(7),
  });
  for (let bit = 0; bit < skeleton.length * 8; bit++) {
    const damaged = skeleton.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
    survive(damaged);
  }
});

test('a further property that nothing of its kind can have is damage', () => {
  for (const [value, name] of [
    [new Uint8Array(3), '9'],
    [new BigInt64Array(3), '0'],
  ] as const) {
    const { skeleton } = save(Object.assign(value, { q: 1 }));
    skeleton[skeleton.lastIndexOf('q'.charCodeAt(0))] = name.charCodeAt(0);
    assert.equal(survive(skeleton), 'SNAP_CORRUPT');
  }
});

/** A skeleton around a body, with a region table that says so. */
function skeletonOf(...body: (number | string)[]): Uint8Array {
  return skeletonAround(body.flatMap((part) => (typeof part === 'number' ? [part] : [...Buffer.from(part)])));
}

function skeletonAround(body: readonly number[]): Uint8Array {
  return Buffer.concat([Buffer.from('hfs\u0001'), Buffer.from(body), Buffer.from([0, 1, 0, 0, 0])]);
}

test('random bytes behind a good beginning', { timeout: 240_000 }, () => {
  const tags = fc.constantFrom(
    1,
    2,
    3,
    5,
    6,
    9,
    10,
    13,
    14,
    16,
    32,
    33,
    34,
    36,
    37,
    38,
    39,
    40,
    42,
    43,
    44,
    45,
    46,
    47,
    48,
    49,
    56,
    57,
  );
  const byte = fc.oneof(tags, fc.nat({ max: 255 }), fc.constantFrom(0, 1, 2, 3, 0x80, 0xff));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 60 }), (bytes) => {
      survive(skeletonOf(...bytes));
      survive(Uint8Array.from(bytes));
      assert.ok(!polluted());
    }),
    { numRuns: RUNS * 5 },
  );
});

test('an empty input, and one of another kind', () => {
  for (const bytes of ['', 'hfs', 'hfs\u0001', 'PK\u0003\u0004 something else', '\0'.repeat(100)]) {
    assert.equal(survive(Buffer.from(bytes)), 'SNAP_CORRUPT');
  }
});

test('a newer format is said to be newer', () => {
  const { skeleton } = save({ a: 1 });
  skeleton[3] = 2;
  assert.throws(() => load({ skeleton, regions: [], bytes: [] }), {
    code: 'SNAP_FORMAT',
    message: /format 2.*use a newer one/,
  });
});

const HUGE = [0xff, 0xff, 0xff, 0xff, 0x0f];
const hostile: [name: string, skeleton: Uint8Array][] = [
  ['a string longer than the input', skeletonOf(0x0a, ...HUGE)],
  ['a BigInt longer than the input', skeletonOf(0x07, ...HUGE)],
  ['a list of numbers longer than the input', skeletonOf(0x26, ...HUGE)],
  ['a Map larger than the input', skeletonOf(0x27, ...HUGE)],
  ['a Set larger than the input', skeletonOf(0x28, ...HUGE)],
  ['a dictionary larger than the input', skeletonOf(0x22, ...HUGE)],
  ['an error with more properties than the input', skeletonOf(0x2c, 0, ...HUGE)],
  ['a shape with more keys than the input', skeletonOf(0x20, 0, 0x80, ...HUGE)],
  ['inline bytes beyond the input', skeletonOf(0x2e, 0, ...HUGE)],
  ['an array longer than arrays can be', skeletonOf(0x24, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x01)],
  ['an array without its elements', skeletonOf(0x24, ...HUGE, 0x01)],
  [
    'a number of too many bytes',
    skeletonOf(0x24, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
  ],
  ['a reference to nothing', skeletonOf(0x10, 1)],
  ['a reference to itself', skeletonOf(0x24, 1, 0x10, 0)],
  ['a string recalled before it is defined', skeletonOf(0x0e, 5, 0)],
  ['a string defined beyond the table', skeletonOf(0x0d, 0xff, 0xff, 0x0a, 1, 'a')],
  ['a shape recalled before it is defined', skeletonOf(0x20, 5, 0)],
  ['a shape beyond the table', skeletonOf(0x20, 0xff, 0xff, 0)],
  ['a key that is no string', skeletonOf(0x22, 1, 0x01, 0x01)],
  ['a string that is no UTF-8', skeletonOf(0x0b, 2, 0xc3, 0x28)],
  ['holes outside of an array', skeletonOf(0x28, 1, 0x09, 1)],
  ['holes beyond the array', skeletonOf(0x24, 2, 0x09, 3)],
  ['no holes', skeletonOf(0x24, 1, 0x09, 0, 0x01)],
  ['an unknown tag', skeletonOf(0x7f)],
  ['a zero byte for a tag', skeletonOf(0x00)],
  ['two values', skeletonOf(0x01, 0x01)],
  ['a view of no buffer', skeletonOf(0x2d, 2, 0, 0, 0, 0x01)],
  ['a view of an array', skeletonOf(0x2d, 2, 0, 0, 0, 0x24, 0)],
  ['a view outside of its buffer', skeletonOf(0x2d, 2, 0, 3, 2, 0x2e, 0, 4, 'abcd')],
  ['a view far outside of its buffer', skeletonOf(0x2d, 12, 0, 0, ...HUGE, 0x2e, 0, 4, 'abcd')],
  ['a view off its alignment', skeletonOf(0x2d, 12, 0, 1, 1, 0x2e, 0, 16, '0123456789abcdef')],
  ['a tracking view of a fixed buffer', skeletonOf(0x2d, 2, 1, 0, 0x2e, 0, 4, 'abcd')],
  ['a view of an unknown type', skeletonOf(0x2d, 99, 0, 0, 0, 0x2e, 0, 0)],
  ['a view with unknown flags', skeletonOf(0x2d, 2, 8, 0, 0, 0x2e, 0, 0)],
  ['a buffer with unknown flags', skeletonOf(0x2e, 8, 0)],
  ['a resizable buffer beyond its maximum', skeletonOf(0x2e, 2, 4, 2, 'abcd')],
  ['an error of an unknown type', skeletonOf(0x2c, 99, 0)],
  ['a boxed object', skeletonOf(0x2b, 0x24, 0)],
  ['a boxed undefined', skeletonOf(0x2b, 0x01)],
  ['a class on a primitive', skeletonOf(0x38, 0x0a, 1, 'A', 0, 0x01)],
  ['a class on a class', skeletonOf(0x38, 0x0a, 1, 'A', 0, 0x38, 0x0a, 1, 'A', 0, 0x24, 0)],
  ['a class on a buffer', skeletonOf(0x38, 0x0a, 1, 'A', 0, 0x2e, 0, 0)],
  ['encoded data without a class', skeletonOf(0x31, 0x01)],
  ['an encoded instance that is its own data', skeletonOf(0x38, 0x0a, 6, 'Secret', 0, 0x31, 0x10, 1)],
  ['further properties of a plain object', skeletonOf(0x39, 1, 0x0a, 1, 'a', 0x20, 0, 0x80, 0, 0x01)],
  ['further properties of a reference', skeletonOf(0x24, 2, 0x24, 0, 0x39, 1, 0x0a, 1, 'a', 0x10, 1, 0x01)],
  ['further properties, but none', skeletonOf(0x39, 0, 0x24, 0)],
  ['a region that the table lacks', skeletonOf(0x2f)],
  ['a memory of no buffer', skeletonOf(0x30, 0x01)],
];

for (const [name, skeleton] of hostile) {
  test(`damage: ${name}`, () => {
    assert.equal(survive(skeleton), 'SNAP_CORRUPT');
  });
}

/** A skeleton without a state but with this region table. */
function withTable(table: number[], body: number[]): Uint8Array {
  return Uint8Array.from([0x68, 0x66, 0x73, 1, ...body, ...table, table.length, 0, 0, 0]);
}

test('damage of the region table', () => {
  const bad: [number[], number[]][] = [
    [[1, 0, 5], [0x01]],
    [[2, 0, 5, 0, 5], [0x2f]],
    [[...HUGE], [0x01]],
    [[1, 8, 5], [0x2f]],
    [[1, 2, 5, 4], [0x2f]],
    [[0, 0], [0x01]],
    [[1, 4, 5], [0x2f]],
    [[1, 0, 0x80], [0x2f]],
  ];
  for (const [table, body] of bad)
    assert.equal(survive(withTable(table, body)), 'SNAP_CORRUPT', String(table));
  assert.equal(survive(withTable([1, 0, 5], [0x2f])), 'value');
  const tooLong = withTable([0], [0x01]);
  tooLong[tooLong.length - 4] = 200;
  assert.equal(survive(tooLong), 'SNAP_CORRUPT');
});

test('what this runtime cannot make is unsupported, not a crash', () => {
  assert.equal(survive(skeletonOf(0x2a, 0x0a, 1, '(', 0x0a, 0, 0x05, 0, 0, 0, 0)), 'SNAP_UNSUPPORTED');
  assert.equal(survive(skeletonOf(0x2a, 0x0a, 1, 'a', 0x0a, 2, 'gg', 0x05, 0, 0, 0, 0)), 'SNAP_UNSUPPORTED');
  assert.equal(survive(skeletonOf(0x38, 0x0a, 4, 'Evil', 0, 0x24, 0)), 'SNAP_UNSUPPORTED');
  assert.equal(survive(skeletonOf(0x38, 0x0a, 9, '__proto__', 0, 0x24, 0)), 'SNAP_UNSUPPORTED');
  assert.equal(survive(skeletonOf(0x38, 0x0a, 5, 'Cells', 0, 0x24, 0)), 'SNAP_UNSUPPORTED');
  const endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
  assert.equal(survive(skeletonOf(0x2e, 2, 0, ...endless)), 'SNAP_TOO_LARGE');
});

test('few bytes never take much memory', { timeout: 120_000 }, () => {
  const array = (length: number[], ...body: number[]) => [0x24, ...length, ...body];
  const many = (count: number, item: number[]) => [
    0x24,
    ...varint(count),
    ...Array.from({ length: count }, () => item).flat(),
  ];
  const bombs: Record<string, number[]> = {
    'one array of 2^32 - 1 holes': array(HUGE, 0x09, ...HUGE),
    '10^5 arrays of 30 million holes each': many(
      100_000,
      array(varint(30_000_000), 0x09, ...varint(30_000_000)),
    ),
    '10^5 arrays of 900 holes each': many(100_000, array(varint(900), 0x09, ...varint(900))),
    '3000 arrays in each other, each claiming 10^5 elements': Array.from({ length: 3000 }, () =>
      array(varint(100_000)),
    ).flat(),
    '3000 Maps in each other, each claiming what is left': Array.from({ length: 3000 }, () => [
      0x27,
      ...varint(1000),
    ]).flat(),
  };
  for (const [name, body] of Object.entries(bombs)) {
    const skeleton = skeletonAround(body);
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    const outcome = survive(skeleton);
    const grown = process.memoryUsage().rss - before;
    assert.ok(outcome === 'value' || outcome === 'SNAP_CORRUPT', name);
    assert.ok(grown < 64e6 + skeleton.length * 400, `${name}: ${grown} bytes for ${skeleton.length}`);
  }
});

test('a chain of 10^6 damaged levels ends in an error, not in an overflow', { timeout: 120_000 }, () => {
  const body = new Array<number>(2_000_000);
  for (let i = 0; i < body.length; i += 2) {
    body[i] = 0x24;
    body[i + 1] = 1;
  }
  const skeleton = skeletonAround(body);
  assert.equal(survive(skeleton), 'SNAP_CORRUPT');
});

test('nothing of a skeleton is run or looked up: keys and names are data', () => {
  const state = JSON.parse(
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}',
  );
  const restored = load(save([state, [state]])) as unknown[];
  assertSame(restored, [state, [state]]);
  assert.ok(!polluted() && ({} as { polluted?: number }).polluted === undefined);
});

test('an error of the engine says where it is damaged', () => {
  assert.throws(
    () => load({ skeleton: skeletonOf(0x7f), regions: [], bytes: [] }),
    (error: SnapError) => {
      assert.ok(error instanceof SnapError);
      assert.match(error.message, /^the skeleton is damaged: unknown tag 127 at byte 4/);
      return true;
    },
  );
});

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}
