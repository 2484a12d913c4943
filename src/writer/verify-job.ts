/** Verification as a background job: with a time limit, and going on where the last run ended. */

import type { Store } from '../store/store.js';
import type { DamagedSnapshot, VerifyProgress } from '../store/verify.js';
import type { Job, ShouldStop } from './background.js';

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
  packs: number;
  records: number;
  /** Bytes of payload read and hashed. */
  readBytes: number;
  snapshots: number;
  /** Where bytes of a pack cannot be read. */
  damage: { pack: number; offset: number; reason: string }[];
  /** What that hits. */
  damagedSnapshots: DamagedSnapshot[];
}

export async function* verifyJob(store: Store, shouldStop: ShouldStop, args: unknown[]): Job {
  const { share, maxSeconds } = args[0] as VerifyRequest;
  const began = performance.now();
  const cursor = store.verifiedUpTo(share);
  const verification = store.verification({ share, after: cursor, random: Math.random });
  let complete = true;
  for await (const progress of verification.run()) {
    const late = maxSeconds !== undefined && performance.now() - began > maxSeconds * 1000;
    if (shouldStop() || late) {
      complete = false;
      break;
    }
    yield progress satisfies VerifyProgress;
  }
  const { findings } = verification;
  store.noteVerified(share, complete ? undefined : findings.pack);
  const { packs, records, readBytes, snapshots, damage, damagedSnapshots } = findings;
  const ok = damage.length === 0 && damagedSnapshots.length === 0;
  return {
    ok,
    complete,
    packs,
    records,
    readBytes,
    snapshots,
    damage,
    damagedSnapshots,
  } satisfies VerifyReport;
}
