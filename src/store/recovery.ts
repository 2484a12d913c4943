/**
 * From packs to a store that can go on: what counts, where to append, what was lost.
 *
 * Used whenever the index is not known to match the packs: after an unclean stop, when it is gone or damaged,
 * and by every reader beside an owner. Reads packs only; `Store` writes what follows from the result.
 *
 *  - A sealed pack is believed by its footer.
 *  - Of a pack without a footer, commits count as `scan.ts` says, up to where the header of the next one says that
 *    it ended: what lies beyond failed, or was set aside, and does not count even if it can be read.
 *  - A last commit that no header proves counts only if every byte of it is there, and is then unproved: it may
 *    be readable and yet not durable.
 *  - A pack that the last gc record says is gone does not count, even if its file is still there. So packs are
 *    looked at from the newest to the oldest, and taken in from the oldest to the newest.
 */

import { SnapError } from '../base/errors.js';
import { decodeCommit, NO_COMMIT } from '../format/commit.js';
import { decodeGc, type GcRecord, NOTHING_GONE } from '../format/gc.js';
import { encodeFooter, Footer, RecordList } from '../format/pack.js';
import { isContent, RECORD_ALIGNMENT, RecordType, recordBytes } from '../format/record.js';
import { isGone } from './gone.js';
import type { Committed, Index } from './index.js';
import { needsPayload } from './index.js';
import { type ListedPack, PackOrder } from './pack-order.js';
import type { Chain } from './pack-writer.js';
import type { Packs } from './packs.js';
import { cutOff, type Damage, damageOf, type PackScan, recordsOf, scanPack, spanIsWhole } from './scan.js';

export interface Recovered {
  chain: Chain;
  damage: Damage[];
  /** The last pack in which anything counts. */
  tail: Tail | undefined;
  /** What can be read, was accepted, and is not known to be durable. */
  unproved: UnprovedRange[];
  /** Packs behind it that were begun and hold nothing but the beginning of a save: they may go. */
  leftovers: number[];
  /** Files that lie under the name of another pack: nothing may be written beside them. */
  misplaced: { number: number; belongsTo: number }[];
  /** Without `indexContent`: where the chunks and pages of each pack lie, the newest pack first. */
  footers: Footer[];
  /** What the last gc record says, and the packs of it whose files are still there. */
  gc: GcRecord;
  gone: number[];
}

export interface Tail {
  number: number;
  /** Where what counts ends. */
  end: number;
  /** Open, undamaged, and nothing was begun after it. */
  appendable: boolean;
  /** Damaged, or what lies behind `end` may be more than the beginning of a save: append elsewhere. */
  setAside: boolean;
}

export interface UnprovedRange {
  pack: number;
  start: number;
  end: number;
}

/** What is known to have been durable, from the last clean close: the last pack, up to where, and what comes next. */
export interface KnownDurable {
  pack: number;
  end: number;
  chain: Chain;
}

export interface RecoveryOptions {
  store: Buffer;
  known: KnownDurable | undefined;
  /** Of a store that is open: where the last packs end, the one being written too. */
  ends?: ReadonlyMap<number, number>;
  /** Enter chunks and pages too; what has to be held in memory finds them by footer instead. */
  indexContent: boolean;
}

/** How far recovery has come, in bytes of packs. */
export interface RecoveryProgress {
  done: number;
  total: number;
}

/** Entries applied between two yields: what a bulk load holds in memory. */
const STEP = 20_000;

/** Yields now and then, so that what was applied can be written and progress told. */
export function* recover(
  packs: Packs,
  index: Index,
  options: RecoveryOptions,
): Generator<RecoveryProgress, Recovered> {
  const order = new PackOrder(packs, options.store);
  if (order.isOfAnotherStore) throw otherDescriptorError();
  const result: Recovered = {
    chain: { sequence: 1, commitNumber: 0, commitId: NO_COMMIT },
    damage: order.damage,
    tail: undefined,
    unproved: [],
    leftovers: [],
    misplaced: order.misplaced,
    footers: [],
    gc: NOTHING_GONE,
    gone: [],
  };
  const recovery = new Recovery(packs, index, options, order, result);
  yield* recovery.run();
  return result;
}

