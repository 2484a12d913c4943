/**
 * Marks what snapshots hold: every chunk and page that can be reached from their manifests, and the bases that some of
 * them have to be read with. A base has none itself.
 *
 * Each page is read once, however many snapshots share it, so that the work follows what is different in them. Where
 * it matters who else holds something, it is read at most twice: once more to find that it is shared.
 */

import type { ChunkId } from '../base/ids.js';
import { decodePage, type Entry } from '../format/page.js';
import type { Tree } from '../format/tree.js';
import { IdMap } from './id-map.js';
import type { Summary } from './index.js';
import { readRegionTable } from './manifests.js';
import type { Store } from './store.js';

/** Held by more than one owner, where these are told apart. */
export const SHARED = 0xffff_fffe;

/** `first`: who marks something first owns it. `sole`: what two have marked is SHARED. */
export type Ownership = 'first' | 'sole';

export class Marks {
  readonly #ownership: Ownership;
  /** What is held, and by whom. */
  readonly #owners = new IdMap();
  /** The pages that were walked, by owner: a state may hold the bytes of a page as a chunk, which lists nothing. */
  readonly #walked = new IdMap();

  constructor(ownership: Ownership = 'first') {
    this.#ownership = ownership;
  }

  has(id: ChunkId): boolean {
    return this.#owners.has(id);
  }

  /** Who holds a chunk or page; undefined where nobody does. */
  owner(id: ChunkId): number | undefined {
    return this.#owners.get(id);
  }

  add(id: ChunkId, owner = 0): void {
    this.#note(this.#owners, id, owner);
  }

  /** Marks everything of a snapshot; yields after every page. Throws where a page cannot be read. */
  *snapshot(store: Store, summary: Summary, owner = 0): Generator<void> {
    const manifest = store.manifest(summary);
    yield* this.tree(store, manifest.skeleton, owner);
    if ('tree' in manifest.regions) yield* this.tree(store, manifest.regions.tree, owner);
    for (const { tree } of readRegionTable(store, manifest)) yield* this.tree(store, tree, owner);
  }

  /** Marks everything of a region. */
  *tree(store: Store, tree: Tree, owner: number): Generator<void> {
    for (const entry of tree.entries) {
      if (tree.height === 0) this.#chunk(store, entry.id, owner);
      else yield* this.#page(store, entry, tree.height - 1, owner);
    }
  }

  /** Of what is not there nobody knows whether it had a base. */
  #chunk(store: Store, id: ChunkId, owner: number): void {
    if (!this.#note(this.#owners, id, owner) || !store.hasBases || !store.locate(id)) return;
    this.#base(store, id, owner);
  }

  #base(store: Store, id: ChunkId, owner: number): void {
    const base = store.baseOf(id);
    if (base) this.add(base, owner);
  }

  *#page(store: Store, { id, byteLength }: Entry, height: number, owner: number): Generator<void> {
    this.add(id, owner);
    if (!this.#note(this.#walked, id, owner)) return;
    this.#base(store, id, owner);
    const entries = decodePage(store.readPage(id), height, byteLength);
    for (let index = 0; index < entries.count; index++) {
      const child = { id: entries.id(index), byteLength: entries.byteLength(index) };
      if (height === 0) this.#chunk(store, child.id, owner);
      else yield* this.#page(store, child, height - 1, owner);
    }
    yield;
  }

  /** Enters an owner of an id; says whether that is news. */
  #note(owners: IdMap, id: ChunkId, owner: number): boolean {
    const known = owners.get(id);
    if (known === undefined) owners.set(id, owner);
    else if (this.#ownership === 'first' || known === owner || known === SHARED) return false;
    else owners.set(id, SHARED);
    return true;
  }
}
