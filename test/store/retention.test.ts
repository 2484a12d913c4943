/** Each rule by example, what is always kept, clocks that jump, limits of bytes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Candidate, fitToBytes, type Plan, planRetention } from '../../src/store/retention.js';
import { parsePolicy, type RetentionPolicy } from '../../src/store/retention-policy.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A Friday. */
const NOON = Date.parse('2026-11-20T12:00:00Z');

/** Snapshots in the order they were made, an hour apart, the last one at noon; each is called by its number. */
function made(...given: Partial<Candidate>[]): Candidate[] {
  return given.map((differs, index) => ({
    id: String(index),
    sequence: 10 * index,
    run: 'heat',
    step: undefined,
    createdAt: NOON - (given.length - 1 - index) * HOUR,
    tags: [],
    forgotten: false,
    ...differs,
  }));
}

const times = (...texts: string[]) => made(...texts.map((text) => ({ createdAt: Date.parse(`${text}Z`) })));
const many = (count: number) => made(...Array.from({ length: count }, () => ({})));

function plan(snapshots: Candidate[], policy?: RetentionPolicy, now = NOON): Plan {
  return planRetention(snapshots, policy && parsePolicy(policy), { now });
}

/** Ids of what is kept, the oldest first. */
function kept({ verdicts }: Plan): string {
  const ids = verdicts.filter(({ keep }) => keep).map(({ id }) => id);
  return ids.reverse().join(' ');
}

function reasons({ verdicts }: Plan, id: string): readonly string[] {
  return verdicts.find((verdict) => verdict.id === id)?.reasons ?? [];
}

test('last: the newest so many of each run', () => {
  const snapshots = made({ run: 'a' }, { run: 'b' }, { run: 'a' }, { run: 'a' }, { run: 'b' }, { run: 'a' });
  assert.equal(kept(plan(snapshots, { last: 2 })), '1 3 4 5');
  assert.deepEqual(reasons(plan(snapshots, { last: 2 }), '3'), ['last 2']);
  assert.deepEqual(reasons(plan(snapshots, { last: 2 }), '5'), ['last 2', 'newest of run a']);
  assert.deepEqual(reasons(plan(snapshots, { last: 2 }), '2'), ['not kept by any rule']);
  assert.equal(kept(plan(snapshots, { last: 100 })), '0 1 2 3 4 5');
});

test('every: steps that are a multiple; what has no step is no multiple', () => {
  const snapshots = made(
    { step: -200 },
    { step: 0 },
    {},
    { step: 150 },
    { step: 200 },
    { step: 300 },
    { step: 200 },
    {},
  );
  const planned = plan(snapshots, { every: 200 });
  assert.equal(kept(planned), '0 1 4 6 7');
  assert.deepEqual(reasons(planned, '4'), ['every 200']);
  assert.deepEqual(reasons(planned, '7'), ['newest of run heat']);
});

test('within: counted from the newest of the run, so that a store left alone does not empty itself', () => {
  const snapshots = made(
    { run: 'old', createdAt: NOON - 90 * DAY },
    { run: 'old', createdAt: NOON - 89 * DAY },
    {},
    {},
    {},
  );
  for (const now of [NOON, NOON + 365 * DAY]) {
    assert.equal(kept(plan(snapshots, { within: '1h' }, now)), '1 3 4');
    assert.equal(kept(plan(snapshots, { within: '1d' }, now)), '0 1 2 3 4');
  }
  assert.deepEqual(reasons(plan(snapshots, { within: '1h' }), '3'), ['within 1h']);
  assert.equal(kept(plan(snapshots, { within: HOUR - 1 })), '1 4');
});

test('hourly, daily: the newest of each, of the last that have one, in UTC', () => {
  const snapshots = times(
    '2026-11-17T23:59:59.999',
    '2026-11-18T00:00',
    '2026-11-18T13:10',
    '2026-11-18T13:50',
    '2026-11-20T00:10',
    '2026-11-20T11:00',
    '2026-11-20T11:59',
  );
  const hourly = plan(snapshots, { hourly: 3 });
  assert.equal(kept(hourly), '3 4 6');
  assert.deepEqual(reasons(hourly, '3'), ['hourly 2026-11-18 13:00Z']);
  const daily = plan(snapshots, { daily: 2 });
  assert.equal(kept(daily), '3 6');
  assert.deepEqual(reasons(daily, '6'), ['daily 2026-11-20', 'newest of run heat']);
  assert.equal(kept(plan(snapshots, { daily: 3 })), '0 3 6');
});

test('weekly: weeks begin on Mondays, and are called as in ISO 8601', () => {
  const snapshots = times(
    '2024-12-29T23:00',
    '2024-12-30T00:00',
    '2025-12-28T23:59',
    '2026-01-01T00:00',
    '2026-11-15T23:59',
    '2026-11-16T00:00',
  );
  const weekly = plan(snapshots, { weekly: 6 });
  assert.equal(kept(weekly), '0 1 2 3 4 5');
  assert.deepEqual(
    ['0', '1', '2', '3', '4', '5'].map((id) => reasons(weekly, id)[0]),
    ['2024-W52', '2025-W01', '2025-W52', '2026-W01', '2026-W46', '2026-W47'].map((week) => `weekly ${week}`),
  );
});

