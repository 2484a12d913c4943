/**
 * The index of an open store: in LevelDB as the last clean close left it, or made anew from the packs, there or in memory.
 *
 * Invariants
 *  - LevelDB's files are opened as they are only where a seal said that they hold (see `opening.ts`)
 *  - an index in memory lists no content: chunks and pages are found by the footers of the packs, and here only what
 *    was committed since
 *  - whoever asks where something lies is never sent to a pack that is not present
 */

import type { ChunkId } from '../base/ids.js';
import type { Footer, Location } from '../format/pack.js';
import { toSnapError } from '../io/failure.js';
import type { StoreContext } from './context.js';
import { Index } from './index.js';
import { indexInMemory } from './index-in-memory.js';
import { type KeyValues, memoryKeyValues, openLevel } from './key-values.js';
import type { Log } from './log.js';
import type { StoreOptions } from './options.js';
import type { PresentPacks } from './present-packs.js';
import { type Recovered, recover } from './recovery.js';

export class LiveIndex {
  readonly #context: StoreContext;
  readonly #present: PresentPacks;
  readonly #log: Log;
  #index: Index;
  /** It lies in LevelDB, not in memory. */
  #onDisk = false;
  /** Where chunks and pages lie that it does not list, the newest pack first. */
  #footers: readonly Footer[] = [];

  constructor(context: StoreContext, present: PresentPacks, log: Log) {
    this.#context = context;
    this.#present = present;
    this.#log = log;
    this.#index = this.#over(memoryKeyValues());
  }

  /** Another one after each opening, and each time that a reader looks again. */
  get current(): Index {
    return this.#index;
  }

  /** Where a committed chunk or page lies. */
  locate(id: ChunkId): Location | undefined {
    const location = this.#index.locate(id);
    if (location) return this.#present.has(location.pack) ? location : undefined;
    for (const footer of this.#footers) {
      const found = footer.find(id);
      if (found && this.#present.has(found.pack)) return found;
    }
    return undefined;
  }

  /** Opens what lies on disk; says whether it could be. */
  async openSealed(): Promise<boolean> {
    const { io, layout } = this.#context;
    const values = await openLevel(io, layout.index, false).catch(() => undefined);
    if (!values) return false;
    this.#index = this.#over(values);
    this.#onDisk = true;
    return true;
  }

  /** Makes it anew in an empty LevelDB, or where there cannot be one in memory. */
  async rebuild(onProgress: StoreOptions['onProgress']): Promise<Recovered> {
    const values = await this.#newLevel();
    this.#onDisk = values !== undefined;
    return this.fill(values ?? memoryKeyValues(), this.#onDisk, onProgress);
  }

  /** Makes it anew in `values`: the content too, or else that is found by footers. */
  async fill(
    values: KeyValues,
    indexContent: boolean,
    onProgress: StoreOptions['onProgress'],
  ): Promise<Recovered> {
    this.#index = this.#over(values);
    const steps = recover(this.#context.packs, this.#index, { ...this.#log.certain, indexContent });
    let step = steps.next();
    for (; !step.done; step = steps.next()) {
      onProgress?.({ phase: 'rebuild', ...step.value });
      await this.#index.flush();
    }
    if (!indexContent) this.#footers = step.value.footers;
    return step.value;
  }

  /** Goes on in memory and removes LevelDB's files, because the space is of better use; says whether there were any. */
  async leaveDisk(reason: unknown): Promise<boolean> {
    if (!this.#onDisk) return false;
    this.#onDisk = false;
    await this.#index.leaveDisk(reason);
    try {
      this.#context.io.removeFolder(this.#context.layout.index);
    } catch {
      // What could be removed is of use all the same.
    }
    return true;
  }

  /** Lets go of it. True where files on disk hold everything, so that they may be sealed. */
  async close(): Promise<boolean> {
    return (await this.#index.close()) && this.#onDisk;
  }

  /** Bytes of its files; 0 where it is in memory. */
  bytes(): number {
    const { io, layout } = this.#context;
    try {
      if (!io.stat(layout.index)) return 0;
      return io
        .list(layout.index)
        .reduce((sum, name) => sum + (io.stat(`${layout.index}/${name}`)?.size ?? 0), 0);
    } catch (error) {
      throw toSnapError(error, 'looking at the index');
    }
  }

  #over(values: KeyValues): Index {
    return new Index(values, {
      needed: (reason) => this.#warn(reason),
      make: () => {
        const made = indexInMemory(this.#context.packs, this.#log.certain);
        this.#footers = made.footers;
        return made.values;
      },
    });
  }

  /** An empty LevelDB; undefined where there cannot be one, on a full disk for example. */
  async #newLevel(): Promise<KeyValues | undefined> {
    const { io, layout } = this.#context;
    try {
      io.removeFolder(layout.index);
      io.makeFolder(layout.index);
      return await openLevel(io, layout.index, true);
    } catch (error) {
      this.#warn(error);
      return undefined;
    }
  }

  #warn(reason: unknown): void {
    const { message } = toSnapError(reason, 'using the index');
    this.#context.warn({
      kind: 'index',
      message: `the index is kept in memory until the store is closed, and rebuilt when it is next opened: ${message}`,
    });
  }
}
