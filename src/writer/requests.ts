/**
 * What the owner answers besides saving: looking up, listing, naming, forgetting.
 *
 * Runs on the writer thread, in the order in which requests and saves were made.
 */

import { SnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import type { Manifest } from '../format/manifest.js';
import type { Summary } from '../store/index.js';
import { readRegionTable } from '../store/manifests.js';
import type { Damage } from '../store/scan.js';
import type { Store } from '../store/store.js';
import type { Client } from './client.js';
import {
  byPrefix,
  describe,
  find,
  infoOf,
  manifestOf,
  naming,
  type RegionInfo,
  regionInfo,
} from './finding.js';
import type { SnapshotInfo } from './protocol.js';
import type { SnapshotRef } from './refs.js';
import { restoreRequests } from './restore-requests.js';

export type { RegionInfo, SnapshotRef };

export interface ListFilter {
  /** Only this run; otherwise all. */
  run?: string;
  /** Forgotten snapshots too. */
  forgotten?: boolean;
}

/** What there is to resume from. */
export interface Candidates {
  ids: SnapshotId[];
  damage: readonly Damage[];
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

export type Requests = typeof requests;

export const requests = {
  ...restoreRequests,

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

function noTag(name: string): SnapError {
  return new SnapError('SNAP_NOT_FOUND', `there is no tag ${name}`);
}
