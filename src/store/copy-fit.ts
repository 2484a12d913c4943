/**
 * What snapshots would add to a store, in bytes, each to those before it: some are there, others would be copied.
 *
 * What is there counts as gc counts it. What is not counts at least as much as it will take: chunks are stored as they
 * are in the source, and of a page it is not known which base it will be a patch of. So what fits by this still fits
 * when gc measures it, and is not removed again right after it was copied.
 */

import { isSnapError } from '../base/errors.js';
import type { ChunkId, SnapshotId } from '../base/ids.js';
import { takesBase } from '../format/bases.js';
import { encodeManifest, type Manifest, type RegionEntry } from '../format/manifest.js';
import { decodePage } from '../format/page.js';
import { recordBytes } from '../format/record.js';
import type { Tree } from '../format/tree.js';
import { attempt, type CopySource, Unreadable } from './copy-source.js';
import { readablePage } from './copy-target.js';
import { IdMap } from './id-map.js';
import { readRegionTable } from './manifests.js';
import type { Plan } from './retention.js';
import type { Store } from './store.js';

/** A page, as a patch of at most half its size, and a base of its own. */
const PAGE_FACTOR = 1.5;

/** As `fitToBytes` takes it: what each of `order` adds, up to where `maxBytes` is passed. Yields often. */
export async function* addedBytes(
  source: CopySource,
  target: Store | undefined,
  { order, firm }: Plan,
  maxBytes: number,
): AsyncGenerator<void, number[]> {
  const scales = new Scales(source, target);
  const added: number[] = [];
  let sum = 0;
  for (const [position, id] of order.entries()) {
    const before = scales.bytes;
    for (const _ of scales.weigh(id)) yield;
    added.push(scales.bytes - before);
    sum += scales.bytes - before;
    if (sum > maxBytes && position >= firm) break;
  }
  return added;
}

class Scales {
  bytes = 0;
  readonly #source: CopySource;
  readonly #target: Store | undefined;
  readonly #weighed = new IdMap();
  /** Pages below which all is weighed: a state may hold the bytes of a page as a chunk. */
  readonly #walked = new IdMap();

  constructor(source: CopySource, target: Store | undefined) {
    this.#source = source;
    this.#target = target;
  }

  /** What cannot be read weighs nothing: it is not copied either, or gc says what is the matter. */
  *weigh(id: string): Generator<void> {
    try {
      yield* this.#snapshot(id);
    } catch (error) {
      if (!(error instanceof Unreadable) && !isSnapError(error, 'SNAP_CORRUPT')) throw error;
    }
  }

  *#snapshot(id: string): Generator<void> {
    const there = this.#target?.byId(id as SnapshotId);
    const here = this.#source.store.byId(id as SnapshotId);
    let manifest: Manifest;
    let regions: RegionEntry[];
    if (this.#target && there && !there.forgotten) {
      manifest = this.#target.manifest(there);
      regions = readRegionTable(this.#target, manifest);
    } else if (here) {
      manifest = this.#source.manifest(here);
      regions = this.#source.regions(manifest);
    } else return;
    this.bytes += recordBytes(encodeManifest(manifest).length);
    yield* this.#tree(manifest.skeleton);
    if ('tree' in manifest.regions) yield* this.#tree(manifest.regions.tree);
    for (const { tree } of regions) yield* this.#tree(tree);
  }

  *#tree({ height, entries }: Tree): Generator<void> {
    for (const { id, byteLength } of entries) yield* this.#below(height, id, byteLength);
  }

  *#below(height: number, id: ChunkId, byteLength: number): Generator<void> {
    if (height > 0) yield* this.#page(height - 1, id, byteLength);
    else {
      const location = this.#target?.knownChunk(id);
      if (this.#target && location) {
        this.#add(id, () => location.storedLength);
        const base = this.#target.baseOf(id);
        if (base) this.#add(base, () => this.#target?.known(base)?.storedLength ?? 0);
      } else this.#comingChunk(id, byteLength);
    }
  }

  /** One that is a difference comes with its base; it is stored in full where that cannot be its base in the target. */
  #comingChunk(id: ChunkId, byteLength: number): void {
    const location = this.#source.locate(id, byteLength);
    const base = this.#source.chunkBaseOf(id, byteLength);
    const there = base && this.#target?.knownChunk(base.id);
    if (base) this.#add(base.id, () => (there ?? base.location).storedLength);
    const isInFull =
      base && there ? !this.#target?.mayBeBase(base.id, location) : takesBase(location.filter) && !base;
    this.#add(id, () => (isInFull ? byteLength : location.storedLength));
  }

  *#page(height: number, id: ChunkId, byteLength: number): Generator<void> {
    if (this.#walked.has(id)) return;
    this.#walked.set(id, 0);
    const there = this.#target && readablePage(this.#target, id);
    const { raw, entries } = there
      ? { raw: there, entries: attempt(() => decodePage(there, height, byteLength)) }
      : this.#source.page(id, height, byteLength);
    this.#add(id, () => this.#target?.known(id)?.storedLength ?? raw.length * PAGE_FACTOR);
    const base = there && this.#target?.baseOf(id);
    if (base) this.#add(base, () => this.#target?.known(base)?.storedLength ?? 0);
    for (let index = 0; index < entries.count; index++) {
      yield* this.#below(height, entries.id(index), entries.byteLength(index));
    }
    yield;
  }

  #add(id: ChunkId, storedLength: () => number): void {
    if (this.#weighed.has(id)) return;
    this.#weighed.set(id, 0);
    this.bytes += recordBytes(storedLength());
  }
}
