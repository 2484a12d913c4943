/**
 * Copying: snapshots of one store to another, only what is missing there.
 *
 *   1. plan      what is selected, not there yet, and would be kept there
 *   2. copy      the newest first: what it consists of, then its manifest; tags move with their snapshots
 *   3. notes     tags and timings of what was there already
 *
 * Snapshots keep their ids, runs, parents, steps and times; `copy-order.ts` says where they come in the order.
 *
 * Invariants
 *  - a snapshot is in the target wholly or not at all: its manifest is put when all it consists of was
 *  - whatever ends a copy, all that was committed stays, and the next one goes on from there
 *  - the source is read only; what of it cannot be read costs the snapshots that hold it, and no others
 *
 * The target is owned while this runs. It is committed every now and then, and when the run ends before its end.
 */

import type { SnapshotId } from '../base/ids.js';
import { ContentCopy } from './copy-content.js';
import type { Places } from './copy-order.js';
import { type CopyPlan, keptThere, placesIn, planCopy, type Selection } from './copy-plan.js';
import { type CopySource, Unreadable } from './copy-source.js';
import { type CopyTarget, Rehearsal, StoreTarget } from './copy-target.js';
import type { Summary } from './index.js';
import type { Policy } from './retention-policy.js';
import type { Store } from './store.js';

export interface CopyOptions {
  /** Only find out what would be done. */
  dryRun: boolean;
  selection: Selection;
  /** What the target keeps: what would not be kept is not copied. */
  policy: Policy | undefined;
  /** Milliseconds since 1970. */
  now: number;
}

export interface CopyProgress {
  phase: 'copy';
  /** Bytes of the states that are copied. */
  done: number;
  total: number;
  snapshots: number;
  snapshotsTotal: number;
  /** Read from the source, written to the target. */
  readBytes: number;
  writtenBytes: number;
}

export interface CopiedSnapshot {
  id: string;
  run: string;
  step: number | undefined;
  createdAt: Date;
  tags: string[];
  /** Size of the state. */
  logicalBytes: number;
  /** Bytes written for it. */
  writtenBytes: number;
}

/**
 * `damaged`: it cannot be read whole in the source. `gone`: it was forgotten or collected there while the copy ran.
 * `forgotten`: it was forgotten in the target.
 */
export type SkipReason = 'damaged' | 'gone' | 'forgotten';

export interface SkippedSnapshot {
  id: string;
  run: string;
  step: number | undefined;
  reason: SkipReason;
  message: string;
}

/** A tag that was set in the target, and the snapshot that it named there before. */
export interface CopiedTag {
  name: string;
  snapshot: string;
  previous: string | undefined;
}

/** What a copy did, or would do. Sizes in bytes. */
export interface CopyFindings {
  /** The newest first. */
  copied: CopiedSnapshot[];
  /** How many of those selected were in the target already, and how many it would not keep. */
  present: number;
  notKept: number;
  skipped: SkippedSnapshot[];
  tags: CopiedTag[];
  /** Tags that name something else in the target, which the source knows nothing of: they were left alone. */
  tagsLeft: CopiedTag[];
  /** Read from the source; written to the target. */
  readBytes: number;
  writtenBytes: number;
  /** Of the states that were copied, how much was in the target already or came more than once. */
  logicalBytes: number;
  sharedBytes: number;
}

/** A snapshot to copy, and the size of its state. */
interface Task {
  summary: Summary;
  logicalBytes: number;
}

/** How often a snapshot is begun again whose packs are taken away while it is read. */
const MOST_ATTEMPTS = 100;

export class Copy {
  readonly findings: CopyFindings = {
    copied: [],
    present: 0,
    notKept: 0,
    skipped: [],
    tags: [],
    tagsLeft: [],
    readBytes: 0,
    writtenBytes: 0,
    logicalBytes: 0,
    sharedBytes: 0,
  };
  readonly #source: CopySource;
  readonly #there: Store | undefined;
  readonly #options: CopyOptions;
  readonly #target: CopyTarget;
  readonly #content: ContentCopy;
  readonly #readBefore: number;
  #plan: CopyPlan = NOTHING;
  /** Snapshots, and bytes of their states: how many are through, and how many there are. */
  readonly #done = { snapshots: 0, bytes: 0 };
  readonly #total = { snapshots: 0, bytes: 0 };

  /** `target` is undefined only for a dry run to where there is no store yet. */
  constructor(source: CopySource, target: Store | undefined, options: CopyOptions) {
    this.#source = source;
    this.#there = target;
    this.#options = options;
    this.#target = target && !options.dryRun ? new StoreTarget(target) : new Rehearsal(target);
    this.#content = new ContentCopy(source, this.#target);
    this.#readBefore = source.store.readBytes;
  }

  /** Yields often. What is not committed when it is ended early is committed then. */
  async *run(): AsyncGenerator<CopyProgress> {
    let failed = false;
    try {
      yield* this.#run();
    } catch (error) {
      failed = true;
      await this.#target.rollback();
      throw error;
    } finally {
      if (!failed) await this.#target.commit(true);
      this.#count();
    }
  }

