import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Runs } from '../../src/store/runs.js';
import { budget } from '../support/budget.js';

/** Ranges of these indexes, those with fewer than `gap` others between them as one. */
function joined(indexes: readonly number[], gap: number): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  for (const index of indexes) {
    const last = ranges.at(-1);
    if (last && index - last.end < gap) last.end = index + 1;
    else ranges.push({ start: index, end: index + 1 });
  }
  return ranges;
}

test('as many ranges as allowed, by the smallest power of two as gap, in whatever order the gaps come', () => {
  let coarse = 0;
  const indexes = fc.uniqueArray(fc.nat(2000), { maxLength: 300 }).map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(indexes, fc.integer({ min: 1, max: 12 }), (list, limit) => {
      const runs = new Runs(limit);
      for (const index of list) runs.add(index);
      let gap = 1;
      while (joined(list, gap).length > limit) gap *= 2;
      if (gap > 2) coarse++;
      assert.deepEqual([runs.gap, runs.ranges], [gap, joined(list, gap)]);
      assert.equal(runs.count, joined(list, 1).length);
    }),
    { numRuns: budget(500) },
  );
  assert.ok(coarse > 0);
});
