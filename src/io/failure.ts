/** Translates what the system says into a SnapError that says what to do. */

import { SnapError } from '../base/errors.js';

const ADVICE: Record<string, string> = {
  EACCES: 'permission was denied; check who owns the folder',
  EPERM: 'the system does not permit it; check who owns the folder',
  EROFS: 'the file system is read-only; mount it writable or choose another folder',
  EMFILE: 'this process has too many open files; close some or raise the limit (ulimit -n)',
  ENFILE: 'the system has too many open files',
  ENOENT: 'a file or folder of the store is gone; was it moved or deleted?',
  ENOTDIR: 'a part of the path is a file, not a folder',
  ESTALE: 'the network share went away',
  EIO: 'the disk reported an error; check the disk, then reopen',
};

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** `error` as a SnapError; `doing` is a phrase like "appending to pack 3". A SnapError passes unchanged. */
export function toSnapError(error: unknown, doing: string): SnapError {
  if (error instanceof SnapError) return error;
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new SnapError('SNAP_NO_SPACE', `no space left while ${doing}; free some and save again`, {
      cause: error,
    });
  }
  const advice = code === undefined ? undefined : ADVICE[code];
  const reason = error instanceof Error ? error.message : String(error);
  return new SnapError('SNAP_IO', `${doing} failed: ${advice ?? reason}${advice ? ` (${reason})` : ''}`, {
    cause: error,
  });
}
