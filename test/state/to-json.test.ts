/** States as JSON documents: nothing of them is lost, whoever reads them. */

import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { SnapError } from '../../src/base/errors.js';
import type { RegionKind } from '../../src/format/kinds.js';
import { compareSkeletons, StateDocument, wordsOf } from '../../src/state/index.js';
import { budget } from '../support/budget.js';
import { fromJson, type StateJson } from '../support/from-json.js';
import { build, CLASSES, graphSpec, Secret } from './graph-arbitrary.js';
import { assertSame } from './same.js';
import { assertRefused, type Saved, save } from './trips.js';

interface Exported {
  text: string;
  json: StateJson;
  saved: Saved;
}

function exported(
  state: unknown,
  classes: Iterable<object> = CLASSES,
  inline?: number,
  only?: string[],
): Exported {
  const saved = save(state, classes, inline);
  const document = new StateDocument(saved.skeleton, only);
  const regions = saved.regions.map(({ kind, bytes }, index) => ({
    file: `${index}.bin`,
    kind: kind as RegionKind,
    shape: document.regions[index]?.shape ?? [bytes.length],
  }));
  const listed = document.regions.map(({ shared, maxByteLength }, index) => ({
    file: `${index}.bin`,
    shared,
    ...(maxByteLength !== undefined && { maxByteLength }),
  }));
  const text = [...document.text({ regions: listed }, regions)].join('');
  return { text, json: JSON.parse(text) as StateJson, saved };
}

function readBack({ json, saved }: Exported, classes: readonly object[] = CLASSES): unknown {
  return fromJson(json, (file) => saved.bytes[Number.parseInt(file, 10)] as Uint8Array, classes);
}

/** The JSON of one value. */
function jsonOf(value: unknown, classes: Iterable<object> = CLASSES): unknown {
  return exported(value, classes).json.state;
}

/** Secrets compare by what is inside them. */
function open(state: unknown[]): unknown[] {
  return [state, state.map((item) => (item instanceof Secret ? Secret.inside(item) : 0))];
}

test('any state comes back the same from its document', () => {
  fc.assert(
    fc.property(graphSpec, fc.constantFrom(0, 64, 1024, 1e6), (specs, inline) => {
      const state = build(specs);
      assertSame(open(readBack(exported(state, CLASSES, inline)) as unknown[]), open(state));
    }),
    { numRuns: budget(600) },
  );
});

test('plain data is plain JSON', () => {
  const state = { n: 1, t: 0.1, name: 'é\u2028"', list: [1, [2], {}], empty: [], none: null, yes: true };
  const { json, text } = exported(state);
  assert.deepEqual(json.state, state);
  assert.ok(!('deep' in json));
  assert.ok(text.endsWith('\n'));
});

