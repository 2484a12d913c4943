/**
 * A reader sees what is there when it is asked. And where packs were taken away while it read, it looks where things
 * are now, and reads again.
 */

import type { Store } from '../store/store.js';

/** What a reader answers from the middle of something: what it saw when that began stays what it sees. */
const CONTINUED: ReadonlySet<string> = new Set(['chunks', 'chunkBytes', 'flush']);

export async function upToDate<T>(store: Store, method: string, read: () => Promise<T>): Promise<T> {
  if (!CONTINUED.has(method) && store.isOutdated()) await store.refresh();
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!store.isOvertaken()) throw error;
      await store.refresh();
    }
  }
}
