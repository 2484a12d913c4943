/**
 * A patch: what turns the bytes of a base record into those of another of about the same length.
 *
 *   0    4   raw length of the result
 *   4    n   runs, in order: offset in the result (4), length (4), that many bytes
 *
 * The result begins as the base, cut or zero-extended to the raw length, and each run overwrites it. A base is
 * never a patch itself, so that restoring reads at most two records for one.
 */

import { SnapError } from '../base/errors.js';

const RUN_HEADER_BYTES = 4 + 4;
/** Runs closer than this are joined: a run header costs as much as the bytes between. */
const JOIN_BYTES = RUN_HEADER_BYTES;

/** The patch from `base` to `next`, or undefined where it would take more than `limit` bytes. */
export function makePatch(base: Buffer, next: Buffer, limit: number): Buffer | undefined {
  const parts: Buffer[] = [];
  const head = Buffer.allocUnsafe(4);
  head.writeUInt32LE(next.length);
  parts.push(head);
  let total = head.length;
  for (let start = firstDifference(base, next, 0); start < next.length; ) {
    let end = start + 1;
    let resume = end;
    for (;;) {
      while (end < next.length && byteAt(base, end) !== next[end]) end++;
      resume = firstDifference(base, next, end);
      if (resume >= next.length || resume - end >= JOIN_BYTES) break;
      end = resume + 1;
    }
    const run = Buffer.allocUnsafe(RUN_HEADER_BYTES);
    run.writeUInt32LE(start, 0);
    run.writeUInt32LE(end - start, 4);
    total += RUN_HEADER_BYTES + (end - start);
    if (total > limit) return undefined;
    parts.push(run, next.subarray(start, end));
    start = resume;
  }
  return total > limit ? undefined : Buffer.concat(parts, total);
}

/** The bytes that `patch` makes of `base`; `rawLength` is what the record's header promises. */
export function applyPatch(base: Buffer, patch: Buffer, rawLength: number): Buffer {
  if (patch.length < 4 || patch.readUInt32LE(0) !== rawLength) throw damaged('its length is wrong');
  const result = Buffer.alloc(rawLength);
  base.copy(result, 0, 0, Math.min(base.length, rawLength));
  let position = 4;
  while (position < patch.length) {
    if (patch.length - position < RUN_HEADER_BYTES) throw damaged('a run is cut off');
    const start = patch.readUInt32LE(position);
    const length = patch.readUInt32LE(position + 4);
    position += RUN_HEADER_BYTES;
    if (length === 0 || length > patch.length - position || start + length > rawLength) {
      throw damaged('a run is out of range');
    }
    patch.copy(result, start, position, position + length);
    position += length;
  }
  return result;
}

function damaged(reason: string): SnapError {
  return new SnapError('SNAP_CORRUPT', `a patch cannot be applied: ${reason}`);
}

/** What the base counts as at `index`: zero beyond its end. */
function byteAt(base: Buffer, index: number): number {
  return index < base.length ? (base[index] as number) : 0;
}

/** Index of the first byte at or after `from` in which the two differ, or `next.length`. */
function firstDifference(base: Buffer, next: Buffer, from: number): number {
  const stride = 256;
  let index = from;
  while (index < next.length) {
    const end = Math.min(index + stride, next.length);
    if (end > base.length || base.compare(next, index, end, index, end) !== 0) {
      for (; index < end; index++) if (byteAt(base, index) !== next[index]) return index;
    }
    index = end;
  }
  return next.length;
}
