/** Every short program there is, cut short at every place in its last action. */

import { test } from 'node:test';
import { budget, replayable } from '../support/budget.js';
import { crashPointsOf, pickCrash, survive } from '../support/crash-points.js';
import type { Action } from '../support/program.js';
import { Random } from '../support/random.js';

const STEPS: readonly ((index: number) => Action)[] = [
  (index) => ({ do: 'save', run: index % 2 === 0 ? 'alpha' : 'beta', edit: 7 * index }),
  (index) => ({ do: 'tag', name: 'best', pick: 1 - 1 / (index + 1) }),
  () => ({ do: 'forget', pick: 0 }),
  () => ({ do: 'gc' }),
  () => ({ do: 'reopen' }),
  () => ({ do: 'restore', pick: 0.5 }),
];

const LONGEST = 4;
const OPTIONS = { chunkBytes: 64, packBytes: 1100, stagingBytes: 800, compression: false } as const;

/** All sequences of up to `length` steps. */
function* sequences(length: number): Generator<Action[]> {
  yield [];
  if (length === 0) return;
  for (const rest of sequences(length - 1)) {
    // Shorter ones come with the shorter lengths.
    if (rest.length < length - 1) continue;
    for (const step of STEPS) yield [...rest, step(rest.length)];
  }
}

for (let length = 0; length <= LONGEST; length++) {
  test(`all programs of ${length} actions, cut short at every operation of the last`, async (t) => {
    let programs = 0;
    let crashes = 0;
    for (const actions of sequences(length)) {
      if (actions.length < length) continue;
      programs++;
      const points = await crashPointsOf({ seed: programs, ...OPTIONS }, actions);
      const last = points.filter(
        ({ where }) => where === 'the end' || where.startsWith(`action ${length - 1} `),
      );
      for (const [index, point] of (length === 0 ? points : last).entries()) {
        const seed = programs * 100 + index;
        for (let times = 0; times < budget(1); times++) {
          const random = new Random(seed + times * 1_000_000);
          const crash = random.chance(0.4) ? 'nothing' : pickCrash(random);
          await replayable(seed, actions.map((action) => action.do).join(', '), () =>
            survive(point, crash, random.below(2 ** 32), 0, OPTIONS),
          );
          crashes++;
        }
      }
    }
    t.diagnostic(`${programs} programs, ${crashes} crashes`);
  });
}
