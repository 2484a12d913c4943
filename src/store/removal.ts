/**
 * Takes packs and snapshots out of a store: durably, with one gc record, and only then are files taken away.
 *
 * The record says all that is gone, in the same commit as what was carried out of the packs: see `evacuate.ts`. It is
 * put once more where the disk is full, into the space that is held back.
 */

import { SnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import { encodeGc, type GcRecord } from '../format/gc.js';
import type { FooterEntry } from '../format/pack.js';
import { RecordType } from '../format/record.js';
import { Evacuation, type Wanted } from './evacuate.js';
import { afterPacks, afterSnapshots, type Fate } from './gone.js';
import type { Summary } from './index.js';
import type { Place } from './log.js';
import type { Marks } from './mark.js';
import type { StoreParts } from './parts.js';
import { holdReserve } from './reserve.js';
import type { Store } from './store.js';

export class Removal {
  readonly #store: Store;
  readonly #parts: StoreParts;

  constructor(store: Store, parts: StoreParts) {
    this.#store = store;
    this.#parts = parts;
  }

  /**
   * Everything that is held was marked: from now on what is not marked is not known any more, and written again by
   * a save that holds it. Returns where that begins: whatever lies before and is not marked may go.
   */
  condemn(marks: Marks): Place {
    return this.#parts.content.condemn(marks);
  }

  /** What is still there is known again. */
  absolve(): void {
    const { context, content } = this.#parts;
    content.absolve();
    holdReserve(context.io, context.layout.reserve);
  }

  /** Makes sure that nothing more is appended to a pack. Nothing may be uncommitted. */
  leave(pack: number): void {
    this.#parts.log.leave(pack);
  }

  /** Carries what is wanted out of packs, so that they may be retired. */
  evacuation(wanted: Wanted = () => true): Evacuation {
    return new Evacuation(this.#store, this.#parts.context.packs, wanted);
  }

  /**
   * Takes packs out of the store, durably, and only then their files away. Their chunks and pages were carried
   * elsewhere where they count; their manifests and notes are now. Returns where files that were set aside went. Packs
   * with something that cannot be read may be set aside, not removed: SNAP_CORRUPT.
   */
  async retire(packs: readonly number[], fate: Fate, evacuation: Evacuation): Promise<Map<number, string>> {
    const { context, present, log } = this.#parts;
    await this.#commit(() => {
      const ends = [...log.ends()];
      const staying = ends.filter(([pack]) => !packs.includes(pack));
      const going = new Map(ends.filter(([pack]) => packs.includes(pack)));
      evacuation.rest(going, Math.min(...staying.map(([pack]) => pack)));
      if (fate === 'removed' && evacuation.unreadable > 0) throw unreadableError(packs);
      const unsealed = staying
        .filter(([pack]) => pack !== log.openPack && !context.packs.isSealed(pack))
        .map(([pack, end]) => ({ pack, end }));
      return afterPacks(this.#goneStill(), packs, fate, unsealed);
    });
    if (fate === 'setAside') return present.takeAway(packs);
    present.takeLeftovers(packs);
    return new Map();
  }

  /** Drops what the index still says of records whose pack was retired; resolves when that is written. */
  unindex(entries: Iterable<FooterEntry>): Promise<void> {
    const index = this.#parts.index.current;
    for (const { id, location } of entries) index.drop(id, location);
    return index.flush();
  }

  /** Takes snapshots out of the store, durably and for good, and the tags that point at them. */
  async collect(snapshots: readonly Summary[]): Promise<void> {
    const ids = new Set(snapshots.map(({ id }) => id));
    const names: string[] = [];
    for await (const { name, snapshot } of this.#store.tags()) if (ids.has(snapshot)) names.push(name);
    await this.#commit(() => {
      for (const name of names) this.#store.putTag(name, undefined);
      const where = snapshots.map(({ id, manifest }) => ({ snapshot: id, pack: manifest.pack }));
      return afterSnapshots(this.#goneStill(), where);
    });
  }

  /** The last gc record, without snapshots that were copied here again since: into the pack of their old manifest. */
  #goneStill(): GcRecord {
    const { gc } = this.#parts.present;
    const isBack = ({ snapshot, pack }: { snapshot: SnapshotId; pack: number }) =>
      this.#store.byId(snapshot)?.manifest.pack === pack;
    return { ...gc, collected: gc.collected.filter((entry) => !isBack(entry)) };
  }

  /** A commit with the gc record that `put` returns, and with what it puts. */
  async #commit(put: () => GcRecord): Promise<void> {
    const { present, log } = this.#parts;
    let { gc } = present;
    await this.#store.note(() => {
      gc = put();
      log.appendSmall(RecordType.gc, encodeGc(gc));
    });
    present.noteGc(gc);
  }
}

function unreadableError(packs: readonly number[]): SnapError {
  return new SnapError(
    'SNAP_CORRUPT',
    `pack ${packs.join(', ')} holds something that cannot be read, so it stays; snap repair keeps what can be`,
    { ...(packs[0] !== undefined && { pack: packs[0] }) },
  );
}
