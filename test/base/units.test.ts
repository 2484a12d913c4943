import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration, parseSize, roughDuration } from '../../src/base/units.js';

test('durations', () => {
  const durations: [string, number][] = [
    ['30s', 30_000],
    ['90m', 5_400_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    [' 2 w ', 1_209_600_000],
    ['0d', 0],
    ['0.5s', 500],
  ];
  for (const [text, ms] of durations) assert.equal(parseDuration(text), ms, text);
});

test('what is no duration is told what one is', () => {
  assert.throws(() => parseDuration('7 dyas'), {
    name: 'TypeError',
    message: '"7 dyas": a duration is a number and one of s, m, h, d, w, as in 7d',
  });
  // Elsewhere M is a month and 1y2m two units: none of them may become minutes in silence.
  for (const text of [
    '',
    '7',
    'd',
    '7M',
    '7D',
    '1y2m',
    '1d12h',
    '-7d',
    '+7d',
    '1e3s',
    '.5h',
    '7.d',
    'Infinity',
    '7d\u0000',
  ]) {
    assert.throws(() => parseDuration(text), { name: 'TypeError' }, text);
  }
  assert.throws(() => parseDuration(`${'9'.repeat(400)}w`), { name: 'RangeError', message: /too large/ });
});

test('sizes: decimal and binary units', () => {
  const sizes: [string, number][] = [
    ['1000', 1000],
    ['1000B', 1000],
    ['1KB', 1000],
    ['1kB', 1000],
    ['20GB', 20_000_000_000],
    ['20 gb', 20_000_000_000],
    ['512 MiB', 536_870_912],
    ['512mib', 536_870_912],
    ['1.5TiB', 1_649_267_441_664],
    ['2PB', 2e15],
    ['0', 0],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes, text);
});

test('what is no size is told what one is', () => {
  assert.throws(() => parseSize('20 gigs'), {
    name: 'TypeError',
    message: '"20 gigs": a size is a number and one of B, KB, MB, GB, TB or KiB, MiB, GiB, TiB, as in 20GB',
  });
  assert.throws(() => parseSize('20G'), {
    name: 'TypeError',
    message: '"20G": say 20GB (powers of 1000) or 20GiB (powers of 1024)',
  });
  for (const text of ['', 'GB', '-1GB', '1e9', '20 G B', '1,5GB', '0x10', '1..5G']) {
    assert.throws(() => parseSize(text), { name: 'TypeError' }, text);
  }
  assert.throws(() => parseSize('10000PiB'), { name: 'RangeError', message: /too large/ });
});

test('a formatted duration is read as the same', () => {
  assert.deepEqual([604_800_000, 5_400_000, 86_400_000, 1500].map(formatDuration), [
    '7d',
    '90m',
    '1d',
    '1500 ms',
  ]);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.constantFrom('s', 'm', 'h', 'd', 'w'),
      (number, unit) => {
        const ms = parseDuration(`${number}${unit}`);
        assert.equal(parseDuration(formatDuration(ms)), ms);
      },
    ),
  );
});

test('a measured duration is told to two or three digits', () => {
  const told = [0, 0.0421, 8.31, 146.2, 1400, 1501, 8400, 89_000, 90_000, 3_960_000, 9_000_000, 8.8e9];
  assert.deepEqual(told.map(roughDuration), [
    '0 ms',
    '0.042 ms',
    '8.3 ms',
    '146 ms',
    '1400 ms',
    '1.5 s',
    '8.4 s',
    '89 s',
    '1.5 min',
    '66 min',
    '2.5 h',
    '102 d',
  ]);
});
