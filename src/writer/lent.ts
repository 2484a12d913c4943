/**
 * Copies buffers that were lent into their slot, in the writer thread.
 *
 * From then on a save is like any other, whatever becomes of it: the buffers can be given back.
 */

import { invariant } from '../base/errors.js';
import type { ToWriter } from './protocol.js';

type LentMessage = Extract<ToWriter, { type: 'lent' }>;

/** Returns the buffers, as they came; undefined for what is shared and needs no giving back. */
export function copyLent({ segments, parts }: LentMessage): (ArrayBuffer | undefined)[] {
  for (const { buffer, extents } of parts) {
    let done = 0;
    for (const { segment, offset, length } of extents) {
      const memory = segments[segment];
      invariant(memory, 'a slot lacks a segment');
      new Uint8Array(memory, offset, length).set(new Uint8Array(buffer, done, length));
      done += length;
    }
  }
  return parts.map(({ buffer }) => (buffer instanceof ArrayBuffer ? buffer : undefined));
}
