/**
 * Arbitrary states: any graph of the kinds that are kept, with cycles, sharing and views over common buffers.
 *
 * A graph is a list of specifications whose values may refer to each other by number, so that fast-check can shrink it;
 * `build` makes the objects first and fills them after, so that any reference is possible.
 */

import { strict as assert } from 'node:assert';
import fc from 'fast-check';

export class Point {
  x: unknown = 0;
  set trap(_: unknown) {
    throw new Error('a setter ran');
  }
}
export class Named extends Point {
  label: unknown;
}
export class Cells extends Map<unknown, unknown> {
  override get size(): number {
    throw new Error('an override ran');
  }
}
export class Trail extends Array<unknown> {}
export class Fault extends RangeError {}
export class Wave extends Float32Array {}
/** Keeps its state where only its own code can read it. */
export class Secret {
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
  static inside(secret: Secret): unknown {
    return secret.#inside;
  }
}
export const CLASSES = [Point, Named, Cells, Trail, Fault, Wave, Secret];

class Ref {
  readonly to: number;
  constructor(to: number) {
    this.to = to;
  }
}

const text = fc.oneof(
  fc.constantFrom(
    'x',
    'y',
    'name',
    'value',
    'grid',
    '__proto__',
    'constructor',
    'length',
    'trap',
    '0',
    '7',
    '-1',
    '',
  ),
  fc.string(),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
    .map((units) => String.fromCharCode(...units)),
);
const primitive = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -0, NaN, 1, 255, 2 ** 31, true, false, null, undefined),
  text,
  fc.bigInt(),
  text.map((key) => Symbol.for(key)),
);
const value = fc.oneof(
  { weight: 3, arbitrary: primitive },
  { weight: 2, arbitrary: fc.nat().map((to) => new Ref(to)) },
);
const fields = fc.array(fc.tuple(text, value), { maxLength: 8 });

const bufferSpec = fc.record({
  kind: fc.constant('buffer' as const),
  bytes: fc.uint8Array({ maxLength: 200 }),
  repeat: fc.constantFrom(1, 1, 30),
  shared: fc.boolean(),
  spare: fc.constantFrom(-1, -1, 0, 64),
});
const spec = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('object' as const, 'null' as const), fields }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('object' as const),
      fields: fc.array(fc.tuple(fc.string(), value), { minLength: 60, maxLength: 90 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('array' as const, 'trail' as const),
      items: fc.array(fc.option(value), { maxLength: 30 }),
      fields: fc.option(fields),
      far: fc.constantFrom(0, 0, 0, 3000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('numbers' as const),
      items: fc.array(fc.oneof(fc.integer(), fc.double()), { minLength: 10, maxLength: 40 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('map' as const, 'cells' as const),
      entries: fc.array(fc.tuple(value, value), { maxLength: 8 }),
      fields: fc.option(fields),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      items: fc.array(value, { maxLength: 8 }),
      fields: fc.option(fields),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('error' as const, 'fault' as const),
      message: fc.option(text),
      fields,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('point' as const, 'named' as const), fields }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('secret' as const), data: primitive }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('date' as const),
      time: fc.oneof(fc.integer(), fc.constant(NaN)),
      fields: fc.option(fields),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('regexp' as const),
      source: fc.constantFrom('a', '', 'x/y', '[日]+', '(?<n>b)'),
      flags: fc.constantFrom('', 'g', 'dgimsuy'),
      lastIndex: value,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('boxed' as const),
      inside: fc.oneof(
        fc.double(),
        text,
        fc.boolean(),
        fc.bigInt(),
        text.map((key) => Symbol.for(key)),
      ),
    }),
  },
  { weight: 2, arbitrary: bufferSpec },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('view' as const),
      type: fc.nat({ max: 10 }),
      over: fc.nat(),
      offset: fc.nat(),
      length: fc.option(fc.nat()),
      fields: fc.option(fields),
    }),
  },
);
type Spec = typeof spec extends fc.Arbitrary<infer T> ? T : never;

const VIEWS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  DataView,
  Buffer,
  Wave,
];

export type GraphSpec = readonly Spec[];
export const graphSpec: fc.Arbitrary<GraphSpec> = fc.array(spec, { minLength: 1, maxLength: 25 });
/** Two graphs of which one is the other with a few parts changed. */
export const twoSpecs: fc.Arbitrary<[GraphSpec, GraphSpec]> = fc.oneof(
  fc.tuple(graphSpec, graphSpec),
  fc
    .tuple(graphSpec, fc.array(fc.tuple(fc.nat(), spec), { maxLength: 3 }))
    .map(([specs, changes]): [GraphSpec, GraphSpec] => {
      const changed = [...specs];
      for (const [at, change] of changes) changed[at % changed.length] = change;
      return [specs, changed];
    }),
);

