/**
 * The tree of one region while it is being saved again and again: every chunk id, and every page as it was last
 * stored, so that a save hashes and writes only the pages above a changed chunk.
 *
 * Levels: level 0 lists chunks; level k lists the pages over level k-1, PAGE_ENTRIES to a page. The lowest level
 * of at most ROOT_ENTRIES entries is the root, which the manifest holds itself.
 *
 * Chunks are of one length, so that an index says where one lies; or the region was cut otherwise, because its bytes
 * move, and the tree knows where each begins.
 *
 * A tree belongs to a line of saves that all succeeded. After a failed one it is thrown away and loaded again,
 * because ids in it may belong to records that were rolled back.
 */

import { invariant, SnapError } from '../base/errors.js';
import { asChunkId, CHUNK_ID_BYTES, type ChunkId } from '../base/ids.js';
import { type Cut, NEW, NOWHERE } from '../chunker/recut.js';
import { decodePage, ENTRY_BYTES, type Entry, EntryList, PAGE_ENTRIES } from '../format/page.js';
import { Chunking, CONTENT_RANGE, ROOT_ENTRIES, type Tree } from '../format/tree.js';
import type { PatchBase } from './content.js';
import { checkFits } from './limits.js';
import type { Store } from './store.js';

/** Of a chunk that is still to be put. */
const NO_ID = asChunkId(Buffer.alloc(CHUNK_ID_BYTES));

export class RegionTree {
  readonly chunkBytes: number;
  #byteLength = 0;
  /** Where each chunk begins, and at last where the region ends; undefined where all are of one length. */
  #starts: Float64Array | undefined;
  /** New chunks of the last cut that were not set yet, and those in whose places they are. */
  #unset = new Map<number, ChunkId | undefined>();
  readonly #levels: EntryList[] = [new EntryList()];
  /** `#bases[k][g]`: the page over group g of level k, as last stored in full. */
  readonly #bases: (PatchBase | undefined)[][] = [[]];
  /** `#changed[k]`: groups of level k whose page has to be made anew. */
  readonly #changed: Set<number>[] = [new Set()];

  constructor(chunkBytes: number) {
    this.chunkBytes = chunkBytes;
  }

