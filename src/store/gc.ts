/**
 * Garbage collection: takes snapshots out of a store, and gives back the space that only they held.
 *
 *   1. plan      which snapshots go: what was forgotten, and what the policy does not keep
 *   2. mark      everything that the others hold, those included that are saved meanwhile
 *   3. collect   one record says which snapshots are gone, durably and for good
 *   4. condemn   what is not marked is not known any more: a save that holds it writes it again
 *   5. free      packs in which nothing is marked are retired first, so that this works on a full disk
 *   6. repack    of packs in which little is marked that little is carried elsewhere; then they are retired too
 *
 * Runs in steps between saves, and nothing is uncommitted between two steps. It may be cut short after any of them:
 * what is still there is found by the next one. A page that cannot be read ends it before anything is dropped.
 */

import { isSnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import { type FooterEntry, RecordList } from '../format/pack.js';
import { isContent, RecordType, recordBytes } from '../format/record.js';
import { explained, type PlannedSnapshot, planGc } from './gc-plan.js';
import type { Summary } from './index.js';
import type { Place } from './log.js';
import { Marks } from './mark.js';
import type { Policy } from './retention-policy.js';
import type { Store } from './store.js';

export interface GcOptions {
  policy: Policy | undefined;
  /** Only the snapshots of this run; otherwise all. */
  run: string | undefined;
  dryRun: boolean;
  /** Find out what each snapshot holds alone: reads the pages of all of them. */
  explain: boolean;
  /** Allow a plan that keeps nothing. */
  force: boolean;
  /** Snapshots that somebody is using, asked for whenever it matters. */
  pinned(): ReadonlySet<SnapshotId>;
  now: number;
}

export interface GcProgress {
  phase: 'plan' | 'mark' | 'weigh' | 'free' | 'repack';
  done: number;
  total: number;
}

/** What a gc did, or would do. Sizes in bytes of packs. */
export interface GcFindings {
  snapshots: PlannedSnapshot[];
  /** Globs of the policy that match no tag. */
  unmatched: string[];
  /** Present where the policy limits bytes: what is kept, and whether that is within the limit. */
  limit: { maxBytes: number; bytes: number; reached: boolean } | undefined;
  /** What the plan drops is gone for good: false in a dry run, and where it was stopped before. */
  collected: boolean;
  /** Of the packs that were retired, or would be. */
  packs: number;
  repackedPacks: number;
  freedBytes: number;
  /** Carried from one pack to another. */
  copiedBytes: number;
  /** Garbage that stays, because it lies among much that is held, or in packs that are damaged. */
  garbageBytes: number;
  /** Packs that were to be retired and stay, because something in them cannot be read. */
  damagedPacks: number[];
}

/** A pack is repacked where less than this share of it is held. */
const REPACK_BELOW = 0.5;
/** Packs retired by one record, and chunks and pages in them. */
const RETIRED_AT_ONCE = 16;
const RECORDS_AT_ONCE = 2 ** 18;
/** Records weighed or dropped from the index between two steps. */
const STEP = 512;

/** Passes of marking between which others may save, and how few snapshots are marked in one step at last. */
const MOST_PASSES = 4;
const FEW = 4;

/** After everything. */
const NOWHERE: Place = { pack: Number.MAX_SAFE_INTEGER, offset: 0 };

/** What is going to be dropped, by id. */
type Dropped = Map<string, PlannedSnapshot>;

/** A pack, and how much of its content is held and how much is not. What is around the content is neither. */
interface Weighed {
  pack: number;
  size: number;
  heldBytes: number;
  deadBytes: number;
  /** Chunks, pages and manifests. */
  records: number;
}

/** What a step of sweeping goes by. */
interface Step {
  marks: Marks;
  condemnedTo: Place;
  progress: GcProgress;
}

export class Gc {
  readonly findings: GcFindings = {
    snapshots: [],
    unmatched: [],
    limit: undefined,
    collected: false,
    packs: 0,
    repackedPacks: 0,
    freedBytes: 0,
    copiedBytes: 0,
    garbageBytes: 0,
    damagedPacks: [],
  };
  readonly #store: Store;
  readonly #options: GcOptions;

  constructor(store: Store, options: GcOptions) {
    this.#store = store;
    this.#options = options;
  }

  async *run(): AsyncGenerator<GcProgress> {
    const plan = yield* planGc(this.#store, this.#options);
    this.findings.snapshots = plan.snapshots;
    this.findings.unmatched = plan.unmatched;
    this.findings.limit = plan.limit;
    if (this.#options.explain) yield* explained(this.#store, plan.snapshots);
    const marks = new Marks();
    const dropped = new Map(plan.snapshots.filter(({ keep }) => !keep).map((one) => [one.id, one]));
    yield* this.#mark(marks, dropped);
    if (this.#options.dryRun) {
      const weighed = yield* this.#weigh(marks, NOWHERE, dropped);
      this.#estimate(weighed);
      return;
    }
    await this.#collect(dropped);
    this.findings.collected = true;
    const condemnedTo = this.#store.removal.condemn(marks);
    try {
      const weighed = yield* this.#weigh(marks, condemnedTo, new Map());
      yield* this.#sweep(marks, condemnedTo, weighed);
    } catch (error) {
      // A batch that was being carried elsewhere.
      await this.#store.rollback();
      throw error;
    } finally {
      this.#store.removal.absolve();
    }
  }

  /**
   * Marks what everything but `dropped` holds, until nothing is left to be marked: others save while this goes on, and
   * may begin to use what was to be dropped. What they did last is marked in one step, which nobody comes between.
   */
  async *#mark(marks: Marks, dropped: Dropped): AsyncGenerator<GcProgress> {
    const marked = new Set<SnapshotId>();
    for (let pass = 0; ; pass++) {
      await this.#spare(dropped);
      const held: Summary[] = [];
      for await (const summary of this.#store.summaries()) {
        if (!dropped.has(summary.id) && !marked.has(summary.id)) held.push(summary);
      }
      const isLast = pass === MOST_PASSES || (pass > 0 && held.length <= FEW);
      for (const [done, summary] of held.entries()) {
        for (const _ of marks.snapshot(this.#store, summary)) {
          if (!isLast) yield { phase: 'mark', done, total: held.length };
        }
        marked.add(summary.id);
      }
      if (isLast) return;
    }
  }

  /** Takes from what is to be dropped what somebody began to use since it was planned, or named, or brought back. */
  async #spare(dropped: Dropped): Promise<void> {
    const spare = (id: string, reason: string) => {
      const planned = dropped.get(id);
      if (planned) Object.assign(planned, { keep: true, reasons: [reason] });
      dropped.delete(id);
    };
    for (const id of this.#options.pinned()) spare(id, 'in use');
    for await (const { name, snapshot } of this.#store.tags()) {
      if (!dropped.get(snapshot)?.tags.includes(name)) spare(snapshot, `tag ${name}`);
    }
    for (const [id, { forgotten }] of dropped) {
      if (forgotten && this.#store.byId(id as SnapshotId)?.forgotten === false) spare(id, 'brought back');
    }
  }

  async #collect(dropped: Dropped): Promise<void> {
    const going: Summary[] = [];
    for (const id of dropped.keys()) {
      const summary = this.#store.byId(id as SnapshotId);
      if (summary) going.push(summary);
    }
    if (going.length > 0) await this.#store.removal.collect(going);
  }

  /** Finds out how much of each pack is held. */
  async *#weigh(marks: Marks, condemnedTo: Place, dropped: Dropped): AsyncGenerator<GcProgress, Weighed[]> {
    const manifests = await this.#manifestPlaces(dropped);
    const ends = [...this.#store.ends()].filter(([pack]) => pack <= condemnedTo.pack);
    const weighed: Weighed[] = [];
    for (const [done, [pack, end]] of ends.entries()) {
      const one: Weighed = { pack, size: this.#store.packSize(pack), heldBytes: 0, deadBytes: 0, records: 0 };
      let looked = 0;
      for (const entry of this.#store.recordsOf(pack, end)) {
        if (++looked % STEP === 0) yield { phase: 'weigh', done, total: ends.length };
        const { location } = entry;
        if (!isContent(location.type) && location.type !== RecordType.manifest) continue;
        const isHeld = this.#isHeld(entry, marks, condemnedTo, manifests);
        one[isHeld ? 'heldBytes' : 'deadBytes'] += recordBytes(location.storedLength);
        one.records++;
      }
      weighed.push(one);
      yield { phase: 'weigh', done, total: ends.length };
    }
    return weighed;
  }

  #isHeld({ id, location }: FooterEntry, marks: Marks, condemnedTo: Place, manifests: Set<string>): boolean {
    const { pack, offset } = location;
    if (pack === condemnedTo.pack && offset >= condemnedTo.offset) return true;
    return isContent(location.type) ? marks.has(id) : manifests.has(`${pack}:${offset}`);
  }

  async #manifestPlaces(dropped: Dropped): Promise<Set<string>> {
    const places = new Set<string>();
    for await (const { id, manifest } of this.#store.summaries()) {
      if (!dropped.has(id)) places.add(`${manifest.pack}:${manifest.offset}`);
    }
    return places;
  }

  #estimate(weighed: readonly Weighed[]): void {
    for (const one of weighed) {
      if (isWorthwhile(one)) {
        this.findings.packs++;
        this.findings.freedBytes += one.size - one.heldBytes;
        if (one.heldBytes > 0) this.findings.repackedPacks++;
        this.findings.copiedBytes += one.heldBytes;
      } else {
        this.findings.garbageBytes += one.deadBytes;
      }
    }
  }

  async *#sweep(marks: Marks, condemnedTo: Place, weighed: readonly Weighed[]): AsyncGenerator<GcProgress> {
    const worthwhile = weighed.filter(isWorthwhile);
    const dead = worthwhile.filter(({ heldBytes }) => heldBytes === 0);
    const sparse = worthwhile
      .filter(({ heldBytes }) => heldBytes > 0)
      .sort((a, b) => a.heldBytes / a.size - b.heldBytes / b.size);
    for (const one of weighed) if (!isWorthwhile(one)) this.findings.garbageBytes += one.deadBytes;
    let freed = 0;
    for (const group of groupsOf(dead)) {
      const step: Step = { marks, condemnedTo, progress: { phase: 'free', done: freed, total: dead.length } };
      yield* this.#retireUndamaged(group, step);
      freed += group.length;
    }
    for (const [done, one] of sparse.entries()) {
      const step: Step = { marks, condemnedTo, progress: { phase: 'repack', done, total: sparse.length } };
      yield* this.#retireUndamaged([one], step);
    }
  }

  /** Leaves packs with damage where they are: perhaps somebody can still make something of it. */
  async *#retireUndamaged(group: readonly Weighed[], step: Step): AsyncGenerator<GcProgress> {
    try {
      yield* this.#retire(group, step);
    } catch (error) {
      if (!isSnapError(error, 'SNAP_CORRUPT')) throw error;
      if (group.length > 1) {
        for (const one of group) yield* this.#retireUndamaged([one], step);
        return;
      }
      for (const { pack, deadBytes } of group) {
        this.findings.damagedPacks.push(pack);
        this.findings.garbageBytes += deadBytes;
        this.#store.warn({ kind: 'damage', message: error.message, pack });
      }
    }
  }

  async *#retire(
    group: readonly Weighed[],
    { marks, condemnedTo, progress }: Step,
  ): AsyncGenerator<GcProgress> {
    yield progress;
    const store = this.#store;
    const evacuation = store.removal.evacuation((id, { pack, offset }) => {
      return marks.has(id) || (pack === condemnedTo.pack && offset >= condemnedTo.offset);
    });
    const gone: RecordList[] = [];
    let size = 0;
    for (const { pack, heldBytes } of group) {
      store.removal.leave(pack);
      size += store.packSize(pack);
      const end = store.ends().get(pack) ?? 0;
      gone.push(contentOf(store, pack, end));
      // What was appended to the open pack since it was weighed is held.
      if (heldBytes === 0 && pack !== condemnedTo.pack) continue;
      for await (const _ of evacuation.content(pack, end)) yield progress;
    }
    await store.removal.retire(
      group.map(({ pack }) => pack),
      'removed',
      evacuation,
    );
    this.findings.packs += group.length;
    this.findings.repackedPacks += group.filter(({ heldBytes }) => heldBytes > 0).length;
    this.findings.copiedBytes += evacuation.copiedBytes;
    this.findings.freedBytes += size - evacuation.copiedBytes;
    yield* this.#unindex(gone, progress);
  }

  /** In slices; whatever ends this early, nothing of the packs may stay in the index. */
  async *#unindex(gone: readonly RecordList[], progress: GcProgress): AsyncGenerator<GcProgress> {
    const { removal } = this.#store;
    const count = gone.reduce((sum, { length }) => sum + length, 0);
    let done = 0;
    try {
      for (; done < count; done += STEP) {
        await removal.unindex(entriesOf(gone, done, done + STEP));
        yield progress;
      }
    } finally {
      if (done < count) await removal.unindex(entriesOf(gone, done, count));
    }
  }
}

