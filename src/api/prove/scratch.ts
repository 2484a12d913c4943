/**
 * A folder for temporary files in which something is tried: a store, and what the process that works on it says.
 *
 * Invariant: it is removed with this process at the latest, unless that is killed at once.
 */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SnapError } from '../../base/errors.js';
import { canonicalPath } from '../../io/machine.js';
import { realIo } from '../../io/real.js';
import type { CopyProgress } from '../../store/copy.js';
import type { GcProgress } from '../../store/gc.js';
import { copyStore } from '../copy.js';

export class Scratch {
  readonly folder: string;
  readonly store: string;
  readonly word: string;

  constructor() {
    const name = `holdfast-prove-${realIo.random(8).toString('hex')}`;
    this.folder = join(canonicalPath(tmpdir()), name);
    this.store = join(this.folder, 'store');
    this.word = join(this.folder, 'word.json');
    realIo.makeFolder(this.folder);
    process.on('exit', this.remove);
  }

  /**
   * Copies snapshots of a store into this one.
   *
   * @throws SnapError SNAP_CORRUPT where one cannot be read, SNAP_NOT_FOUND where it is gone
   */
  async bring(
    from: string,
    ids: readonly string[],
    signal: AbortSignal | undefined,
    onProgress?: (progress: CopyProgress | GcProgress) => void,
  ): Promise<void> {
    const { skipped } = await copyStore(from, this.store, { snapshots: ids, signal, onProgress });
    const [lost] = skipped;
    if (!lost) return;
    const code = lost.reason === 'damaged' ? 'SNAP_CORRUPT' : 'SNAP_NOT_FOUND';
    throw new SnapError(code, lost.message, { snapshot: lost.id });
  }

  readonly remove = (): void => {
    process.off('exit', this.remove);
    realIo.removeFolder(this.folder);
  };
}
