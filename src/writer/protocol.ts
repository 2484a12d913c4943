/**
 * What the caller's thread and the writer thread say to each other.
 *
 * Saves travel as small messages: the bytes lie in slots, shared memory that both see. The layout of a slot is
 * sent only when it changed. Everything is handled in the order it was sent, so a request sees every save made
 * before it; only what is lent is copied as soon as it comes, to be given back soon. Saves of small states and what comes
 * back for them cost no call of the system (lane.ts), and a loop that never yields sees at each save, in shared memory,
 * whether there is anything to take.
 */

import type { SnapErrorCode } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import { MiB } from '../base/sizes.js';
import type { RegionKind } from '../format/kinds.js';
import type { Program } from '../format/manifest.js';
import type { Policy } from '../store/retention-policy.js';
import type { OpenProgress } from '../store/store.js';
import type { GcReport } from './gc-job.js';

/** Indexes of the shared words (Int32Array). */
export const Word = {
  /** 1 once the writer thread has closed the store or could not open it, 2 once it ended any other way. */
  closed: 0,
  /** How many times a save was asked for from outside. */
  checkpoints: 1,
} as const;
export const WORD_COUNT = 2;

/** A state of no more comes back in one answer: a message costs as much as reading some 300 KB. */
export const FEW_BYTES = MiB;

/** Where a contiguous piece of captured bytes lies in a slot. */
export interface Extent {
  segment: number;
  offset: number;
  length: number;
}

/** A region in a slot; only its last extent may end elsewhere than on a multiple of PIECE_BYTES of the region. */
export interface PlacedRegion {
  path: string;
  kind: RegionKind;
  byteLength: number;
  extents: Extent[];
}

export interface SlotLayout {
  /** Capacity for the skeleton; its length comes with each save. */
  skeleton: Extent[];
  regions: PlacedRegion[];
}

/** A buffer that is lent, and where in the slot its bytes belong. */
export interface LentPart {
  buffer: ArrayBufferLike;
  extents: Extent[];
}

/** Describes one capture. */
export interface SaveJob {
  ticket: number;
  id: SnapshotId;
  slot: number;
  skeletonBytes: number;
  /** The save captured before this one, which `changed` compares it with. */
  follows: SnapshotId | undefined;
  /** By position of the region: the chunks that may have changed; undefined or left out: nobody knows. */
  changed: (Uint32Array | undefined)[];
  /** Positions of regions whose changed share is wanted. */
  measure: number[];
  step: number | undefined;
  tags: string[];
  /** JSON, or empty. */
  meta: string;
  stallMs: number;
  /** Milliseconds since 1970 by the wall clock, which may jump. */
  createdAt: number;
  /** When `save` was called, by a clock that never goes back and that both threads share: for durations. */
  savedAt: number;
}

export type ToWriter =
  /** Clients of this process have numbers above 0, those of other processes below. */
  | { type: 'attach'; client: number; run: string; keep: Policy | undefined; program: Program | undefined }
  | { type: 'detach'; client: number }
  /** The memory of a slot: all of its segments. */
  | { type: 'segments'; client: number; slot: number; segments: SharedArrayBuffer[] }
  | { type: 'layout'; client: number; slot: number; layout: SlotLayout }
  /**
   * What is lent of a capture: comes before its save, and is copied at once, whatever else waits. `segments`: those of the
   * slot.
   */
  | {
      type: 'lent';
      client: number;
      ticket: number;
      segments: readonly SharedArrayBuffer[];
      parts: LentPart[];
    }
  /** `hold`: keep the slot to compare the next save with; otherwise give it back once encoded. */
  | { type: 'save'; client: number; job: SaveJob; hold: boolean }
  /** Give back the slot that is held for comparison. */
  | { type: 'release'; client: number }
  /** The next save continues this snapshot. */
  | { type: 'lineage'; client: number; snapshot: SnapshotId }
  | { type: 'request'; client: number; request: number; method: string; args: unknown[] }
  /** Stop a background job, which then replies with what it has. */
  | { type: 'stop'; client: number; request: number }
  | { type: 'close' };

export type FromWriter =
  | { type: 'opening'; progress: OpenProgress }
  | { type: 'opened' }
  | { type: 'failed-to-open'; error: PlainError }
  | { type: 'released'; client: number; slot: number }
  /** What was lent is in its slot. `buffers`: as they were lent; undefined for what is shared. */
  | { type: 'returned'; client: number; ticket: number; buffers: (ArrayBuffer | undefined)[] }
  /** `shares`: how much changed of the regions that the save asked about, where that is known. */
  | {
      type: 'durable';
      client: number;
      ticket: number;
      written: Written;
      shares: (number | undefined)[];
    }
  | { type: 'failed'; client: number; ticket: number; error: PlainError }
  | { type: 'reply'; client: number; request: number; result?: unknown; error?: PlainError }
  | { type: 'progress'; client: number; request: number; progress: unknown }
  /** A retention policy was applied after saves. */
  | { type: 'kept'; client: number; report: GcReport }
  | { type: 'warning'; warning: Warning }
  | { type: 'closed'; error?: PlainError };

/** What the writer thread found out about a save, beside what its ticket says. Sizes in bytes, times in milliseconds. */
export interface Written {
  parent: SnapshotId | undefined;
  createdAt: number;
  logicalBytes: number;
  changedBytes: number;
  storedBytes: number;
  durableMs: number;
}

/** Something odd that is not an error: damage set aside, no compression, an index that cannot be written. */
export interface Warning {
  kind: string;
  message: string;
  pack?: number;
  offset?: number;
  snapshot?: string;
}

/** An error as it crosses threads. */
export interface PlainError {
  code: SnapErrorCode | undefined;
  name: string;
  message: string;
  path?: string;
  snapshot?: string;
  pack?: number;
  offset?: number;
  pid?: number;
  cause?: string;
}

/** What is known of a snapshot. Sizes in bytes, times in milliseconds. */
export interface SnapshotInfo {
  /** 32 hexadecimal digits. */
  id: string;
  run: string;
  /** The snapshot this one was computed from, or undefined for the first. */
  parent: string | undefined;
  step: number | undefined;
  /** Names that point at it now. */
  tags: string[];
  createdAt: Date;
  /** Size of the state: skeleton and regions. */
  logicalBytes: number;
  /** Bytes of the chunks that differ from the parent's. */
  changedBytes: number;
  /** Bytes appended for it: new chunks and pages, compressed. */
  storedBytes: number;
  /** How long the caller was held. */
  stallMs: number;
  /** From `save` until it was durable; undefined where the process ended before noting it. */
  durableMs: number | undefined;
  /** The JSON given to `save`, or undefined. */
  meta: unknown;
  program: Program;
  /** True after `forget`, until gc. */
  forgotten: boolean;
}
