/**
 * The best time between two saves where failures come at random.
 *
 * Saving often costs time, saving rarely costs what has to be computed again. Young (1974) found sqrt(2 * C * M) for a
 * save that costs C and a mean time M between failures; Daly (2006, "A higher order estimate of the optimum checkpoint
 * interval for restart dumps", eq. 37) went on to where C is no longer small beside M. C is what the computation loses
 * by a save, not how long the save takes until it is durable beside it.
 */

/** Milliseconds of computing between two saves. */
export function bestIntervalMs(costMs: number, mtbfMs: number): number {
  if (costMs >= 2 * mtbfMs) return mtbfMs;
  const ratio = costMs / (2 * mtbfMs);
  return Math.sqrt(2 * costMs * mtbfMs) * (1 + Math.sqrt(ratio) / 3 + ratio / 9) - costMs;
}
