/** Laws of planning, for any snapshots, clocks and policies. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Candidate, fitToBytes, type Plan, planRetention } from '../../src/store/retention.js';
import { type Policy, parsePolicy } from '../../src/store/retention-policy.js';
import { budget } from '../support/budget.js';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-20T12:00:00Z');
const TAGS = ['best', 'good-1', 'good-2', 'epoch-1', 'epoch-2', 'epoch-3', 'paper'];

/** Time between one snapshot and the next: mostly forward, some clocks jump; some times are no dates at all. */
const elapsed = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 30 * HOUR }) },
  { weight: 2, arbitrary: fc.integer({ min: -400 * 24 * HOUR, max: 400 * 24 * HOUR }) },
);
const damaged = fc.oneof(
  { weight: 30, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 1e300),
  },
);
const rarely = fc.nat(9).map((draw) => draw === 0);

/** `sane`: clocks that never go back. */
function snapshotsOf({ sane }: { sane: boolean }): fc.Arbitrary<Candidate[]> {
  const one = fc.record({
    run: fc.constantFrom('a', 'b', 'c'),
    step: fc.option(fc.integer({ min: -10, max: 100 }), { nil: undefined }),
    elapsed: sane ? fc.integer({ min: 0, max: 30 * HOUR }) : elapsed,
    damaged: sane ? fc.constant(undefined) : damaged,
    forgotten: rarely,
    pinned: rarely,
    tag: fc.option(fc.constantFrom(...TAGS), { nil: undefined, freq: 4 }),
  });
  return fc.array(one, { maxLength: 40 }).map((drawn) => {
    let time = NOW - drawn.reduce((sum, next) => sum + next.elapsed, 0);
    const free = new Set(TAGS);
    return drawn.map(({ elapsed, damaged, tag, ...rest }, index) => {
      time += elapsed;
      // A tag points at one snapshot only.
      const tags = tag !== undefined && free.delete(tag) ? [tag] : [];
      return { ...rest, id: `id-${(index * 7) % 41}`, sequence: 3 * index, createdAt: damaged ?? time, tags };
    });
  });
}

const anySnapshots = snapshotsOf({ sane: false });
const count = fc.option(fc.nat(8), { nil: undefined });
const globs = fc.uniqueArray(fc.constantFrom('good-*', 'best', 'epoch-[12]', '{paper,x}', 'none'), {
  minLength: 1,
  maxLength: 3,
});

/** A policy without a limit of bytes, and one that keeps at least the same. */
const narrowAndWide = fc
  .record({
    counts: fc.record({ last: count, hourly: count, daily: count, weekly: count }),
    more: fc.record({ last: fc.nat(5), hourly: fc.nat(5), daily: fc.nat(5), weekly: fc.nat(5) }),
    every: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    times: fc.integer({ min: 1, max: 4 }),
    within: fc.option(fc.integer({ min: 1, max: 200 * HOUR }), { nil: undefined }),
    longer: fc.nat(100 * HOUR),
    tags: fc.option(globs, { nil: undefined }),
    moreTags: globs,
  })
  .map(({ counts, more, every, times, within, longer, tags, moreTags }) => {
    const wider = Object.entries(more).map(([key, n]) => [
      key,
      (counts[key as keyof typeof counts] ?? 0) + n,
    ]);
    return {
      narrow: { ...counts, every: every && every * times, within, tags },
      wide: {
        ...Object.fromEntries(wider),
        every,
        within: within && within + longer,
        tags: tags && [...tags, ...moreTags],
      },
    };
  })
  .filter(({ narrow }) => isPolicy(narrow))
  .map(({ narrow, wide }) => ({ narrow: parsePolicy(narrow), wide: parsePolicy(wide) }));
const anyPolicy = narrowAndWide.map(({ narrow }) => narrow);

function isPolicy(input: object): boolean {
  try {
    parsePolicy(input);
    return true;
  } catch {
    return false;
  }
}

function plan(snapshots: Candidate[], policy: Policy | undefined): Plan {
  return planRetention(snapshots, policy, { now: NOW, force: true });
}

