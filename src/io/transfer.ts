/** Whole transfers over an `Io` whose single calls may be short. */

import { dirname } from 'node:path';
import { invariant } from '../base/errors.js';
import type { Io, IoFile } from './io.js';

/** Writes all of `source` at `position`. */
export function writeFully(file: IoFile, source: Uint8Array, position: number): void {
  let done = 0;
  while (done < source.length) {
    const rest = done === 0 ? source : source.subarray(done);
    const written = file.write(rest, position + done);
    invariant(written > 0, 'a write made no progress');
    done += written;
  }
}

/** The same behind the caller's back; `source` may not change until it resolves. */
export async function writeFullyBehind(
  file: IoFile,
  source: Uint8Array,
  position: number,
  uncached = false,
): Promise<void> {
  let done = 0;
  while (done < source.length) {
    const written = await file.writeBehind(source.subarray(done), position + done, uncached);
    invariant(written > 0, 'a write made no progress');
    done += written;
  }
}

/** Fills `target` from `position`; returns how many bytes there were before the end of the file. */
export function readFully(file: IoFile, target: Uint8Array, position: number): number {
  let done = 0;
  while (done < target.length) {
    const rest = done === 0 ? target : target.subarray(done);
    const read = file.read(rest, position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

/** Closes a file whose bytes are synced already, or were only read: nothing is lost where closing fails. */
export function closeQuietly(file: IoFile): void {
  try {
    file.close();
  } catch {
    // The descriptor is gone either way.
  }
}

/** The whole content of a file of at most `limit` bytes; undefined where there is no such file. */
export function readSmallFile(io: Io, path: string, limit: number): Buffer | undefined {
  const entry = io.stat(path);
  if (entry?.kind !== 'file') return undefined;
  const file = io.open(path, 'read');
  try {
    const content = Buffer.alloc(Math.min(file.size(), limit));
    return content.subarray(0, readFully(file, content, 0));
  } finally {
    file.close();
  }
}

/** Writes a small file so that after a crash the old content or the new one is there, never a mixture. */
export function replaceFile(io: Io, path: string, content: Uint8Array): void {
  const temporary = `${path}.new`;
  if (io.stat(temporary)) io.remove(temporary);
  const file = io.open(temporary, 'create');
  try {
    writeFully(file, content, 0);
    file.sync();
  } finally {
    file.close();
  }
  io.rename(temporary, path);
  io.syncFolder(dirname(path));
}
