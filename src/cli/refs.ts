/**
 * What REF means on a command line: `latest`, `step:N`, a tag, an id or at least 4 digits of one.
 *
 * `latest` and `step:N` mean the newest of the store, or of one run where `--run` says which: so `latest` is
 * what `snap ls` shows first.
 */

import { isSnapError, SnapError } from '../base/errors.js';
import type { Snap, SnapshotInfo } from '../index.js';

export const REF_HELP = 'latest, step:N, a tag, an id or at least 4 digits of one';

export async function resolveRef(snap: Snap, ref: string, run: string | undefined): Promise<SnapshotInfo> {
  if (ref === 'latest') return newest(snap, run, () => true, 'snapshot');
  const step = stepOf(ref);
  // A tag may be called so too; it was chosen on purpose.
  if (step !== undefined && !(await snap.tags()).has(ref)) {
    return newest(snap, run, (info) => info.step === step, `snapshot of step ${step}`);
  }
  try {
    return await snap.info(ref);
  } catch (error) {
    // A snapshot whose regions cannot be read can still be named, and forgotten.
    const described = isSnapError(error, 'SNAP_CORRUPT') && (await listed(snap, ref).catch(() => undefined));
    if (described) return described;
    throw error;
  }
}

/** A run that never was is most likely mistyped: SNAP_NOT_FOUND, naming those there are. */
export async function checkRunExists(snap: Snap, run: string): Promise<void> {
  const runs = new Set<string>();
  for await (const info of snap.list({ forgotten: true })) {
    if (info.run === run) return;
    runs.add(info.run);
  }
  const others = runs.size > 0 ? `runs in this store: ${[...runs].join(', ')}` : 'the store is empty';
  throw new SnapError('SNAP_NOT_FOUND', `there is no run ${run}; ${others}`);
}

function stepOf(ref: string): number | undefined {
  const match = /^step:(-?\d+)$/.exec(ref);
  const step = Number(match?.[1]);
  return match && Number.isSafeInteger(step) ? step : undefined;
}

async function newest(
  snap: Snap,
  run: string | undefined,
  matches: (info: SnapshotInfo) => boolean,
  what: string,
): Promise<SnapshotInfo> {
  const where = run === undefined ? 'the store' : `run ${run}`;
  for await (const info of snap.list(run === undefined ? {} : { run })) if (matches(info)) return info;
  throw new SnapError('SNAP_NOT_FOUND', `${where} has no ${what}; snap ls lists what there is`);
}

async function listed(snap: Snap, ref: string): Promise<SnapshotInfo | undefined> {
  const id = (await snap.tags()).get(ref) ?? ref.toLowerCase();
  for await (const info of snap.list()) if (info.id.startsWith(id)) return info;
  return undefined;
}
