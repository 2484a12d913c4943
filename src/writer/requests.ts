/**
 * What the owner answers besides saving: looking up, listing, reading, naming, forgetting.
 *
 * Runs on the writer thread, in the order in which requests and saves were made.
 */

import { invariant, SnapError } from '../base/errors.js';
import { isSnapshotId, SHORTEST_ID_PREFIX, type SnapshotId } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import type { Manifest, RegionEntry } from '../format/manifest.js';
import type { Summary } from '../store/index.js';
import { checkFits } from '../store/limits.js';
import { readBytes, readRegionTable } from '../store/manifests.js';
import { readRegion } from '../store/region-tree.js';
import type { Damage } from '../store/scan.js';
import type { Store } from '../store/store.js';
import { readRange } from '../store/tree-cursor.js';
import type { Client } from './client.js';
import type { SnapshotInfo } from './protocol.js';
import type { SnapshotRef } from './refs.js';
import { newestOf } from './saver.js';

export type { SnapshotRef };

export interface ListFilter {
  /** Only this run; otherwise all. */
  run?: string;
  /** Forgotten snapshots too. */
  forgotten?: boolean;
}

/** A region as a snapshot describes it. */
export interface RegionInfo {
  path: string;
  kind: string;
  byteLength: number;
}

/** What there is to resume from. */
export interface Candidates {
  ids: SnapshotId[];
  damage: readonly Damage[];
}

export interface OpenedSnapshot {
  info: SnapshotInfo;
  skeleton: Uint8Array;
  regions: RegionInfo[];
}

/** What kind of buffer a region is restored into. */
export interface BufferForm {
  shared: boolean;
  /** Present for a resizable (or growable shared) buffer. */
  maxByteLength?: number;
}

export interface StoreStats {
  directory: string;
  uuid: string;
  format: number;
  createdAt: Date;
  snapshots: number;
  forgotten: number;
  tags: number;
  /** Sums over the snapshots that are not forgotten. */
  logicalBytes: number;
  changedBytes: number;
  storedBytes: number;
  packs: number;
  packBytes: number;
  indexBytes: number;
  runs: RunStats[];
}

export interface RunStats {
  run: string;
  snapshots: number;
  logicalBytes: number;
  changedBytes: number;
  storedBytes: number;
  /** Id of the newest. */
  newest: string;
}

const PAGE = 256;
/** Characters of `meta` after which a page ends early. */
const PAGE_META = 4 * MiB;
/** How many candidates an ambiguous prefix is explained with. */
const CANDIDATES = 4;

export type Requests = typeof requests;

