/** A small store with everything in it: sealed packs and an open one, pages and patches, tags, a forgotten snapshot. */

import type { Model } from './model.js';
import { packPath } from './pack-bytes.js';
import type { Action, Shape } from './program.js';
import { Session, type SessionOptions } from './session.js';
import type { DiskImage } from './simulated-disk.js';

export interface SmallStore {
  image: DiskImage;
  model: Model;
  options: SessionOptions;
  /** Every pack as it was after each action: older copies to put back. */
  copies: Map<number, Buffer[]>;
  /** Where the span of the last commit begins in the last pack. */
  lastSpan: { pack: number; start: number };
}

const SHAPE: Shape = new Map([
  ['', 12],
  ['u', 16 * 5],
]);

/** Edits that change a few bytes and no lengths. */
const PROGRAM: Action[] = [
  { do: 'save', run: 'alpha', edit: 3, tag: 'best' },
  { do: 'forget', pick: 0 },
  { do: 'save', run: 'alpha', edit: 6 },
  { do: 'save', run: 'alpha', edit: 16 },
  { do: 'tag', name: 'good/one', pick: 0.5 },
  { do: 'save', run: 'alpha', edit: 34 },
];

/** `sealed: false`: the full pack could not be sealed, and is read record by record. */
export async function smallStore({ sealed = true } = {}): Promise<SmallStore> {
  const options: SessionOptions = {
    seed: 5,
    shape: SHAPE,
    chunkBytes: 16,
    packBytes: 2300,
    compression: { level: 1 },
  };
  const session = await Session.begin(options);
  const copies = new Map<number, Buffer[]>();
  let lastSpan = { pack: 1, start: 0 };
  for (const action of PROGRAM) {
    const before = session.store.packSizes();
    if (!sealed && (before[1] ?? 0) >= 2300) {
      session.disk.faults.set({ call: 'sync', effect: 'EIO', nth: 1, forGood: false, suffix: '1.pack' });
    }
    await session.perform(action);
    session.disk.faults.set();
    for (const [number, size] of Object.entries(session.store.packSizes())) {
      if (before[number] === size) continue;
      const pack = Number(number);
      copies.set(pack, [...(copies.get(pack) ?? []), session.disk.contents(packPath(pack))]);
      lastSpan = { pack, start: before[number] ?? 0 };
    }
  }
  await session.close();
  return { image: session.disk.image(), model: session.model, options, copies, lastSpan };
}
