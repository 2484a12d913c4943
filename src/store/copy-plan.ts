/** Which snapshots of a store are copied to another: what was selected, is not there, and would be kept there. */

import type { SnapshotId } from '../base/ids.js';
import { addedBytes } from './copy-fit.js';
import { Places } from './copy-order.js';
import type { CopySource } from './copy-source.js';
import type { Summary } from './index.js';
import { type Candidate, fitToBytes, planRetention } from './retention.js';
import type { Policy } from './retention-policy.js';
import { compileGlob } from './retention-tags.js';
import type { Store } from './store.js';

/** Which snapshots are meant: those that meet all that is said. */
export interface Selection {
  ids: ReadonlySet<string> | undefined;
  run: string | undefined;
  /** Globs: with a tag that matches one of them. */
  tags: readonly string[] | undefined;
  /** Saved then or later, in milliseconds since 1970, as the clock had it. */
  since: number | undefined;
  /** Of those that are left, the newest so many of each run. */
  last: number | undefined;
}

/** Snapshots of the source, the newest first. */
export interface CopyPlan {
  /** All that there are: what their order is. */
  all: readonly Summary[];
  /** Selected, and not in the target. */
  missing: ReadonlySet<Summary>;
  /** Selected, and in the target; those that were forgotten there are listed apart. */
  present: readonly Summary[];
  forgottenThere: readonly Summary[];
  /** Names by snapshot. */
  tags: ReadonlyMap<SnapshotId, readonly string[]>;
}

export async function planCopy(
  source: Store,
  target: Store | undefined,
  selection: Selection,
): Promise<CopyPlan> {
  const all: Summary[] = [];
  for await (const summary of source.summaries()) all.push(summary);
  const tags = await tagsOf(source);
  const selected = select(all, tags, selection);
  const there = (summary: Summary) => target?.byId(summary.id);
  return {
    all,
    missing: new Set(selected.filter((summary) => !there(summary))),
    present: selected.filter((summary) => there(summary)?.forgotten === false),
    forgottenThere: selected.filter((summary) => there(summary)?.forgotten),
    tags,
  };
}

/** Where the snapshots of the source come in the order of the target. */
export function placesIn(target: Store | undefined, { all }: CopyPlan): Places {
  return new Places(all.toReversed(), {
    sequenceOf: (id) => target?.byId(id)?.sequence,
    isTaken: (sequence) => target?.bySequence(sequence) !== undefined,
    next: () => target?.nextSequence ?? 1,
  });
}

/**
 * Those of the snapshots that a policy would keep if all of them were in the target, beside what is there. Yields while
 * it measures, which only a limit of bytes takes.
 *
 * A RangeError where a glob of the policy matches no tag and something in the target that has one would go.
 */
export async function* keptThere(
  source: CopySource,
  target: Store | undefined,
  plan: CopyPlan,
  coming: readonly Summary[],
  policy: Policy,
  now: number,
): AsyncGenerator<void, Summary[]> {
  const places = placesIn(target, plan);
  const candidates = new Map<string, Candidate>();
  for (const summary of coming) {
    const sequence = target?.byId(summary.id)?.sequence ?? places.placeOf(summary.id);
    candidates.set(summary.id, { ...summary, sequence, tags: plan.tags.get(summary.id) ?? [] });
  }
  const there = target ? await candidatesIn(target) : [];
  for (const candidate of there) if (!candidates.has(candidate.id)) candidates.set(candidate.id, candidate);
  let retention = planRetention(candidates.values(), policy, { now });
  if (policy.maxBytes !== undefined) {
    const added = yield* addedBytes(source, target, retention, policy.maxBytes);
    retention = fitToBytes(retention, policy.maxBytes, added);
  }
  const kept = new Set(retention.verdicts.filter(({ keep }) => keep).map(({ id }) => id));
  const going = there.filter(({ id, tags, forgotten }) => !kept.has(id) && !forgotten && tags.length > 0);
  if (retention.unmatched.length > 0 && going.length > 0) throw mistyped(retention.unmatched, going.length);
  return coming.filter(({ id }) => kept.has(id));
}

async function candidatesIn(store: Store): Promise<Candidate[]> {
  const tags = await tagsOf(store);
  const candidates: Candidate[] = [];
  for await (const summary of store.summaries()) {
    candidates.push({ ...summary, tags: tags.get(summary.id) ?? [] });
  }
  return candidates;
}

function mistyped(globs: readonly string[], going: number): RangeError {
  const which = globs.map((glob) => JSON.stringify(glob)).join(', ');
  return new RangeError(
    `the policy keeps tags like ${which}, which match none, and in the store that is copied to ${going} tagged ` +
      `snapshot${going === 1 ? '' : 's'} would go: correct it, or untag them there`,
  );
}

function select(all: readonly Summary[], tags: CopyPlan['tags'], selection: Selection): Summary[] {
  const { ids, run, since, last = Number.POSITIVE_INFINITY } = selection;
  const globs = selection.tags?.map(compileGlob);
  const counts = new Map<string, number>();
  return all.filter((summary) => {
    if (summary.forgotten || (ids && !ids.has(summary.id))) return false;
    if (run !== undefined && summary.run !== run) return false;
    if (since !== undefined && !(summary.createdAt >= since)) return false;
    if (globs && !tags.get(summary.id)?.some((tag) => globs.some((matches) => matches(tag)))) return false;
    const count = (counts.get(summary.run) ?? 0) + 1;
    counts.set(summary.run, count);
    return count <= last;
  });
}

async function tagsOf(store: Store): Promise<Map<SnapshotId, string[]>> {
  const tags = new Map<SnapshotId, string[]>();
  for await (const { name, snapshot } of store.tags()) {
    const names = tags.get(snapshot);
    if (names) names.push(name);
    else tags.set(snapshot, [name]);
  }
  return tags;
}
