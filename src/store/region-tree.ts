/**
 * The tree of one region while it is being saved again and again: every chunk id, and every page as it was last
 * stored, so that a save hashes and writes only the pages above a changed chunk.
 *
 * Levels: level 0 lists chunks; level k lists the pages over level k-1, PAGE_ENTRIES to a page. The lowest level
 * of at most ROOT_ENTRIES entries is the root, which the manifest holds itself.
 *
 * A tree belongs to a line of saves that all succeeded. After a failed one it is thrown away and loaded again,
 * because ids in it may belong to records that were rolled back.
 */

import { SnapError } from '../base/errors.js';
import type { ChunkId } from '../base/ids.js';
import { decodePage, ENTRY_BYTES, type Entry, EntryList, PAGE_ENTRIES } from '../format/page.js';
import { Chunking, ROOT_ENTRIES, type Tree } from '../format/tree.js';
import type { PatchBase } from './content.js';
import { checkFits } from './limits.js';
import type { Store } from './store.js';

export class RegionTree {
  readonly chunkBytes: number;
  #byteLength = 0;
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
    checkFits(Math.ceil(tree.byteLength / tree.chunkBytes) * ENTRY_BYTES);
    if (tree.chunking !== Chunking.fixed) throw misshapen();
    const loaded = new RegionTree(tree.chunkBytes);
    loaded.#byteLength = tree.byteLength;
    let entries = tree.entries;
    for (let height = tree.height; height >= 0; height--) {
      const full = tree.chunkBytes * PAGE_ENTRIES ** height;
      for (const [index, { byteLength }] of entries.entries()) {
        if (byteLength !== Math.min(full, tree.byteLength - index * full)) throw misshapen();
      }
      loaded.#levels[height] = EntryList.of(entries);
      loaded.#changed[height] = new Set();
      if (height === 0) break;
      const below: Entry[] = [];
      const bases: PatchBase[] = [];
      for (const [group, { id, byteLength }] of entries.entries()) {
        const raw = store.readPage(id);
        if (store.isWhole(id)) bases[group] = { id, raw };
        below.push(...decodePage(raw, height - 1, byteLength).toArray());
      }
      loaded.#bases[height - 1] = bases;
      entries = below;
    }
    return loaded;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Makes the region this long. New chunks, and a last one whose length changed, must be set before `store`. */
  resize(byteLength: number): void {
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

  set(index: number, id: ChunkId): void {
    const start = index * this.chunkBytes;
    this.#chunks.set(index, id, Math.min(this.chunkBytes, this.#byteLength - start));
    this.#touch(0, index);
  }

  /** Stores the pages that changed; returns the tree and how many bytes were appended. */
  store(store: Store): { tree: Tree; written: number } {
    let written = 0;
    let level = 0;
    while (this.#level(level).count > ROOT_ENTRIES) {
      written += this.#storeLevel(store, level);
      level++;
    }
    this.#changed[level]?.clear();
    const tree: Tree = {
      byteLength: this.#byteLength,
      chunking: Chunking.fixed,
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

function misshapen(): SnapError {
  return new SnapError('SNAP_CORRUPT', 'a tree does not have the shape of a region cut into equal chunks');
}
