/** Policies as they are written: what is right is normalised, what is wrong is named with what was given. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePolicy } from '../../src/store/retention-policy.js';

test('a policy is checked and put into milliseconds and bytes', () => {
  const policy = parsePolicy({
    last: 10,
    every: 1000,
    within: '7d',
    hourly: 24,
    daily: 7,
    weekly: 4,
    tags: 'good-*',
    maxBytes: '20GB',
  });
  assert.deepEqual(policy, {
    last: 10,
    every: 1000,
    within: 604_800_000,
    hourly: 24,
    daily: 7,
    weekly: 4,
    tags: ['good-*'],
    maxBytes: 20_000_000_000,
  });
  assert.deepEqual(parsePolicy(policy), policy, 'checked again it is the same');
});

test('undefined is as if it was not given, and so is a count of 0 beside a rule', () => {
  assert.deepEqual(parsePolicy({ last: undefined, within: undefined, tags: undefined, daily: 7 }), {
    daily: 7,
  });
  assert.deepEqual(parsePolicy({ last: 0, daily: 7, weekly: -0 }), { daily: 7 });
});

test('numbers are milliseconds and bytes', () => {
  assert.deepEqual(parsePolicy({ within: 1500 }), { within: 1500 });
  assert.deepEqual(parsePolicy({ maxBytes: 4096 }), { maxBytes: 4096 });
});

test('a policy does not share the list of globs with what was given', () => {
  const tags = ['good-*'];
  const policy = parsePolicy({ tags });
  tags.push('*');
  assert.deepEqual(policy, { tags: ['good-*'] });
});

const NAMES = 'last, every, within, hourly, daily, weekly, tags, maxBytes';
const RIGHT = `as in { last: 10 }`;
const DURATION = 'a duration is a number and one of s, m, h, d, w, as in 7d';

const WRONG: [input: unknown, name: 'TypeError' | 'RangeError', message: string][] = [
  [undefined, 'TypeError', 'a retention policy is an object, as in { last: 10, daily: 7 }, not undefined'],
  [null, 'TypeError', 'a retention policy is an object, as in { last: 10, daily: 7 }, not null'],
  ['7d', 'TypeError', 'a retention policy is an object, as in { last: 10, daily: 7 }, not "7d"'],
  [10, 'TypeError', 'a retention policy is an object, as in { last: 10, daily: 7 }, not 10'],
  [[], 'TypeError', 'a retention policy is an object, as in { last: 10, daily: 7 }, not an empty list'],
  [{}, 'RangeError', `a retention policy has at least one of ${NAMES}, ${RIGHT}`],
  [{ last: undefined }, 'RangeError', `a retention policy has at least one of ${NAMES}, ${RIGHT}`],
  [
    { last: 0 },
    'RangeError',
    'a retention policy whose rules are all 0 keeps nothing; write a number above 0',
  ],
  [
    { last: 0, daily: 0 },
    'RangeError',
    'a retention policy whose rules are all 0 keeps nothing; write a number above 0',
  ],
  [
    { last: 0, maxBytes: '20GB' },
    'RangeError',
    'a retention policy whose rules are all 0 keeps nothing; write a number above 0',
  ],
  [{ last: -1 }, 'RangeError', 'last is -1; it takes a whole number of snapshots, as in { last: 10 }'],
  [
    { last: Number.NaN },
    'RangeError',
    'last is NaN; it takes a whole number of snapshots, as in { last: 10 }',
  ],
  [{ daily: 1.5 }, 'RangeError', 'daily is 1.5; it takes a whole number of snapshots, as in { daily: 10 }'],
  [
    { hourly: 2 ** 53 },
    'RangeError',
    'hourly is 9007199254740992; it takes a whole number of snapshots, as in { hourly: 10 }',
  ],
  [{ weekly: '4' }, 'TypeError', 'weekly is "4"; it takes a whole number of snapshots, as in { weekly: 10 }'],
  [{ last: null }, 'TypeError', 'last is null; it takes a whole number of snapshots, as in { last: 10 }'],
  [{ last: 10n }, 'TypeError', 'last is 10n; it takes a whole number of snapshots, as in { last: 10 }'],
  [{ every: 0 }, 'RangeError', 'every is 0; it takes a whole number of steps from 1, as in { every: 1000 }'],
  [
    { every: '100' },
    'TypeError',
    'every is "100"; it takes a whole number of steps from 1, as in { every: 1000 }',
  ],
  [{ within: '7 dyas' }, 'TypeError', `within "7 dyas": ${DURATION}`],
  [
    { within: '0d' },
    'RangeError',
    `within is "0d"; it takes a duration above 0, as in { within: '7d' }, or milliseconds`,
  ],
  [
    { within: -5 },
    'RangeError',
    `within is -5; it takes a duration above 0, as in { within: '7d' }, or milliseconds`,
  ],
  [
    { within: Number.POSITIVE_INFINITY },
    'RangeError',
    `within is Infinity; it takes a duration above 0, as in { within: '7d' }, or milliseconds`,
  ],
  [
    { within: {} },
    'TypeError',
    `within is an object; it takes a duration above 0, as in { within: '7d' }, or milliseconds`,
  ],
  [{ maxBytes: '20G' }, 'TypeError', 'maxBytes "20G": say 20GB (powers of 1000) or 20GiB (powers of 1024)'],
  [
    { maxBytes: 0 },
    'RangeError',
    `maxBytes is 0; it takes a size above 0, as in { maxBytes: '20GB' }, or bytes`,
  ],
  [
    { maxBytes: 0.5 },
    'RangeError',
    `maxBytes is 0.5; it takes a size above 0, as in { maxBytes: '20GB' }, or bytes`,
  ],
  [
    { maxBytes: true },
    'TypeError',
    `maxBytes is true; it takes a size above 0, as in { maxBytes: '20GB' }, or bytes`,
  ],
  [{ tags: '' }, 'TypeError', `tags is ""; it takes a glob or several, as in { tags: 'good-*' }`],
  [{ tags: [] }, 'TypeError', `tags is an empty list; it takes a glob or several, as in { tags: 'good-*' }`],
  [{ tags: ['a', 1] }, 'TypeError', `tags is a list; it takes a glob or several, as in { tags: 'good-*' }`],
  [
    { tags: () => 1 },
    'TypeError',
    `tags is a function; it takes a glob or several, as in { tags: 'good-*' }`,
  ],
  [{ tags: 'a[b' }, 'TypeError', 'tags "a[b": a [ is not closed; [[] is the sign itself'],
];

for (const [input, name, message] of WRONG) {
  test(`refused: ${message}`, () => assert.throws(() => parsePolicy(input), { name, message }));
}

test('an unknown key is refused, and the one that may be meant is named', () => {
  const unknown: [string, string][] = [
    ['dayly', 'did you mean daily? '],
    ['dialy', 'did you mean daily? '],
    ['Last', 'did you mean last? '],
    ['keepLast', 'did you mean last? '],
    ['keep-tag', 'did you mean tags? '],
    ['max_bytes', 'did you mean maxBytes? '],
    ['monthly', ''],
    ['constructor', ''],
  ];
  for (const [key, hint] of unknown) {
    assert.throws(() => parsePolicy({ [key]: 5, last: 5 }), {
      name: 'TypeError',
      message: `a retention policy has no "${key}"; ${hint}there are: ${NAMES}`,
    });
  }
});
