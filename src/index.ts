/** The public face of holdfast. What is exported here is documented, and nothing else is public. */

export type {
  CapturedMessage,
  DurableMessage,
  GcMessage,
  LoopMessage,
  SaveErrorMessage,
  WarningMessage,
} from './api/channels.js';
export type { CopyOptions } from './api/copy.js';
export type { Diff, DiffOptions, ValueDiff } from './api/diff.js';
export type { CadenceInfo } from './api/loop/cadence.js';
export type { LoopContext, SnapshotNames } from './api/loop/context.js';
export type { LoopHooks } from './api/loop/hooks.js';
export type { LoopResult } from './api/loop/loop.js';
export type { CadenceOptions, Duration, LoopOptions, SignalOptions } from './api/loop/options.js';
export type { LoopItem, LoopIterable } from './api/loop/run.js';
export type {
  ClassLike,
  GcOptions,
  OpenOptions,
  RegionSizesOptions,
  SaveOptions,
  VerifyOptions,
} from './api/options.js';
export type { Divergence } from './api/prove/comparing.js';
export type { ProofRun, ProveOptions } from './api/prove/options.js';
export type { Proof, ProofStep } from './api/prove/prove.js';
export { type IntegerArray, Random, type RandomState } from './api/random.js';
export type { RestoreOptions } from './api/reading.js';
export type { ReplayOptions, ReplayProgress } from './api/replay/options.js';
export type { Replay, ReplayedInterval } from './api/replay/replay.js';
export { Snap } from './api/snap.js';
export type { SaveTicket } from './api/ticket.js';
export { SnapError, type SnapErrorCode } from './base/errors.js';
export type { ContentDiff, ElementPair, LargestDifference } from './store/content-diff.js';
export type { CopiedSnapshot, CopiedTag, CopyProgress, SkippedSnapshot, SkipReason } from './store/copy.js';
export type { GcProgress } from './store/gc.js';
export type { PlannedSnapshot } from './store/gc-plan.js';
export type { RegionSizes, RegionSizesProgress } from './store/region-sizes.js';
export type { RepairedPack, RepairOptions, RepairProgress, RepairReport } from './store/repair.js';
export type { RetentionPolicy } from './store/retention-policy.js';
export type { OpenProgress } from './store/store.js';
export type { DamagedSnapshot, VerifyProgress } from './store/verify.js';
export type { CopyReport } from './writer/copy-job.js';
export type { DiffProgress, RegionDiff, RegionForm } from './writer/diff-job.js';
export type { GcReport } from './writer/gc-job.js';
export type { SnapshotInfo } from './writer/protocol.js';
export type { ListFilter, RegionInfo, RunStats, SnapshotRef, StoreStats } from './writer/requests.js';
export type { VerifyReport } from './writer/verify-job.js';