/** What counts of a pack without a footer. */
interface Accepted {
  scan: PackScan;
  /** It was begun and given up: the next was begun as if it had never been. */
  givenUp: boolean;
  /** Where it ended when the next pack was begun, if that can be read. */
  limit: number | undefined;
  /** Up to here it is known to have been durable. */
  certain: number;
  /** What lies behind may be more than the beginning of a save. */
  suspicious: boolean;
}

class Recovery {
  readonly #packs: Packs;
  readonly #index: Index;
  readonly #options: RecoveryOptions;
  readonly #order: PackOrder;
  readonly #result: Recovered;
  readonly #unsealed = new Map<number, Accepted>();
  /** Bytes of all packs, bytes of those that were taken, and entries applied since the last yield. */
  readonly #totalBytes: number;
  #takenBytes = 0;
  #applied = 0;

  constructor(packs: Packs, index: Index, options: RecoveryOptions, order: PackOrder, result: Recovered) {
    this.#packs = packs;
    this.#index = index;
    this.#options = options;
    this.#order = order;
    this.#result = result;
    this.#totalBytes = order.listed.reduce((sum, { number }) => sum + packs.size(number), 0);
  }

  *run(): Generator<RecoveryProgress, void> {
    const { listed } = this.#order;
    const { known } = this.#options;
    // Also where what the last close knew of is gone: it may be put back, and its numbers must not be used twice.
    if (known) this.#advance(known.chain.sequence - 1, known.chain.commitNumber, known.chain.commitId);
    for (let position = listed.length - 1; position >= 0; position--) this.#survey(position);
    for (const [position, pack] of listed.entries()) {
      this.#advancePast(pack);
      const accepted = this.#unsealed.get(pack.number);
      if (accepted) yield* this.#takeUnsealed(position, accepted);
      else if (!this.#isGone(pack.number)) yield* this.#takeSealed(position);
      this.#takenBytes += this.#packs.size(pack.number);
      yield this.#progress();
    }
    const { damage, gc } = this.#result;
    const last = this.#takeMissing();
    damage.push(...this.#order.missing([...gc.removed, ...gc.setAside], last));
    damage.sort((a, b) => a.pack - b.pack || a.offset - b.offset);
  }

  /**
   * The last pack may be gone, and no header tells of it: the last clean close does. It stays the last one, so that
   * later headers tell. Returns its number.
   */
  #takeMissing(): number | undefined {
    const { known } = this.#options;
    const last = this.#order.listed.at(-1)?.number ?? 0;
    if (!known || known.pack <= last || this.#isGone(known.pack)) return undefined;
    this.#becomesTail({ number: known.pack, end: known.end, appendable: false, setAside: true });
    return known.pack;
  }

  /** Finds out what of a pack counts, when everything after it was looked at. */
  #survey(position: number): void {
    const { number } = this.#order.listed[position] as ListedPack;
    if (this.#isGone(number)) {
      this.#result.gone.push(number);
      return;
    }
    const sealed = this.#packs.footer(number);
    const accepted = sealed ? undefined : this.#accept(position);
    if (accepted) this.#unsealed.set(number, accepted);
    if (this.#result.gc !== NOTHING_GONE) return;
    const payload = sealed ? this.#lastGcOf(number, sealed.footer) : this.#lastGcIn(number, accepted);
    if (payload) this.#result.gc = decodeGc(payload);
  }

  #lastGcOf(pack: number, footer: Footer): Buffer | undefined {
    for (let at = footer.otherCount - 1; at >= 0; at--) {
      const { type, offset } = footer.other(at).location;
      const record = type === RecordType.gc && this.#packs.readRecord(pack, offset);
      if (record) return record.payload;
    }
    return undefined;
  }

  #lastGcIn(pack: number, accepted: Accepted | undefined): Buffer | undefined {
    if (!accepted) return undefined;
    const { records, spans } = accepted.scan;
    for (const { from, to } of spans.toReversed()) {
      for (let index = to - 1; index >= from; index--) {
        if (records.typeAt(index) !== RecordType.gc) continue;
        const record = this.#packs.readRecord(pack, records.offsetAt(index));
        if (record) return record.payload;
      }
    }
    return undefined;
  }

