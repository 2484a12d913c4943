/**
 * The folder that an export is written to: first under another name beside it, renamed when everything is there.
 *
 * Invariants
 *  - the target is either as it was or a whole export; what was begun is removed when it fails
 *  - nothing that an export did not write is ever removed: a folder is replaced only if it is one and holds nothing else
 */

import { dirname, join } from 'node:path';
import { canonicalPath, processId } from '../../io/machine.js';
import { realIo } from '../../io/real.js';
import { readSmallFile, writeFully } from '../../io/transfer.js';
import { DOCUMENT, FORMAT } from './formats.js';

const LARGEST_DOCUMENT = 2 ** 29 - 1024;

export class ExportFolder {
  readonly #target: string;
  readonly #work: string;
  /** Folders that were made. */
  readonly #folders = new Set<string>();

  /** @throws Error for a target that is in the way, without having changed anything */
  constructor(target: string, force: boolean) {
    this.#target = canonicalPath(target);
    checkTarget(this.#target, target, force);
    const random = realIo.random(4).toString('hex');
    this.#work = `${this.#target}.partial-${processId}-${random}`;
    this.#makeFolder(this.#work);
  }

  /** Writes a file in pieces, in order. */
  create(name: string): ExportFile {
    const path = join(this.#work, name);
    this.#makeFolder(dirname(path));
    return new ExportFile(path);
  }

  /** Puts everything where it belongs, in place of an earlier export. */
  finish(): void {
    for (const folder of this.#folders) realIo.syncFolder(folder);
    const old = `${this.#work}-old`;
    const replaces = realIo.stat(this.#target) !== undefined;
    if (replaces) realIo.rename(this.#target, old);
    try {
      realIo.rename(this.#work, this.#target);
    } catch (error) {
      if (replaces) realIo.rename(old, this.#target);
      throw error;
    }
    realIo.syncFolder(dirname(this.#target));
    if (replaces) realIo.removeFolder(old);
  }

  /** Removes what was written. What went wrong is another matter, and told by whoever heard of it first. */
  abandon(): void {
    try {
      realIo.removeFolder(this.#work);
    } catch {
      // A disk that cannot be written to may not be cleaned either: the folder's name says what it is.
    }
  }

  #makeFolder(path: string): void {
    if (this.#folders.has(path)) return;
    if (path !== this.#work) this.#makeFolder(dirname(path));
    realIo.makeFolder(path);
    this.#folders.add(path);
  }
}

export class ExportFile {
  readonly #file;
  #end = 0;

  constructor(path: string) {
    this.#file = realIo.open(path, 'create');
  }

  write(bytes: Uint8Array): void {
    writeFully(this.#file, bytes, this.#end);
    this.#end += bytes.length;
  }

  finish(): void {
    this.#file.sync();
    this.#file.close();
  }
}

function checkTarget(path: string, shown: string, force: boolean): void {
  const there = realIo.stat(path);
  if (!there) return;
  if (there.kind !== 'folder') throw new Error(`${shown} is a file; --to takes a folder`);
  if (realIo.list(path).length === 0) return;
  const files = filesOfExport(path);
  if (!force) {
    const hint = files ? ', or replace the export that is there with --force' : '';
    throw new Error(`${shown} is not empty; name another folder${hint}`);
  }
  if (!files)
    throw new Error(`${shown} is not an earlier export, so it is not replaced; name another folder`);
  const other = filesIn(path).find((name) => !files.has(name));
  if (other === undefined) return;
  throw new Error(`${shown} holds ${other}, which no export wrote: move it away, or name another folder`);
}

/** The files that the export in this folder consists of; undefined where there is none. */
function filesOfExport(path: string): Set<string> | undefined {
  const text = readSmallFile(realIo, join(path, DOCUMENT), LARGEST_DOCUMENT)?.toString('utf8');
  if (text === undefined) return undefined;
  try {
    const document = JSON.parse(text) as { format?: unknown; archive?: unknown; regions?: unknown };
    if (document.format !== FORMAT || !Array.isArray(document.regions)) return undefined;
    const files = document.regions.map((region: { file?: unknown }) => region.file);
    return new Set([DOCUMENT, document.archive, ...files].filter((file) => typeof file === 'string'));
  } catch {
    return undefined;
  }
}

/** All files below a folder, by their paths in it. */
function filesIn(folder: string, prefix = ''): string[] {
  return realIo.list(folder).flatMap((name) => {
    const path = join(folder, name);
    const inside = `${prefix}${name}`;
    return realIo.stat(path)?.kind === 'folder' ? filesIn(path, `${inside}/`) : [inside];
  });
}
