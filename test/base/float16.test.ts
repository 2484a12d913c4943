import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float16 } from '../../src/base/float16.js';

test('half precision: zeros, the smallest and largest, powers of two, infinities, NaN', () => {
  const known: [number, number][] = [
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3555, 0.333251953125],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e01, Number.NaN],
  ];
  for (const [bits, number] of known) assert.ok(Object.is(float16(bits), number), bits.toString(16));
});

test('every half precision number is what the runtime says it is', (t) => {
  const Native = (globalThis as { Float16Array?: new (buffer: ArrayBuffer) => ArrayLike<number> })
    .Float16Array;
  if (!Native) return t.skip('this Node has no Float16Array');
  const bits = new Uint16Array(65536).map((_, index) => index);
  const numbers = new Native(bits.buffer);
  for (const [index] of bits.entries()) assert.ok(Object.is(float16(index), numbers[index]), String(index));
});
