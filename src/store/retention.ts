/**
 * What a retention policy keeps of the snapshots of a store, and why. Planning only: nothing is read or removed.
 *
 * Invariants
 *  - every snapshot has a verdict with at least one reason in words
 *  - what is in use, and the newest of each run, is kept by any policy; what was forgotten is dropped by any
 *  - the order in which snapshots are given does not matter; `sequence` says which is newer, never a clock
 *  - planning again what was kept keeps all of it
 *
 * A limit of bytes needs to know what each snapshot adds to those kept before it, which only gc can find out, by
 * marking. So there are two steps: `planRetention` gives the order in which to mark, and `fitToBytes` cuts that
 * order off where the limit is passed. The order does not depend on sizes: the oldest goes first.
 */

import { invariant } from '../base/errors.js';
import { formatBytes } from '../base/sizes.js';
import type { Policy } from './retention-policy.js';
import { rulesOf } from './retention-rules.js';
import { compileGlob } from './retention-tags.js';

/** What of a snapshot decides whether it is kept. */
export interface Candidate {
  readonly id: string;
  /** Order among all snapshots of the store; the newest has the highest. */
  readonly sequence: number;
  readonly run: string;
  readonly step: number | undefined;
  /** Milliseconds since 1970, as the clock had it. */
  readonly createdAt: number;
  readonly tags: readonly string[];
  readonly forgotten: boolean;
  /** A loop or a reader is using it. */
  readonly pinned?: boolean;
}

export interface PlanOptions {
  /** Milliseconds since 1970. */
  now: number;
  /** Allow a plan that keeps nothing. */
  force?: boolean;
}

export interface Verdict {
  readonly id: string;
  readonly keep: boolean;
  /** In words, at least one: `last 3`, `daily 2026-11-20`, `not kept by any rule`. */
  readonly reasons: readonly string[];
}

export interface Plan {
  /** One for each snapshot, newest first. */
  readonly verdicts: readonly Verdict[];
  /** Ids of what is kept, those first that a limit of bytes cannot drop, then the newest first. */
  readonly order: readonly string[];
  /** How many at the start of `order` no limit of bytes can drop. */
  readonly firm: number;
  /** Globs of the policy that match no tag: mistyped, perhaps. */
  readonly unmatched: readonly string[];
}

export interface FittedPlan extends Plan {
  readonly limit: {
    readonly maxBytes: number;
    /** What all that is kept takes. */
    readonly bytes: number;
    /** False: what is kept by any policy is alone larger than `maxBytes`. */
    readonly reached: boolean;
  };
}

/** A snapshot, and why it is kept: for nothing yet. */
interface Weighed {
  readonly snapshot: Candidate;
  readonly kept: string[];
  /** No limit of bytes drops it. */
  firm: boolean;
}

/**
 * What the policy keeps; without one, all that is not forgotten. A limit of bytes is not applied yet.
 *
 * A RangeError if nothing at all would be kept, unless `force` is set.
 */
export function planRetention(
  snapshots: Iterable<Candidate>,
  policy: Policy | undefined,
  { now, force = false }: PlanOptions,
): Plan {
  invariant(Number.isFinite(now), 'retention is planned without a time');
  const all = [...snapshots].sort(newestFirst).map(unweighed);
  const remembered = all.filter(({ snapshot }) => !snapshot.forgotten);
  for (const [name, run] of runsOf(remembered)) {
    applyRules(run, policy, now);
    keepFirmly(run[0] as Weighed, `newest of run ${name}`);
  }
  const unmatched = keepTagged(remembered, policy?.tags ?? ['*']);
  for (const weighed of all) if (weighed.snapshot.pinned) keepFirmly(weighed, 'in use');

  if (all.length > 0 && !force && all.every(({ kept }) => kept.length === 0)) {
    throw new RangeError(
      `this would leave nothing of the store: all ${all.length} snapshots are forgotten; bring one back or force it`,
    );
  }
  const kept = all.filter((weighed) => weighed.kept.length > 0);
  const firm = kept.filter((weighed) => weighed.firm);
  const spare = kept.filter((weighed) => !weighed.firm);
  return {
    verdicts: all.map((weighed) => verdictOf(weighed, policy)),
    order: [...firm, ...spare].map(({ snapshot }) => snapshot.id),
    firm: firm.length,
    unmatched: policy?.tags ? unmatched : [],
  };
}

