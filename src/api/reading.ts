/** From a reference to a state: which regions it takes, their bytes, and the graph around them. */

import { throwIfAborted } from '../base/abort.js';
import { SnapError } from '../base/errors.js';
import {
  type ClassRegistry,
  decodeState,
  inspectSkeleton,
  type RegionSource,
  regionsFor,
} from '../state/index.js';
import type { Damage } from '../store/scan.js';
import type { SnapshotInfo } from '../writer/protocol.js';
import type { SnapshotRef } from '../writer/refs.js';
import type { BufferForm, OpenedSnapshot } from '../writer/requests.js';

/** Options of `restore` and `resume`. */
export interface RestoreOptions {
  /** A live state of the same shape, rewritten in place where it differs. Also how a WebAssembly.Memory comes back. */
  into?: unknown;
  /** Only these regions or subtrees, as in `['solver.grids[0].u']`. */
  only?: readonly string[] | undefined;
  /** The run that `latest`, `{ step }` and `{ before }` mean. Default: that of this Snap. */
  run?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Told after each region. */
  onProgress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined;
}

/** How many of many snapshots a message names. */
const NAMED = 4;

type Request = (method: string, args: unknown[]) => Promise<unknown>;

export async function readState(
  request: Request,
  registry: ClassRegistry,
  ref: SnapshotRef,
  options: RestoreOptions,
): Promise<{ state: unknown; info: SnapshotInfo }> {
  const { signal, only, onProgress } = options;
  const opened = (await request('open', [ref, options.run])) as OpenedSnapshot;
  const { id } = opened.info;
  const shapes = inspectSkeleton(opened.skeleton);
  const wanted = only ? regionsFor(opened.skeleton, only) : shapes.map((_, index) => index);
  const totalBytes = wanted.reduce((sum, index) => sum + (opened.regions[index]?.byteLength ?? 0), 0);
  const regions: (RegionSource | undefined)[] = shapes.map(() => undefined);
  let doneBytes = 0;
  for (const index of wanted) {
    throwIfAborted(signal);
    const shape = shapes[index];
    const form: BufferForm = { shared: shape?.shared ?? false };
    if (shape?.maxByteLength !== undefined) form.maxByteLength = shape.maxByteLength;
    const buffer = (await request('region', [id, index, form])) as RegionSource;
    regions[index] = buffer;
    doneBytes += buffer.byteLength;
    onProgress?.({ doneBytes, totalBytes });
  }
  throwIfAborted(signal);
  const state = decodeState(opened.skeleton, regions, registry, {
    ...('into' in options && { into: options.into }),
    ...(only && { only }),
  });
  return { state, info: opened.info };
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
