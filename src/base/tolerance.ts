/** When two numbers count as the same although their bits differ. */

/** The rule for people: docs and messages quote it. */
export const TOLERANCE_RULE = '|a - b| <= tolerance x max(1, |a|, |b|)';

/** Relative for large numbers, absolute for small ones. Two NaNs are the same; an infinity is so only to itself. */
export function isWithin(a: unknown, b: unknown, tolerance: number): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return false;
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const distance = Math.abs(a - b);
  return distance < Number.POSITIVE_INFINITY && distance <= tolerance * Math.max(1, Math.abs(a), Math.abs(b));
}

/** Throws for what is no tolerance. */
export function checkTolerance(tolerance: unknown): number {
  if (typeof tolerance === 'number' && tolerance >= 0 && tolerance < 1) return tolerance;
  throw new RangeError(`tolerance is ${String(tolerance)}; it takes a number from 0 to below 1, as in 1e-12`);
}