  /**
   * The tree as an earlier save of this or another process left it. It has to be one that this class could have made:
   * pages that are shared would let a small hostile store describe more chunks than memory holds.
   */
  static load(store: Store, tree: Tree): RegionTree {
    const shape = shapeOf(tree);
    checkFits(Math.ceil(tree.byteLength / shape.shortest) * ENTRY_BYTES);
    const loaded = new RegionTree(tree.chunkBytes);
    loaded.#byteLength = tree.byteLength;
    let entries = tree.entries;
    for (let height = tree.height; height >= 0; height--) {
      checkLengths(entries, height, shape);
      loaded.#levels[height] = EntryList.of(entries);
      loaded.#changed[height] = new Set();
      if (height === 0) break;
      const below: Entry[] = [];
      const bases: PatchBase[] = [];
      for (const [group, { id, byteLength }] of entries.entries()) {
        const raw = store.readPage(id);
        if (store.isWhole(id)) bases[group] = { id, raw };
        const page = decodePage(raw, height - 1, byteLength);
        if (page.count < PAGE_ENTRIES && group < entries.length - 1) throw misshapen();
        below.push(...page.toArray());
      }
      loaded.#bases[height - 1] = bases;
      entries = below;
    }
    if (tree.chunking === Chunking.contentDefined) loaded.#starts = startsOf(loaded.#chunks);
    return loaded;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Chunks are of several lengths, and are what `recut` made them. */
  get isContentDefined(): boolean {
    return this.#starts !== undefined;
  }

  /** How many chunks the region has. */
  get count(): number {
    return this.#chunks.count;
  }

  /** First byte of a chunk. */
  start(index: number): number {
    return this.#starts ? (this.#starts[index] as number) : index * this.chunkBytes;
  }

  end(index: number): number {
    if (this.#starts) return this.#starts[index + 1] as number;
    return Math.min((index + 1) * this.chunkBytes, this.#byteLength);
  }

  /** Cuts the region otherwise: into chunks of the tree, and new ones, which must be set before `store`. */
  recut({ lengths, origins, places }: Cut): void {
    const before = this.#chunks;
    const chunks = new EntryList();
    chunks.resize(lengths.length);
    for (const [index, byteLength] of lengths.entries()) {
      const origin = origins[index] as number;
      chunks.set(index, origin === NEW ? NO_ID : before.id(origin), byteLength);
    }
    this.#levels[0] = chunks;
    this.#unset = new Map();
    for (const [index, place] of places.entries()) {
      if (origins[index] !== NEW) continue;
      this.#unset.set(index, place === NOWHERE ? undefined : before.id(place));
    }
    for (let group = 0; group * PAGE_ENTRIES < chunks.count; group++) {
      const page = (list: EntryList) =>
        list.bytes.subarray(group * PAGE_ENTRIES * ENTRY_BYTES, (group + 1) * PAGE_ENTRIES * ENTRY_BYTES);
      if (!page(chunks).equals(page(before))) this.#touch(0, group * PAGE_ENTRIES);
    }
    this.#starts = startsOf(chunks);
    this.#byteLength = this.#starts[chunks.count] as number;
  }

  /** Makes the region this long. New chunks, and a last one whose length changed, must be set before `store`. */
  resize(byteLength: number): void {
    if (this.#starts) {
      invariant(byteLength === this.#byteLength, 'a region that is cut by content is cut anew');
      return;
    }
    const count = Math.ceil(byteLength / this.chunkBytes);
    const before = this.#chunks.count;
    if (count !== before) {
      this.#chunks.resize(count);
      this.#touch(0, Math.max(0, Math.min(count, before) - 1));
    }
    this.#byteLength = byteLength;
  }

  /** True where the chunk at `index` has this id and still has the length the region gives it. */
  has(index: number, id: ChunkId): boolean {
    return index < this.#chunks.count && this.#chunks.id(index).equals(id);
  }

  /** The chunk at `index`, or, as long as that was not set, the one that was in its place; undefined where none was. */
  previous(index: number): ChunkId | undefined {
    if (this.#unset.has(index)) return this.#unset.get(index);
    const id = index < this.#chunks.count ? this.#chunks.id(index) : undefined;
    return id?.some((byte) => byte !== 0) ? id : undefined;
  }

  set(index: number, id: ChunkId): void {
    this.#chunks.set(index, id, this.end(index) - this.start(index));
    this.#unset.delete(index);
    this.#touch(0, index);
  }

  /** Stores the pages that changed; returns the tree and how many bytes were appended. */
  store(store: Store): { tree: Tree; written: number } {
    invariant(this.#unset.size === 0, 'a new chunk was not put');
    let written = 0;
    let level = 0;
    while (this.#level(level).count > ROOT_ENTRIES) {
      written += this.#storeLevel(store, level);
      level++;
    }
    this.#changed[level]?.clear();
    const tree: Tree = {
      byteLength: this.#byteLength,
      chunking: this.#starts ? Chunking.contentDefined : Chunking.fixed,
      chunkBytes: this.chunkBytes,
      height: level,
      entries: this.#level(level).toArray(),
    };
    return { tree, written };
  }

  get #chunks(): EntryList {
    return this.#level(0);
  }

  #level(level: number): EntryList {
    this.#levels[level] ??= new EntryList();
    return this.#levels[level];
  }

  #touch(level: number, index: number): void {
    this.#changed[level] ??= new Set();
    this.#changed[level].add(Math.floor(index / PAGE_ENTRIES));
  }

  /** Stores the changed pages over a level and enters them in the level above. */
  #storeLevel(store: Store, level: number): number {
    const entries = this.#level(level);
    const above = this.#level(level + 1);
    const groups = Math.ceil(entries.count / PAGE_ENTRIES);
    // A level that was the root until now has no pages yet: all of them are to be made.
    const firstNew = Math.min(above.count, groups);
    if (above.count !== groups) {
      above.resize(groups);
      this.#touch(level + 1, Math.max(0, firstNew - 1));
    }
    this.#changed[level] ??= new Set();
    const changed = this.#changed[level];
    for (let group = firstNew; group < groups; group++) changed.add(group);
    this.#bases[level] ??= [];
    const bases = this.#bases[level];
    bases.length = Math.min(bases.length, groups);
    let written = 0;
    for (const group of [...changed].sort((a, b) => a - b)) {
      if (group >= groups) continue;
      const start = group * PAGE_ENTRIES;
      const end = Math.min(start + PAGE_ENTRIES, entries.count);
      const raw = entries.toPage(level, start, end);
      const page = store.putPage(raw, bases[group]);
      if (!page.patched) bases[group] = { id: page.id, raw };
      written += page.written;
      above.set(group, page.id, entries.total(start, end));
      this.#touch(level + 1, group);
    }
    changed.clear();
    return written;
  }
}

/** Lets a walk pass over pages that it need not look into again. */
export interface PageMemory {
  skip(page: ChunkId): boolean;
  /** Everything below this page was visited. */
  sound(page: ChunkId): void;
}

/** Calls `visit` with every chunk of a tree, in order, checking that the tree is what its root says. */
export function visitChunks(
  store: Store,
  tree: Tree,
  visit: (id: ChunkId, offset: number, byteLength: number) => void,
  memory?: PageMemory,
): void {
  let offset = 0;
  const walk = (height: number, entries: EntryList): void => {
    for (let index = 0; index < entries.count; index++) {
      const id = entries.id(index);
      const byteLength = entries.byteLength(index);
      if (height === 0) {
        visit(id, offset, byteLength);
        offset += byteLength;
      } else if (memory?.skip(id)) {
        offset += byteLength;
      } else {
        walk(height - 1, decodePage(store.readPage(id), height - 1, byteLength));
        memory?.sound(id);
      }
    }
  };
  walk(tree.height, EntryList.of(tree.entries));
}

/** Fills `target`, which must have the region's length, with the verified bytes of a region. */
export function readRegion(store: Store, tree: Tree, target: Buffer): void {
  visitChunks(store, tree, (id, offset, byteLength) => {
    store.readChunk(id, target.subarray(offset, offset + byteLength));
  });
}

/** Bounds of what an entry of height 0 may be long, but for the last one. */
interface Shape {
  shortest: number;
  longest: number;
}

function shapeOf({ chunking, chunkBytes }: Tree): Shape {
  if (chunking === Chunking.fixed) return { shortest: chunkBytes, longest: chunkBytes };
  return {
    shortest: Math.max(1, Math.floor(chunkBytes / CONTENT_RANGE)),
    longest: chunkBytes * CONTENT_RANGE,
  };
}

/** All but the last lie over as many chunks as they can, and all of these are as long as they may be. */
function checkLengths(entries: readonly Entry[], height: number, { shortest, longest }: Shape): void {
  const full = PAGE_ENTRIES ** height;
  for (const [index, { byteLength }] of entries.entries()) {
    const isShort = byteLength < shortest * full && index < entries.length - 1;
    if (isShort || byteLength > longest * full) throw misshapen();
  }
}

function startsOf(chunks: EntryList): Float64Array {
  const starts = new Float64Array(chunks.count + 1);
  for (let index = 0; index < chunks.count; index++) {
    starts[index + 1] = (starts[index] as number) + chunks.byteLength(index);
  }
  return starts;
}

function misshapen(): SnapError {
  return new SnapError('SNAP_CORRUPT', 'a tree does not have the shape of a region cut into chunks');
}