/**
 * The plan with the oldest dropped until the rest fits into `maxBytes`.
 *
 * `added[i]` is what `plan.order[i]` holds and none before it in that order does, in bytes. Marking may end once
 * the sum has passed `maxBytes` and all that is firm is counted.
 */
export function fitToBytes(plan: Plan, maxBytes: number, added: readonly number[]): FittedPlan {
  let bytes = 0;
  let fitting = 0;
  for (const id of plan.order) {
    const more = added[fitting];
    invariant(more !== undefined && more >= 0, `what snapshot ${id} adds was not measured`);
    if (fitting >= plan.firm && bytes + more > maxBytes) break;
    bytes += more;
    fitting++;
  }
  const dropped = new Set(plan.order.slice(fitting));
  const over = `over max-bytes ${formatBytes(maxBytes)}; else kept: `;
  return {
    ...plan,
    verdicts: plan.verdicts.map(({ id, keep, reasons }) =>
      dropped.has(id) ? { id, keep: false, reasons: [over + reasons.join(', ')] } : { id, keep, reasons },
    ),
    order: plan.order.slice(0, fitting),
    limit: { maxBytes, bytes, reached: bytes <= maxBytes },
  };
}

function newestFirst(a: Candidate, b: Candidate): number {
  return b.sequence - a.sequence || (a.id < b.id ? -1 : 1);
}

function runsOf(newestFirst: readonly Weighed[]): Map<string, Weighed[]> {
  const runs = new Map<string, Weighed[]>();
  for (const weighed of newestFirst) {
    const run = runs.get(weighed.snapshot.run);
    if (run) run.push(weighed);
    else runs.set(weighed.snapshot.run, [weighed]);
  }
  return runs;
}

function keepFirmly(weighed: Weighed, reason: string): void {
  weighed.kept.push(reason);
  weighed.firm = true;
}

function unweighed(snapshot: Candidate): Weighed {
  return { snapshot, kept: [], firm: false };
}

function applyRules(run: readonly Weighed[], policy: Policy | undefined, now: number): void {
  const keep = (position: number, reason: string) => run[position]?.kept.push(reason);
  if (!policy || isLimitOnly(policy)) {
    const reason = policy ? 'kept while it fits' : 'no policy';
    for (const position of run.keys()) keep(position, reason);
    return;
  }
  const snapshots = run.map(({ snapshot }) => snapshot);
  for (const rule of rulesOf(policy, now)) rule(snapshots, keep);
}

/** Returns the globs that match no tag. */
function keepTagged(snapshots: readonly Weighed[], globs: readonly string[]): string[] {
  const unmatched = new Set(globs);
  const compiled = globs.map((glob) => ({ glob, matches: compileGlob(glob) }));
  for (const weighed of snapshots) {
    for (const tag of weighed.snapshot.tags) {
      const matching = compiled.filter(({ matches }) => matches(tag));
      if (matching.length > 0) keepFirmly(weighed, `tag ${tag}`);
      for (const { glob } of matching) unmatched.delete(glob);
    }
  }
  return [...unmatched];
}

function isLimitOnly({ maxBytes, ...rules }: Policy): boolean {
  return maxBytes !== undefined && Object.keys(rules).length === 0;
}

function verdictOf({ snapshot, kept }: Weighed, policy: Policy | undefined): Verdict {
  const { id, forgotten, tags } = snapshot;
  if (kept.length > 0) return { id, keep: true, reasons: kept };
  if (forgotten) return { id, keep: false, reasons: ['forgotten'] };
  const unnamed = tags.map((tag) => `tag ${tag} is none of ${policy?.tags?.join(', ')}`);
  return { id, keep: false, reasons: ['not kept by any rule', ...unnamed] };
}
