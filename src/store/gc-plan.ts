/** Which snapshots a gc drops, why, and what each of them takes. Reads only. */

import type { SnapshotId } from '../base/ids.js';
import { recordBytes } from '../format/record.js';
import type { GcOptions, GcProgress } from './gc.js';
import { addHeldBytes } from './held-bytes.js';
import type { Summary } from './index.js';
import { Marks } from './mark.js';
import { type Candidate, fitToBytes, type Plan, planRetention } from './retention.js';
import type { Store } from './store.js';

/** A snapshot as a gc sees it. */
export interface PlannedSnapshot {
  id: string;
  run: string;
  step: number | undefined;
  createdAt: Date;
  tags: string[];
  /** It was forgotten by name. */
  forgotten: boolean;
  keep: boolean;
  /** In words: the rules that keep it, or why none does. */
  reasons: readonly string[];
  /** Bytes that only this snapshot holds; present with `explain`. */
  ownBytes?: number;
}

export interface GcPlan {
  snapshots: PlannedSnapshot[];
  unmatched: string[];
  limit: { maxBytes: number; bytes: number; reached: boolean } | undefined;
}

export async function* planGc(store: Store, options: GcOptions): AsyncGenerator<GcProgress, GcPlan> {
  const { policy, now, force } = options;
  const candidates = await candidatesOf(store, options.run, options.pinned());
  let plan: Plan = planRetention(candidates.values(), policy, { now, force });
  let limit: GcPlan['limit'];
  if (policy?.maxBytes !== undefined) {
    const added = yield* sizesOf(store, plan.order as SnapshotId[], new Marks('first'));
    const fitted = fitToBytes(plan, policy.maxBytes, added);
    limit = { ...fitted.limit };
    plan = fitted;
  }
  const snapshots = plan.verdicts.map(({ id, keep, reasons }): PlannedSnapshot => {
    const { run, step, createdAt, tags, forgotten } = candidates.get(id) as Candidate;
    return { id, run, step, createdAt: new Date(createdAt), tags: [...tags], forgotten, keep, reasons };
  });
  return { snapshots, unmatched: [...plan.unmatched], limit };
}

/** Adds to each snapshot the bytes that only it holds. */
export async function* explained(
  store: Store,
  snapshots: readonly PlannedSnapshot[],
): AsyncGenerator<GcProgress> {
  const ids = new Set(snapshots.map(({ id }) => id as SnapshotId));
  // What is not part of the plan may hold the same: those of another run, or saved since.
  for await (const { id } of store.summaries()) ids.add(id);
  const bytes = yield* sizesOf(store, [...ids], new Marks('sole'));
  for (const [position, snapshot] of snapshots.entries()) snapshot.ownBytes = bytes[position] ?? 0;
}

async function candidatesOf(
  store: Store,
  only: string | undefined,
  pinned: ReadonlySet<SnapshotId>,
): Promise<Map<string, Candidate>> {
  const tags = new Map<SnapshotId, string[]>();
  for await (const { name, snapshot } of store.tags()) {
    tags.set(snapshot, [...(tags.get(snapshot) ?? []), name]);
  }
  const candidates = new Map<string, Candidate>();
  for await (const { id, sequence, run, step, createdAt, forgotten } of store.summaries(only)) {
    candidates.set(id, {
      id,
      sequence,
      run,
      step,
      createdAt,
      tags: tags.get(id) ?? [],
      forgotten,
      pinned: pinned.has(id),
    });
  }
  return candidates;
}

/** Marks snapshots in order; returns the stored bytes that each of them owns. */
async function* sizesOf(
  store: Store,
  ids: readonly SnapshotId[],
  marks: Marks,
): AsyncGenerator<GcProgress, number[]> {
  const sizes = ids.map(() => 0);
  for (const [owner, id] of ids.entries()) {
    const summary: Summary | undefined = store.byId(id);
    if (!summary) continue;
    sizes[owner] = recordBytes(summary.manifest.storedLength);
    for (const _ of marks.snapshot(store, summary, owner)) {
      yield { phase: 'plan', done: owner, total: ids.length };
    }
  }
  for await (const _ of addHeldBytes(store, marks, sizes)) {
    yield { phase: 'plan', done: ids.length, total: ids.length };
  }
  return sizes;
}
