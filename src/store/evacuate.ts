/**
 * Carries what counts out of a pack that is going to be taken away: into the open pack, as it is stored.
 *
 * Invariants
 *  - everything that the index finds in this pack and that can be read lies elsewhere, durably, at the end
 *  - what cannot be read stays where it is, and is told
 *  - between two yields nothing is uncommitted, so that others may write in between
 *
 * Notes say what counts now, not what the pack says: one that was overtaken must not come back to life. The pack must
 * not be the open one.
 */

import type { ChunkId } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import { decodeManifest } from '../format/manifest.js';
import { decodeForget, decodeTag, decodeTiming } from '../format/notes.js';
import { type Location, locationOf } from '../format/pack.js';
import { RECORD_ALIGNMENT, type RecordHeader, RecordType, recordBytes } from '../format/record.js';
import type { Packs } from './packs.js';
import type { Store } from './store.js';

export interface Evacuation {
  /** Bytes of records that were copied. */
  copiedBytes: number;
  /** Records that could not be. */
  unreadable: number;
}

/** Bytes copied between two commits. */
const BATCH_BYTES = 4 * MiB;
/** Records looked at between two yields. */
const BATCH_RECORDS = 1000;

export class Evacuator {
  readonly #store: Store;
  readonly #packs: Packs;
  readonly #pack: number;
  readonly #end: number;
  readonly #result: Evacuation = { copiedBytes: 0, unreadable: 0 };
  /** Notes that were said again. */
  readonly #said = new Set<string>();

  /** `end`: how much of the pack counts. */
  constructor(store: Store, packs: Packs, pack: number, end: number) {
    this.#store = store;
    this.#packs = packs;
    this.#pack = pack;
    this.#end = end;
  }

  /** Yields how far it has come, in bytes of the pack. */
  async *run(): AsyncGenerator<number, Evacuation> {
    const end = Math.min(this.#end, this.#packs.size(this.#pack));
    let copiedBytes = 0;
    let records = 0;
    for (let start: number | undefined = 0; start !== undefined && start < end; ) {
      let next: number = start;
      for (const { header } of this.#packs.headers(this.#pack, start, end)) {
        next = header.offset + recordBytes(header.storedLength);
        if (records++ === 0) this.#store.begin();
        await this.#carry(header);
        if (records < BATCH_RECORDS && this.#result.copiedBytes - copiedBytes < BATCH_BYTES) continue;
        await this.#store.commit();
        copiedBytes = this.#result.copiedBytes;
        records = 0;
        yield next;
      }
      start = next < end ? this.#packs.resync(this.#pack, next + RECORD_ALIGNMENT, end) : undefined;
    }
    if (records > 0) await this.#store.commit();
    return this.#result;
  }

  async #carry(header: RecordHeader): Promise<void> {
    switch (header.type) {
      case RecordType.chunk:
      case RecordType.page:
        return this.#carryContent(header);
      case RecordType.manifest:
        return this.#carryManifest(header);
      case RecordType.tag:
      case RecordType.forget:
      case RecordType.timing:
        return this.#carryNote(header);
    }
  }

  async #carryContent(header: RecordHeader): Promise<void> {
    const { id, storedLength } = header;
    const location = this.#store.locate(id);
    if (location?.pack !== this.#pack || location.offset !== header.offset) return;
    await this.#store.makeRoom(storedLength);
    this.#copy(id, header);
  }

  #carryManifest(header: RecordHeader): void {
    const record = this.#packs.readRecord(this.#pack, header.offset);
    if (!record) {
      this.#result.unreadable++;
      return;
    }
    const summary = this.#store.byId(decodeManifest(record.payload).id);
    if (summary?.manifest.pack !== this.#pack || summary.manifest.offset !== header.offset) return;
    if (!this.#copy(header.id, header)) return;
    // A note counts only for a manifest that comes before it.
    this.#store.putForget(summary.id, summary.forgotten);
    if (summary.durableMs !== undefined) this.#store.putTiming(summary.id, summary.durableMs);
  }

  #carryNote(header: RecordHeader): void {
    const payload = this.#packs.readRecord(this.#pack, header.offset)?.payload;
    if (!payload) this.#result.unreadable++;
    else if (header.type === RecordType.tag) this.#sayTag(decodeTag(payload).name);
    else if (header.type === RecordType.forget) this.#sayForgotten(decodeForget(payload).snapshot);
    else this.#sayTiming(decodeTiming(payload).snapshot);
  }

  #sayTag(name: string): void {
    if (this.#isSaid(`tag ${name}`)) return;
    this.#store.putTag(name, this.#store.tagged(name));
  }

  #sayForgotten(id: Parameters<Store['byId']>[0]): void {
    const summary = this.#store.byId(id);
    if (summary && !this.#isSaid(`forget ${id}`)) this.#store.putForget(id, summary.forgotten);
  }

  #sayTiming(id: Parameters<Store['byId']>[0]): void {
    const durableMs = this.#store.byId(id)?.durableMs;
    if (durableMs !== undefined && !this.#isSaid(`timing ${id}`)) this.#store.putTiming(id, durableMs);
  }

  #isSaid(note: string): boolean {
    if (this.#said.has(note)) return true;
    this.#said.add(note);
    return false;
  }

  /** Says whether the record could be read. */
  #copy(id: ChunkId, header: RecordHeader): boolean {
    const location = locationOf(header);
    const stored = this.#read(id, location);
    if (stored) {
      this.#store.putStored(id, location, stored);
      this.#result.copiedBytes += recordBytes(header.storedLength);
    } else {
      this.#result.unreadable++;
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
