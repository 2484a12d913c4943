/** How much of a test to run, and which seeds: small by default, more with HOLDFAST_SOAK=10, one with HOLDFAST_SEED=n. */

const soak = Number(process.env.HOLDFAST_SOAK ?? '1');
/** For `skip` of tests that take long and whose subject changes seldom: they run by default, and not with a smaller budget. */
export const skippedInBrief = soak < 1 && 'left out where HOLDFAST_SOAK is below 1';
/** For `skip` of tests that run only where a soak was asked for. */
export const skippedUnlessSoaking =
  Number(process.env.HOLDFAST_SOAK ?? 0) < 1 && 'only with HOLDFAST_SOAK=1 or more';

const onlySeed = process.env.HOLDFAST_SEED;

/** `count` times the soak factor, at least 1. */
export function budget(count: number): number {
  return Math.max(1, Math.round(count * soak));
}

/** The seeds of a test that runs `count` times by default. */
export function seeds(count: number): number[] {
  if (onlySeed !== undefined) return [Number(onlySeed)];
  return Array.from({ length: budget(count) }, (_, index) => index + 1);
}

/** Runs `body`; what it throws then says how to run just this again. */
export async function replayable(
  seed: number,
  what: string,
  body: () => Promise<void> | void,
): Promise<void> {
  try {
    await body();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${what}: ${reason} (replay with HOLDFAST_SEED=${seed})`, { cause: error });
  }
}
