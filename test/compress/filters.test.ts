/** Filters: what was filtered comes back, from the kernels and from JavaScript alike, at every length and alignment. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { Filters, makeKernels } from '../../src/compress/filters.js';
import { NUMBER_FILTERS } from '../../src/format/number-filters.js';
import { budget } from '../support/budget.js';
import { Random } from '../support/random.js';

const plain = new Filters(undefined);
const kernels = makeKernels();
const fast = kernels && new Filters(kernels);
const ways = fast ? [plain, fast] : [plain];

test('there are kernels, and where there is no WebAssembly there are none', () => {
  assert.ok(fast, 'every machine that Node runs on has vectors');
  const url = new URL('../../src/compress/filters.js', import.meta.url);
  const script = `const { makeKernels } = await import('${url}'); process.exit(makeKernels() ? 1 : 0)`;
  const { status } = spawnSync(process.execPath, ['--jitless', '--input-type=module', '-e', script]);
  assert.equal(status, 0);
});

/** Bytes at any place of a larger buffer, so that nothing is aligned. */
const bytes = (length: number, seed: number): Buffer => {
  const offset = seed % 16;
  return new Random(seed).bytes(length + offset).subarray(offset);
};

const inputs = fc.record({
  length: fc.oneof(fc.nat(300), fc.nat(5000)),
  seed: fc.nat(1000),
  /** How many bytes of the base differ: all, or some. */
  differing: fc.option(fc.nat(8), { nil: undefined }),
});

function baseOf(raw: Buffer, seed: number, differing: number | undefined): Buffer {
  if (differing === undefined) return bytes(raw.length, seed + 1);
  const base = Buffer.from(raw);
  const random = new Random(seed);
  for (let i = 0; i < differing && base.length > 0; i++) base[random.below(base.length)] = random.below(256);
  return base;
}

for (const filter of NUMBER_FILTERS) {
  test(`whoever filtered, and whoever takes it back: ${filter.kind} of ${filter.width} bytes`, () => {
    fc.assert(
      fc.property(inputs, ({ length, seed, differing }) => {
        const raw = bytes(length, seed);
        const base = filter.kind === 'difference' ? baseOf(raw, seed, differing) : undefined;
        const before = Buffer.from(raw);
        const [filtered, ...others] = ways.map((way) => Buffer.from(way.filter(filter, raw, base)));
        for (const other of others) assert.ok(filtered?.equals(other), 'JavaScript does something else');
        for (const way of ways) {
          const target = bytes(length, seed + 2);
          filtered?.copy(way.planes(length));
          way.unfilter(filter, target, base);
          assert.ok(target.equals(before));
        }
        assert.ok(raw.equals(before), 'what is filtered stays as it is');
      }),
      { numRuns: budget(100) },
    );
  });
}
