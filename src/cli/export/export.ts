/** Writes a snapshot for other programs: its arrays, and a document that says everything else. */

import type { ArrayPart, StateParts } from '../../api/parts.js';
import { throwIfAborted } from '../../base/abort.js';
import { snapshotJson } from '../json.js';
import { arrayWriter, checkSize } from './arrays.js';
import { ExportFolder } from './folder.js';
import { ARCHIVE, DOCUMENT, EXTENSION, FORMAT, type Format } from './formats.js';
import { namesFor } from './names.js';

export interface ExportOptions {
  /** The folder, as the user called it. */
  to: string;
  format: Format;
  /** Replace an earlier export. */
  force: boolean;
  signal: AbortSignal;
  /** Told after each piece. */
  onProgress(doneBytes: number, totalBytes: number): void;
}

/** An array as the document lists it. */
export interface ArrayFile {
  file: string;
  path: string;
  kind: string;
  dtype: string;
  shape: readonly number[];
  byteLength: number;
  shared?: true;
  maxByteLength?: number;
}

export async function exportParts(parts: StateParts, options: ExportOptions): Promise<ArrayFile[]> {
  const { to, format, force } = options;
  const names = namesFor(parts.arrays.map(({ words }) => words));
  const wanted = parts.arrays.filter((array) => array.wanted);
  const fileOf = (array: ArrayPart) => `${names[array.index]}${EXTENSION[format]}`;
  checkSize(format, wanted, fileOf);
  const listed = wanted.map((array) => arrayFile(fileOf(array), array));
  const head = {
    format: FORMAT,
    snapshot: snapshotJson(parts.info),
    ...(format === 'npz' && { archive: ARCHIVE }),
    regions: listed,
  };
  const folder = new ExportFolder(to, force);
  try {
    await writeArrays(parts, wanted, fileOf, folder, options);
    const document = folder.create(DOCUMENT);
    for (const text of parts.document(head, fileOf)) document.write(Buffer.from(text));
    document.finish();
    folder.finish();
    return listed;
  } catch (error) {
    folder.abandon();
    throw isOfSystem(error)
      ? new Error(`${to} cannot be written: ${error.message}`, { cause: error })
      : error;
  }
}

/** True for what the system says of a file. */
function isOfSystem(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error;
}

async function writeArrays(
  parts: StateParts,
  arrays: readonly ArrayPart[],
  fileOf: (array: ArrayPart) => string,
  folder: ExportFolder,
  { format, signal, onProgress }: ExportOptions,
): Promise<void> {
  const writer = arrayWriter(format, folder);
  const totalBytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  let doneBytes = 0;
  for (const array of arrays) {
    writer.begin(fileOf(array), array);
    for await (const piece of parts.read(array)) {
      throwIfAborted(signal);
      writer.write(piece);
      doneBytes += piece.length;
      onProgress(doneBytes, totalBytes);
    }
    writer.end();
  }
  writer.finish();
}

function arrayFile(
  file: string,
  { path, kind, dtype, shape, byteLength, shared, maxByteLength }: ArrayPart,
): ArrayFile {
  const listed: ArrayFile = { file, path, kind, dtype, shape, byteLength };
  if (shared) listed.shared = true;
  if (maxByteLength !== undefined) listed.maxByteLength = maxByteLength;
  return listed;
}
