/**
 * Carries what snapshots consist of from one store to another: what is there already is neither read nor written.
 *
 * Invariants
 *  - every byte was decoded and hashed before it is put
 *  - what a page lists is put before the page
 *  - a page that is there counts for what it lists only once all of that was found there too: gc may have taken it
 */

import type { ChunkId } from '../base/ids.js';
import type { Manifest } from '../format/manifest.js';
import { decodePage } from '../format/page.js';
import type { Tree } from '../format/tree.js';
import { attempt, type CopySource, checkLength } from './copy-source.js';
import type { CopyTarget } from './copy-target.js';
import { IdMap } from './id-map.js';

export class ContentCopy {
  /** Bytes of states that are through, and those of them that were there already. */
  doneBytes = 0;
  sharedBytes = 0;
  readonly #source: CopySource;
  readonly #target: CopyTarget;
  /** Pages that are there with all that is below them. */
  readonly #complete = new IdMap();

  constructor(source: CopySource, target: CopyTarget) {
    this.#source = source;
    this.#target = target;
  }

  /** Puts everything of a snapshot but the manifest; yields after every record. */
  async *snapshot(manifest: Manifest): AsyncGenerator<void> {
    yield* this.#tree(manifest.skeleton);
    if ('tree' in manifest.regions) yield* this.#tree(manifest.regions.tree);
    for (const { tree } of this.#source.regions(manifest)) yield* this.#tree(tree);
  }

  async *#tree({ height, entries }: Tree): AsyncGenerator<void> {
    for (const { id, byteLength } of entries) yield* this.#below(height, id, byteLength);
  }

  /** A chunk, or a page of height `height - 1`. */
  async *#below(height: number, id: ChunkId, byteLength: number): AsyncGenerator<void> {
    if (height > 0) yield* this.#page(height - 1, id, byteLength);
    else if (this.#isShared(id, byteLength)) this.#share(byteLength);
    else {
      await this.#target.putChunk(id, byteLength, this.#source);
      this.doneBytes += byteLength;
      yield;
    }
  }

  async *#page(height: number, id: ChunkId, byteLength: number): AsyncGenerator<void> {
    if (this.#complete.has(id)) return this.#share(byteLength);
    const there = this.#target.page(id);
    const { raw, entries } = there
      ? { raw: there, entries: attempt(() => decodePage(there, height, byteLength)) }
      : this.#source.page(id, height, byteLength);
    for (let index = 0; index < entries.count; index++) {
      yield* this.#below(height, entries.id(index), entries.byteLength(index));
    }
    if (!there) this.#target.putPage(id, raw, this.#source);
    this.#complete.set(id, 0);
    yield;
  }

  #isShared(id: ChunkId, byteLength: number): boolean {
    const length = this.#target.lengthOf(id);
    if (length !== undefined) attempt(() => checkLength(length, byteLength));
    return length !== undefined;
  }

  #share(byteLength: number): void {
    this.doneBytes += byteLength;
    this.sharedBytes += byteLength;
  }
}