export const requests = {
  /** Resolves when everything sent before is done. */
  async flush(): Promise<void> {},

  async info(store: Store, client: Client, ref: SnapshotRef, run?: string) {
    const summary = await find(store, ref, run ?? client.run);
    const manifest = manifestOf(store, summary);
    try {
      const regions = readRegionTable(store, manifest).map(regionInfo);
      return { ...(await describe(store, summary, manifest)), regions };
    } catch (error) {
      throw naming(summary, error);
    }
  },

  /** A page of infos, newest first; `below` is the cursor that the page before returned. */
  async list(store: Store, _client: Client, filter: ListFilter, below?: number) {
    const tags = await store.tagNames();
    const infos: SnapshotInfo[] = [];
    let meta = 0;
    for await (const summary of store.summaries(filter.run, below)) {
      if (summary.forgotten && !filter.forgotten) continue;
      const manifest = manifestIfReadable(store, summary);
      if (manifest) infos.push(infoOf(summary, manifest, [...(tags.get(summary.id) ?? [])]));
      meta += manifest?.meta.length ?? 0;
      if (infos.length === PAGE || meta > PAGE_META) return { infos, below: summary.sequence };
    }
    return { infos, below: undefined };
  },

  /** Id and skeleton of a snapshot, and what its regions are. */
  async open(store: Store, client: Client, ref: SnapshotRef, run?: string): Promise<OpenedSnapshot> {
    const summary = await find(store, ref, run ?? client.run);
    const manifest = manifestOf(store, summary);
    try {
      return {
        info: await describe(store, summary, manifest),
        skeleton: readBytes(store, manifest.skeleton),
        regions: readRegionTable(store, manifest).map(regionInfo),
      };
    } catch (error) {
      throw naming(summary, error);
    }
  },

  /** The verified bytes of one region, in a buffer of its own that is handed over. */
  async region(store: Store, client: Client, id: SnapshotId, index: number, form: BufferForm) {
    const summary = await find(store, id, '');
    const entry = regionOf(store, client, summary, index);
    const { byteLength } = entry.tree;
    checkFits(byteLength);
    const buffer = newBuffer(byteLength, form);
    try {
      readRegion(store, entry.tree, Buffer.from(buffer as ArrayBuffer));
    } catch (error) {
      throw naming(summary, error, entry.path);
    }
    return buffer;
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

  /** Ids of the snapshots of a run, newest first, that `resume` may try; and where others may have been lost. */
  async candidates(store: Store, client: Client, limit: number): Promise<Candidates> {
    const ids: SnapshotId[] = [];
    for await (const summary of store.summaries(client.run)) {
      if (summary.forgotten) continue;
      ids.push(summary.id);
      if (ids.length === limit) break;
    }
    return { ids, damage: store.damage };
  },

  async tags(store: Store): Promise<Record<string, string>> {
    const tags: Record<string, string> = {};
    for await (const { name, snapshot } of store.tags()) {
      if (store.byId(snapshot)?.forgotten === false) tags[name] = snapshot;
    }
    return tags;
  },

  async tag(store: Store, client: Client, name: string, ref: SnapshotRef): Promise<string> {
    const { id } = await find(store, ref, client.run);
    await store.note(() => store.putTag(name, id));
    return id;
  },

  async untag(store: Store, _client: Client, name: string): Promise<void> {
    if (store.tagged(name) === undefined) throw noTag(name);
    await store.note(() => store.putTag(name, undefined));
  },

  async forget(store: Store, client: Client, ref: SnapshotRef): Promise<string> {
    const { id } = await find(store, ref, client.run);
    await store.note(() => store.putForget(id, true));
    // What continues a forgotten snapshot may still build on its chunks: they stay until gc.
    return id;
  },

  /** All of them, or none, in one commit. */
  async forgetAll(store: Store, _client: Client, ids: SnapshotId[]): Promise<void> {
    if (ids.length === 0) return;
    await store.note(() => {
      for (const id of ids) store.putForget(id, true);
    });
  },

  async unforget(store: Store, _client: Client, prefix: string): Promise<string> {
    const summary = await byPrefix(store, prefix);
    if (!summary) throw new SnapError('SNAP_NOT_FOUND', `no snapshot has an id that begins with ${prefix}`);
    if (summary.forgotten) await store.note(() => store.putForget(summary.id, false));
    return summary.id;
  },

  async stats(store: Store): Promise<StoreStats> {
    const runs = new Map<string, RunStats>();
    const stats = { snapshots: 0, forgotten: 0, logicalBytes: 0, changedBytes: 0, storedBytes: 0 };
    for await (const summary of store.summaries()) {
      if (summary.forgotten) {
        stats.forgotten++;
        continue;
      }
      const manifest = manifestIfReadable(store, summary);
      if (!manifest) continue;
      const { run, logicalBytes, changedBytes, storedBytes, id } = manifest;
      const entry = runs.get(run) ?? {
        run,
        snapshots: 0,
        logicalBytes: 0,
        changedBytes: 0,
        storedBytes: 0,
        newest: id,
      };
      runs.set(run, entry);
      for (const sums of [stats, entry]) {
        sums.snapshots++;
        sums.logicalBytes += logicalBytes;
        sums.changedBytes += changedBytes;
        sums.storedBytes += storedBytes;
      }
    }
    const sizes = Object.values(store.packSizes());
    const { uuid, version, createdAt } = store.descriptor;
    return {
      directory: store.directory,
      uuid,
      format: version,
      createdAt: new Date(createdAt),
      ...stats,
      tags: Object.keys(await requests.tags(store)).length,
      packs: sizes.length,
      packBytes: sizes.reduce((sum, size) => sum + size, 0),
      indexBytes: store.indexBytes(),
      runs: [...runs.values()].sort((a, b) => a.run.localeCompare(b.run)),
    };
  },
};

/** What listing shows of a snapshot. */
export function infoOf(summary: Summary, manifest: Manifest, tags: string[]): SnapshotInfo {
  return {
    id: manifest.id,
    run: manifest.run,
    parent: manifest.parent,
    step: manifest.step,
    tags,
    createdAt: new Date(manifest.createdAt),
    logicalBytes: manifest.logicalBytes,
    changedBytes: manifest.changedBytes,
    storedBytes: manifest.storedBytes,
    stallMs: manifest.stallMs,
    durableMs: summary.durableMs,
    meta: manifest.meta === '' ? undefined : JSON.parse(manifest.meta),
    program: manifest.program,
    forgotten: summary.forgotten,
  };
}

/** One region of a snapshot. Regions are asked for one by one, so the table is not read again for each. */
function regionOf(store: Store, client: Client, summary: Summary, index: number): RegionEntry {
  const { id } = summary;
  const held = client.regionTable?.id === id ? client.regionTable.entries.deref() : undefined;
  const entries = held ?? readRegionTable(store, manifestOf(store, summary));
  if (!held) client.regionTable = { id, entries: new WeakRef(entries) };
  const entry = entries[index];
  if (!entry) throw new SnapError('SNAP_CORRUPT', `snapshot ${id} has no region ${index}`, { snapshot: id });
  return entry;
}

function regionInfo({
  path,
  kind,
  tree,
}: {
  path: string;
  kind: string;
  tree: { byteLength: number };
}): RegionInfo {
  return { path, kind, byteLength: tree.byteLength };
}

export async function describe(store: Store, summary: Summary, manifest: Manifest): Promise<SnapshotInfo> {
  const tags = await store.tagNames();
  return infoOf(summary, manifest, [...(tags.get(summary.id) ?? [])]);
}

export function manifestOf(store: Store, summary: Summary): Manifest {
  try {
    return store.manifest(summary);
  } catch (error) {
    throw naming(summary, error);
  }
}

/** One damaged manifest must not hide the snapshots beside it: it is left out, with a warning. */
function manifestIfReadable(store: Store, summary: Summary): Manifest | undefined {
  try {
    return manifestOf(store, summary);
  } catch (error) {
    if (!(error instanceof SnapError) || error.code !== 'SNAP_CORRUPT') throw error;
    store.warn({ kind: 'damage', message: error.message, snapshot: summary.id });
    return undefined;
  }
}

/** Damage is reported with the snapshot it hits: that is what a person can act on. */
export function naming(summary: Summary, error: unknown, region?: string): unknown {
  if (!(error instanceof SnapError) || error.code !== 'SNAP_CORRUPT') return error;
  const { pack, offset } = error;
  const where = region === undefined ? '' : `, region ${region === '' ? '(state)' : region}`;
  const message = `snapshot ${summary.id}${where} cannot be restored: ${error.message}; an older one may be intact (snap ls)`;
  return new SnapError('SNAP_CORRUPT', message, {
    snapshot: summary.id,
    ...(pack !== undefined && { pack }),
    ...(offset !== undefined && { offset }),
    ...(region !== undefined && { path: region }),
    cause: error,
  });
}

/** `run` is the one that `latest`, a step and a time mean; undefined: any. */
export async function find(store: Store, ref: SnapshotRef, run: string | undefined): Promise<Summary> {
  if (typeof ref === 'string') return ref === 'latest' ? await latest(store, run) : await named(store, ref);
  const wanted = 'step' in ref ? `step ${ref.step}` : `a time before ${ref.before.toISOString()}`;
  for await (const summary of store.summaries(run)) {
    if (summary.forgotten) continue;
    const matches = 'step' in ref ? summary.step === ref.step : summary.createdAt < ref.before.getTime();
    if (matches) return summary;
  }
  throw new SnapError(
    'SNAP_NOT_FOUND',
    `${nameOf(run)} has no snapshot of ${wanted}; snap ls lists what there is`,
  );
}

async function latest(store: Store, run: string | undefined): Promise<Summary> {
  const id = await newestOf(store, run);
  const summary = id && store.byId(id);
  if (summary) return summary;
  const runs = await store.runs();
  const others = runs.length > 0 ? `; runs in this store: ${runs.join(', ')}` : '; the store is empty';
  throw new SnapError('SNAP_NOT_FOUND', `${nameOf(run)} has no snapshot${others}`);
}

function nameOf(run: string | undefined): string {
  return run === undefined ? 'the store' : `run ${run}`;
}

async function named(store: Store, ref: string): Promise<Summary> {
  const tagged = store.tagged(ref);
  const summary = tagged === undefined ? await byPrefix(store, ref) : store.byId(tagged);
  if (!summary) {
    throw new SnapError(
      'SNAP_NOT_FOUND',
      `there is no snapshot with the tag or id ${ref}; snap ls lists what there is`,
    );
  }
  if (summary.forgotten) {
    throw new SnapError(
      'SNAP_NOT_FOUND',
      `snapshot ${summary.id} was forgotten; unforget it to use it again`,
      {
        snapshot: summary.id,
      },
    );
  }
  return summary;
}

async function byPrefix(store: Store, text: string): Promise<Summary | undefined> {
  const digits = text.toLowerCase();
  if (isSnapshotId(digits)) return store.byId(digits);
  if (!/^[0-9a-f]*$/.test(digits) || digits.length < SHORTEST_ID_PREFIX || digits.length > 32)
    return undefined;
  const ids = await store.idsWithPrefix(digits, CANDIDATES);
  if (ids.length > 1) {
    throw new SnapError(
      'SNAP_AMBIGUOUS',
      `several snapshots begin with ${text}: ${ids.join(', ')}; give more digits`,
    );
  }
  return ids[0] && store.byId(ids[0]);
}

function noTag(name: string): SnapError {
  return new SnapError('SNAP_NOT_FOUND', `there is no tag ${name}`);
}

type ResizableBuffers = {
  new (length: number, options: { maxByteLength: number }): ArrayBuffer;
};

function newBuffer(
  byteLength: number,
  { shared, maxByteLength }: BufferForm,
): ArrayBuffer | SharedArrayBuffer {
  const kind = shared ? SharedArrayBuffer : ArrayBuffer;
  if (maxByteLength === undefined) return new kind(byteLength);
  return new (kind as unknown as ResizableBuffers)(byteLength, { maxByteLength });
}