test('what JSON has no word for stands behind a $', () => {
  assert.deepEqual(jsonOf([undefined, -0, NaN, Infinity, 5n, Symbol.for('s')]), [
    { $undefined: true },
    { $number: '-0' },
    { $number: 'NaN' },
    { $number: 'Infinity' },
    { $bigint: '5' },
    { $symbol: 's' },
  ]);
  assert.deepEqual(
    jsonOf(
      new Map<unknown, unknown>([
        ['a', 1],
        [{}, new Set([2])],
      ]),
    ),
    {
      $map: [
        ['a', 1],
        [{}, { $set: [2] }],
      ],
    },
  );
  assert.deepEqual(jsonOf([new Date(0), new Date(NaN), /a"/gi, Object('x'), Object.create(null)]), [
    { $date: '1970-01-01T00:00:00.000Z' },
    { $date: null },
    { $regexp: 'a"', flags: 'gi', lastIndex: 0 },
    { $boxed: 'x' },
    { $prototype: null },
  ]);
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is written
  assert.deepEqual(jsonOf([1, , 2]), [1, { $hole: 1 }, 2]);
});

test('a key of the state is never taken for one of the document', () => {
  const state = { $ref: 1, $$: { $id: 2 }, $class: 'Point', ['__proto__']: 3 };
  const own = Object.defineProperty({ ...state }, '__proto__', {
    value: 3,
    enumerable: true,
    configurable: true,
    writable: true,
  });
  const { text } = exported(own);
  assert.match(text, /"\$\$ref": 1/);
  assert.match(text, /"\$\$\$": \{ "\$\$id": 2 \}/);
  assert.match(text, /"__proto__": 3/);
  assertSame(readBack(exported(own)), own);
});

test('cycles and shared objects are references to an id', () => {
  const shared = { v: 1 };
  const state: Record<string, unknown> = { a: shared, b: [shared] };
  state.self = state;
  assert.deepEqual(jsonOf(state), {
    $id: 1,
    a: { $id: 2, v: 1 },
    b: [{ $ref: 2 }],
    self: { $ref: 1 },
  });
});

test('instances are what was saved of them, and need no class', () => {
  class Versioned {
    x = 1;
  }
  Object.defineProperty(Versioned, Symbol.for('holdfast.version'), { value: 3 });
  assert.deepEqual(jsonOf(new Versioned(), [Versioned]), { $class: 'Versioned', $version: 3, x: 1 });
  assert.deepEqual(jsonOf(new Secret([1])), { $class: 'Secret', $encoded: [1] });
});

test('arrays in memory: regions by file, small ones by value', () => {
  const u = new Float64Array(500);
  const few = new Float32Array([0.5, -0, NaN]);
  assert.deepEqual(jsonOf({ u, tail: u.subarray(400), all: u.buffer, few, bytes: Buffer.from('hi') }), {
    u: { $region: '0.bin', type: 'Float64Array', dtype: '<f8', length: 500 },
    tail: { $region: '0.bin', type: 'Float64Array', dtype: '<f8', offset: 3200, length: 100 },
    all: { $region: '0.bin', type: 'ArrayBuffer' },
    few: { $typed: 'Float32Array', values: [0.5, { $number: '-0' }, { $number: 'NaN' }] },
    bytes: { $typed: 'Buffer', base64: 'aGk=' },
  });
  const odd = new Float64Array(1);
  new Uint8Array(odd.buffer).fill(0xff);
  assert.deepEqual(jsonOf(odd), { $typed: 'Float64Array', base64: '//////////8=' });
  const small = new ArrayBuffer(4);
  assert.deepEqual(jsonOf([new Uint8Array(small, 1, 2), small]), [
    { $view: 'Uint8Array', buffer: { $id: 1, $buffer: 'AAAAAA==' }, offset: 1, length: 2 },
    { $ref: 1 },
  ]);
});

test('a WebAssembly.Memory is its region', () => {
  const { Memory } = (
    globalThis as unknown as { WebAssembly: { Memory: new (o: object) => { buffer: ArrayBuffer } } }
  ).WebAssembly;
  const memory = new Memory({ initial: 1 });
  assert.deepEqual(jsonOf({ memory, view: new Uint8Array(memory.buffer) }), {
    memory: { $region: '0.bin', type: 'WebAssembly.Memory' },
    view: { $region: '0.bin', type: 'Uint8Array', dtype: '|u1', length: 65536 },
  });
  assert.deepEqual(jsonOf(new Memory({ initial: 0 })), { $memory: { $buffer: '' } });
});

test('data with its shape beside it has that shape', () => {
  const shapeOf = (state: unknown) => new StateDocument(save(state).skeleton).regions[0]?.shape;
  const data = new Float64Array(600);
  assert.deepEqual(shapeOf({ data, shape: [20, 30] }), [20, 30]);
  assert.deepEqual(shapeOf({ grid: { shape: [600], data } }), [600]);
  assert.equal(shapeOf({ data, shape: [20, 31] }), undefined, 'another product');
  assert.equal(shapeOf({ data, shape: [20, 30.5] }), undefined);
  assert.equal(shapeOf({ data, shape: [-20, -30] }), undefined);
  assert.equal(shapeOf({ data, shape: [] }), undefined);
  assert.equal(shapeOf({ data, shape: '20,30' }), undefined);
  assert.equal(shapeOf({ data, shape: [20, 30], stride: [1, 20] }), undefined, 'a layout of its own');
  assert.equal(shapeOf({ data: data.subarray(0, 300), shape: [10, 30] }), undefined, 'not all of the region');
  assert.equal(
    shapeOf([
      { data, shape: [20, 30] },
      { data, shape: [30, 20] },
    ]),
    undefined,
    'a contradiction',
  );
  assert.deepEqual(
    shapeOf([
      { data, shape: [20, 30] },
      { data, shape: [20, 30] },
    ]),
    [20, 30],
  );
  assert.deepEqual(jsonOf({ data, shape: [20, 30] }), {
    data: { $region: '0.bin', type: 'Float64Array', dtype: '<f8', length: 600, shape: [20, 30] },
    shape: [20, 30],
  });
});

test('a part of a state: what was asked for, and what leads there', () => {
  const state = {
    a: { u: new Uint8Array(2000), v: new Uint8Array(2000) },
    list: [1, { x: 1 }, 3],
    m: new Map([['k', { y: [2] }]]),
  };
  const part = (...only: string[]) => exported(state, [], undefined, only).json.state;
  assert.deepEqual(part('a.v'), {
    a: { v: { $region: '1.bin', type: 'Uint8Array', dtype: '|u1', length: 2000 } },
  });
  assert.deepEqual(part('list[1]', 'm.get("k").y'), {
    list: [{ $hole: 1 }, { x: 1 }, { $hole: 1 }],
    m: { $map: [['k', { y: [2] }]] },
  });
  assert.deepEqual(
    new StateDocument(save(state).skeleton, ['a.v']).regions.map(({ wanted }) => wanted),
    [false, true],
  );
  assertRefused(
    () => new StateDocument(save(state).skeleton, ['nope']),
    'SNAP_NOT_FOUND',
    'nope',
    /nothing at/,
  );
});

test('of a damaged skeleton the document is a typed error or valid JSON, and comparing it ends', () => {
  let valid = 0;
  const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(graphSpec, fc.array(change, { minLength: 1, maxLength: 4 }), (specs, changes) => {
      const { skeleton } = save(build(specs), CLASSES);
      const damaged = skeleton.slice();
      for (const [at, byte] of changes) damaged[at % damaged.length] = byte;
      try {
        const document = new StateDocument(damaged);
        const regions = document.regions.map((_, index) => ({
          file: `${index}.bin`,
          kind: 'bytes' as const,
          shape: [1],
        }));
        JSON.parse([...document.text({}, regions)].join(''));
        compareSkeletons(skeleton, damaged, 100);
        compareSkeletons(damaged, skeleton, 100);
        valid++;
      } catch (error) {
        assert.ok(error instanceof SnapError, String((error as Error).stack));
      }
    }),
    { numRuns: budget(600) },
  );
  assert.ok(valid > 0);
});

