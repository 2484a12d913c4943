// biome-ignore-all lint/complexity/noStaticOnlyClass: what is tested of a class is its statics
/** The bytes are those that docs/skeleton.md describes: its example, and one of each tag. */

import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { snapDecode, snapEncode, snapVersion } from '../../src/state/index.js';
import { assertSame } from './same.js';
import { load, save } from './trips.js';

/** Upward from here to the folder with the docs: tests run from a build folder. */
function page(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    try {
      return readFileSync(join(folder, 'docs/skeleton.md'), 'utf8');
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
}

test('the worked example of the format page is what is written', () => {
  const section = page().split('## A worked example')[1]?.split('## What the writer chooses')[0] as string;
  const hex = [...section.matchAll(/^ {4}((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: {2,}.*)?$/gm)]
    .map((line) => line[1])
    .join(' ');
  const u = new Float64Array(200);
  const notes = Object.assign(new Array(3), { 0: 'heat', 2: null });
  const state: Record<string, unknown> = {
    step: 7,
    t: 0.5,
    name: 'heat',
    u,
    tail: u.subarray(100),
    notes,
    self: 0,
  };
  state.self = state;
  const { skeleton, regions } = save(state);
  assert.equal(
    Buffer.from(skeleton)
      .toString('hex')
      .replaceAll(/(..)(?!$)/g, '$1 '),
    hex,
  );
  assert.deepEqual([skeleton.length, regions.map(({ path }) => path)], [116, ['u']]);
});

class P {
  a = 1;
}
class H {
  static [snapVersion] = 300;
  static [snapEncode](): unknown {
    return null;
  }
  static [snapDecode](): H {
    return new H();
  }
}

const twice = (o: unknown) => [o, o];
const bytes = (...parts: (number | string)[]): string =>
  parts
    .map((part) =>
      typeof part === 'number' ? part.toString(16).padStart(2, '0') : Buffer.from(part).toString('hex'),
    )
    .join('');

const examples: [name: string, state: unknown, body: string][] = [
  ['undefined', undefined, '01'],
  ['null', null, '02'],
  ['booleans', [true, false], '24020304'],
  ['int32', -2, '05feffffff'],
  ['double', -0, '060000000000000080'],
  ['NaN', Number.NaN, '06000000000000f87f'],
  ['BigInts', [0n, 258n, -1n], '2403 0700 07020201 080101'],
  ['latin1', 'é', '0a01e9'],
  ['UTF-8', `aaaa${'\u2019'}`, '0d9507 0b07 61616161e28099'],
  ['UTF-16', '\ud800', '0c0100d8'],
  ['symbol', Symbol.for('s'), '0f0a0173'],
  ['reference', twice([]), '2402 2400 1001'],
  ['null-prototype object', Object.create(null), '21'],
  ['int32 list', new Array(16).fill(1), `2510${'01000000'.repeat(16)}`],
  ['double list', new Array(16).fill(0.5), `2610${'000000000000e03f'.repeat(16)}`],
  ['holes', new Array(300), '24ac02 09ac02'],
  ['Map', new Map([[1, true]]), '2701 0501000000 03'],
  ['Set', new Set([null]), '280102'],
  ['Date', new Date(0), `29${'00'.repeat(8)}`],
  ['RegExp', /a/g, `2a ${bytes(0x0a, 1, 'a', 0x0a, 1, 'g')} 0500000000`],
  ['boxed', Object(true), '2b03'],
  ['view over a small buffer', Uint8Array.of(1, 2), '2d 02 00 00 02 2e 00 02 0102'],
  ['shared buffer', new SharedArrayBuffer(1), '2e010100'],
  ['resizable buffer', Reflect.construct(ArrayBuffer, [1, { maxByteLength: 9 }]), '2e02010900'],
  [
    'tracking view',
    new Uint8Array(Reflect.construct(ArrayBuffer, [1, { maxByteLength: 9 }]) as ArrayBuffer),
    '2d020100 2e02010900',
  ],
  ['further properties', Object.assign([], { a: 1 }), `39 01 ${bytes(0x0a, 1, 'a')} 2400 0501000000`],
];

for (const [name, state, body] of examples) {
  test(`the bytes of: ${name}`, () => {
    const expected = body.replaceAll(' ', '');
    const skeleton = Buffer.from(save(state).skeleton).toString('hex');
    const actual = skeleton.slice(8, -10);
    // An object without keys has a shape like any other, whose slot is a hash.
    assert.equal(name === 'null-prototype object' ? actual.slice(0, 2) : actual, expected);
    assert.equal(skeleton.slice(0, 8) + skeleton.slice(-10), '686673010001000000');
  });
}

test('the bytes of: instances', () => {
  const body = (state: unknown) =>
    Buffer.from(save(state, [P, H]).skeleton)
      .toString('hex')
      .slice(8, -10);
  assert.match(body(new P()), /^380a01500020....010a01610501000000$/);
  assert.equal(body(new H()), '380a0148ac023102');
});

test('skeletons of version 1 are read for ever', () => {
  const skeleton = Buffer.from(
    '6866730120c882070dbb0d0a04737465700a01740d3d0f0a046e616d650a01750dfc0e0a047461696c0da9050a056e6f7465730dd10a0a0473656c66' +
      '050700000006000000000000e03f0d320f0a04686561742d0c0000c8012f2d0c00a00664100224030e320f09010210050100c00c04000000',
    'hex',
  );
  const u = new Float64Array(200).fill(3);
  const restored = load({ skeleton, regions: [], bytes: [new Uint8Array(u.buffer)] }) as Record<
    string,
    unknown
  >;
  const notes = Object.assign(new Array(3), { 0: 'heat', 2: null });
  const expected: Record<string, unknown> = {
    step: 7,
    t: 0.5,
    name: 'heat',
    u,
    tail: u.subarray(100),
    notes,
    self: 0,
  };
  expected.self = expected;
  assertSame(restored, expected);
});
