/** Errors across threads: a structured clone of an Error keeps neither its class nor its fields. */

import { SnapError, type SnapErrorFields } from '../base/errors.js';
import type { PlainError } from './protocol.js';

export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { code: undefined, name: 'Error', message: String(error) };
  const plain: PlainError = { code: undefined, name: error.name, message: error.message };
  if (error.cause !== undefined) plain.cause = String(error.cause);
  if (!(error instanceof SnapError)) return plain;
  const { code, path, snapshot, pack, offset, pid } = error;
  return { ...plain, code, ...defined({ path, snapshot, pack, offset, pid }) };
}

export function fromPlainError(plain: PlainError): Error {
  const fields: SnapErrorFields = {};
  for (const name of ['path', 'snapshot', 'pack', 'offset', 'pid'] as const) {
    if (plain[name] !== undefined) Object.assign(fields, { [name]: plain[name] });
  }
  if (plain.cause !== undefined) fields.cause = new Error(plain.cause);
  if (plain.code) return new SnapError(plain.code, plain.message, fields);
  if (plain.name === 'TypeError') return new TypeError(plain.message);
  if (plain.name === 'RangeError') return new RangeError(plain.message);
  // Anything else is a bug of the engine; the caller still gets an error with a code.
  return new SnapError('SNAP_BROKEN', `the writer thread failed: ${plain.message}`, fields);
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
