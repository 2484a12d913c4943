/**
 * The packs of a store in the order in which they were begun, and what each one's header says of those before it.
 *
 * A pack is begun only when everything that counts in the one before is durable, and its header says how much that
 * is. So a header that can be read proves its predecessor, even where nothing else of the pack survived.
 */

import type { PackRange } from '../format/gc.js';
import { decodePackHeader, type PackHeader } from '../format/pack.js';
import { RecordType } from '../format/record.js';
import type { Packs } from './packs.js';
import type { Damage } from './scan.js';

/** Missing files are named one by one up to here: the number of a forged pack may be anything. */
const MOST_MISSING = 1000;

export interface ListedPack {
  number: number;
  /** Undefined where it cannot be read: torn, damaged, or the pack is empty. */
  header: PackHeader | undefined;
  /** Sequence of the header's record; 0 where it cannot be read. */
  sequence: number;
}

export class PackOrder {
  readonly listed: readonly ListedPack[];
  readonly damage: Damage[] = [];
  /** Files that lie under the name of another pack. */
  readonly misplaced: { number: number; belongsTo: number }[] = [];
  /** There are packs, and all of them belong to another store. */
  readonly isOfAnotherStore: boolean;

  constructor(packs: Packs, store: Buffer) {
    const listed: ListedPack[] = [];
    let foreign = 0;
    for (const number of packs.numbers()) {
      const record = packs.readRecord(number, 0);
      const isHeader = record?.header.type === RecordType.packHeader;
      const header = isHeader ? decodePackHeader(record.payload) : undefined;
      if (header && !header.store.equals(store)) {
        this.damage.push({ pack: number, offset: 0, reason: 'it belongs to another store', foreign: true });
        foreign++;
        continue;
      }
      const belongsTo = header ? number : packs.numberInside(number);
      if (belongsTo !== undefined && belongsTo !== number) {
        const reason = `it is the file of pack ${belongsTo}`;
        this.damage.push({ pack: number, offset: 0, reason, foreign: true });
        this.misplaced.push({ number, belongsTo });
        continue;
      }
      listed.push({ number, header, sequence: header && record ? record.header.sequence : 0 });
    }
    this.listed = listed;
    this.isOfAnotherStore = listed.length === 0 && foreign > 0;
  }

  /** The first pack after the one at `position` whose header can be read. */
  successor(position: number): PackHeader | undefined {
    for (let next = position + 1; next < this.listed.length; next++) {
      const header = this.listed[next]?.header;
      if (header) return header;
    }
    return undefined;
  }

  /**
   * Packs whose files should be there. They are numbered without gaps, but for those in which nothing counted and
   * those that are `gone`. `last`: a pack beyond the listed ones that is known to have been there.
   */
  missing(gone: readonly PackRange[], last: number | undefined): Damage[] {
    const missing: Damage[] = [];
    const listed: Pick<ListedPack, 'number' | 'header'>[] = [...this.listed];
    if (last !== undefined) listed.push({ number: last + 1, header: undefined });
    let expected = 1;
    for (const { number, header } of listed) {
      const end = Math.min(number, (header?.previousPack ?? number) + 1);
      const enough = missing.length + MOST_MISSING;
      for (; expected < end; expected++) {
        const range = gone.find(({ first, count }) => expected >= first && expected < first + count);
        if (range) expected = range.first + range.count - 1;
        else if (missing.length === enough) {
          missing.push(missingFile(expected, `all files before pack ${end} are missing`));
          break;
        } else if (!this.misplaced.some(({ belongsTo }) => belongsTo === expected)) {
          missing.push(missingFile(expected, 'the file is missing'));
        }
      }
      expected = number + 1;
    }
    return missing;
  }
}

function missingFile(pack: number, reason: string): Damage {
  return { pack, offset: 0, reason, costs: 'unknown' };
}
