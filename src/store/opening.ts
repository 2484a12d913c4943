/**
 * How a store comes up, and what a clean close leaves for the next time.
 *
 * An index that a seal vouches for is believed, together with where the log ended; anything else is made anew from the
 * packs. A reader always does that, and again when the owner has gone on.
 *
 * Invariants
 *  - the seal is gone before anything is written: it vouches only for a store that nobody touched since
 *  - nothing is appended behind what is not known to be durable, or beside a file under a wrong name
 */

import { invariant, SnapError } from '../base/errors.js';
import type { Descriptor } from '../format/descriptor.js';
import { decodeGc, NOTHING_GONE } from '../format/gc.js';
import { toSnapError } from '../io/failure.js';
import type { StoreContext } from './context.js';
import { checkInPlace, checkUsable, createStore, findStore, makeFolders } from './folder.js';
import { isGone } from './gone.js';
import { type CleanState, hashIndex, readSeal, sealHolds, writeSeal } from './index-seal.js';
import { memoryKeyValues } from './key-values.js';
import type { Layout } from './layout.js';
import { acquireLock, type Lock } from './lock.js';
import type { StoreOptions } from './options.js';
import type { StoreParts } from './parts.js';
import type { Recovered } from './recovery.js';
import { holdReserve } from './reserve.js';
import { rewrite } from './rewrite.js';
import type { Damage } from './scan.js';

/** How often a reader looks again where the owner takes packs away while it does. */
const MOST_REFRESHES = 100;

/** A store in its folder: found or created, and locked where it is to be written. */
export interface Entered {
  descriptor: Descriptor;
  lock: Lock | undefined;
}

export async function enter(options: StoreOptions, layout: Layout): Promise<Entered> {
  const { io, readOnly } = options;
  let descriptor = findStore(io, layout);
  if (!descriptor && (readOnly || !options.create)) {
    throw new SnapError('SNAP_NOT_FOUND', `there is no store at ${layout.root}`, { path: layout.root });
  }
  if (descriptor) checkUsable(descriptor, readOnly);
  let lock: Lock | undefined;
  try {
    if (!readOnly) {
      makeFolders(io, layout);
      if (!options.simulated) lock = await acquireLock(io, layout);
      // Two processes may create at once: whoever holds the lock looks again.
      descriptor = findStore(io, layout) ?? createStore(io, layout);
      // A process that died may have left the descriptor's name where a power cut takes it away again.
      io.syncFolder(layout.root);
    }
    invariant(descriptor, 'a store without a descriptor');
    return { descriptor, lock };
  } catch (error) {
    await lock?.release();
    throw toSnapError(error, `opening ${layout.root}`);
  }
}

export class Opening {
  readonly #context: StoreContext;
  readonly #parts: StoreParts;
  #damage: readonly Damage[] = [];
  /** For a reader: the packs that were there when it looked, and their sizes. */
  #seen: Record<number, number> = {};

  constructor(parts: StoreParts) {
    this.#context = parts.context;
    this.#parts = parts;
  }

  /** What was found wrong, now or before the last clean close. */
  get damage(): readonly Damage[] {
    return this.#damage;
  }

  async start(options: StoreOptions): Promise<void> {
    const { io, layout, readOnly } = this.#context;
    const { index } = this.#parts;
    const { onProgress } = options;
    if (readOnly) return this.refresh(onProgress);
    const seal = this.#readSeal();
    if (options.simulated) {
      const values = options.indexValues ?? memoryKeyValues();
      return this.#goOn(await index.fill(values, true, onProgress));
    }
    if (seal && !options.rebuild && sealHolds(io, layout, seal, this.#parts.present.sizes())) {
      if (await index.openSealed()) return this.#resume(seal);
    }
    // Whatever it is: what is not believed must not be in the way of the next one.
    io.removeFolder(layout.clean);
    this.#goOn(await index.rebuild(onProgress));
  }

  /** Goes on with what a clean close left. */
  #resume(seal: CleanState): void {
    const { io, layout, packs } = this.#context;
    const { present, log, index, content } = this.#parts;
    io.remove(layout.clean);
    log.resume(seal);
    const gc = index.current.gc();
    present.look(gc ? decodeGc(content.reader.readAt(gc)) : NOTHING_GONE);
    this.#damage = seal.damage;
    this.#tellOfDamage();
    if (seal.openPack > 0) log.appendTo(seal.openPack, seal.openEnd);
    present.takeLeftovers(packs.numbers().filter((number) => isGone(present.gc, number)));
    holdReserve(io, layout.reserve);
  }

