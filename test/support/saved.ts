/** What was saved: the bytes a restore has to give back, and how they are put into a store and read again. */

import assert from 'node:assert/strict';
import type { ChunkId, SnapshotId } from '../../src/base/ids.js';
import { type RegionBytes, visitChangedChunks } from '../../src/chunker/fixed.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { type Cut, NEW, NOWHERE } from '../../src/chunker/recut.js';
import {
  encodeRegionTable,
  INLINE_TABLE_BYTES,
  type Manifest,
  type RegionEntry,
} from '../../src/format/manifest.js';
import { Filter } from '../../src/format/record.js';
import { CONTENT_RANGE, type Tree } from '../../src/format/tree.js';
import type { ChunkStorage } from '../../src/store/content.js';
import type { Summary } from '../../src/store/index.js';
import { readBytes, readRegionTable } from '../../src/store/manifests.js';
import { RegionTree } from '../../src/store/region-tree.js';
import type { Store } from '../../src/store/store.js';

/** Bytes of regions by path; the skeleton is the one with the empty path. Buffers are never changed in place. */
export type Content = ReadonlyMap<string, Buffer>;

export interface Saved {
  id: SnapshotId;
  run: string;
  content: Content;
}

/** What one run keeps between its saves, as the writer does: trees and the bytes they are of. */
export interface Lineage {
  id: SnapshotId | undefined;
  trees: Map<string, RegionTree>;
  content: Content;
}

export const NO_LINEAGE: Lineage = { id: undefined, trees: new Map(), content: new Map() };

/** Puts everything of a snapshot but the commit; returns the lineage for the next save of the run. */
export async function putSnapshot(
  store: Store,
  saved: Saved,
  base: Lineage,
  chunkBytes: number,
  step: number,
  storage: StorageOf = storageOf,
): Promise<Lineage> {
  const trees = new Map<string, RegionTree>();
  const roots = new Map<string, Tree>();
  for (const [path, bytes] of saved.content) {
    const tree = base.trees.get(path) ?? new RegionTree(chunkBytes);
    trees.set(path, tree);
    const cut = isCutByContent(path);
    roots.set(path, await putRegion(store, tree, bytes, base.content.get(path), storage, cut));
  }
  const entries = [...roots].flatMap(([path, tree]): RegionEntry[] =>
    path === '' ? [] : [{ path, kind: 'Uint8Array', tree }],
  );
  store.putManifest({
    id: saved.id,
    run: saved.run,
    parent: base.id,
    step,
    createdAt: step,
    stallMs: 0,
    logicalBytes: 0,
    changedBytes: 0,
    storedBytes: 0,
    program: { name: 'program', version: '1', node: '20' },
    meta: '',
    skeleton: roots.get('') as Tree,
    regions: await putTable(store, entries, trees, base),
  });
  return { id: saved.id, trees, content: saved.content };
}

async function putTable(
  store: Store,
  entries: RegionEntry[],
  trees: Map<string, RegionTree>,
  base: Lineage,
): Promise<Manifest['regions']> {
  const table = encodeRegionTable(entries);
  if (table.length <= INLINE_TABLE_BYTES) return { inline: entries };
  const tree = base.trees.get(TABLE) ?? new RegionTree(512);
  trees.set(TABLE, tree);
  return { count: entries.length, tree: await putRegion(store, tree, table, undefined, storageOf) };
}

/** Regions of some names are cut by content. */
function isCutByContent(path: string): boolean {
  return path.startsWith('v');
}

/**
 * Cuts a region into chunks as short and as long as a tree may have them, where the bytes say so. Some of those that the
 * tree has already are kept, others come as new.
 */
