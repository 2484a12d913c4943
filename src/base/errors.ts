/**
 * The one error type of the engine, and the codes that callers may rely on.
 *
 * Codes are stable; messages are for people, say what to do, and may change. Misuse by the programmer is a
 * plain TypeError or RangeError, and an abort is the signal's own AbortError: neither is a SnapError.
 */

/** Stable error codes. `docs/design.md` says when each one occurs. */
export type SnapErrorCode =
  | 'SNAP_NOT_FOUND'
  | 'SNAP_AMBIGUOUS'
  | 'SNAP_LOCKED'
  | 'SNAP_CORRUPT'
  | 'SNAP_UNSUPPORTED'
  | 'SNAP_TOO_LARGE'
  | 'SNAP_NO_SPACE'
  | 'SNAP_IO'
  | 'SNAP_FORMAT'
  | 'SNAP_CLOSED'
  | 'SNAP_BROKEN'
  | 'SNAP_BUSY'
  | 'SNAP_MISMATCH'
  | 'SNAP_PROGRAM';

/** Where an error happened; every field is present only where it is known. */
export interface SnapErrorFields {
  /** Path inside the state (`solver.grids[0].u`) or of a file, whichever the message names. */
  path?: string;
  /** Id of the snapshot concerned. */
  snapshot?: string;
  /** Number of the pack concerned. */
  pack?: number;
  /** Byte offset inside that pack. */
  offset?: number;
  /** Process that owns the store. */
  pid?: number;
  cause?: unknown;
}

/** An error of the engine. Switch on `code`; show `message`. */
export class SnapError extends Error {
  override readonly name = 'SnapError';
  readonly code: SnapErrorCode;
  // Declared only: a field that is not known is not there at all.
  declare readonly path?: string;
  declare readonly snapshot?: string;
  declare readonly pack?: number;
  declare readonly offset?: number;
  declare readonly pid?: number;

  constructor(code: SnapErrorCode, message: string, fields: SnapErrorFields = {}) {
    super(message, 'cause' in fields ? { cause: fields.cause } : undefined);
    this.code = code;
    if (fields.path !== undefined) this.path = fields.path;
    if (fields.snapshot !== undefined) this.snapshot = fields.snapshot;
    if (fields.pack !== undefined) this.pack = fields.pack;
    if (fields.offset !== undefined) this.offset = fields.offset;
    if (fields.pid !== undefined) this.pid = fields.pid;
  }
}

/** True for an error of the engine, optionally with one given code. */
export function isSnapError(error: unknown, code?: SnapErrorCode): error is SnapError {
  return error instanceof SnapError && (code === undefined || error.code === code);
}

/** For states that the code itself rules out; reaching one is a bug of the engine. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`holdfast: internal invariant broken: ${message}`);
}