  async *#run(): AsyncGenerator<CopyProgress> {
    this.#plan = await planCopy(this.#source.store, this.#there, this.#options.selection);
    this.findings.present = this.#plan.present.length;
    const lost = yield* this.#lostThere();
    const coming = this.#plan.all.filter((summary) => this.#plan.missing.has(summary) || lost.has(summary));
    const kept = yield* this.#keptOf(coming);
    this.findings.notKept = coming.length - kept.length;
    const tasks = kept.map((summary) => ({ summary, logicalBytes: this.#sizeOf(summary) }));
    this.#total.snapshots = tasks.length;
    this.#total.bytes = tasks.reduce((sum, { logicalBytes }) => sum + logicalBytes, 0);
    const places = placesIn(this.#there, this.#plan);
    for (const task of tasks) {
      yield* this.#snapshot(task, places);
      this.#done.snapshots++;
      this.#done.bytes += task.logicalBytes;
      await this.#target.commit();
    }
    for (const summary of this.#plan.present) this.#note(summary);
  }

  /**
   * Of the snapshots that were forgotten in the target those that are not whole there: damage took them, and repair
   * forgot them, so they come again. The others were forgotten by somebody, and stay so.
   */
  async *#lostThere(): AsyncGenerator<CopyProgress, Set<Summary>> {
    const lost = new Set<Summary>();
    let rehearsal = new Rehearsal(this.#there);
    let content = new ContentCopy(this.#source, rehearsal);
    for (const summary of this.#plan.forgottenThere) {
      // What one of them lacks others may lack too.
      if (rehearsal.writtenBytes > 0) {
        rehearsal = new Rehearsal(this.#there);
        content = new ContentCopy(this.#source, rehearsal);
      }
      try {
        for await (const _ of content.snapshot(this.#source.manifest(summary))) yield this.#progress(0);
        if (rehearsal.writtenBytes > 0) lost.add(summary);
        else this.#skip(summary, 'forgotten', 'it was forgotten in the target; unforget it there');
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        lost.add(summary);
      }
    }
    return lost;
  }

  async *#keptOf(coming: readonly Summary[]): AsyncGenerator<CopyProgress, readonly Summary[]> {
    const { policy, now } = this.#options;
    if (!policy) return coming;
    const planning = keptThere(this.#source, this.#there, this.#plan, coming, policy, now);
    for (;;) {
      const { done, value } = await planning.next();
      if (done) return value;
      yield this.#progress(0);
    }
  }

  #sizeOf(summary: Summary): number {
    try {
      return this.#source.manifest(summary).logicalBytes;
    } catch (error) {
      // It is told when its turn comes.
      if (error instanceof Unreadable) return 0;
      throw error;
    }
  }

  async *#snapshot(task: Task, places: Places): AsyncGenerator<CopyProgress> {
    const { id } = task.summary;
    for (let attempt = 1; ; attempt++) {
      const summary = this.#source.store.byId(id);
      if (!summary || summary.forgotten) {
        return this.#skip(task.summary, 'gone', 'it was forgotten or collected while the copy ran');
      }
      try {
        yield* this.#copy(summary, task, places);
        return;
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        if (attempt < MOST_ATTEMPTS && (await this.#source.lookAgain())) continue;
        return this.#skip(task.summary, 'damaged', error.reason.message);
      }
    }
  }

  async *#copy(summary: Summary, { logicalBytes }: Task, places: Places): AsyncGenerator<CopyProgress> {
    const { id, run, step } = summary;
    const target = this.#target;
    const content = this.#content;
    const before = { written: target.writtenBytes, done: content.doneBytes, shared: content.sharedBytes };
    const manifest = this.#source.manifest(summary);
    for await (const _ of content.snapshot(manifest)) {
      await target.commit();
      yield this.#progress(Math.min(logicalBytes, content.doneBytes - before.done));
    }
    const sequence = this.#there?.byId(id)?.sequence ?? places.placeOf(id);
    target.putSnapshot({ ...manifest, sequence });
    this.#note(summary);
    this.findings.logicalBytes += content.doneBytes - before.done;
    this.findings.sharedBytes += content.sharedBytes - before.shared;
    this.findings.copied.push({
      id,
      run,
      step,
      createdAt: new Date(summary.createdAt),
      tags: [...(this.#plan.tags.get(id) ?? [])],
      logicalBytes,
      writtenBytes: target.writtenBytes - before.written,
    });
  }

  /** What is known of a snapshot besides itself; some of it only after it was copied. */
  #note({ id, durableMs }: Summary): void {
    const known = this.#there?.byId(id)?.durableMs !== undefined;
    if (durableMs !== undefined && !known) this.#target.putTiming(id, durableMs);
    this.#tag(id);
  }

  /**
   * Tags of a snapshot name it in the target too. One that names another there is moved if that is of the same run,
   * or in the source too: it was moved there. Otherwise it is somebody else's.
   */
  #tag(id: SnapshotId): void {
    for (const name of this.#plan.tags.get(id) ?? []) {
      const previous = this.#there?.tagged(name);
      if (previous === id) continue;
      const named = previous && this.#there?.byId(previous);
      const isOurs =
        !named || named.run === this.#source.store.byId(id)?.run || this.#source.store.byId(named.id);
      const found = { name, snapshot: id, previous: named?.id };
      if (isOurs) this.#target.putTag(name, id);
      (isOurs ? this.findings.tags : this.findings.tagsLeft).push(found);
    }
  }

  #skip({ id, run, step }: Summary, reason: SkipReason, message: string): void {
    this.findings.skipped.push({ id, run, step, reason, message });
  }

  #count(): void {
    this.findings.readBytes = this.#source.store.readBytes - this.#readBefore;
    this.findings.writtenBytes = this.#target.writtenBytes;
  }

  #progress(bytes: number): CopyProgress {
    this.#count();
    const { readBytes, writtenBytes } = this.findings;
    return {
      phase: 'copy',
      done: this.#done.bytes + bytes,
      total: this.#total.bytes,
      snapshots: this.#done.snapshots,
      snapshotsTotal: this.#total.snapshots,
      readBytes,
      writtenBytes,
    };
  }
}

const NOTHING: CopyPlan = {
  all: [],
  missing: new Set(),
  present: [],
  forgottenThere: [],
  tags: new Map(),
};
