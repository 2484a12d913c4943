/** Arrays as files: each a .npy, all of them in one .npz, or their bare bytes. */

import { Zip, ZipPassThrough } from 'fflate';
import type { ArrayPart } from '../../api/parts.js';
import { formatBytes } from '../../base/sizes.js';
import type { ExportFile, ExportFolder } from './folder.js';
import { ARCHIVE, type Format } from './formats.js';
import { npyHeader } from './npy.js';

/** Takes the arrays one after another, each in pieces. */
export interface ArrayWriter {
  begin(name: string, array: ArrayPart): void;
  write(piece: Uint8Array): void;
  end(): void;
  /** After the last array. */
  finish(): void;
}

export function arrayWriter(format: Format, folder: ExportFolder): ArrayWriter {
  return format === 'npz' ? new ArchiveWriter(folder) : new FileWriter(folder, format === 'npy');
}

class FileWriter implements ArrayWriter {
  readonly #folder: ExportFolder;
  readonly #hasHeader: boolean;
  #file: ExportFile | undefined;

  constructor(folder: ExportFolder, hasHeader: boolean) {
    this.#folder = folder;
    this.#hasHeader = hasHeader;
  }

  begin(name: string, { dtype, shape }: ArrayPart): void {
    this.#file = this.#folder.create(name);
    if (this.#hasHeader) this.#file.write(npyHeader(dtype, shape));
  }

  write(piece: Uint8Array): void {
    this.#file?.write(piece);
  }

  end(): void {
    this.#file?.finish();
  }

  finish(): void {}
}

/** numpy dates the entries of an archive so too: equal arrays are equal files. */
const DATE = new Date(1980, 0, 1);
const NO_BYTES = new Uint8Array(0);

/** A zip whose entries are stored as they are, as numpy writes it. */
class ArchiveWriter implements ArrayWriter {
  readonly #file: ExportFile;
  readonly #zip: Zip;
  #entry: ZipPassThrough | undefined;

  constructor(folder: ExportFolder) {
    this.#file = folder.create(ARCHIVE);
    this.#zip = new Zip((error, bytes) => {
      if (error) throw error;
      this.#file.write(bytes);
    });
  }

  begin(name: string, { dtype, shape }: ArrayPart): void {
    this.#entry = new ZipPassThrough(name);
    this.#entry.mtime = DATE;
    this.#zip.add(this.#entry);
    this.#entry.push(npyHeader(dtype, shape));
  }

  write(piece: Uint8Array): void {
    this.#entry?.push(piece);
  }

  end(): void {
    this.#entry?.push(NO_BYTES, true);
  }

  finish(): void {
    this.#zip.end();
    this.#file.finish();
  }
}

/** A zip counts in 32 bits, and its entries in 16. */
const ARCHIVE_BYTES_MAX = 0xffff_ffff;
const ENTRIES_MAX = 0xffff;
/** Local header, data descriptor and central entry, without the name that two of them have. */
const ENTRY_BYTES = 30 + 16 + 46;
const END_BYTES = 22;

/** Throws where the arrays do not fit the archive of this format. */
export function checkSize(
  format: Format,
  arrays: readonly ArrayPart[],
  fileOf: (array: ArrayPart) => string,
): void {
  if (format !== 'npz') return;
  const bytes = arrays.reduce((sum, array) => {
    const header = npyHeader(array.dtype, array.shape).length;
    return sum + ENTRY_BYTES + 2 * fileOf(array).length + header + array.byteLength;
  }, END_BYTES);
  if (bytes < ARCHIVE_BYTES_MAX && arrays.length < ENTRIES_MAX) return;
  throw new Error(
    `${arrays.length} arrays of ${formatBytes(bytes)} do not fit a .npz, which holds less than 4 GiB in less than ` +
      `${ENTRIES_MAX} of them; use --format npy, or --only for a part`,
  );
}
