/** Which snapshots count as what a run made after one of its snapshots. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { historyOf, type Line, lineAfter, type StepInfo } from '../../../src/api/prove/line.js';
import type { SnapshotInfo } from '../../../src/index.js';

type Spec = Partial<Pick<SnapshotInfo, 'parent' | 'step' | 'run' | 'forgotten'>>;

function info(id: string, { parent, step, run = 'main', forgotten = false }: Spec): SnapshotInfo {
  return {
    ...{ id, run, parent, step, forgotten, tags: [], meta: undefined },
    ...{ createdAt: new Date(0), logicalBytes: 0, changedBytes: 0, storedBytes: 0, stallMs: 0, durableMs: 0 },
    program: { name: '', version: '', node: '' },
  };
}

/** `specs`: the oldest first. */
function after(from: string, specs: Record<string, Spec>): Line {
  const all = Object.entries(specs).map(([id, spec]) => info(id, spec));
  return lineAfter(all.find(({ id }) => id === from) as StepInfo, all.reverse());
}

const idsOf = ({ snapshots, presumed }: Line) =>
  snapshots.map(({ id }) => (presumed.has(id) ? `${id}?` : id)).join(' ');

test('all that came after it, by their parents', () => {
  const specs = {
    a: { step: 1 },
    b: { step: 2, parent: 'a' },
    c: { step: 3, parent: 'b' },
    d: { step: 4, parent: 'c' },
  };
  assert.equal(idsOf(after('a', specs)), 'b c d');
  assert.equal(idsOf(after('c', specs)), 'd');
  assert.equal(idsOf(after('d', specs)), '');
});

test('of several branches the one that leads to the newest snapshot', () => {
  const specs = {
    a: { step: 1 },
    b: { step: 2, parent: 'a' },
    c: { step: 3, parent: 'b' },
    x: { step: 2, parent: 'a' },
    y: { step: 3, parent: 'x' },
  };
  assert.equal(idsOf(after('a', specs)), 'x y');
  assert.equal(idsOf(after('b', specs)), 'c');
});

test('what begins anew, or elsewhere, or is of another run, is none of it', () => {
  const specs = {
    r: { step: 0 },
    a: { step: 1, parent: 'r' },
    b: { step: 2, parent: 'a' },
    other: { step: 3, parent: 'b', run: 'fine' },
    anew: { step: 5 },
    beside: { step: 6, parent: 'r' },
  };
  assert.equal(idsOf(after('a', specs)), 'b');
  assert.equal(idsOf(after('beside', specs)), '');
});

test('forgotten snapshots are passed over and still connect; without a step, or going back, they do not count', () => {
  const specs = {
    a: { step: 1 },
    b: { step: 2, parent: 'a', forgotten: true },
    c: { parent: 'b' },
    again: { step: 1, parent: 'c' },
    d: { step: 3, parent: 'again' },
    twice: { step: 3, parent: 'd' },
    e: { step: 4, parent: 'twice', forgotten: true },
  };
  assert.equal(idsOf(after('a', specs)), 'd');
});

test('where those between are gone, later ones are presumed to be of the line, and told so', () => {
  const specs = {
    r: { step: 0 },
    a: { step: 1, parent: 'r' },
    b: { step: 2, parent: 'a' },
    d: { step: 4, parent: 'gone' },
    e: { step: 5, parent: 'd' },
  };
  assert.equal(idsOf(after('a', specs)), 'b d? e?');
  assert.equal(idsOf(after('a', { ...specs, f: { step: 6, parent: 'r' } })), 'b d? e?');
  assert.equal(
    idsOf(after('b', { ...specs, f: { step: 2, parent: 'lost' } })),
    '',
    'the newest is no later step',
  );
});

test('of very many snapshots those after it are looked at, and more only where a parent is not among them', async () => {
  const made: SnapshotInfo[] = [];
  for (let n = 0; n < 50; n++) made.push(info(`s${n}`, { step: n, parent: n > 0 ? `s${n - 1}` : 'gone' }));
  const lookedAt = async (all: readonly SnapshotInfo[]) => {
    const listing = (async function* () {
      yield* [...all].reverse();
    })();
    return (await historyOf(made[40] as StepInfo, listing)).length;
  };
  assert.equal(await lookedAt(made), 10);
  assert.equal(await lookedAt([...made, info('branch', { step: 9, parent: 's20' })]), 31);
  assert.equal(await lookedAt([...made, info('lost', { step: 9, parent: 'nobody' })]), 51);
});

test('a lineage that bites its own tail ends', () => {
  const specs = { a: { step: 1 }, b: { step: 2, parent: 'c' }, c: { step: 3, parent: 'b' } };
  assert.equal(idsOf(after('a', specs)), '');
});

test('in any history, whatever is not presumed was computed from it, and steps ascend', () => {
  const history = fc.array(
    fc.record({ back: fc.nat(5), steps: fc.integer({ min: -1, max: 3 }), gone: fc.boolean() }),
    {
      minLength: 2,
      maxLength: 30,
    },
  );
  fc.assert(
    fc.property(history, fc.nat(29), (moves, pick) => {
      const all: SnapshotInfo[] = [];
      for (const [index, { back, steps }] of moves.entries()) {
        const parent = all[index - 1 - back];
        all.push(info(`s${index}`, { parent: parent?.id, step: (parent?.step ?? 0) + steps }));
      }
      const kept = all.filter((_, index) => !moves[index]?.gone);
      const from = kept[pick % Math.max(1, kept.length)];
      if (!from) return;
      const { snapshots, presumed } = lineAfter(from as StepInfo, [...kept].reverse());
      const ancestors = (one: SnapshotInfo | undefined): string[] =>
        one ? [one.id, ...ancestors(all.find(({ id }) => id === one.parent))] : [];
      let step = from.step as number;
      for (const one of snapshots) {
        assert.ok(one.step > step);
        step = one.step;
        const isOfLine = ancestors(one).includes(from.id);
        assert.ok(isOfLine || presumed.has(one.id), one.id);
      }
      // Nothing is gone: nothing is presumed, and the newest that was computed from it is reached.
      if (kept.length < all.length) return;
      assert.equal(presumed.size, 0);
      const newest = all.findLast((one) => one !== from && ancestors(one).includes(from.id));
      const last = snapshots.at(-1);
      if (last) assert.ok(ancestors(newest).includes(last.id));
    }),
    { numRuns: 500 },
  );
});
