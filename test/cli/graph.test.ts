import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { graphOf } from '../../src/cli/graph.js';
import { Snap } from '../../src/index.js';
import { scratch, snap } from './support.js';

const draw = (...nodes: [id: string, parent?: string][]) =>
  graphOf(nodes.map(([id, parent]) => ({ id, parent })))?.map((row) => row.trimEnd());

test('one line of descent needs no drawing', () => {
  assert.equal(draw(['c', 'b'], ['b', 'a'], ['a']), undefined);
  assert.equal(draw(['c', 'gone'], ['b', 'gone too'], ['a']), undefined);
  assert.equal(draw(), undefined);
});

test('a branch ends where it began', () => {
  assert.deepEqual(draw(['d', 'b'], ['c', 'b'], ['b', 'a'], ['a']), ['●', '│ ●', '●─╯', '●']);
});

test('two runs side by side, and a branch across a third', () => {
  assert.deepEqual(draw(['d', 'a'], ['c', 'b'], ['b'], ['a']), ['●', '│ ●', '│ ●', '●']);
  assert.deepEqual(draw(['f', 'a'], ['e', 'b'], ['d', 'a'], ['b'], ['a']), [
    '●',
    '│ ●',
    '│ │ ●',
    '│ ● │',
    '●───╯',
  ]);
});

test('every snapshot stands in its row once, whatever the descent', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 40 }), (parents) => {
      // Newest first: a parent comes later in the list, or not at all.
      const nodes = parents.map((skip, index) => ({ id: `${index}`, parent: `${index + 1 + skip}` }));
      const rows = graphOf(nodes);
      if (!rows) return;
      assert.equal(rows.length, nodes.length);
      for (const row of rows) assert.equal([...row].filter((sign) => sign === '●').length, 1);
      assert.equal(new Set(rows.map((row) => row.length)).size, 1);
    }),
  );
});

test('ls draws where a run goes on from an older snapshot', async (t) => {
  const directory = join(scratch(t), 'store');
  const state = { value: 0 };
  await using store = await Snap.open(directory);
  for (state.value = 0; state.value < 3; state.value++)
    await store.save(state, { step: state.value, durable: true });
  await store.restore({ step: 0 });
  await store.save(state, { step: 10, durable: true });
  await store.close();
  const lines = snap(['--store', directory, 'ls']).stdout.trimEnd().split('\n').slice(1);
  assert.deepEqual(
    lines.map((line) => line.slice(0, 3)),
    ['●  ', '│ ●', '│ ●', '●─╯'],
  );
});