function kept({ verdicts }: Plan): Set<string> {
  return new Set(verdicts.filter(({ keep }) => keep).map(({ id }) => id));
}

/** Every member of `few` is one of `many`. */
function assertWithin(few: Set<string>, many: Set<string>): void {
  assert.deepEqual(
    [...few].filter((id) => !many.has(id)),
    [],
  );
}

function law(name: string, property: fc.IRawProperty<unknown>, runs = 400): void {
  test(name, () => fc.assert(property, { numRuns: budget(runs) }));
}

law(
  'every snapshot has one verdict with a reason, newest first, and order holds what is kept',
  fc.property(anySnapshots, fc.option(anyPolicy, { nil: undefined }), (snapshots, policy) => {
    const planned = plan(snapshots, policy);
    const newestFirst = snapshots.map(({ id }) => id).reverse();
    assert.deepEqual(
      planned.verdicts.map(({ id }) => id),
      newestFirst,
    );
    assert.ok(
      planned.verdicts.every(({ reasons }) => reasons.length > 0 && reasons.every((reason) => reason !== '')),
    );
    assert.deepEqual(new Set(planned.order), kept(planned));
    assert.equal(planned.order.length, kept(planned).size);
    const spare = planned.order.slice(planned.firm);
    assert.deepEqual(
      spare,
      newestFirst.filter((id) => spare.includes(id)),
    );
  }),
);

law(
  'the order in which snapshots are given does not matter',
  fc.property(
    anySnapshots.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
    ),
    anyPolicy,
    ([snapshots, shuffled], policy) => assert.deepEqual(plan(shuffled, policy), plan(snapshots, policy)),
  ),
);

law(
  'planning again what was kept keeps all of it',
  fc.property(anySnapshots, anyPolicy, (snapshots, policy) => {
    const first = kept(plan(snapshots, policy));
    assert.deepEqual(
      kept(
        plan(
          snapshots.filter(({ id }) => first.has(id)),
          policy,
        ),
      ),
      first,
    );
  }),
);

law(
  'a wider policy keeps what a narrower one keeps, and no policy keeps what any does',
  fc.property(anySnapshots, narrowAndWide, (snapshots, { narrow, wide }) => {
    const few = kept(plan(snapshots, narrow));
    const many = kept(plan(snapshots, wide));
    const most = kept(plan(snapshots, undefined));
    assertWithin(few, many);
    assertWithin(many, most);
  }),
);

law(
  'the newest of each run, tagged ones and what is in use are kept; what was forgotten is not',
  fc.property(anySnapshots, anyPolicy, (snapshots, policy) => {
    const planned = plan(snapshots, policy);
    const ids = kept(planned);
    const firm = new Set(planned.order.slice(0, planned.firm));
    for (const run of ['a', 'b', 'c']) {
      const newest = snapshots.findLast((snapshot) => snapshot.run === run && !snapshot.forgotten);
      if (newest) assert.ok(firm.has(newest.id));
    }
    for (const { id, tags, forgotten, pinned } of snapshots) {
      if (pinned) assert.ok(firm.has(id));
      else if (forgotten) assert.ok(!ids.has(id));
      else if (tags.length > 0 && !policy.tags) assert.ok(firm.has(id));
    }
  }),
);

/** Each rule said again as a condition on one snapshot, where clocks do not jump. */
function keptByCondition(snapshot: Candidate, run: readonly Candidate[], policy: Policy): boolean {
  const { createdAt, step } = snapshot;
  const newer = run.filter(({ sequence }) => sequence > snapshot.sequence);
  const newest = run.at(-1) as Candidate;
  const calendar = (wanted: number | undefined, spanOf: (time: number) => string) => {
    const spans = new Set(newer.map((other) => spanOf(other.createdAt)));
    return wanted !== undefined && spans.size < wanted && !spans.has(spanOf(createdAt));
  };
  return (
    newer.length < (policy.last ?? 0) ||
    (policy.every !== undefined && step !== undefined && step % policy.every === 0) ||
    (policy.within !== undefined && newest.createdAt - createdAt <= policy.within) ||
    calendar(policy.hourly, (time) => new Date(time).toISOString().slice(0, 13)) ||
    calendar(policy.daily, (time) => new Date(time).toISOString().slice(0, 10)) ||
    calendar(policy.weekly, mondayOf) ||
    snapshot === newest
  );
}

