/**
 * Watches over the files of the index while LevelDB has them open.
 *
 * LevelDB maps its tables into memory and believes what it finds there. Where another program changed them, a table
 * that was cut off ended the process (SIGBUS), and one that was overwritten made LevelDB answer "not there" in silence.
 * So its files are looked at before it is asked, every few milliseconds at most, and before they are sealed: tables
 * never change and are those that LevelDB says it has; the manifest, which says which tables count, only grows. The log
 * need not be looked at: LevelDB never reads it while it is open, and closing leaves nothing in it.
 *
 * What this cannot see is a change in the milliseconds between a look and a read, or a disk that cannot give back a
 * page of a mapped table.
 */

import { join } from 'node:path';
import { SnapError } from '../base/errors.js';
import type { Io } from '../io/io.js';
import { pause } from '../io/machine.js';

/** Looking takes some 5 us a table, so it is not done more often than this. */
const INTERVAL_MS = 5;
/** A compaction may take tables away, or write to the manifest, while we look: what is wrong then is not for long. */
const PAUSES_MS = [1, 5, 20];

interface Seen {
  size: number;
  modifiedAt: number;
}

export class IndexGuard {
  readonly #io: Io;
  readonly #folder: string;
  readonly #tables: () => string;
  readonly #manifest: string;
  #seen = new Map<string, Seen>();
  #nextLook = 0;

  /** `tables`: LevelDB's own list of its tables, the property `leveldb.sstables`. */
  constructor(io: Io, folder: string, tables: () => string) {
    this.#io = io;
    this.#folder = folder;
    this.#tables = tables;
    this.#manifest = io.list(folder).findLast((name) => name.startsWith('MANIFEST-')) ?? 'MANIFEST';
    this.look();
  }

  /** Throws where the files are not what LevelDB wrote, as far as this was looked at lately. */
  check(): void {
    const now = this.#io.monotonic();
    if (now < this.#nextLook) return;
    this.look();
    this.#nextLook = now + INTERVAL_MS;
  }

  /** Throws where the files are not what LevelDB wrote. */
  look(): void {
    let fault = this.#look();
    for (const milliseconds of PAUSES_MS) {
      if (fault === undefined) return;
      pause(milliseconds);
      fault = this.#look();
    }
    if (fault !== undefined) throw new SnapError('SNAP_IO', `another program changed the index: ${fault}`);
  }

  /** Throws where LevelDB would have to read a log when it is opened again. */
  checkLogsEmpty(): void {
    for (const name of this.#io.list(this.#folder)) {
      if (!name.endsWith('.log') || !this.#io.stat(join(this.#folder, name))?.size) continue;
      throw new SnapError('SNAP_IO', 'LevelDB could not write its tables');
    }
  }

  /** What is wrong, if anything is. */
  #look(): string | undefined {
    const seen = new Map<string, Seen>();
    const sizes = tableSizes(this.#tables());
    for (const name of ['CURRENT', this.#manifest, ...sizes.keys()]) {
      const status = this.#io.stat(join(this.#folder, name));
      if (status?.kind !== 'file') return `${name} is gone`;
      const { size, modifiedAt } = status;
      const before = this.#seen.get(name) ?? { size: sizes.get(name) ?? size, modifiedAt };
      const grown = name === this.#manifest && size > before.size;
      if (!grown && size !== before.size) return `${name} has another length`;
      if (!grown && modifiedAt !== before.modifiedAt) return `${name} was overwritten`;
      seen.set(name, { size, modifiedAt });
    }
    this.#seen = seen;
    return undefined;
  }
}

/** Sizes of the tables in a listing with lines like ` 5:1234['first key' @ 1 : 1 .. 'last key' @ 2 : 1]`. */
function tableSizes(listing: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [, number = '', size] of listing.matchAll(/^ (\d+):(\d+)\[/gm)) {
    sizes.set(`${number.padStart(6, '0')}.ldb`, Number(size));
  }
  return sizes;
}