test('a snapshot that several rules keep has all their reasons', () => {
  const snapshots = made({}, { step: 300, tags: ['best', 'paper'], pinned: true });
  assert.deepEqual(reasons(plan(snapshots, { last: 1, every: 100, within: '1.5h', daily: 1 }), '1'), [
    'last 1',
    'every 100',
    'within 90m',
    'daily 2026-11-20',
    'newest of run heat',
    'tag best',
    'tag paper',
    'in use',
  ]);
});

test('a tag keeps its snapshot', () => {
  const snapshots = made({ tags: ['best'] }, {}, { tags: ['good-1'] }, {}, {});
  const planned = plan(snapshots, { last: 1 });
  assert.equal(kept(planned), '0 2 4');
  assert.deepEqual(reasons(planned, '0'), ['tag best']);
  assert.deepEqual(planned.unmatched, []);
  assert.deepEqual(plan(many(2), { last: 1 }).unmatched, [], 'none was given');
});

test('tags: only those that match keep; a glob that matches none is named', () => {
  const snapshots = made({ tags: ['best'] }, { tags: ['epoch-1', 'good-1'] }, { tags: ['epoch-2'] }, {}, {});
  const planned = plan(snapshots, { tags: ['good-*', 'bset'] });
  assert.equal(kept(planned), '1 4');
  assert.deepEqual(reasons(planned, '1'), ['tag good-1']);
  assert.deepEqual(reasons(planned, '2'), ['not kept by any rule', 'tag epoch-2 is none of good-*, bset']);
  assert.deepEqual(planned.unmatched, ['bset']);
  assert.equal(kept(plan(snapshots, { tags: 'good-*', last: 3 })), '1 2 3 4');
});

test('what was forgotten is dropped, tagged or newest, and counts for no rule', () => {
  const snapshots = made({}, {}, { forgotten: true, tags: ['best'] }, {}, { forgotten: true });
  const planned = plan(snapshots, { last: 2, tags: 'best' });
  assert.equal(kept(planned), '1 3');
  assert.deepEqual(reasons(planned, '2'), ['forgotten']);
  assert.deepEqual(reasons(planned, '3'), ['last 2', 'newest of run heat']);
  assert.deepEqual(planned.unmatched, ['best']);
});

test('what is in use is kept, forgotten or not', () => {
  const snapshots = made({ forgotten: true, pinned: true }, { pinned: true }, {}, {});
  const planned = plan(snapshots, { last: 1 });
  assert.equal(kept(planned), '0 1 3');
  assert.deepEqual(reasons(planned, '0'), ['in use']);
  assert.deepEqual(reasons(planned, '1'), ['in use']);
});

test('without a policy only what is forgotten goes', () => {
  const planned = plan(made({}, { forgotten: true }, {}));
  assert.equal(kept(planned), '0 2');
  assert.deepEqual(reasons(planned, '0'), ['no policy']);
});

test('a plan that leaves nothing is refused, unless it is forced; of an empty store there is nothing to refuse', () => {
  const snapshots = made({ forgotten: true, tags: ['best'] }, { forgotten: true });
  for (const policy of [undefined, { last: 10 }]) {
    assert.throws(() => plan(snapshots, policy), {
      name: 'RangeError',
      message:
        'this would leave nothing of the store: all 2 snapshots are forgotten; bring one back or force it',
    });
    assert.equal(kept(planRetention(snapshots, policy, { now: NOON, force: true })), '');
    assert.deepEqual(plan([], policy).verdicts, []);
  }
});

test('the newest is the last by sequence, whatever its clock said', () => {
  const snapshots = times('2026-11-20T10:00', '2036-01-01T00:00', '2026-11-20T11:00');
  assert.equal(kept(plan(snapshots, { last: 1 })), '2');
  assert.deepEqual(reasons(plan(snapshots, { daily: 1 }), '2'), ['daily 2026-11-20', 'newest of run heat']);
});

test('within: a clock that ran ahead and was set back does not keep what it stamped for ever', () => {
  const snapshots = times(
    '2026-11-01T00:00',
    '2036-01-01T00:00',
    '2026-11-02T00:00',
    '2036-01-01T00:00',
    '2026-11-19T12:00',
    '2026-11-20T12:00',
  );
  assert.equal(
    kept(plan(snapshots, { within: '2d' })),
    '3 4 5',
    'the second one is at most as old as what follows it',
  );
});

test('within: a newest from the future does not drop what was made today', () => {
  const snapshots = times('2026-11-01T00:00', '2026-11-20T10:00', '2026-11-20T11:00', '2036-01-01T00:00');
  assert.equal(kept(plan(snapshots, { within: '2d' })), '1 2 3');
});

