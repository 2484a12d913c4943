/** Percentiles that keep every sample: a stall that happened once in a hundred saves must stay visible. */

/** The smallest sample that at least `share` of all samples do not exceed; NaN where there is none. */
export function percentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) return Number.NaN;
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] as number;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

export function sum(samples: Iterable<number>): number {
  let total = 0;
  for (const sample of samples) total += sample;
  return total;
}

export function mean(samples: readonly number[]): number {
  return sum(samples) / samples.length;
}

/** The median of one figure of every sample. */
export function medianOf<T>(samples: readonly T[], pick: (sample: T) => number): number {
  return median(samples.map(pick));
}

/** The mean of one figure of every sample. */
export function meanOf<T>(samples: readonly T[], pick: (sample: T) => number): number {
  return mean(samples.map(pick));
}

export interface Summary {
  samples: number;
  p50: number;
  p99: number;
  max: number;
}

export function summarize(samples: readonly number[]): Summary {
  return {
    samples: samples.length,
    p50: median(samples),
    p99: percentile(samples, 0.99),
    max: percentile(samples, 1),
  };
}

/** Numbers in [0, 1) that one seed repeats (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
