import assert from 'node:assert/strict';
import { test } from 'node:test';
import { styleFor } from '../../src/cli/style.js';
import { type Column, table } from '../../src/cli/table.js';
import { age, count, duration, printable, ratio, shortIds, times } from '../../src/cli/words.js';

const SECOND = 1000;
const DAY = 86_400 * SECOND;

test('an age is told in the largest unit that it fills', () => {
  for (const [elapsed, expected] of [
    [0, 'just now'],
    [999, 'just now'],
    [SECOND, '1 s ago'],
    [59_999, '59 s ago'],
    [60 * SECOND, '1 min ago'],
    [3 * 60 * SECOND, '3 min ago'],
    [3600 * SECOND, '1 h ago'],
    [DAY - 1, '23 h ago'],
    [DAY, '1 day ago'],
    [29 * DAY, '29 days ago'],
    [30 * DAY, '1 month ago'],
    [364 * DAY, '12 months ago'],
    [800 * DAY, '2 years ago'],
    [-5 * 60 * SECOND, 'in 5 min'],
  ] as const) {
    assert.equal(age(new Date(1e12 - elapsed), 1e12), expected);
  }
});

test('a duration is told in tenths of seconds, and from 10 s in the largest unit that it fills', () => {
  for (const [milliseconds, expected] of [
    [0, '0.0 s'],
    [449, '0.4 s'],
    [9900, '9.9 s'],
    [10_000, '10 s'],
    [59_999, '59 s'],
    [3 * 3600 * SECOND, '3 h'],
  ] as const) {
    assert.equal(duration(milliseconds), expected);
  }
});

test('ids are cut to 8 digits, and to more where 8 would mean two', () => {
  const alone = `${'0'.repeat(31)}1`;
  const twins = [`${'a'.repeat(10)}b${'0'.repeat(21)}`, `${'a'.repeat(10)}c${'0'.repeat(21)}`];
  const ids = shortIds([twins[1] as string, alone, twins[0] as string, alone]);
  assert.equal(ids.get(alone), '00000000');
  assert.deepEqual(
    twins.map((id) => ids.get(id)),
    ['aaaaaaaaaab', 'aaaaaaaaaac'],
  );
});

test('counts and ratios', () => {
  assert.deepEqual([count(1, 'pack'), count(0, 'pack'), count(2, 'pack')], ['1 pack', '0 packs', '2 packs']);
  assert.deepEqual(
    [times(ratio(1, 0)), times(2.345), times(23.45), times(234.5)],
    ['-', '2.35 x', '23.4 x', '235 x'],
  );
});

test('what steers a terminal is spelled out', () => {
  assert.equal(printable('a\u001b[31mb\n\u009b\u202ec'), 'a\\u001b[31mb\\u000a\\u009b\\u202ec');
  assert.equal(printable('été 漢字 🙂'), 'été 漢字 🙂');
});

const COLUMNS: Column[] = [
  { title: 'id' },
  { title: 'name', least: 4, drop: 2 },
  { title: 'size', align: 'right', drop: 1 },
];
const ROWS = [
  ['1', 'a long name that takes room', '10'],
  ['22', '漢字', '5'],
];
const drawn = (columns: number | undefined) =>
  table(
    COLUMNS,
    ROWS,
    styleFor({ isTTY: columns !== undefined, columns: columns ?? 0 }, { NO_COLOR: '1' }),
  ).split('\n');

test('a table is aligned, wide characters counted as wide', () => {
  assert.deepEqual(drawn(undefined), [
    'id  name                         size',
    '1   a long name that takes room    10',
    `22  漢字${' '.repeat(23)}     5`,
  ]);
});

test('a table is cut first, and columns are left out only then', () => {
  assert.deepEqual(drawn(20), ['id  name        size', '1   a long na…    10', '22  漢字           5']);
  assert.deepEqual(drawn(14), ['id  name  size', '1   a l…    10', '22  漢字     5']);
  assert.deepEqual(drawn(13), ['id  name', '1   a long n…', '22  漢字']);
  assert.deepEqual(drawn(5), ['id', '1', '22']);
});

test('a table of many rows takes time that grows with them, not with their square', () => {
  const rows = Array.from({ length: 5000 }, (_, index) => [String(index), 'name', '1']);
  const lines = table(COLUMNS, rows, styleFor({}, {})).split('\n');
  assert.equal(lines.length, 5001);
  assert.equal(lines.at(-1), '4999  name     1');
});