export function cutAnyhow(tree: RegionTree, bytes: Buffer): Cut {
  const cut: Cut = { lengths: [], origins: [], places: [] };
  const shortest = Math.ceil(tree.chunkBytes / CONTENT_RANGE);
  const longest = tree.chunkBytes * CONTENT_RANGE;
  for (let at = 0; at < bytes.length; ) {
    const wanted = shortest + ((31 * (bytes[at] as number)) % (longest - shortest + 1));
    const length = Math.min(wanted, bytes.length - at);
    const id = chunkIdOf(bytes.subarray(at, at + length));
    const here = cut.lengths.length;
    const origin = [here, here - 1, here + 1].find((index) => index >= 0 && tree.has(index, id));
    cut.lengths.push(length);
    cut.origins.push(origin ?? NEW);
    cut.places.push(origin ?? (here < tree.count ? here : NOWHERE));
    at += length;
  }
  return cut;
}

/** No region has this path. */
const TABLE = '\0table';

async function putRegion(
  store: Store,
  tree: RegionTree,
  bytes: Buffer,
  previous: Buffer | undefined,
  storage: StorageOf,
  isCutByContent = false,
): Promise<Tree> {
  if (isCutByContent) tree.recut(cutAnyhow(tree, bytes));
  else tree.resize(bytes.length);
  const indexes = isCutByContent ? Array(tree.count).keys() : changedChunks(bytes, previous, tree.chunkBytes);
  for (const index of indexes) {
    const raw = bytes.subarray(tree.start(index), tree.end(index));
    const id = chunkIdOf(raw);
    if (tree.has(index, id)) continue;
    const room = store.makeRoom(raw.length);
    if (room) await room;
    store.putChunk(raw, id, storage(id, tree.previous(index)));
    tree.set(index, id);
  }
  return tree.store(store).tree;
}

/** How a chunk is stored, and what was in its place before. */
export type StorageOf = (id: ChunkId, previous: ChunkId | undefined) => ChunkStorage;

/**
 * Some way to store a chunk, as its id has it: so the same state is stored in the same way, and all ways occur. Where the
 * store does not compress it is stored as it is.
 */
function storageOf(id: ChunkId, previous: ChunkId | undefined): ChunkStorage {
  const [first = 0, second = 0] = id;
  const alone = ALONE[first % ALONE.length] as Filter;
  const filter = DIFFERENCES[second % DIFFERENCES.length];
  const difference = filter && previous ? { filter, previous, atMost: (bytes: number) => bytes } : undefined;
  return { alone, difference };
}

const ALONE = [Filter.none, Filter.shuffle4, Filter.shuffle8, Filter.delta4, Filter.delta8];
const DIFFERENCES = [undefined, Filter.difference4, Filter.difference8, Filter.dictionary];

function changedChunks(bytes: Buffer, previous: Buffer | undefined, chunkBytes: number): number[] {
  if (!previous) return Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) => index);
  const changed: number[] = [];
  visitChangedChunks(regionBytes(bytes), regionBytes(previous), chunkBytes, (index) => changed.push(index));
  return changed;
}

export function regionBytes(bytes: Buffer): RegionBytes {
  return { byteLength: bytes.length, slice: (start, end) => bytes.subarray(start, end) };
}

/** The trees that a process continuing this snapshot starts from. */
export function loadLineage(store: Store, summary: Summary): Lineage {
  const manifest = store.manifest(summary);
  const trees = new Map([['', RegionTree.load(store, manifest.skeleton)]]);
  for (const { path, tree } of readRegionTable(store, manifest))
    trees.set(path, RegionTree.load(store, tree));
  if (!('inline' in manifest.regions)) trees.set(TABLE, RegionTree.load(store, manifest.regions.tree));
  return { id: summary.id, trees, content: new Map() };
}

/** Every byte of a snapshot, read back and checked. */
export function readSnapshot(store: Store, summary: Summary): Map<string, Buffer> {
  const manifest = store.manifest(summary);
  assert.equal(manifest.id, summary.id);
  const content = new Map([['', readBytes(store, manifest.skeleton)]]);
  for (const { path, tree } of readRegionTable(store, manifest)) content.set(path, readBytes(store, tree));
  return content;
}

export function assertSameContent(actual: Content, expected: Content, what: string): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort(), `${what}: its regions`);
  for (const [path, bytes] of expected) {
    if (!actual.get(path)?.equals(bytes)) assert.fail(`${what}: wrong bytes in region '${path}'`);
  }
}
