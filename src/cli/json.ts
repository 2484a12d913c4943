/** Shapes of the JSON that several commands print; `docs/cli.md` is the contract. */

import { SnapError } from '../base/errors.js';
import type { SnapshotInfo } from '../index.js';
import { describeFailure } from './failure.js';

/** A snapshot with every key there is, in one order; what is not known is null. */
export function snapshotJson(info: SnapshotInfo) {
  const { id, run, parent, step, tags, createdAt, logicalBytes, changedBytes, storedBytes } = info;
  const { stallMs, durableMs, program, meta, forgotten } = info;
  return {
    id,
    run,
    parent: parent ?? null,
    step: step ?? null,
    tags,
    createdAt,
    logicalBytes,
    changedBytes,
    storedBytes,
    stallMs,
    durableMs: durableMs ?? null,
    program,
    meta: meta ?? null,
    forgotten,
  };
}

/** Something that was named and could not be done. */
export function failureJson({ ref, error }: { ref: string; error: unknown }) {
  return {
    ref,
    code: error instanceof SnapError ? error.code : null,
    message: describeFailure(error),
  };
}