function mondayOf(time: number): string {
  const day = new Date(time);
  while (day.getUTCDay() !== 1) day.setUTCDate(day.getUTCDate() - 1);
  return day.toISOString().slice(0, 10);
}

law(
  'with clocks that do not jump each rule keeps exactly what it says',
  fc.property(snapshotsOf({ sane: true }), anyPolicy, (snapshots, policy) => {
    const plain = snapshots
      .filter(({ forgotten }) => !forgotten)
      .map((snapshot) => ({ ...snapshot, tags: [], pinned: false }));
    const expected = plain.filter((snapshot) => {
      const run = plain.filter((other) => other.run === snapshot.run);
      return keptByCondition(snapshot, run, policy);
    });
    assert.deepEqual(kept(plan(plain, policy)), new Set(expected.map(({ id }) => id)));
  }),
);

/** Chunks that each snapshot holds, shared with its neighbours; a chunk takes as many bytes as its number says. */
interface Sized {
  snapshots: Candidate[];
  chunks: Map<string, Set<number>>;
}

const sized: fc.Arbitrary<Sized> = anySnapshots.chain((snapshots) =>
  fc
    .array(fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 8 }), {
      minLength: snapshots.length,
      maxLength: snapshots.length,
    })
    .map((held) => ({
      snapshots,
      chunks: new Map(snapshots.map(({ id }, index) => [id, new Set(held[index])])),
    })),
);

/** What gc does: marks in the order of the plan and counts what is new. */
function mark({ chunks }: Sized, order: readonly string[]): number[] {
  const marked = new Set<number>();
  return order.map((id) => {
    const fresh = [...(chunks.get(id) as Set<number>)].filter((chunk) => !marked.has(chunk));
    for (const chunk of fresh) marked.add(chunk);
    return fresh.reduce((sum, chunk) => sum + chunk, 0);
  });
}

function fit(store: Sized, snapshots: Candidate[], policy: Policy, maxBytes: number) {
  const planned = plan(snapshots, policy);
  return fitToBytes(planned, maxBytes, mark(store, planned.order));
}

const limitOnly = parsePolicy({ maxBytes: 1 });
const policyToFit = fc.oneof(fc.constant(limitOnly), anyPolicy);

law(
  'maxBytes is respected, or what alone is larger is what no limit can drop; and no more is dropped than must be',
  fc.property(sized, policyToFit, fc.integer({ min: 1, max: 1200 }), (store, policy, maxBytes) => {
    const before = plan(store.snapshots, policy);
    const after = fit(store, store.snapshots, policy, maxBytes);
    const { limit } = after;
    const sum = (ids: readonly string[]) => mark(store, ids).reduce((total, bytes) => total + bytes, 0);
    assert.equal(limit.bytes, sum([...kept(after)]));
    assert.equal(limit.reached, limit.bytes <= maxBytes);
    assert.deepEqual(after.order.slice(0, before.firm), before.order.slice(0, before.firm));
    if (!limit.reached) assert.equal(after.order.length, before.firm);
    const next = before.order[after.order.length];
    if (next !== undefined) assert.ok(sum([...after.order, next]) > maxBytes);
    assert.deepEqual(new Set(after.order), kept(after));
    assert.ok(after.verdicts.every(({ reasons }) => reasons.length > 0));
  }),
);

law(
  'a larger maxBytes keeps what a smaller one keeps, and planning again changes nothing',
  fc.property(sized, policyToFit, fc.nat(1200), fc.nat(300), (store, policy, maxBytes, more) => {
    const small = kept(fit(store, store.snapshots, policy, maxBytes));
    const large = kept(fit(store, store.snapshots, policy, maxBytes + more));
    assertWithin(small, large);
    const left = store.snapshots.filter(({ id }) => small.has(id));
    assert.deepEqual(kept(fit(store, left, policy, maxBytes)), small);
  }),
);
