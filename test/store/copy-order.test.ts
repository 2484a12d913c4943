import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SnapshotId } from '../../src/base/ids.js';
import { type Ordered, Places } from '../../src/store/copy-order.js';
import { budget } from '../support/budget.js';

const NUM_RUNS = budget(300);

/** A store as far as the order of its snapshots goes. */
class Target {
  readonly sequences = new Map<string, number>();
  next = 1;
  #own = 0;

  /** As a save does: it takes some numbers for its chunks, then one for its manifest. */
  save(records: number): void {
    this.#put(`own ${this.#own++}`, this.next + records);
  }

  copy(source: readonly Ordered[], wanted: ReadonlySet<string>): void {
    const taken = new Set(this.sequences.values());
    const places = new Places(source, {
      sequenceOf: (id) => this.sequences.get(id),
      isTaken: (sequence) => taken.has(sequence),
      next: () => this.next,
    });
    for (const { id } of source.toReversed()) {
      if (wanted.has(id) && !this.sequences.has(id)) this.#put(id, places.placeOf(id));
    }
  }

  #put(id: string, sequence: number): void {
    assert.ok(Number.isSafeInteger(sequence) && sequence > 0, `a sequence of ${sequence}`);
    assert.ok(![...this.sequences.values()].includes(sequence), 'a sequence that is taken');
    this.sequences.set(id, sequence);
    this.next = Math.max(this.next, sequence + 1) + 1;
  }

  /** The oldest first. */
  get order(): string[] {
    return [...this.sequences].sort(([, a], [, b]) => a - b).map(([id]) => id);
  }
}

function sourceOf(gaps: readonly number[], name = 's'): Ordered[] {
  let sequence = 0;
  return gaps.map((gap, index) => {
    sequence += gap;
    return { id: `${name}${index}` as SnapshotId, sequence };
  });
}

const gaps = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 30 })), {
  minLength: 1,
  maxLength: 12,
});
/** Copies of some of what the source had by then, and saves of the target's own. */
const history = fc.array(
  fc.oneof(
    fc.record({ upTo: fc.nat(12), wanted: fc.array(fc.nat(11), { maxLength: 12 }) }),
    fc.record({ records: fc.nat(5) }),
  ),
  { maxLength: 12 },
);

test('law: whatever was copied when, the snapshots of the source are in its order, each in a place of its own', () => {
  fc.assert(
    fc.property(gaps, history, (gaps, history) => {
      const source = sourceOf(gaps);
      const target = new Target();
      let saved = 0;
      for (const event of [...history, { upTo: 12, wanted: source.map((_, index) => index) }]) {
        if ('records' in event) {
          target.save(event.records);
          continue;
        }
        saved = Math.max(saved, event.upTo);
        target.copy(source.slice(0, saved), new Set(event.wanted.map((index) => source[index]?.id ?? '')));
      }
      assert.deepEqual(
        target.order.filter((id) => id.startsWith('s')),
        source.map(({ id }) => id),
      );
    }),
    { numRuns: NUM_RUNS },
  );
});

test('law: what is newer than all that was copied before comes after everything there is', () => {
  fc.assert(
    fc.property(gaps, history, (gaps, history) => {
      const source = sourceOf([...gaps, 1]);
      const newest = source.at(-1)?.id as string;
      const target = new Target();
      for (const event of history) {
        if ('records' in event) target.save(event.records);
        else target.copy(source.slice(0, -1), new Set(event.wanted.map((index) => source[index]?.id ?? '')));
      }
      target.copy(source, new Set([newest]));
      assert.equal(target.order.at(-1), newest);
    }),
    { numRuns: NUM_RUNS },
  );
});

test('law: sequences that are forged, and orders that contradict each other, take no place twice', () => {
  const forged = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 2 ** 52 })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(forged, fc.array(fc.nat(7), { maxLength: 8 }), gaps, (forged, order, gaps) => {
      const sequences = [...new Set(forged)].sort((a, b) => a - b);
      const source = sequences.map(
        (sequence, index): Ordered => ({ id: `s${index}` as SnapshotId, sequence }),
      );
      const shuffled = [...new Set(order)].flatMap((index) => source[index] ?? []);
      const contrary = shuffled.map(({ id }, index): Ordered => ({ id, sequence: index + 1 }));
      const target = new Target();
      target.copy(sourceOf(gaps, 't'), new Set(sourceOf(gaps, 't').map(({ id }) => id)));
      target.copy(contrary, new Set(contrary.slice(1).map(({ id }) => id)));
      target.copy(source, new Set(source.map(({ id }) => id)));
      assert.equal(target.sequences.size, source.length + gaps.length);
      assert.ok(target.next < 2 ** 40, 'a forged sequence must not use up those of the target');
    }),
    { numRuns: NUM_RUNS },
  );
});

test('distances are kept, so that there is room for what comes later', () => {
  const source = sourceOf([10, 10, 10, 10]);
  const target = new Target();
  target.copy(source, new Set(['s3']));
  target.copy(source, new Set(['s0']));
  target.copy(source, new Set(['s1', 's2']));
  const [first = 0, ...rest] = source.map(({ id }) => target.sequences.get(id) ?? 0);
  assert.deepEqual(
    rest.map((sequence) => sequence - first),
    [10, 20, 30],
  );
});
