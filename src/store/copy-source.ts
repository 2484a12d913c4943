/**
 * The store that is copied from: read beside its owner, who may go on saving and collecting.
 *
 * What cannot be read is an `Unreadable`, and so told from trouble with the store that is copied to.
 */

import { isSnapError, SnapError, type SnapErrorCode } from '../base/errors.js';
import type { ChunkId } from '../base/ids.js';
import { fitsBase, takesBase } from '../format/bases.js';
import type { Manifest, RegionEntry } from '../format/manifest.js';
import type { Location } from '../format/pack.js';
import { decodePage, type EntryList } from '../format/page.js';
import { Filter } from '../format/record.js';
import type { Summary } from './index.js';
import { readRegionTable } from './manifests.js';
import type { StoredRecord } from './record-reader.js';
import type { Store } from './store.js';

/** Codes of errors that hit what is read and not the whole store: damage, a disk that fails, an absurd length. */
const HITS_ONE: readonly SnapErrorCode[] = ['SNAP_CORRUPT', 'SNAP_IO', 'SNAP_TOO_LARGE'];

/** Something of a snapshot that cannot be read. */
export class Unreadable extends Error {
  readonly reason: SnapError;

  constructor(reason: SnapError) {
    super(reason.message);
    this.reason = reason;
  }
}

/** A chunk that another is a difference from. */
export interface SourceBase {
  id: ChunkId;
  location: Location;
}

export class CopySource {
  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  manifest(summary: Summary): Manifest {
    return attempt(() => this.store.manifest(summary));
  }

  regions(manifest: Manifest): RegionEntry[] {
    return attempt(() => readRegionTable(this.store, manifest));
  }

  /** A page: as it is, and what it lists. */
  page(id: ChunkId, height: number, byteLength: number): { raw: Buffer; entries: EntryList } {
    return attempt(() => {
      const raw = this.store.readPage(id);
      return { raw, entries: decodePage(raw, height, byteLength) };
    });
  }

  /** Where a chunk lies, which must have this length. */
  locate(id: ChunkId, byteLength: number): Location {
    return attempt(() => {
      const location = this.#located(id);
      checkLength(location.rawLength, byteLength);
      return location;
    });
  }

  #located(id: ChunkId): Location {
    const location = this.store.locate(id);
    if (location) return location;
    throw new SnapError('SNAP_CORRUPT', `chunk ${id.toString('hex', 0, 8)} is in none of the packs`);
  }

  /** The base of a chunk that is a difference; undefined for others, those too that have the bytes of a page that is a patch. */
  chunkBaseOf(id: ChunkId, byteLength: number): SourceBase | undefined {
    const { filter } = this.locate(id, byteLength);
    if (filter === Filter.patch || !takesBase(filter)) return undefined;
    const base = this.baseOf(id);
    if (!base) return undefined;
    return attempt(() => {
      const location = this.#located(base);
      if (fitsBase(filter, byteLength, location.rawLength)) return { id: base, location };
      throw new SnapError('SNAP_CORRUPT', 'the base of a chunk has a length that it cannot have');
    });
  }

  /** A chunk as it is stored, checked against its id; valid until something else is read. */
  readStored(id: ChunkId): StoredRecord {
    return attempt(() => this.store.readStored(id));
  }

  /** The record with which a chunk or page has to be read; undefined where it is stored alone. */
  baseOf(id: ChunkId): ChunkId | undefined {
    return attempt(() => this.store.baseOf(id));
  }

  /** Where packs were taken away since they were looked at, looks at them anew: what was not found may be elsewhere. */
  async lookAgain(): Promise<boolean> {
    if (!this.store.isOvertaken()) return false;
    await this.store.refresh();
    return true;
  }
}

/** A chunk has to be as long as the page that lists it says. */
export function checkLength(rawLength: number, byteLength: number): void {
  if (rawLength === byteLength) return;
  throw new SnapError('SNAP_CORRUPT', 'a chunk has another length than its page says');
}

/** What `read` returns; where what the source says cannot be right or read, that is an Unreadable. */
export function attempt<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isSnapError(error) && HITS_ONE.includes(error.code)) throw new Unreadable(error);
    throw error;
  }
}