/** Chunks and pages of a pack, as small as they can be held: its file may be gone before the index is told. */
function contentOf(store: Store, pack: number, end: number): RecordList {
  const list = new RecordList(pack);
  for (const { id, location } of store.recordsOf(pack, end)) {
    if (isContent(location.type)) list.add(id, location);
  }
  return list;
}

/** Those from one position to another, the lists being one behind the other. */
function* entriesOf(lists: readonly RecordList[], from: number, to: number): Generator<FooterEntry> {
  let start = 0;
  for (const list of lists) {
    const end = Math.min(to, start + list.length);
    for (let at = Math.max(from, start); at < end; at++) yield list.at(at - start);
    start += list.length;
  }
}

/** Packs to retire by one record: few, and with so few records that these may be held in memory. */
export function groupsOf<T extends { records: number }>(packs: readonly T[]): T[][] {
  const groups: T[][] = [];
  let records = Number.POSITIVE_INFINITY;
  for (const one of packs) {
    const last = groups.at(-1);
    if (last && last.length < RETIRED_AT_ONCE && records + one.records <= RECORDS_AT_ONCE) last.push(one);
    else {
      groups.push([one]);
      records = 0;
    }
    records += one.records;
  }
  return groups;
}

/** What is around the content would be written again: alone it is not worth it, or every gc would do the same. */
function isWorthwhile({ size, heldBytes, deadBytes }: Weighed): boolean {
  return deadBytes > 0 && heldBytes < size * REPACK_BELOW;
}
