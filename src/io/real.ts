/** The real disk, clock and randomness. */

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { DirectWriter, pageAligned, writeAt } from './direct.js';
import type { EntryKind, Io, IoFile, OpenMode } from './io.js';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

const FLAGS: Record<OpenMode, number> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
};

class RealFile implements IoFile {
  readonly #fd: number;
  readonly #path: string;
  readonly #direct: DirectWriter;

  constructor(path: string, mode: OpenMode) {
    this.#fd = fs.openSync(path, FLAGS[mode], FILE_MODE);
    this.#path = path;
    this.#direct = new DirectWriter(this.#fd);
  }

  read(target: Uint8Array, position: number): number {
    return fs.readSync(this.#fd, target, 0, target.length, position);
  }

  write(source: Uint8Array, position: number): number {
    return fs.writeSync(this.#fd, source, 0, source.length, position);
  }

  async writeBehind(source: Uint8Array, position: number, uncached: boolean): Promise<number> {
    if (!uncached) return writeAt(this.#fd, source, position);
    const { length, direct } = this.#direct.plan(source, position);
    const part = source.subarray(0, length);
    const written = direct ? await this.#direct.write(part, position) : undefined;
    return written ?? writeAt(this.#fd, part, position);
  }

  size(): number {
    return fs.fstatSync(this.#fd).size;
  }

  isNamed(): boolean {
    return fs.fstatSync(this.#fd).nlink > 0;
  }

  isInPlace(): boolean {
    const there = fs.statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    const own = fs.fstatSync(this.#fd, { bigint: true });
    return there?.ino === own.ino && there.dev === own.dev;
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.#fd, size);
  }

  sync(): void {
    fs.fdatasyncSync(this.#fd);
  }

  close(): void {
    try {
      this.#direct.close();
    } finally {
      fs.closeSync(this.#fd);
    }
  }
}

function kindOf(stats: fs.Stats): EntryKind {
  if (stats.isFile()) return 'file';
  return stats.isDirectory() ? 'folder' : 'other';
}

export const realIo: Io = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: (length) => randomBytes(length),
  memory: pageAligned,

  open: (path, mode) => new RealFile(path, mode),

  stat(path) {
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    return stats && { kind: kindOf(stats), size: stats.size, modifiedAt: stats.mtimeMs };
  },

  list: (path) => fs.readdirSync(path),

  makeFolder(path) {
    fs.mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
  },

  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.unlinkSync(path),
  removeFolder: (path) => fs.rmSync(path, { recursive: true, force: true }),

  syncFolder(path) {
    const fd = fs.openSync(path, fs.constants.O_RDONLY);
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  },
};
