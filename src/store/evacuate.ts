/**
 * Carries what counts out of packs that are going to be taken away: into the open pack, as it is stored.
 *
 * First chunks and pages, in batches that are committed: having them twice does no harm. Then manifests and notes, in
 * the very commit that says that the packs are gone: a manifest that stood in two packs could come back to life after
 * it was collected. Notes say what counts now, not what the pack says: one that was overtaken must not come back.
 *
 * What cannot be read is left behind, and counted. The packs must not be the open one.
 *
 * On a full disk a batch, and the last commit too, is put twice: the second time into the space that is held back.
 */

import type { ChunkId, SnapshotId } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import { decodeManifest } from '../format/manifest.js';
import { decodeForget, decodeTag, decodeTiming } from '../format/notes.js';
import type { FooterEntry, Location } from '../format/pack.js';
import { isContent, RecordType, recordBytes } from '../format/record.js';
import { needsPayload } from './index.js';
import type { Packs } from './packs.js';
import type { Store } from './store.js';

/** Which chunks and pages to carry. */
export type Wanted = (id: ChunkId, location: Location) => boolean;

/** Bytes and records copied between two commits: what a save may have to wait for. */
const BATCH_BYTES = MiB;
const BATCH_RECORDS = 256;

interface Tally {
  copiedBytes: number;
  unreadable: number;
}

const NOTHING: Tally = { copiedBytes: 0, unreadable: 0 };

export class Evacuation {
  readonly #store: Store;
  readonly #packs: Packs;
  readonly #wanted: Wanted;
  /** Notes that are said again by the commit that is being put. */
  readonly #said = new Set<string>();
  readonly #content: Tally = { ...NOTHING };
  /** Of the last time that `rest` was called. */
  #rest: Tally = { ...NOTHING };

  constructor(store: Store, packs: Packs, wanted: Wanted) {
    this.#store = store;
    this.#packs = packs;
    this.#wanted = wanted;
  }

  /** Bytes of the records that were copied. */
  get copiedBytes(): number {
    return this.#content.copiedBytes + this.#rest.copiedBytes;
  }

  /** Records that could not be read. */
  get unreadable(): number {
    return this.#content.unreadable + this.#rest.unreadable;
  }

  /** Copies chunks and pages of a pack of which `[0, end)` counts. Between two yields nothing is uncommitted. */
  async *content(pack: number, end: number): AsyncGenerator<void> {
    let batch: FooterEntry[] = [];
    let bytes = 0;
    for (const entry of this.#packs.records(pack, end)) {
      const { id, location } = entry;
      if (!isContent(location.type) || !this.#isHere(id, location) || !this.#wanted(id, location)) continue;
      batch.push(entry);
      bytes += location.storedLength;
      if (batch.length < BATCH_RECORDS && bytes < BATCH_BYTES) continue;
      await this.#copyBatch(batch);
      batch = [];
      bytes = 0;
      yield;
    }
    if (batch.length > 0) await this.#copyBatch(batch);
  }

  async #copyBatch(batch: readonly FooterEntry[]): Promise<void> {
    let tally = NOTHING;
    await this.#store.withReserve(async () => {
      tally = { ...NOTHING };
      this.#store.begin();
      for (const { id, location } of batch) {
        await this.#store.makeRoom(location.storedLength);
        this.#copy(id, location, tally);
      }
      await this.#store.commit();
    });
    this.#content.copiedBytes += tally.copiedBytes;
    this.#content.unreadable += tally.unreadable;
  }

  /**
   * Puts manifests and notes of packs again, of which so much counts; the caller commits. That a tag was removed need
   * not be said any more when nothing is left that could have set it: in no pack before `oldest`, which stays.
   */
  rest(packs: ReadonlyMap<number, number>, oldest: number): void {
    this.#said.clear();
    this.#rest = { ...NOTHING };
    for (const [pack, end] of packs) {
      for (const { id, location } of this.#packs.records(pack, end)) {
        if (!needsPayload(location.type) || location.type === RecordType.gc) continue;
        const payload = this.#packs.readRecord(pack, location.offset)?.payload;
        if (!payload) this.#rest.unreadable++;
        else if (location.type === RecordType.manifest) this.#carryManifest(id, location, payload);
        else if (location.type === RecordType.tag) this.#sayTag(decodeTag(payload).name, pack < oldest);
        else if (location.type === RecordType.forget) this.#sayForgotten(decodeForget(payload).snapshot);
        else this.#sayTiming(decodeTiming(payload).snapshot);
      }
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
    if (!this.#copy(id, location, this.#rest)) return;
    // A note counts only for a manifest that comes before it: what was said of it already does not.
    this.#said.delete(`forget ${summary.id}`);
    this.#said.delete(`timing ${summary.id}`);
    if (summary.forgotten) this.#sayForgotten(summary.id);
    this.#sayTiming(summary.id);
  }

  #sayTag(name: string, isFirst: boolean): void {
    if (this.#isSaid(`tag ${name}`)) return;
    const id = this.#store.tagged(name);
    const target = id && this.#store.byId(id) ? id : undefined;
    if (target || !isFirst) this.#store.putTag(name, target);
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
  #copy(id: ChunkId, location: Location, tally: Tally): boolean {
    const stored = this.#read(id, location);
    if (stored) {
      this.#store.putStored(id, location, stored);
      tally.copiedBytes += recordBytes(location.storedLength);
    } else {
      tally.unreadable++;
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