  #isGone(pack: number): boolean {
    return isGone(this.#result.gc, pack);
  }

  /** A header tells what came before it, also where that cannot be read any more. */
  #advancePast({ header, sequence }: ListedPack): void {
    if (header) this.#advance(sequence, header.lastCommitNumber, header.lastCommit);
  }

  *#takeSealed(position: number): Generator<RecoveryProgress, void> {
    const { number } = this.#order.listed[position] as ListedPack;
    const sealed = this.#packs.footer(number);
    if (!sealed) return this.#damaged(number, 0, 'its footer cannot be read any more');
    const { footer, offset, sequence } = sealed;
    if (this.#options.indexContent) {
      const { contentCount } = footer;
      for (let at = 0; at < contentCount; at++) {
        if (this.#apply(footer.content(at))) yield this.#progress(number, at / contentCount);
      }
    } else {
      this.#result.footers.unshift(footer);
    }
    const { chain } = this.#result;
    let commitNumber = chain.commitNumber;
    let commitId = chain.commitId;
    for (let at = 0; at < footer.otherCount; at++) {
      const entry: Committed = footer.other(at);
      const { type, offset: start } = entry.location;
      if (type === RecordType.commit) {
        commitNumber++;
        commitId = entry.id;
      }
      // Of the commits only the last one matters: it is the last of the others.
      const closes = type === RecordType.commit && at === footer.otherCount - 1;
      if (!needsPayload(type) && !closes) continue;
      const record = this.#packs.readRecord(number, start);
      if (!record) this.#result.damage.push(damageOf({ pack: number, offset: start, type }));
      else if (closes) commitNumber = decodeCommit(record.payload).number;
      else if (this.#apply({ ...entry, payload: record.payload })) yield this.#progress(number);
    }
    this.#advance(sequence, commitNumber, commitId);
    const size = this.#packs.size(number);
    if (!this.#isProved(position)) this.#result.unproved.push({ pack: number, start: offset, end: size });
    const end = this.#limit(position) ?? size;
    this.#becomesTail({ number, end, appendable: false, setAside: false });
  }

  #accept(position: number): Accepted {
    const { number } = this.#order.listed[position] as ListedPack;
    const size = this.#packs.size(number);
    const limit = this.#limit(position);
    const { known } = this.#options;
    const certain = limit ?? (known?.pack === number ? known.end : 0);
    const scan = scanPack(this.#packs, number, Math.min(size, limit ?? size), certain);
    const { spans, damage, tailHasCommit, sequence } = scan;
    this.#result.chain.sequence = Math.max(this.#result.chain.sequence, sequence + 1);
    if ((this.#order.successor(position)?.previousPack ?? number) < number) {
      if (spans.length > 0) this.#damaged(number, 0, 'its commits are no part of the store');
      spans.length = 0;
      return { scan, givenUp: true, limit: undefined, certain: 0, suspicious: false };
    }
    for (const one of damage) this.#result.damage.push(one);
    if (size < certain) this.#result.damage.push(cutOff(number, size));
    let suspicious = tailHasCommit || damage.length > 0 || size < certain;
    if (limit === undefined) suspicious = this.#dropFailed(position, scan, certain) || suspicious;
    return { scan, givenUp: false, limit, certain, suspicious };
  }

  *#takeUnsealed(position: number, accepted: Accepted): Generator<RecoveryProgress, void> {
    const { number } = this.#order.listed[position] as ListedPack;
    const { scan, limit, certain, suspicious } = accepted;
    if (accepted.givenUp) return;
    const { spans } = scan;
    const content = new RecordList(number);
    for (const span of spans) {
      for (const record of recordsOf(this.#packs, scan, span)) {
        if (!this.#options.indexContent && isContent(record.location.type)) {
          content.add(record.id, record.location);
        } else if (this.#apply(record)) {
          yield this.#progress(number, record.location.offset / this.#packs.size(number));
        }
      }
      const { commit } = span;
      if (commit) this.#advance(commit.sequence, commit.number, commit.id);
    }
    if (content.length > 0) {
      const footer = encodeFooter(content, new RecordList(number));
      this.#result.footers.unshift(new Footer(footer, number));
    }
    const last = spans.at(-1);
    const end = Math.max(last?.end ?? 0, certain);
    if (last && last.end > certain && !this.#isProved(position)) {
      this.#result.unproved.push({ pack: number, start: last.start, end: last.end });
    }
    if (end === 0 && !suspicious && limit === undefined) {
      this.#result.leftovers.push(number);
      return;
    }
    this.#becomesTail({
      number,
      end,
      appendable: limit === undefined && !suspicious,
      setAside: limit === undefined && suspicious,
    });
  }

  /**
   * Takes away commits that failed, in a pack whose end no header tells. Says whether there were any.
   *
   * A commit that failed leaves its number to the next one, which went to a new pack. And of the last commit any part
   * may be missing, unless the next one was built on it.
   */
  #dropFailed(position: number, scan: PackScan, certain: number): boolean {
    const { number } = this.#order.listed[position] as ListedPack;
    const { spans } = scan;
    const next = this.#firstCommitAfter(position);
    const before = spans.length;
    const lastNumber = () => spans.at(-1)?.commit?.number ?? 0;
    while (next !== undefined && lastNumber() >= next) spans.pop();
    const last = spans.at(-1);
    const mayBeTorn = last && last.end > certain && lastNumber() + 1 !== next;
    if (mayBeTorn && !spanIsWhole(this.#packs, number, scan, last)) spans.pop();
    return spans.length < before;
  }

  /** Where the pack at a position ended when the next one was begun, if that can be read. */
  #limit(position: number): number | undefined {
    const successor = this.#order.successor(position);
    const number = this.#order.listed[position]?.number;
    if (successor?.previousPack === number) return successor?.previousPackEnd;
    const unsealed = this.#result.gc.unsealed.find(({ pack }) => pack === number);
    return unsealed?.end ?? this.#options.ends?.get(number ?? 0);
  }

  /** True where something that was begun later shows that the pack at a position was durable. */
  #isProved(position: number): boolean {
    return this.#order.successor(position) !== undefined || this.#firstCommitAfter(position) !== undefined;
  }

  /** Number of the first commit that can be read in the packs after one. */
  #firstCommitAfter(position: number): number | undefined {
    for (const { number } of this.#order.listed.slice(position + 1)) {
      const commit = firstCommit(this.#packs, number);
      if (commit !== undefined) return commit;
    }
    return undefined;
  }

  /** A later pack in which anything counts takes the place of an earlier one; leftovers before it stay. */
  #becomesTail(tail: Tail): void {
    this.#result.tail = tail;
    this.#result.leftovers = [];
  }

  /** True when it is time to yield. */
  #apply(record: Committed): boolean {
    this.#index.load(record);
    this.#applied = (this.#applied + 1) % STEP;
    return this.#applied === 0;
  }

  /** `share`: how much of a pack was taken, of one that is not counted yet. */
  #progress(pack = 0, share = 0): RecoveryProgress {
    const partly = share > 0 ? Math.floor(share * this.#packs.size(pack)) : 0;
    return { done: this.#takenBytes + partly, total: this.#totalBytes };
  }

  #advance(sequence: number, commitNumber: number, commitId: Chain['commitId']): void {
    const { chain } = this.#result;
    chain.sequence = Math.max(chain.sequence, sequence + 1);
    if (commitNumber < chain.commitNumber) return;
    chain.commitNumber = commitNumber;
    chain.commitId = commitId;
  }

  #damaged(pack: number, offset: number, reason: string): void {
    this.#result.damage.push({ pack, offset, reason });
  }
}

function otherDescriptorError(): SnapError {
  return new SnapError(
    'SNAP_CORRUPT',
    "the store's descriptor (holdfast.json) is that of another store; Snap.repair(directory) makes it anew",
  );
}

function firstCommit(packs: Packs, pack: number): number | undefined {
  const size = packs.size(pack);
  for (let start: number | undefined = 0; start !== undefined; ) {
    let next = start;
    for (const { header } of packs.headers(pack, start, size)) {
      next = header.offset + recordBytes(header.storedLength);
      const record = header.type === RecordType.commit && packs.readRecord(pack, header.offset);
      if (record) return decodeCommit(record.payload).number;
    }
    start = packs.resync(pack, next + RECORD_ALIGNMENT, size);
  }
  return undefined;
}
