import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dtypeOf, elementBytes, REGION_KINDS } from '../../src/format/kinds.js';

test('the dtype of a kind is as wide as its elements, signed or floating as its name says, and little-endian', () => {
  for (const kind of REGION_KINDS) {
    const [, order, letter, width] = /^([<|])([iuf])(\d)$/.exec(dtypeOf(kind)) ?? [];
    assert.equal(Number(width), elementBytes(kind), kind);
    assert.equal(order, elementBytes(kind) === 1 ? '|' : '<', kind);
    const expected = kind.startsWith('Float') ? 'f' : /^(Big)?Int/.test(kind) ? 'i' : 'u';
    assert.equal(letter, expected, kind);
  }
});
