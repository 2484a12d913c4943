/**
 * The store that the gallery damages: small, with a bit of everything, and made anew with the same contents each time.
 *
 *   pack 1, sealed   heat 100: all of u and v
 *   pack 2, sealed   heat 200, 300 (tag best), 400: two of the six chunks of u each, the rest is that of heat 100;
 *                    fine 10, 20: all of w each
 *   pack 3, open     fine 30: all of w
 *
 * Of heat 200 and 300 the page of u is stored as a patch of that of heat 100, of heat 400 in full.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INTERNALS } from '../../src/api/options.js';
import { Snap } from '../../src/index.js';
import { Random } from '../support/random.js';

export interface State {
  step: number;
  [region: string]: number | Float64Array;
}

export interface GalleryStore {
  directory: string;
  /** Ids by name: `heat-100`. */
  ids: Map<string, string>;
  states: Map<string, State>;
  /** Packs as they were when fewer snapshots had been saved, by number. */
  older: Map<number, Buffer>;
  /** clean.json as the first session left it. */
  olderSeal: Buffer;
}

const CHUNK = 8192;
const U = 5 * CHUNK + 1000;
const PACK_BYTES = 350_000;

/** `more`: so many snapshots of fine behind those that are named above. */
export async function galleryStore(directory: string, seed: number, more = 0): Promise<GalleryStore> {
  const random = new Random(seed);
  const olderSeal = Buffer.alloc(0);
  const store: GalleryStore = { directory, ids: new Map(), states: new Map(), older: new Map(), olderSeal };
  const noise = (length: number) => Float64Array.from({ length }, () => random.below(2 ** 32) / 2 ** 32);
  const heat = { step: 0, u: noise(U), v: noise(3000) };
  const moveHeat = () => {
    heat.u.set(noise(CHUNK), 0);
    heat.u.set(noise(1000), 5 * CHUNK);
  };
  const fine = { step: 0, w: noise(12_000) };
  const moveFine = () => fine.w.set(noise(12_000));

  await session(store, 'heat', async (save) => {
    for (const step of [100, 200, 300]) {
      await save({ ...heat, step });
      moveHeat();
    }
  });
  keepCopy(store, 2);
  store.olderSeal = readFileSync(join(directory, 'clean.json'));
  await session(store, 'heat', (save) => save({ ...heat, step: 400 }));
  await session(store, 'fine', async (save) => {
    for (const step of [10, 20]) {
      await save({ ...fine, step });
      moveFine();
    }
  });
  keepCopy(store, 3);
  await session(store, 'fine', async (save) => {
    for (let step = 30; step <= 30 + 10 * more; step += 10) {
      await save({ ...fine, step });
      moveFine();
    }
  });
  return store;
}

async function session(
  { directory, ids, states }: GalleryStore,
  run: string,
  work: (save: (state: State) => Promise<void>) => Promise<void>,
): Promise<void> {
  const program = { name: 'solver', version: '1.0.0' };
  const options = { run, program, compression: false, [INTERNALS]: { packBytes: PACK_BYTES } } as const;
  await using snap = await Snap.open(directory, options);
  await work(async (state) => {
    const name = `${run}-${String(state.step).padStart(3, '-')}`;
    const tagged = name === 'heat-300' ? { tag: 'best' } : {};
    const { id } = await snap.save(state, { step: state.step, durable: true, ...tagged });
    ids.set(name, id);
    states.set(name, structuredClone(state));
  });
}

function keepCopy({ directory, older }: GalleryStore, pack: number): void {
  older.set(pack, readFileSync(packPath(directory, pack)));
}

export function packPath(directory: string, pack: number): string {
  return join(directory, 'packs', `${String(pack).padStart(8, '0')}.pack`);
}