  /** Goes on with what could be recovered from the packs. */
  #goOn(recovered: Recovered): void {
    this.#takeIn(recovered);
    this.#tellOfDamage();
    const { io, layout } = this.#context;
    const { present, log } = this.#parts;
    const { tail, misplaced } = recovered;
    const [stray] = misplaced;
    if (stray) throw misplacedError(layout, stray);
    // What cannot be shown to be durable may exist in memory only: write it again before building on it.
    for (const range of recovered.unproved) rewrite(io, layout.pack(range.pack), range);
    for (const number of recovered.leftovers) present.discard(number);
    present.takeLeftovers(recovered.gone);
    holdReserve(io, layout.reserve);
    if (tail?.setAside) {
      this.#warnOf({ pack: tail.number, offset: tail.end, reason: 'it is set aside; a new pack is begun' });
    } else if (tail?.appendable) {
      log.appendTo(tail.number, tail.end);
    }
  }

  #takeIn({ chain, tail, gc, damage }: Recovered): void {
    this.#parts.log.goOn(chain, { number: tail?.number ?? 0, end: tail?.end ?? 0 });
    this.#parts.present.look(gc);
    this.#damage = damage;
  }

  // ---- beside an owner ---------------------------------------------------------------------------

  /** For a reader: looks at the packs as they are now, again and again where the owner takes some away meanwhile. */
  async refresh(onProgress?: StoreOptions['onProgress']): Promise<void> {
    const { packs } = this.#context;
    for (let attempt = 1; ; attempt++) {
      packs.close();
      // By number first: one of them may be gone before its size is known.
      this.#seen = Object.fromEntries(packs.numbers().map((number) => [number, 0]));
      try {
        this.#seen = this.#parts.present.sizes();
        this.#readSeal();
        this.#takeIn(await this.#parts.index.fill(memoryKeyValues(), false, onProgress));
        if (!this.isOvertaken()) break;
      } catch (error) {
        if (attempt === MOST_REFRESHES || !this.isOvertaken()) throw error;
      }
      if (attempt === MOST_REFRESHES) break;
    }
    this.#tellOfDamage();
  }

  /** For a reader: true where a pack that it knows is gone, because the owner has collected or repaired since. */
  isOvertaken(): boolean {
    const { readOnly, packs } = this.#context;
    const there = new Set(packs.numbers());
    return readOnly && Object.keys(this.#seen).some((number) => !there.has(Number(number)));
  }

  /** For a reader: true where the packs are not what they were when it looked. */
  isOutdated(): boolean {
    return (
      this.#context.readOnly && JSON.stringify(this.#parts.present.sizes()) !== JSON.stringify(this.#seen)
    );
  }

  // ---- the seal ----------------------------------------------------------------------------------

  /** Reads what the last clean close left, which the packs have to agree with. */
  #readSeal(): CleanState | undefined {
    const { io, layout, uuid } = this.#context;
    const seal = readSeal(io, layout, uuid);
    this.#parts.log.noteClose(seal);
    return seal;
  }

  /** Seals an index whose files hold everything. */
  seal(): void {
    const { io, layout, uuid } = this.#context;
    try {
      checkInPlace(io, layout, uuid);
      writeSeal(io, layout, {
        store: uuid,
        index: hashIndex(io, layout),
        packs: this.#parts.present.sizes(),
        ...this.#parts.log.end,
        damage: this.#damage,
      });
    } catch (error) {
      const message = `the index cannot be sealed (${toSnapError(error, 'sealing it').message}); it is rebuilt when the store is next opened`;
      this.#context.warn({ kind: 'index', message });
    }
  }

  #tellOfDamage(): void {
    for (const damage of this.#damage) this.#warnOf(damage);
  }

  #warnOf({ pack, offset, reason }: Damage): void {
    this.#context.warn({ kind: 'damage', message: `pack ${pack}, byte ${offset}: ${reason}`, pack, offset });
  }
}

function misplacedError(layout: Layout, stray: { number: number; belongsTo: number }): SnapError {
  const path = layout.pack(stray.number);
  return new SnapError(
    'SNAP_CORRUPT',
    `${path} is the file of pack ${stray.belongsTo} under a wrong name; give it its name back, or take it away if it is a copy`,
    { path, pack: stray.number },
  );
}