/** The graph, as a list of all its objects. */
export function build(specs: GraphSpec): unknown[] {
  const buffers = specs.flatMap((spec) => (spec.kind === 'buffer' ? [makeBuffer(spec)] : []));
  let nextBuffer = 0;
  const objects = specs.map((spec) =>
    spec.kind === 'buffer' ? buffers[nextBuffer++] : make(spec, buffers),
  ) as object[];
  const resolve = (item: unknown): unknown =>
    item instanceof Ref ? objects[item.to % objects.length] : item;
  for (const [i, spec] of specs.entries()) fill(spec, objects[i] as object, resolve);
  return objects;
}

function makeBuffer({ bytes, repeat, shared, spare }: Spec & { kind: 'buffer' }): ArrayBufferLike {
  const byteLength = bytes.length * repeat;
  const args = spare < 0 ? [byteLength] : [byteLength, { maxByteLength: byteLength + spare }];
  const buffer = Reflect.construct(shared ? SharedArrayBuffer : ArrayBuffer, args) as ArrayBufferLike;
  for (let i = 0; i < repeat; i++) new Uint8Array(buffer).set(bytes, i * bytes.length);
  return buffer;
}

function make(spec: Exclude<Spec, { kind: 'buffer' }>, buffers: readonly ArrayBufferLike[]): object {
  switch (spec.kind) {
    case 'object':
      return {};
    case 'null':
      return Object.create(null);
    case 'array':
      return [];
    case 'trail':
      return new Trail();
    case 'numbers':
      return [...spec.items];
    case 'map':
      return new Map();
    case 'cells':
      return new Cells();
    case 'set':
      return new Set();
    case 'error':
    case 'fault': {
      const args = spec.message === null ? [] : [spec.message];
      const error = Reflect.construct(spec.kind === 'error' ? TypeError : Fault, args) as Error;
      // Put together now: a name that is no text, given later, would make it throw.
      assert.ok(error.stack);
      return error;
    }
    case 'point':
      return new Point();
    case 'named':
      return new Named();
    case 'secret':
      return new Secret(spec.data);
    case 'date':
      return new Date(spec.time);
    case 'regexp':
      return new RegExp(spec.source, spec.flags);
    case 'boxed':
      return Object(spec.inside);
    default:
      return makeView(spec, buffers);
  }
}

function makeView(spec: Spec & { kind: 'view' }, buffers: readonly ArrayBufferLike[]): object {
  const view = VIEWS[spec.type % VIEWS.length] as typeof Uint8Array;
  const width = view.BYTES_PER_ELEMENT ?? 1;
  const buffer = buffers[spec.over % Math.max(buffers.length, 1)] ?? new ArrayBuffer(64);
  const places = Math.floor(buffer.byteLength / width);
  const offset = spec.offset % (places + 1);
  const { resizable, growable } = buffer as { resizable?: boolean; growable?: boolean };
  const rest = places - offset;
  const range = [buffer, offset * width, spec.length === null ? rest : spec.length % (rest + 1)];
  // Node 20 makes no view that follows a buffer of a length that is no multiple of the element.
  if (spec.length === null && (resizable || growable) && buffer.byteLength % width === 0) range.pop();
  // A Buffer's own factory knows no buffer that changes its length.
  if (view === (Buffer as unknown)) return Reflect.construct(Uint8Array, range, Buffer);
  return Reflect.construct(view, range);
}

function fill(spec: Spec, object: object, resolve: (item: unknown) => unknown): void {
  switch (spec.kind) {
    case 'array':
    case 'trail':
      for (const [i, item] of spec.items.entries())
        if (item !== null) (object as unknown[])[i] = resolve(item);
      if (spec.far > 0) (object as unknown[])[spec.far + spec.items.length] = 'far';
      break;
    case 'map':
    case 'cells':
      for (const [key, item] of spec.entries) Map.prototype.set.call(object, resolve(key), resolve(item));
      break;
    case 'set':
      for (const item of spec.items) (object as Set<unknown>).add(resolve(item));
      break;
    case 'regexp':
      (object as RegExp).lastIndex = resolve(spec.lastIndex) as number;
      break;
    default:
  }
  if (!('fields' in spec) || spec.fields === null) return;
  for (const [key, item] of spec.fields) {
    const own = Object.getOwnPropertyDescriptor(object, key);
    const isIndex =
      spec.kind === 'view' || spec.kind === 'array' || spec.kind === 'trail' ? /^\s*-?\d/.test(key) : false;
    // What a built-in is made of ('length', an error's 'stack') stays as it is.
    if (own?.configurable === false || isIndex || (key === 'stack' && own !== undefined)) continue;
    Object.defineProperty(object, key, {
      value: resolve(item),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}
