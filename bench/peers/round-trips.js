/**
 * What comes back as it was saved: values that programs hold, one by one, through holdfast, v8.serialize, JSON, LangGraph's
 * serializer and structuredClone.
 *
 * A value comes back identical; or it is refused when it is saved, so that one knows; or it comes back as something else, and
 * nobody says so; or what was saved cannot be read.
 */

import { join } from 'node:path';
import { inspect, isDeepStrictEqual } from 'node:util';
import { Snap } from 'holdfast';
import { serializers } from './serializers.js';
import { Absent, scratch, writeResult } from './support.js';

class Agent {
  constructor(name) {
    this.name = name;
  }
}

const DEEP = 20_000;

/** Name, value, and where comparing deeply and strictly does not do, what must hold of the copy. */
const CASES = [
  ['-0', -0],
  ['NaN, Infinity', [Number.NaN, Number.POSITIVE_INFINITY]],
  ['undefined', { a: undefined }],
  ['BigInt', 2n ** 70n],
  ['lone surrogate', '\ud800'],
  ['Date', new Date(1e12)],
  ['invalid Date', new Date(Number.NaN), (copy) => copy instanceof Date && Number.isNaN(copy.getTime())],
  ['RegExp, lastIndex', Object.assign(/a/gu, { lastIndex: 3 })],
  ['Map', new Map([['a', { b: 1 }]])],
  ['Map, objects as keys', new Map([[{ a: 1 }, 1]])],
  ['Set', new Set([1, 'a'])],
  ['Error, its cause', new RangeError('far', { cause: new TypeError('near') }), isSameError],
  ['class instance', new Agent('a')],
  ['null prototype', Object.assign(Object.create(null), { a: 1 })],
  ['key __proto__', JSON.parse('{"__proto__": {"a": 1}}'), (copy) => Object.hasOwn(copy, '__proto__')],
  ['array with holes', Object.assign(Array(3), { 0: 1, 2: 3 })],
  ['array with a property', Object.assign([1, 2], { unit: 'm' })],
  ['Float64Array', Float64Array.of(1, -0, Number.NaN)],
  ['Buffer', Buffer.from('abc'), (copy) => Buffer.isBuffer(copy) && copy.toString() === 'abc'],
  ['DataView', new DataView(Uint8Array.of(1, 2, 3).buffer, 1)],
  [
    'views on one buffer',
    twoViews(),
    ([a, b]) => ArrayBuffer.isView(a) && a.buffer === b.buffer && b[0] === 7,
  ],
  ['SharedArrayBuffer', new SharedArrayBuffer(8), (copy) => copy instanceof SharedArrayBuffer],
  ['resizable ArrayBuffer', new ArrayBuffer(8, { maxByteLength: 16 }), (copy) => copy.maxByteLength === 16],
  ['boxed number', Object(1)],
  ['Symbol.for', Symbol.for('a')],
  ['cycle', cycle(), (copy) => copy.self === copy],
  ['one object twice', twice(), ([a, b]) => a === b && a.c === 1],
  [`list of ${DEEP} in depth`, deep(), (copy) => depthOf(copy) === DEEP],
  ['function', { f: () => 1 }],
  ['WeakMap', new WeakMap()],
];

function isSameError(copy) {
  const isNear = copy?.cause instanceof TypeError && copy.cause.message === 'near';
  return copy instanceof RangeError && copy.message === 'far' && isNear;
}

function twoViews() {
  const buffer = Uint8Array.of(0, 7).buffer;
  return [new Uint8Array(buffer), new Uint8Array(buffer, 1)];
}

function cycle() {
  const value = {};
  value.self = value;
  return value;
}

function twice() {
  const value = { c: 1 };
  return [value, value];
}

function deep() {
  let list = null;
  for (let depth = 0; depth < DEEP; depth++) list = { next: list };
  return list;
}

function depthOf(list) {
  let depth = 0;
  for (let at = list; at; at = at.next) depth++;
  return depth;
}

const snap = await Snap.open(join(scratch(), 'store'), { classes: [Agent] });
const absent = new Absent();
const ways = [
  {
    name: 'holdfast',
    encode: (value) => snap.save(value, { durable: true }),
    decode: () => snap.restore('latest'),
  },
  ...(await serializers(absent)),
  { name: 'structuredClone', encode: structuredClone, decode: (clone) => clone },
];

/** What became of a value, and what it came back as where that is something else. */
async function outcomeOf({ encode, decode }, value, isSame) {
  let saved;
  try {
    saved = await encode({ value });
  } catch (error) {
    return { outcome: 'refused', detail: error.message.split('\n')[0] };
  }
  try {
    const { value: copy } = await decode(saved);
    if (isSame(copy)) return { outcome: 'identical' };
    return { outcome: 'changed', detail: inspect(copy, { depth: 1 }).split('\n')[0] };
  } catch (error) {
    return { outcome: 'unreadable', detail: error.message.split('\n')[0] };
  }
}

const rows = [];
for (const [name, value, isSame = (copy) => isDeepStrictEqual(copy, value)] of CASES) {
  const outcomes = {};
  for (const way of ways) outcomes[way.name] = await outcomeOf(way, value, (copy) => !!isSame(copy));
  rows.push({ name, outcomes });
}
await snap.close();

console.table(
  rows.map(({ name, outcomes }) => ({
    value: name,
    ...Object.fromEntries(Object.entries(outcomes).map(([way, { outcome }]) => [way, outcome])),
  })),
);
for (const { name } of ways) {
  const count = (wanted) => rows.filter(({ outcomes }) => outcomes[name].outcome === wanted).length;
  const said = ['identical', 'refused', 'changed', 'unreadable'].map((one) => `${count(one)} ${one}`);
  console.log(`${name}: ${said.join(', ')}`);
}
absent.print();
writeResult('round-trips', { ways: ways.map(({ name }) => name), rows, absent: absent.list });
