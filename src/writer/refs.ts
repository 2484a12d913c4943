/** How a caller names a snapshot. */

export type SnapshotRef = string | { step: number } | { before: Date };

/** Throws a TypeError for what cannot name a snapshot. */
export function checkRef(ref: unknown): asserts ref is SnapshotRef {
  if (typeof ref === 'string' && ref !== '') return;
  if (typeof ref === 'object' && ref !== null) {
    if ('step' in ref && Number.isSafeInteger(ref.step)) return;
    if ('before' in ref && ref.before instanceof Date && !Number.isNaN(ref.before.getTime())) return;
  }
  throw new TypeError('a snapshot is named by "latest", a tag, an id, { step: number } or { before: Date }');
}