test('within: a clock that starts in 1970 drops nothing, and what it stamped is kept once it is right again', () => {
  const before = ['2026-11-01T00:00', '2026-11-20T10:00'];
  const wrong = times(...before, '1970-01-01T00:00:10', '1970-01-01T00:00:20');
  assert.equal(kept(plan(wrong, { within: '2d' }, 20_000)), '0 1 2 3');
  const right = times(...before, '1970-01-01T00:00:10', '1970-01-01T00:00:20', '2026-11-20T12:00');
  assert.equal(kept(plan(right, { within: '2d' })), '1 2 3 4');
});

test('daily: a wrong clock takes one day of the count, not the other days', () => {
  const snapshots = times(
    '2026-11-18T10:00',
    '2026-11-19T10:00',
    '2026-11-20T10:00',
    '1970-01-01T00:00:10',
    '1970-01-01T00:00:20',
  );
  assert.equal(kept(plan(snapshots, { daily: 4 }, 20_000)), '0 1 2 4');
});

test('a time that damage made no date is no obstacle', () => {
  for (const createdAt of [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    8.64e15,
    1e300,
    -1e300,
  ]) {
    const policy = { within: '1d', hourly: 2, daily: 2, weekly: 2 } as const;
    assert.match(kept(plan(made({}, { createdAt }, {}), policy)), /0 (1 )?2/);
    assert.match(kept(plan(made({}, {}, { createdAt }), policy)), /1 2$/);
  }
});

test('within: a newest whose time is no date counts as made now', () => {
  for (const createdAt of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.equal(
      kept(plan(made({ createdAt: NOON - 10 * DAY }, {}, { createdAt }), { within: '1d' })),
      '1 2',
    );
  }
});

/** With each snapshot adding the same to those kept before it. */
const fit = (planned: Plan, maxBytes: number, each = 100) =>
  fitToBytes(
    planned,
    maxBytes,
    planned.order.map(() => each),
  );

test('maxBytes: the oldest goes first, over all runs', () => {
  const snapshots = made({ run: 'a' }, { run: 'b' }, { run: 'a' }, { run: 'a' }, { run: 'b' }, { run: 'a' });
  const planned = plan(snapshots, { last: 3, maxBytes: 400 });
  assert.equal(kept(planned), '1 2 3 4 5', 'not applied yet');
  const fitted = fit(planned, 400);
  assert.equal(kept(fitted), '2 3 4 5');
  assert.deepEqual(reasons(fitted, '1'), ['over max-bytes 400 B; else kept: last 3']);
  assert.deepEqual(reasons(fitted, '0'), ['not kept by any rule']);
  assert.deepEqual(fitted.limit, { maxBytes: 400, bytes: 400, reached: true });
  assert.deepEqual([planned.order, planned.firm], [['5', '4', '3', '2', '1'], 2]);
  assert.deepEqual(fitted.order, ['5', '4', '3', '2']);
});

test('maxBytes alone keeps all that fits', () => {
  const planned = plan(many(10), { maxBytes: 350 });
  assert.equal(kept(planned), '0 1 2 3 4 5 6 7 8 9');
  assert.deepEqual(reasons(planned, '8'), ['kept while it fits']);
  assert.equal(kept(fit(planned, 350)), '7 8 9');
  assert.equal(kept(fit(planned, 5000)), kept(planned));
});

test('maxBytes drops neither what is tagged, nor the newest of a run, nor what is in use; it says what they take', () => {
  const snapshots = made({ tags: ['best'] }, { run: 'b' }, {}, { pinned: true }, {});
  const fitted = fit(plan(snapshots, { maxBytes: 250 }), 250);
  assert.equal(kept(fitted), '0 1 3 4');
  assert.deepEqual(fitted.limit, { maxBytes: 250, bytes: 400, reached: false });
});

test('maxBytes: an older one is not kept in place of a newer one that does not fit', () => {
  const planned = plan(many(4), { maxBytes: 250 });
  assert.equal(kept(fitToBytes(planned, 250, [100, 100, 100, 0])), '2 3');
});

test('marking may end where the limit is passed, and not before', () => {
  const planned = plan(many(4), { maxBytes: 250 });
  assert.equal(kept(fitToBytes(planned, 250, [100, 100, 100])), '2 3');
  assert.throws(() => fitToBytes(planned, 250, [100, 100]), /was not measured/);
  assert.throws(() => fitToBytes(planned, 250, [100, Number.NaN]), /was not measured/);
});

/** The time limit of the test tells if it is more than n log n. */
test('a hundred thousand snapshots are planned', { timeout: 60_000 }, () => {
  const snapshots = made(
    ...Array.from({ length: 100_000 }, (_, index) => ({
      run: `run-${index % 7}`,
      step: index,
      createdAt: NOON - (100_000 - index) * 60_000,
      tags: index % 100 === 0 ? [`epoch-${index}`] : [],
    })),
  );
  const policy = {
    last: 1000,
    every: 10,
    within: '7d',
    hourly: 500,
    daily: 30,
    weekly: 8,
    tags: ['*[05]0', 'x{1,2}'],
  };
  const planned = plan(snapshots, { ...policy, maxBytes: '1MB' });
  assert.equal(planned.verdicts.length, 100_000);
  assert.equal(fit(planned, 1_000_000, 500).limit.bytes, 1_000_000);
});