test('a chain of 100,000 objects is not nested deeper than any reader takes', () => {
  let head: unknown = { end: true };
  for (let i = 0; i < 100_000; i++) head = i % 2 === 0 ? { next: head } : Object.assign([], { more: head });
  const { json, text } = exported(head);
  let depth = 0;
  let deepest = 0;
  for (const sign of text) {
    if (sign === '{' || sign === '[') deepest = Math.max(deepest, ++depth);
    else if (sign === '}' || sign === ']') depth--;
  }
  assert.ok(deepest < 200, `${deepest}`);
  assert.ok((json.deep?.length ?? 0) > 500);
  assert.match(text, /"end": true/);
});

test('the document is for people too', () => {
  const state = {
    torch: { row: 500, column: 512 },
    readings: Array.from({ length: 40 }, (_, i) => i * 1000),
    probes: new Map([['a', { row: 1, list: [{ deep: [1] }] }]]),
  };
  const { text } = exported(state);
  assert.equal(
    text,
    `{
  "regions": [],
  "state": {
    "torch": { "row": 500, "column": 512 },
    "readings": [
      0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 11000, 12000, 13000, 14000,
      15000, 16000, 17000, 18000, 19000, 20000, 21000, 22000, 23000, 24000, 25000, 26000, 27000,
      28000, 29000, 30000, 31000, 32000, 33000, 34000, 35000, 36000, 37000, 38000, 39000
    ],
    "probes": {
      "$map": [
        [
          "a",
          {
            "row": 1,
            "list": [
              {
                "deep": [1]
              }
            ]
          }
        ]
      ]
    }
  }
}
`,
  );
});

test('the words of a path', () => {
  assert.deepEqual(wordsOf('solver.grids[0].u'), ['solver', 'grids', '0', 'u']);
  assert.deepEqual(wordsOf('m.get("a/b")["c d"].get(Symbol.for("s")).keys()[2].values()[3]'), [
    'm',
    'a/b',
    'c d',
    's',
    'key-2',
    'value-3',
  ]);
  assert.deepEqual(wordsOf(''), []);
});
