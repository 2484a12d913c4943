/** Large stores made cheaply: tiny chunks, or manifests that share everything; through the store, not through saves. */

import type { SnapshotId } from '../../src/base/ids.js';
import { MiB } from '../../src/base/sizes.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import type { Tree } from '../../src/format/tree.js';
import { realIo } from '../../src/io/real.js';
import { RegionTree } from '../../src/store/region-tree.js';
import { Store } from '../../src/store/store.js';

const CHUNK_BYTES = 16;
/** Packs of a large store hold about as many records as these. */
const PACK_BYTES = 32 * MiB;
const RUNS = 10;

function openStore(directory: string): Promise<Store> {
  return Store.open({
    io: realIo,
    directory,
    create: true,
    readOnly: false,
    compression: false,
    packBytes: PACK_BYTES,
    onWarning: ({ message }) => console.error(message),
  });
}

/** `chunks` different chunks in ten snapshots; sealed packs and an open one. */
export async function makeChunks(directory: string, chunks: number): Promise<void> {
  const store = await openStore(directory);
  const each = Math.ceil(chunks / 10);
  const raw = Buffer.alloc(CHUNK_BYTES);
  for (let snapshot = 0; snapshot < 10; snapshot++) {
    store.begin();
    const tree = new RegionTree(CHUNK_BYTES);
    tree.resize(each * CHUNK_BYTES);
    for (let index = 0; index < each; index++) {
      raw.writeUInt32LE(index, 0);
      raw.writeUInt32LE(snapshot, 4);
      const id = chunkIdOf(raw);
      const room = store.makeRoom(CHUNK_BYTES);
      if (room) await room;
      store.putChunk(raw, id);
      tree.set(index, id);
    }
    putSnapshot(store, snapshot, 'main', emptyTree(store), tree.store(store).tree);
    await store.commit();
  }
  await store.close();
}

/** `snapshots` of ten runs with one state, a tag for every one; commits of a hundred. */
export async function makeSnapshots(directory: string, snapshots: number): Promise<void> {
  const store = await openStore(directory);
  for (let first = 0; first < snapshots; first += 100) {
    store.begin();
    const skeleton = emptyTree(store);
    for (let step = first; step < Math.min(first + 100, snapshots); step++) {
      const id = putSnapshot(store, step, `run-${step % RUNS}`, skeleton, skeleton);
      store.putTiming(id, 1);
      store.putTag(`tag-${step}`, id);
    }
    await store.commit();
  }
  await store.close();
}

function emptyTree(store: Store): Tree {
  const tree = new RegionTree(CHUNK_BYTES);
  tree.resize(1);
  const raw = Buffer.alloc(1);
  const { id } = store.putChunk(raw);
  tree.set(0, id);
  return tree.store(store).tree;
}

function putSnapshot(store: Store, step: number, run: string, skeleton: Tree, region: Tree): SnapshotId {
  const id = chunkIdOf(Buffer.from(`snapshot ${step}`)).toString('hex', 0, 16) as SnapshotId;
  store.putManifest({
    id,
    run,
    parent: undefined,
    step,
    createdAt: step,
    stallMs: 0,
    logicalBytes: region.byteLength,
    changedBytes: 0,
    storedBytes: 0,
    program: { name: 'scale', version: '1.0.0', node: process.version },
    meta: '',
    skeleton,
    regions: { inline: [{ path: 'u', kind: 'Uint8Array', tree: region }] },
  });
  return id;
}
