/**
 * Turns one capture into records: find what may have changed, hash it, put what is new, then pages and manifest.
 *
 * The other slot is given back as soon as the comparison with it is done; this one becomes the base of the next save.
 * Nothing here is durable until the caller commits.
 */

import { invariant } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import { KiB } from '../base/sizes.js';
import { chunkBytesFor } from '../chunker/fixed.js';
import { chunkIdOf } from '../chunker/ids.js';
import { NEW } from '../chunker/recut.js';
import { bytesOf, type Kept } from '../chunker/shifted.js';
import {
  encodeRegionTable,
  INLINE_TABLE_BYTES,
  type Manifest,
  type RegionEntry,
} from '../format/manifest.js';
import type { Tree } from '../format/tree.js';
import { FilterChoice } from '../store/filter-choice.js';
import { readRegionTable } from '../store/manifests.js';
import { RegionTree } from '../store/region-tree.js';
import type { Store } from '../store/store.js';
import { type ChunkList, changedChunks, changedShares } from './changes.js';
import { type Client, type NamedRegion, namesOf, SKELETON_NAME } from './client.js';
import { cutAround, isMovable, keptChunks, keptChunksById, overlapped } from './moved.js';
import type { SaveJob } from './protocol.js';

/** The table of many regions changes in small places. */
const TABLE_CHUNK_BYTES = 4 * KiB;
const TABLE_NAME = 'table';

export interface SaverHooks {
  /** A slot is free to be filled again. */
  released(client: Client, slot: number): void;
  /** Called between chunks: lets the thread answer others. */
  breathe(): Promise<void> | undefined;
}

/** What became of a capture. */
export interface Saved {
  manifest: Manifest;
  /** Of the regions that were to be measured, the share that changed; undefined where nothing tells. */
  shares: (number | undefined)[];
}

/** Appends everything of one capture to the store's open commit. */
export async function save(store: Store, client: Client, job: SaveJob, hooks: SaverHooks): Promise<Saved> {
  const { program } = client;
  invariant(program, 'a Snap saves that only asks');
  store.begin();
  const captured = client.captured(job.slot, job.skeletonBytes);
  const { damageSeen } = store;
  // What was found damaged since the last save may be part of what it left: then everything is looked at again.
  const isTrusted = client.damageSeen === damageSeen;
  if (!isTrusted) client.trees = undefined;
  const changed = changedChunks(client, captured, job);
  const shares = changedShares(client, captured, changed, job);
  const kept = isTrusted ? keptChunks(client, captured, changed) : [];
  releaseBase(client, hooks);
  const { base: trees, parent } = await lineageOf(store, client);
  const written = { changed: 0, stored: 0 };
  const saved = new Map<string, RegionTree>();
  const choices = new Map<string, FilterChoice>();
  const roots: Tree[] = [];
  for (const [position, region] of captured.entries()) {
    const previous = previousTree(region, trees);
    const tree = previous ?? new RegionTree(chunkBytesFor(region.kind));
    saved.set(region.name, tree);
    const choice = client.choices.get(region.name) ?? new FilterChoice(region.kind);
    choices.set(region.name, choice);
    const changedBefore = written.changed;
    await putChunks(
      store,
      tree,
      region,
      await layOut(
        tree,
        region,
        kept[position],
        isTrusted && previous ? changed[position] : undefined,
        choice,
        hooks,
      ),
      choice,
      written,
      hooks,
    );
    const measured = job.measure.indexOf(position - 1);
    if (measured >= 0 && previous) shares[measured] ??= (written.changed - changedBefore) / tree.byteLength;
    const { tree: root, written: pages } = tree.store(store);
    written.stored += pages;
    roots.push(root);
  }
  const [skeleton, ...regionRoots] = roots as [Tree, ...Tree[]];
  const entries = regionRoots.map((tree, index): RegionEntry => {
    const { path, kind } = captured[index + 1] as NamedRegion;
    return { path, kind, tree };
  });
  const table = await putTable(store, entries, trees.get(TABLE_NAME), saved, written);
  const manifest = store.putManifest({
    id: job.id,
    run: client.run,
    parent,
    step: job.step,
    createdAt: job.createdAt,
    stallMs: job.stallMs,
    logicalBytes: roots.reduce((sum, root) => sum + root.byteLength, 0),
    changedBytes: written.changed,
    storedBytes: written.stored,
    program,
    meta: job.meta,
    skeleton,
    regions: table,
  });
  for (const tag of job.tags) store.putTag(tag, job.id);
  client.lineage = job.id;
  client.damageSeen = damageSeen;
  client.trees = saved;
  client.choices = choices;
  client.base = { slot: job.slot, regions: new Map(captured.map(({ name, bytes }) => [name, bytes])) };
  return { manifest, shares };
}

/** Gives back the slot that was held for comparison. */
export function releaseBase(client: Client, hooks: Pick<SaverHooks, 'released'>): void {
  const { base } = client;
  client.base = undefined;
  if (base) hooks.released(client, base.slot);
}

