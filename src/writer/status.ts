/** What a run is doing, for people who look at it: counted as saves become durable, put together when asked. */

import { isSnapError, type SnapErrorCode } from '../base/errors.js';
import { hostName, processId } from '../io/machine.js';
import type { SaveJob, SnapshotInfo } from './protocol.js';

/** Sizes in bytes, times in milliseconds. */
export interface OwnerStatus {
  pid: number;
  host: string;
  /** When this owner opened the store. */
  since: Date;
  /** Names of the runs that the program has open. */
  runs: string[];
  /** Saves that became durable since then, and those that failed. */
  saves: number;
  failedSaves: number;
  /** How many saves a minute became durable, by the last 60 seconds, or the time since then where that is shorter. */
  savesPerMinute: number;
  /** Bytes appended for saves since then. */
  storedBytes: number;
  /** Saves that were captured and are not durable yet, and how long ago the first of them was captured; 0 for none. */
  waiting: number;
  lagMs: number;
  /** The newest durable save since then. */
  last: Omit<SnapshotInfo, 'meta' | 'tags' | 'forgotten'> | undefined;
  lastError: { at: Date; code: SnapErrorCode | undefined; message: string } | undefined;
}

const BUCKETS = 60;
const BUCKET_MS = 1000;

export class Status {
  readonly #since = new Date();
  readonly #start = performance.now();
  /** Saves of each of the last 60 seconds, and which second that is. */
  readonly #counts = new Float64Array(BUCKETS);
  readonly #seconds = new Float64Array(BUCKETS).fill(-1);
  #saves = 0;
  #failedSaves = 0;
  #storedBytes = 0;
  #last: SnapshotInfo | undefined;
  #lastError: OwnerStatus['lastError'];

  saved(info: SnapshotInfo): void {
    this.#saves++;
    this.#storedBytes += info.storedBytes;
    this.#last = info;
    const second = this.#second();
    const bucket = second % BUCKETS;
    if (this.#seconds[bucket] !== second) {
      this.#seconds[bucket] = second;
      this.#counts[bucket] = 0;
    }
    (this.#counts[bucket] as number)++;
  }

  failed(saves: number, error: unknown): void {
    this.#failedSaves += saves;
    const message = error instanceof Error ? error.message : String(error);
    this.#lastError = { at: new Date(), code: isSnapError(error) ? error.code : undefined, message };
  }

  /** `waiting`: the saves that are not durable yet; `now` in their clock. */
  report(runs: string[], waiting: readonly SaveJob[], now: number): OwnerStatus {
    const oldest = waiting.reduce((least, { savedAt }) => Math.min(least, savedAt), now);
    return {
      pid: processId,
      host: hostName(),
      since: this.#since,
      runs,
      saves: this.#saves,
      failedSaves: this.#failedSaves,
      savesPerMinute: this.#perMinute(),
      storedBytes: this.#storedBytes,
      waiting: waiting.length,
      lagMs: now - oldest,
      last: this.#last && withoutNames(this.#last),
      lastError: this.#lastError,
    };
  }

  #perMinute(): number {
    const second = this.#second();
    let sum = 0;
    for (const [bucket, at] of this.#seconds.entries()) {
      if (at >= 0 && second - at < BUCKETS) sum += this.#counts[bucket] as number;
    }
    return (sum * BUCKETS) / Math.min(BUCKETS, second + 1);
  }

  #second(): number {
    return Math.floor((performance.now() - this.#start) / BUCKET_MS);
  }
}

/** Without what may be large, or be another by now. */
function withoutNames({ meta: _, tags: __, forgotten: ___, ...rest }: SnapshotInfo): OwnerStatus['last'] {
  return rest;
}
