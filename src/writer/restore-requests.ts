/**
 * What a restore asks of the writer thread: what a snapshot consists of, and the bytes of chunks.
 *
 * Chunks are asked for by the megabyte and written to shared memory, so that one piece is decoded here while the one
 * before is put in its place there; between two pieces saves and other requests have their turn.
 */

import { invariant, SnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import type { RegionEntry } from '../format/manifest.js';
import { ENTRY_BYTES, EntryList } from '../format/page.js';
import type { Tree } from '../format/tree.js';
import type { Summary } from '../store/index.js';
import { checkFits } from '../store/limits.js';
import { readBytes, readRegionTable } from '../store/manifests.js';
import { unlessDamaged } from '../store/record-reader.js';
import { readRegion, visitChunks } from '../store/region-tree.js';
import type { Store } from '../store/store.js';
import { readRange } from '../store/tree-cursor.js';
import type { CapturedChunks, ChunkTable } from './chunk-table.js';
import { type Client, namesOf } from './client.js';
import { describe, find, manifestOf, naming, type RegionInfo, regionInfo } from './finding.js';
import { FEW_BYTES, type SnapshotInfo } from './protocol.js';
import type { SnapshotRef } from './refs.js';

export interface OpenedSnapshot {
  info: SnapshotInfo;
  skeleton: Uint8Array;
  regions: RegionInfo[];
  /** The bytes of all regions, one after another, where they are few and the whole is wanted. */
  content?: ArrayBuffer;
  /** Else of which chunks all regions consist. */
  chunks?: ChunkTable;
}

/** Each region is a read of its own. */
const FEW_REGIONS = 64;

/** Chunks to be read, and where to. */
export interface PieceRequest {
  /** How many of the chunks belong to which region: for whoever reads of damage. */
  parts: { region: number; count: number }[];
  /** Id and length of each, as in a page. */
  entries: Uint8Array;
  memory: SharedArrayBuffer;
  /** Where in `memory` the first one begins; the others follow. */
  offset: number;
  /** Check them against their ids; otherwise whoever asks does. */
  verify: boolean;
}

/** What of an answer goes over to the other thread instead of being copied. */
export function memoryIn(answer: unknown): ArrayBuffer[] {
  if (answer instanceof ArrayBuffer) return [answer];
  const { content } = (answer ?? {}) as Partial<OpenedSnapshot>;
  return content instanceof ArrayBuffer ? [content] : [];
}

export const restoreRequests = {
  /** Id and skeleton of a snapshot, and what its regions are; with `whole`, what restoring all of it begins with too. */
  async open(
    store: Store,
    client: Client,
    ref: SnapshotRef,
    run?: string,
    whole?: { compare: boolean },
  ): Promise<OpenedSnapshot> {
    const summary = await find(store, ref, run ?? client.run);
    const manifest = manifestOf(store, summary);
    try {
      const regions = regionsOf(store, client, summary);
      return {
        info: await describe(store, summary, manifest),
        skeleton: readBytes(store, manifest.skeleton),
        regions: regions.map(regionInfo),
        ...(whole && beginningOf(store, client, regions, whole.compare)),
      };
    } catch (error) {
      throw naming(summary, error);
    }
  },

  /** The chunks of regions; with `compare`, which of them the capture that is held has too. */
  async chunks(
    store: Store,
    client: Client,
    id: SnapshotId,
    indexes: number[],
    compare: boolean,
  ): Promise<ChunkTable> {
    const summary = await find(store, id, '');
    for (const index of indexes) regionOf(store, client, summary, index);
    return tableOf(client, regionsOf(store, client, summary), indexes, compare, ({ path, tree }) => {
      try {
        return chunksOf(store, tree);
      } catch (error) {
        throw naming(summary, error, path);
      }
    });
  },

  /** Reads chunks of a snapshot that was opened into shared memory. */
  async chunkBytes(store: Store, client: Client, id: SnapshotId, piece: PieceRequest): Promise<void> {
    const chunks = new EntryList(Buffer.from(piece.entries));
    let next = 0;
    let at = piece.offset;
    for (const { region, count } of piece.parts) {
      try {
        for (const end = next + count; next < end; next++) {
          const length = chunks.byteLength(next);
          store.readChunk(chunks.id(next), Buffer.from(piece.memory, at, length), piece.verify);
          at += length;
        }
      } catch (error) {
        const summary = await find(store, id, '');
        throw naming(summary, error, regionOf(store, client, summary, region).path);
      }
    }
  },

  /** The verified bytes of a part of a region, handed over. */
  async piece(store: Store, client: Client, id: SnapshotId, index: number, start: number, length: number) {
    const summary = await find(store, id, '');
    const entry = regionOf(store, client, summary, index);
    invariant(start + length <= entry.tree.byteLength, 'a piece lies outside of its region');
    const piece = new ArrayBuffer(length);
    try {
      readRange(store, entry.tree, start, Buffer.from(piece));
    } catch (error) {
      throw naming(summary, error, entry.path);
    }
    return piece;
  },
};

/** What is damaged is left to whoever asks for that very region, and can say so. */
function beginningOf(
  store: Store,
  client: Client,
  regions: readonly RegionEntry[],
  compare: boolean,
): Pick<OpenedSnapshot, 'content' | 'chunks'> {
  const content = unlessDamaged(() => contentOf(store, regions));
  if (content) return { content };
  const list = ({ tree }: RegionEntry) => chunksOf(store, tree);
  const chunks = unlessDamaged(() => tableOf(client, regions, [...regions.keys()], compare, list));
  return chunks ? { chunks } : {};
}

function contentOf(store: Store, regions: readonly RegionEntry[]): ArrayBuffer | undefined {
  const byteLength = regions.reduce((sum, { tree }) => sum + tree.byteLength, 0);
  if (byteLength > FEW_BYTES || regions.length > FEW_REGIONS) return undefined;
  const content = new ArrayBuffer(byteLength);
  let at = 0;
  for (const { tree } of regions) {
    readRegion(store, tree, Buffer.from(content, at, tree.byteLength));
    at += tree.byteLength;
  }
  return content;
}

/** Of the regions with these numbers. */
function tableOf(
  client: Client,
  regions: readonly RegionEntry[],
  indexes: readonly number[],
  compare: boolean,
  list: (region: RegionEntry) => EntryList,
): ChunkTable {
  const lists = indexes.map((index) => list(regions[index] as RegionEntry));
  const all = compare ? namesOf(regions) : [];
  const names = indexes.map((index) => all[index] as string);
  return {
    counts: lists.map(({ count }) => count),
    entries: Buffer.concat(lists.map((list) => list.bytes)),
    captured: compare ? capturedOf(client, names, lists) : undefined,
  };
}

function chunksOf(store: Store, tree: Tree): EntryList {
  const list = new EntryList();
  visitChunks(store, tree, (id, _offset, byteLength) => {
    const { count } = list;
    // Pages that are shared would let a small hostile store describe more chunks than memory holds.
    if ((count & (count - 1)) === 0) checkFits(2 * count * ENTRY_BYTES);
    list.resize(count + 1);
    list.set(count, id, byteLength);
  });
  return list;
}

/** What the capture that is held has of these regions; undefined where none is held, or nobody knows its chunks. */
function capturedOf(
  { base, trees }: Client,
  names: readonly string[],
  lists: readonly EntryList[],
): CapturedChunks | undefined {
  if (!base || !trees) return undefined;
  const same = Buffer.alloc(lists.reduce((sum, { count }) => sum + count, 0));
  let next = 0;
  const places = names.map((name, position) => {
    const list = lists[position] as EntryList;
    const bytes = base.regions.get(name);
    const all = trees.get(name);
    // Where chunks are of several lengths the live bytes are hashed.
    const tree = all?.isContentDefined ? undefined : all;
    let start = 0;
    for (let index = 0; index < list.count; index++, next++) {
      if (tree && start === index * tree.chunkBytes && tree.has(index, list.id(index))) same[next] = 1;
      start += list.byteLength(index);
    }
    return (
      bytes && tree && { extents: bytes.extents, byteLength: bytes.byteLength, chunkBytes: tree.chunkBytes }
    );
  });
  return { slot: base.slot, regions: places, same };
}

function regionOf(store: Store, client: Client, summary: Summary, index: number): RegionEntry {
  const { id } = summary;
  const entry = regionsOf(store, client, summary)[index];
  if (!entry) throw new SnapError('SNAP_CORRUPT', `snapshot ${id} has no region ${index}`, { snapshot: id });
  return entry;
}

/** The regions of a snapshot. They are asked for again and again, so the table is not read again each time. */
function regionsOf(store: Store, client: Client, summary: Summary): RegionEntry[] {
  const { id } = summary;
  const held = client.regionTable?.id === id ? client.regionTable.entries.deref() : undefined;
  const entries = held ?? readRegionTable(store, manifestOf(store, summary));
  if (!held) client.regionTable = { id, entries: new WeakRef(entries) };
  return entries;
}
