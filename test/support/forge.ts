/** Packs as somebody with bad intentions would write them: every checksum is right. */

import type { ChunkId } from '../../src/base/ids.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { encodeCommit, NO_COMMIT } from '../../src/format/commit.js';
import { encodeDescriptor, newDescriptor } from '../../src/format/descriptor.js';
import { encodeManifest, type Manifest } from '../../src/format/manifest.js';
import {
  encodeFooter,
  encodePackHeader,
  encodeTrailer,
  type FooterEntry,
  locationOf,
  RecordList,
} from '../../src/format/pack.js';
import {
  Codec,
  encodeHeader,
  Filter,
  HEADER_BYTES,
  type RecordHeader,
  RecordType,
  recordBytes,
} from '../../src/format/record.js';
import type { Tree } from '../../src/format/tree.js';
import { packPath } from './pack-bytes.js';
import { STORE } from './session.js';
import { type DiskImage, SimulatedDisk } from './simulated-disk.js';

const UUID = 'ab'.repeat(16);
export const FORGED_ID = 'cd'.repeat(16) as Manifest['id'];

export class Forge {
  readonly entries: { header: RecordHeader; payload: Buffer }[] = [];
  #bytes = Buffer.alloc(0);
  #sequence = 1;

  constructor() {
    const header = { previousPack: 0, previousPackEnd: 0, lastCommitNumber: 0, lastCommit: NO_COMMIT };
    const frame = { store: Buffer.from(UUID, 'hex'), writer: Buffer.alloc(16), time: 0 };
    this.add(RecordType.packHeader, encodePackHeader({ ...frame, ...header }));
  }

  /** Appends a record; anything in its header may be something else than it should be. */
  add(type: RecordType, payload: Buffer, lies: Partial<RecordHeader> = {}): ChunkId {
    const header: RecordHeader = {
      type,
      codec: Codec.raw,
      filter: Filter.none,
      flags: 0,
      rawLength: payload.length,
      storedLength: payload.length,
      sequence: this.#sequence++,
      writer: Buffer.alloc(8),
      id: chunkIdOf(payload),
      check: chunkIdOf(payload).subarray(0, 16),
      offset: this.#bytes.length,
      pack: 1,
      ...lies,
    };
    const record = Buffer.alloc(recordBytes(payload.length));
    encodeHeader(header, record, 0);
    payload.copy(record, HEADER_BYTES);
    this.#bytes = Buffer.concat([this.#bytes, record]);
    this.entries.push({ header, payload });
    return header.id;
  }

  /** A snapshot whose only region is this tree. */
  addSnapshot(tree: Tree, lies: Partial<Manifest> = {}): void {
    const manifest: Manifest = {
      id: FORGED_ID,
      run: 'alpha',
      parent: undefined,
      sequence: this.#sequence,
      step: undefined,
      createdAt: 0,
      stallMs: 0,
      logicalBytes: 0,
      changedBytes: 0,
      storedBytes: 0,
      program: { name: '', version: '', node: '' },
      meta: '',
      skeleton: tree,
      regions: { inline: [] },
      ...lies,
    };
    this.add(RecordType.manifest, encodeManifest(manifest));
  }

  /** A commit over everything so far that looks as it should. */
  commit(lies: Partial<Parameters<typeof encodeCommit>[0]> = {}): void {
    const headers = this.entries.map(({ header }) =>
      this.#bytes.subarray(header.offset, header.offset + HEADER_BYTES),
    );
    const commit = {
      writer: Buffer.alloc(16),
      number: 1,
      previous: NO_COMMIT,
      spanOffset: 0,
      spanBytes: this.#bytes.length,
      spanRecords: headers.length,
      spanHash: chunkIdOf(Buffer.concat(headers)),
      time: 0,
    };
    this.add(RecordType.commit, encodeCommit({ ...commit, ...lies }));
  }

  /** A footer over everything so far; `entry` may turn its entries into lies. */
  seal(entry: (entry: FooterEntry) => FooterEntry = (same) => same, lies: Partial<RecordHeader> = {}): void {
    const all = this.entries.map(({ header }) => entry({ id: header.id, location: locationOf(header) }));
    const isContent = ({ location: { type } }: FooterEntry): boolean =>
      type === RecordType.chunk || type === RecordType.page;
    const offset = this.#bytes.length;
    this.add(
      RecordType.footer,
      encodeFooter(listOf(all.filter(isContent)), listOf(all.filter((one) => !isContent(one)))),
      lies,
    );
    this.#bytes = Buffer.concat([this.#bytes, encodeTrailer(offset)]);
  }

  /** A disk with the store in it. */
  image(): DiskImage {
    const disk = new SimulatedDisk(1);
    disk.makeFolder(`${STORE}/packs`);
    disk.plant(`${STORE}/holdfast.json`, encodeDescriptor(newDescriptor(UUID, 0)));
    disk.plant(packPath(1), this.#bytes);
    return disk.image();
  }
}

/** A tree of one entry. */
export function treeOf(id: ChunkId, byteLength: number, height = 0): Tree {
  return { byteLength, chunking: 0, chunkBytes: 64, height, entries: [{ id, byteLength }] };
}

export function listOf(entries: readonly FooterEntry[]): RecordList {
  const list = new RecordList(0);
  for (const { id, location } of entries) list.add(id, location);
  return list;
}
