/**
 * Touching the memory of slots as a background job: the system gives memory its pages only when they are written to,
 * which takes several times as long as a copy does.
 *
 * Invariant: no byte changes, whatever is copied into the slots meanwhile.
 */

import { KiB, MiB } from '../base/sizes.js';
import type { Store } from '../store/store.js';
import type { Job, JobContext } from './background.js';

/** Of a page, where pages are smallest. */
const PAGE_WORDS = (4 * KiB) / Int32Array.BYTES_PER_ELEMENT;
const STEP_WORDS = MiB / Int32Array.BYTES_PER_ELEMENT;

export async function* touchJob(_store: Store, context: JobContext, args: unknown[]): Job {
  for (const segment of args[0] as SharedArrayBuffer[]) {
    const words = new Int32Array(segment);
    for (let at = 0; at < words.length; at += PAGE_WORDS) {
      // Writes what is there.
      Atomics.or(words, at, 0);
      if (at % STEP_WORDS !== 0) continue;
      yield undefined;
      if (context.shouldStop()) return undefined;
    }
  }
  return undefined;
}
