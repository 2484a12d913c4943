/**
 * Carries what counts out of packs that are going to be taken away: into the open pack, as it is stored.
 *
 * First chunks and pages, in batches that are committed: having them twice does no harm. Then manifests and notes, in
 * the very commit that says that the packs are gone: a manifest that stood in two packs could come back to life after
 * it was collected. Notes say what counts now, not what the pack says: one that was overtaken must not come back.
 *
 * What cannot be read is left behind, and counted. The packs must not be the open one.
 */

import type { ChunkId, SnapshotId } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import { decodeManifest } from '../format/manifest.js';
import { decodeForget, decodeTag, decodeTiming } from '../format/notes.js';
import type { FooterEntry, Location } from '../format/pack.js';
import { RecordType, recordBytes } from '../format/record.js';
import { needsPayload } from './index.js';
import type { Packs } from './packs.js';
import type { Store } from './store.js';

/** Which chunks and pages to carry. */
export type Wanted = (id: ChunkId, location: Location) => boolean;

/** Bytes and records copied between two commits: what a save may have to wait for. */
const BATCH_BYTES = MiB;
const BATCH_RECORDS = 256;

export class Evacuation {
  /** Bytes of the records that were copied. */
  copiedBytes = 0;
  /** Records that could not be read. */
  unreadable = 0;
  readonly #store: Store;
  readonly #packs: Packs;
  readonly #wanted: Wanted;
  /** Notes that `rest` has said again. */
  readonly #said = new Set<string>();

  constructor(store: Store, packs: Packs, wanted: Wanted) {
    this.#store = store;
    this.#packs = packs;
    this.#wanted = wanted;
  }

  /** Copies chunks and pages of a pack of which `[0, end)` counts. Between two yields nothing is uncommitted. */
  async *content(pack: number, end: number): AsyncGenerator<void> {
    let records = 0;
    let bytes = 0;
    for (const { id, location } of this.#packs.records(pack, end)) {
      if (!isContent(location) || !this.#isHere(id, location) || !this.#wanted(id, location)) continue;
      if (records === 0) this.#store.begin();
      await this.#store.makeRoom(location.storedLength);
      bytes += this.#copy(id, location) ? location.storedLength : 0;
      if (++records < BATCH_RECORDS && bytes < BATCH_BYTES) continue;
      await this.#store.commit();
      records = 0;
      bytes = 0;
      yield;
    }
    if (records > 0) await this.#store.commit();
  }

  /** Puts manifests and notes of packs again, of which so much counts; the caller commits, or undoes it and tries again. */
  rest(ends: ReadonlyMap<number, number>): void {
    this.#said.clear();
    for (const [pack, end] of ends) this.#restOf(pack, end);
  }

  #restOf(pack: number, end: number): void {
    for (const { id, location } of this.#packs.records(pack, end)) {
      if (!needsPayload(location.type) || location.type === RecordType.gc) continue;
      const payload = this.#packs.readRecord(pack, location.offset)?.payload;
      if (!payload) this.unreadable++;
      else if (location.type === RecordType.manifest) this.#carryManifest(id, location, payload);
      else if (location.type === RecordType.tag) this.#sayTag(decodeTag(payload).name);
      else if (location.type === RecordType.forget) this.#sayForgotten(decodeForget(payload).snapshot);
      else this.#sayTiming(decodeTiming(payload).snapshot);
    }
  }

  /** The same record may lie elsewhere too: then this one is not what anybody reads. */
  #isHere(id: ChunkId, { pack, offset }: Location): boolean {
    const location = this.#store.locate(id);
    return location?.pack === pack && location.offset === offset;
  }

  #carryManifest(id: ChunkId, location: Location, payload: Buffer): void {
    const summary = this.#store.byId(decodeManifest(payload).id);
    if (summary?.manifest.pack !== location.pack || summary.manifest.offset !== location.offset) return;
    if (!this.#copy(id, location)) return;
    // A note counts only for a manifest that comes before it.
    if (summary.forgotten) this.#store.putForget(summary.id, true);
    if (summary.durableMs !== undefined) this.#store.putTiming(summary.id, summary.durableMs);
  }

  #sayTag(name: string): void {
    if (this.#isSaid(`tag ${name}`)) return;
    const id = this.#store.tagged(name);
    this.#store.putTag(name, id && this.#store.byId(id) ? id : undefined);
  }

  #sayForgotten(id: SnapshotId): void {
    const summary = this.#store.byId(id);
    if (summary && !this.#isSaid(`forget ${id}`)) this.#store.putForget(id, summary.forgotten);
  }

  #sayTiming(id: SnapshotId): void {
    const durableMs = this.#store.byId(id)?.durableMs;
    if (durableMs !== undefined && !this.#isSaid(`timing ${id}`)) this.#store.putTiming(id, durableMs);
  }

  #isSaid(note: string): boolean {
    if (this.#said.has(note)) return true;
    this.#said.add(note);
    return false;
  }

  /** Says whether the record could be read. */
  #copy(id: ChunkId, location: Location): boolean {
    const stored = this.#read(id, location);
    if (stored) {
      this.#store.putStored(id, location, stored);
      this.copiedBytes += recordBytes(location.storedLength);
    } else {
      this.unreadable++;
    }
    return stored !== undefined;
  }

  #read(id: ChunkId, location: Location): Buffer | undefined {
    try {
      return Buffer.from(this.#packs.readStored(location, id, true));
    } catch {
      return undefined;
    }
  }
}

export function isContent({ type }: FooterEntry['location']): boolean {
  return type === RecordType.chunk || type === RecordType.page;
}
