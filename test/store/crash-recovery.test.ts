/** Recovery is cut short too: at every operation of it, and of the first save after it, again and again. */

import { test } from 'node:test';
import { budget, replayable, seeds } from '../support/budget.js';
import { type CrashPoint, crashPointsOf, pickCrash, survive } from '../support/crash-points.js';
import { generateProgram } from '../support/program.js';
import { Random } from '../support/random.js';
import { type DiskImage, diskAfter } from '../support/simulated-disk.js';

const DEEPEST = 3;

test('a crash at every operation of a recovery from a crash', async (t) => {
  let recoveries = 0;
  for (const seed of seeds(40)) {
    await replayable(seed, 'a crash in recovery', async () => {
      const random = new Random(seed);
      const options = {
        chunkBytes: 64,
        packBytes: random.pick([1000, 3000]),
        stagingBytes: random.pick([96, 400, 2000]),
        compression: false,
      } as const;
      const program = generateProgram(random, random.between(1, 5));
      let points = await crashPointsOf({ seed, ...options }, program);
      for (let depth = 1; depth <= DEEPEST; depth++) {
        const chosen = random.pick(points);
        points = await recoveryPoints(chosen, random, options);
        for (const point of points) {
          if (!random.chance(budget(12) / points.length)) continue;
          await survive(point, pickCrash(random), random.below(2 ** 32), 0, options);
          recoveries++;
        }
      }
    });
  }
  t.diagnostic(`${recoveries} recoveries from recoveries`);
});

/** The places at which the recovery from a crash, and the save after it, can be cut short. */
function recoveryPoints(
  { image, model }: CrashPoint,
  random: Random,
  options: { packBytes: number; stagingBytes: number },
): Promise<CrashPoint[]> {
  const found: DiskImage = diskAfter(image, pickCrash(random), random.below(2 ** 32));
  const seed = random.below(2 ** 32);
  return crashPointsOf({ ...options, seed, image: found, model }, [{ do: 'save', run: 'alpha', edit: seed }]);
}
