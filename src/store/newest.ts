/**
 * The newest snapshot of each run: what `latest` means, and what the first save of a process continues. Looked up once, and
 * then kept, because to go through LevelDB takes a third of a millisecond.
 *
 * Invariant: what is kept is what looking up would find. It is dropped whenever that cannot be told from what came.
 */

import type { Summary } from './index-keys.js';

export class NewestByRun {
  /** `undefined` stands for all runs; null: there is none. */
  readonly #kept = new Map<string | undefined, Summary | null>();
  #changes = 0;

  /** Undefined where it has to be looked up. */
  get(run: string | undefined): Summary | null | undefined {
    return this.#kept.get(run);
  }

  /** Looks it up, and keeps it unless something came meanwhile. */
  async lookUp(run: string | undefined, find: () => Promise<Summary | null>): Promise<Summary | null> {
    const changes = this.#changes;
    const found = await find();
    if (changes === this.#changes) this.#kept.set(run, found);
    return found;
  }

  /** A snapshot came. Most come last: only what was copied here may be older than others. */
  came(snapshot: Summary): void {
    this.#changes++;
    for (const key of [snapshot.run, undefined]) {
      const known = this.#kept.get(key);
      if (known !== undefined && snapshot.sequence > (known?.sequence ?? -1)) this.#kept.set(key, snapshot);
    }
  }

  /** More is known of a snapshot. */
  amended(snapshot: Summary): void {
    this.#changes++;
    for (const [key, known] of this.#kept) if (known?.id === snapshot.id) this.#kept.set(key, snapshot);
  }

  /** One was forgotten, is found again, or is gone. */
  clear(): void {
    this.#changes++;
    this.#kept.clear();
  }
}
