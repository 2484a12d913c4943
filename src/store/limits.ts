/** What a record claims is believed only as far as this machine can hold it. */

import { SnapError } from '../base/errors.js';
import { MiB } from '../base/sizes.js';
import { availableMemory } from '../io/machine.js';

/** Asking the system what is available takes a tenth of a millisecond: not worth it for less than this. */
const SMALL_BYTES = 16 * MiB;

/** A length that a record claims is believed only as far as memory goes. */
export function checkFits(byteLength: number): void {
  if (byteLength <= SMALL_BYTES || byteLength <= availableMemory()) return;
  throw new SnapError(
    'SNAP_TOO_LARGE',
    `${byteLength} bytes do not fit the memory that is available here; restore a part with { only } or on a larger machine`,
  );
}
