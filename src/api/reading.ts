/** From a reference to a state: what it consists of, the bytes of its regions, and the graph around them. */

import { throwIfAborted } from '../base/abort.js';
import { SnapError } from '../base/errors.js';
import { type ClassRegistry, Restoration } from '../state/index.js';
import type { Damage } from '../store/scan.js';
import type { SnapshotInfo } from '../writer/protocol.js';
import type { SnapshotRef } from '../writer/refs.js';
import type { OpenedSnapshot } from '../writer/restore-requests.js';
import { type ReadingHost, RegionReading } from './region-reading.js';

/** Options of `restore` and `resume`. */
export interface RestoreOptions {
  /**
   * A live state of the same shape, rewritten in place; of more than a megabyte only chunks that differ are read. Also how
   * a WebAssembly.Memory comes back. It has to be left alone until the restore is over. Where that fails, nothing of it was
   * rewritten, though a memory may have grown.
   */
  into?: unknown;
  /** Only these regions or subtrees, as in `['solver.grids[0].u']`. */
  only?: readonly string[] | undefined;
  /** The run that `latest`, `{ step }` and `{ before }` mean. Default: that of this Snap. */
  run?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Told after each piece, of a megabyte or so. What `into` holds already counts as done. */
  onProgress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined;
}

/** How many of many snapshots a message names. */
const NAMED = 4;

export async function readState(
  host: ReadingHost,
  registry: ClassRegistry,
  ref: SnapshotRef,
  options: RestoreOptions,
): Promise<{ state: unknown; info: SnapshotInfo }> {
  const { into, only, run, signal, onProgress } = options;
  const captures = host.slots?.captures;
  const whole = only ? undefined : { compare: into !== undefined && host.slots !== undefined };
  const opened = (await host.request('open', [ref, run, whole])) as OpenedSnapshot;
  const { info, skeleton } = opened;
  throwIfAborted(signal);
  const restoration = new Restoration(skeleton, registry, { into, ...(only && { only }) });
  const reading = new RegionReading(host, opened, captures, { signal, onProgress });
  try {
    const sources = await reading.read(restoration.regions, restoration.liveBuffers());
    return { state: restoration.finish(sources), info };
  } finally {
    reading.release();
  }
}

const ADVICE =
  'Snap.repair(directory) keeps what is intact; resume begins anew once nothing is damaged any more';

/** All snapshots of a run are damaged. */
export function noneIntact(run: string, errors: readonly SnapError[]): SnapError {
  const snapshots = errors.map(({ snapshot = '' }) => snapshot);
  const more = snapshots.length > NAMED ? ` and ${snapshots.length - NAMED} more` : '';
  const names = `${snapshots.slice(0, NAMED).join(', ')}${more}`;
  return new SnapError('SNAP_CORRUPT', `no snapshot of run ${run} is intact (damaged: ${names}); ${ADVICE}`, {
    ...(snapshots[0] && { snapshot: snapshots[0] }),
    cause: errors[0],
  });
}

/** A run without snapshots, in a store in which there may have been some. */
export function perhapsLost(run: string, { pack, offset, reason }: Damage): SnapError {
  return new SnapError(
    'SNAP_CORRUPT',
    `run ${run} has no snapshot, but it may have had some: pack ${pack} is damaged at byte ${offset} (${reason}); ${ADVICE}`,
    { pack, offset },
  );
}
