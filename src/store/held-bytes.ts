/** How many bytes of the packs each owner of marks holds: records of chunks and pages, as they are stored. */

import { isContent, recordBytes } from '../format/record.js';
import { Marks } from './mark.js';
import type { Store } from './store.js';

/** Records between two steps. */
const STEP_RECORDS = 512;

/** Adds to each of `sizes` what the owner of its number holds. Yields often. */
export async function* addHeldBytes(store: Store, marks: Marks, sizes: number[]): AsyncGenerator<void> {
  // A record may be in two packs for a while: it counts once.
  const seen = new Marks();
  for (const [pack, end] of store.ends()) {
    let records = 0;
    for (const { id, location } of store.recordsOf(pack, end)) {
      if (++records % STEP_RECORDS === 0) yield;
      if (!isContent(location.type) || seen.has(id)) continue;
      const owner = marks.owner(id);
      if (owner === undefined || owner >= sizes.length) continue;
      seen.add(id);
      sizes[owner] = (sizes[owner] as number) + recordBytes(location.storedLength);
    }
  }
}