/** The trees to build on, and the snapshot they are of: from memory, or from the store after a start or failure. */
async function lineageOf(
  store: Store,
  client: Client,
): Promise<{ base: Map<string, RegionTree>; parent: SnapshotId | undefined }> {
  if (client.lineage === undefined) client.lineage = (await store.newest(client.run))?.id ?? null;
  const parent = client.lineage ?? undefined;
  client.trees ??= parent ? loadTrees(store, parent) : new Map();
  return { base: client.trees, parent };
}

function loadTrees(store: Store, id: SnapshotId): Map<string, RegionTree> {
  const trees = new Map<string, RegionTree>();
  const summary = store.byId(id);
  if (!summary) return trees;
  try {
    const manifest = store.manifest(summary);
    trees.set(SKELETON_NAME, RegionTree.load(store, manifest.skeleton));
    const table = readRegionTable(store, manifest);
    for (const [index, name] of namesOf(table).entries()) {
      trees.set(name, RegionTree.load(store, (table[index] as RegionEntry).tree));
    }
    return trees;
  } catch {
    // A parent that cannot be read is no reason not to save: everything then counts as changed.
    return new Map();
  }
}

function previousTree({ name, kind }: NamedRegion, trees: Map<string, RegionTree>): RegionTree | undefined {
  const tree = trees.get(name);
  if (tree?.chunkBytes !== chunkBytesFor(kind)) return undefined;
  return tree.isContentDefined && !isMovable(kind) ? undefined : tree;
}

/** Makes the tree's chunks those of the region; returns which of them may have changed, undefined for all. */
async function layOut(
  tree: RegionTree,
  region: NamedRegion,
  kept: Kept[] | undefined,
  changed: ChunkList | undefined,
  choice: FilterChoice,
  hooks: SaverHooks,
): Promise<ChunkList | undefined> {
  const { byteLength } = region.bytes;
  const isToBeFound = !changed || (tree.isContentDefined && tree.byteLength !== byteLength);
  const around = kept ?? (isToBeFound ? keptChunksById(tree, region) : undefined);
  if (around) {
    const { origins, places } = await cutAround(tree, region, around, hooks.breathe);
    choice.follow(places);
    return kept && [...origins.keys()].filter((index) => origins[index] === NEW);
  }
  tree.resize(byteLength);
  return changed && overlapped(tree, changed);
}

/**
 * Hashes the chunks that may have changed and puts those that have. Where all of them are looked at, what was in the
 * lineage before is put again where it cannot be found or read any more: a save has to be whole by itself.
 */
async function putChunks(
  store: Store,
  tree: RegionTree,
  region: NamedRegion,
  changed: ChunkList | undefined,
  choice: FilterChoice,
  written: { changed: number; stored: number },
  hooks: SaverHooks,
): Promise<void> {
  const count = changed?.length ?? tree.count;
  const indexOf = (position: number) => (changed ? (changed[position] as number) : position);
  const chunk = (index: number) => bytesOf(region.bytes, tree.start(index), tree.end(index));
  const samples = choice.samples(count).map((position) => {
    const index = indexOf(position);
    return { raw: chunk(index), previous: tree.previous(index) };
  });
  choice.learn(store, samples);
  for (let position = 0; position < count; position++) {
    const index = indexOf(position);
    const raw = chunk(index);
    const id = chunkIdOf(raw);
    if (tree.has(index, id) && (changed || store.knownChunk(id))) continue;
    const room = store.makeRoom(raw.length);
    if (room) await room;
    written.changed += raw.length;
    written.stored += choice.put(store, index, raw, id, tree.previous(index));
    tree.set(index, id);
    const pause = hooks.breathe();
    if (pause) await pause;
  }
}

/** The region table: in the manifest while small, else a tree of its own. */
async function putTable(
  store: Store,
  entries: RegionEntry[],
  previous: RegionTree | undefined,
  kept: Map<string, RegionTree>,
  written: { stored: number },
): Promise<Manifest['regions']> {
  const bytes = encodeRegionTable(entries);
  if (bytes.length <= INLINE_TABLE_BYTES) return { inline: entries };
  const tree = previous ?? new RegionTree(TABLE_CHUNK_BYTES);
  kept.set(TABLE_NAME, tree);
  tree.resize(bytes.length);
  for (let index = 0; index * TABLE_CHUNK_BYTES < bytes.length; index++) {
    const raw = bytes.subarray(index * TABLE_CHUNK_BYTES, (index + 1) * TABLE_CHUNK_BYTES);
    const id = chunkIdOf(raw);
    if (tree.has(index, id)) continue;
    const room = store.makeRoom(raw.length);
    if (room) await room;
    written.stored += store.putChunk(raw, id).written;
    tree.set(index, id);
  }
  const { tree: root, written: pages } = tree.store(store);
  written.stored += pages;
  return { count: entries.length, tree: root };
}
