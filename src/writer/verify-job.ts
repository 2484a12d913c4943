/** Verification as a background job: with a time limit, and going on where the last run ended. */

import type { Store } from '../store/store.js';
import type { DamagedSnapshot, VerifyProgress } from '../store/verify.js';
import type { Job, JobContext } from './background.js';

export interface VerifyRequest {
  share: number;
  maxSeconds: number | undefined;
}

/** What `verify` found. Sizes in bytes. */
export interface VerifyReport {
  /** Nothing is damaged, as far as was looked. */
  ok: boolean;
  /** False where time ran out or it was stopped: the next run goes on from there. */
  complete: boolean;
  /** Packs that this run finished, that earlier runs had which ended early, and that there are. */
  packs: number;
  packsBefore: number;
  packsTotal: number;
  /** This run went on where an earlier one had ended. */
  continues: boolean;
  /** Looked at by this run. */
  records: number;
  /** Bytes of payload read and hashed by this run. */
  readBytes: number;
  snapshots: number;
  /** Where bytes of a pack cannot be read, by place; what earlier runs had found and is still so too. */
  damage: { pack: number; offset: number; reason: string }[];
  /** What that hits; looked at when all packs are through. */
  damagedSnapshots: DamagedSnapshot[];
  /** Snapshots that are not listed any more because their manifests cannot be read. */
  unlisted: number;
  /** Tags that cannot be read: they are gone, or point where they did before. */
  damagedTags: number;
  /** Parts of packs are gone of which nobody knows what they held: more may be missing. */
  uncertain: boolean;
}

export async function* verifyJob(store: Store, context: JobContext, args: unknown[]): Job {
  const { share, maxSeconds } = args[0] as VerifyRequest;
  const began = performance.now();
  for (;;) {
    const report = yield* verifyOnce(store, context, share, maxSeconds, began);
    // Packs that were taken away beside a reader are no damage.
    if (report.ok || !store.isOvertaken()) return report;
    await store.refresh();
  }
}

async function* verifyOnce(
  store: Store,
  context: JobContext,
  share: number,
  maxSeconds: number | undefined,
  began: number,
): AsyncGenerator<VerifyProgress, VerifyReport> {
  const from = store.verifiedSoFar(share);
  const { findings, run } = store.verification({ share, from, random: Math.random });
  let complete = true;
  for await (const progress of run()) {
    const late = maxSeconds !== undefined && performance.now() - began > maxSeconds * 1000;
    // However short the time, every run gets on.
    if (context.shouldStop() || (late && (findings.records > 0 || progress.phase === 'snapshots'))) {
      complete = false;
      break;
    }
    yield progress;
  }
  findings.damage.sort((a, b) => a.pack - b.pack || a.offset - b.offset);
  store.noteVerified(share, complete ? undefined : findings);
  const { pack: _, offset: __, damage: places, ...report } = findings;
  const damage = places.map(({ pack, offset, reason }) => ({ pack, offset, reason }));
  const ok = damage.length === 0 && findings.damagedSnapshots.length === 0;
  return { ok, complete, ...report, damage } satisfies VerifyReport;
}
