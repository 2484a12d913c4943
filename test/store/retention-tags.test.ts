/** Globs for tags. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob } from '../../src/store/retention-tags.js';
import { budget } from '../support/budget.js';

const GLOBS: [glob: string, matching: string[], others: string[]][] = [
  ['best', ['best'], ['bes', 'best2', 'BEST', 'the best', '']],
  ['*', ['', 'a', 'v1.0', 'é 🙂'], []],
  ['good-*', ['good-', 'good-1', 'good-*'], ['good', 'a-good-1']],
  ['*-good', ['-good', 'a-good'], ['good', 'a-good-']],
  ['a*b*c', ['abc', 'aXbXc', 'abcbc', 'aabbcc'], ['acb', 'abcX', 'ab']],
  ['step-?', ['step-1', 'step-🙂'], ['step-', 'step-10']],
  ['v[0-9].[13]', ['v0.1', 'v9.3'], ['va.1', 'v0.2', 'v10.1']],
  ['[!0-9]*', ['a1', '🙂'], ['1a', '']],
  ['[^a]', ['b'], ['a', '']],
  ['[]x]', [']', 'x'], ['[', ']x']],
  ['[!]]', ['x'], [']']],
  ['[a-]', ['a', '-'], ['b']],
  ['[*?{,]', ['*', '?', '{', ','], ['x']],
  ['[🙂-🙃]', ['🙂', '🙃'], ['\ud83d', 'a']],
  ['{a,b}', ['a', 'b'], ['ab', '{a,b}', '']],
  ['{best,v*}-final', ['best-final', 'v-final', 'v2-final'], ['best', 'b-final']],
  ['a{,-x}', ['a', 'a-x'], ['a-', 'ax']],
  ['{a,{b,c}d}{1,2}', ['a1', 'a2', 'bd1', 'cd2'], ['b1', 'd1', 'ad1']],
  ['{[,}],x}', [',', '}', 'x'], ['[']],
  ['a,b}', ['a,b}'], ['a', 'b}']],
  ['a.b+c', ['a.b+c'], ['axb+c', 'a.bbc']],
];

for (const [glob, matching, others] of GLOBS) {
  test(`${glob} matches what it says`, () => {
    const matches = compileGlob(glob);
    for (const tag of matching) assert.ok(matches(tag), `it should match ${tag}`);
    for (const tag of others) assert.ok(!matches(tag), `it should not match ${tag}`);
  });
}

test('what is not closed, or runs backwards, is refused', () => {
  const wrong: [string, string][] = [
    ['good-[', '"good-[": a [ is not closed; [[] is the sign itself'],
    ['[]', '"[]": a [ is not closed; [[] is the sign itself'],
    ['[!]', '"[!]": a [ is not closed; [[] is the sign itself'],
    ['{a,b', '"{a,b": a { is not closed; [{] is the sign itself'],
    ['{a,{b}', '"{a,{b}": a { is not closed; [{] is the sign itself'],
    ['[z-a]', '"[z-a]": z-a runs backwards'],
  ];
  for (const [glob, message] of wrong) assert.throws(() => compileGlob(glob), { name: 'TypeError', message });
});

test('a glob of too many alternatives is refused, not spelled out', () => {
  assert.throws(() => compileGlob('{a,b}'.repeat(40)), { name: 'RangeError', message: /more than 1000/ });
  assert.ok(compileGlob('{a,b}'.repeat(9))('abababab'.concat('a')));
});

/** A pattern that a backtracking matcher would work on until the sun is cold: the time limit of the test tells. */
test('many stars cost no more than their number', { timeout: 60_000 }, () => {
  assert.ok(!compileGlob('*a'.repeat(50).concat('b'))('a'.repeat(1000)));
});

/** Signs as the matcher knows them, and the regular expression that means the same. */
const sign = fc.constantFrom<[string, string]>(
  ['*', '[^]*'],
  ['?', '[^]'],
  ['a', 'a'],
  ['b', 'b'],
  ['.', '\\.'],
  ['[ab]', '[ab]'],
  ['[!a]', '[^a]'],
  ['{a,b*}', '(?:a|b[^]*)'],
  ['{,ab}', '(?:|ab)'],
);
const tag = fc.string({ unit: fc.constantFrom('a', 'b', '.', '🙂'), maxLength: 8 });

test('a glob matches what its regular expression matches', () => {
  const law = fc.property(fc.array(sign, { maxLength: 7 }), tag, (signs, text) => {
    const glob = signs.map(([part]) => part).join('');
    const expression = new RegExp(`^${signs.map(([, part]) => part).join('')}$`, 'u');
    assert.equal(compileGlob(glob)(text), expression.test(text), `${glob} and ${text}`);
  });
  fc.assert(law, { numRuns: budget(2000) });
});
