/** How much of a test to run, and which seeds: small by default, more with HOLDFAST_SOAK=10, one with HOLDFAST_SEED=n. */

const soak = Number(process.env.HOLDFAST_SOAK ?? '1');
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
