/** A crash at any moment loses nothing that was acknowledged and leaves nothing half there. */

import { test } from 'node:test';
import { budget, replayable, seeds } from '../support/budget.js';
import { counts, crashPointsOf, pickCrash, survive } from '../support/crash-points.js';
import { DEEP, generateProgram, MANY, SMALL } from '../support/program.js';
import { Random } from '../support/random.js';

test('a crash at every operation of generated programs', async (t) => {
  for (const seed of seeds(200)) {
    await replayable(seed, 'a crash at every operation', async () => {
      const random = new Random(seed);
      const shape = seed % 20 === 0 ? DEEP : seed % 20 === 10 ? MANY : SMALL;
      const options = {
        shape,
        chunkBytes: shape === DEEP ? 16 : random.pick([32, 64, 128]),
        packBytes: random.pick([1500, 4000, 12_000]),
        stagingBytes: random.pick([500, 2000, 8000]),
        compression: random.chance(0.6) && { level: 1 },
      };
      const points = await crashPointsOf({ seed, ...options }, generateProgram(random, random.between(1, 5)));
      // A large state has a thousand writes; a share of them is as good.
      const share = Math.min(1, budget(40) / points.length);
      for (const point of points) {
        if (!random.chance(share)) continue;
        await survive(point, pickCrash(random), random.below(2 ** 32), random.chance(0.25) ? 1 : 0, options);
      }
    });
  }
  t.diagnostic(`${counts.crashes} crashes, ${counts.recoveries} recoveries`);
});
