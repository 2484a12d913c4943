/** Exit statuses: a documented contract. The one place that knows which error ends in which. */

import { SnapError, type SnapErrorCode } from '../base/errors.js';
import { NoStoreError, UsageError } from './errors.js';

export const ExitStatus = {
  done: 0,
  failed: 1,
  usage: 2,
  partly: 3,
  undecided: 4,
  noStore: 10,
  locked: 11,
  damage: 12,
  newer: 13,
  interrupted: 130,
} as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** What `--help` says of each. */
export const STATUS_MEANING: Record<ExitStatus, string> = {
  0: 'done',
  1: 'failed',
  2: 'wrong usage; nothing was done',
  3: 'partly done: some of what was named could not be, or the time was up',
  4: 'undecided: it did not get as far as to be compared',
  10: 'no store',
  11: 'locked: the process that owns the store does not answer',
  12: 'damage was found; what could be done was done',
  13: 'the store has a newer format',
  130: 'interrupted',
};

const OF_CODE: Partial<Record<SnapErrorCode, ExitStatus>> = {
  SNAP_LOCKED: ExitStatus.locked,
  SNAP_CORRUPT: ExitStatus.damage,
  SNAP_FORMAT: ExitStatus.newer,
};

export function exitStatusOf(error: unknown): ExitStatus {
  if (error instanceof UsageError) return ExitStatus.usage;
  if (error instanceof NoStoreError) return ExitStatus.noStore;
  if (error instanceof SnapError) return OF_CODE[error.code] ?? ExitStatus.failed;
  if (error instanceof Error && error.name === 'AbortError') return ExitStatus.interrupted;
  return ExitStatus.failed;
}
