/**
 * The index: what the packs say, arranged for looking up. Disposable: everything in it comes from committed
 * records, applied in commit order by `apply`, live and on a rebuild alike, so a rebuilt index equals the one
 * that was lost, key by key.
 *
 * Invariants
 *  - only committed, synced records enter
 *  - what `apply` took is visible at once, from memory, while LevelDB writes it behind
 *  - a failed write to LevelDB loses nothing: it stays in memory and is tried again with the next
 */

import { SnapError } from '../base/errors.js';
import type { ChunkId, SnapshotId } from '../base/ids.js';
import { decodeGc } from '../format/gc.js';
import { decodeManifest } from '../format/manifest.js';
import { decodeForget, decodeTag, decodeTiming } from '../format/notes.js';
import type { Location } from '../format/pack.js';
import { RecordType } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import * as keys from './index-keys.js';
import type { KeyValues } from './key-values.js';

/** A committed record as the index takes it in; manifests and notes come with their payload. */
export interface Committed {
  id: ChunkId;
  location: Location;
  payload?: Buffer;
}

/** Record types whose payload the index reads. */
export function needsPayload(type: RecordType): boolean {
  return (
    type === RecordType.manifest ||
    type === RecordType.tag ||
    type === RecordType.forget ||
    type === RecordType.timing ||
    type === RecordType.gc
  );
}

type Change = { key: Buffer; value: Buffer | undefined };

export class Index {
  readonly #values: KeyValues;
  readonly #onTrouble: (error: unknown) => void;
  /** Applied and not yet written: newest first in `#pending`, being written in `#writing`. */
  #pending = new Map<string, Change>();
  #writing: Map<string, Change> = new Map();
  #written: Promise<void> = Promise.resolve();

  constructor(values: KeyValues, onTrouble: (error: unknown) => void) {
    this.#values = values;
    this.#onTrouble = onTrouble;
  }

  /** Takes in committed records, in commit order. */
  apply(records: Iterable<Committed>): void {
    for (const record of records) this.#applyOne(record);
  }

  /** Takes out a chunk or page that is no more at a place; where it is found elsewhere by now it stays. */
  drop(id: ChunkId, { pack, offset }: { pack: number; offset: number }): void {
    const location = this.locate(id);
    if (location?.pack === pack && location.offset === offset) this.#put(keys.chunkEntryKey(id), undefined);
  }

  /** Starts writing what was applied; resolves when it is written, or has failed and stays in memory. */
  flush(): Promise<void> {
    this.#written = this.#written.then(() => this.#writePending());
    return this.#written;
  }

  /** True where everything applied has reached LevelDB. */
  get settled(): boolean {
    return this.#pending.size === 0 && this.#writing.size === 0;
  }

  /** Entries applied and not yet written: a bulk load flushes when this grows. */
  get backlog(): number {
    return this.#pending.size;
  }

  locate(id: ChunkId): Location | undefined {
    const key = keys.chunkEntryKey(id);
    const value = this.#get(key);
    return value && keys.decodeLocation(key, value);
  }

  summary(sequence: number): Summary | undefined {
    const key = keys.snapshotKey(sequence);
    const value = this.#get(key);
    return value && keys.decodeSummary(key, value);
  }

  byId(id: SnapshotId): Summary | undefined {
    const key = keys.idKey(id);
    const value = this.#get(key);
    return value && this.summary(keys.decodeSequence(key, value));
  }

  /** The snapshot a tag points at, forgotten or not. */
  tag(name: string): SnapshotId | undefined {
    const key = keys.tagKey(name);
    const value = this.#get(key);
    return value && keys.decodeSnapshotId(key, value);
  }

  /** Where the last gc record lies. */
  gc(): Location | undefined {
    const value = this.#get(keys.GC_KEY);
    return value && keys.decodeLocation(keys.GC_KEY, value);
  }

  /** All snapshots, or those of one run, newest first; `below`: only those with a smaller sequence. */
  async *summaries(run?: string, below?: number): AsyncGenerator<Summary> {
    await this.flush();
    if (run === undefined) {
      for await (const [key, value] of this.#range(keys.snapshotsBelow(below), true)) {
        yield keys.decodeSummary(key, value);
      }
      return;
    }
    for await (const [key] of this.#range(keys.runRange(run, below), true)) {
      const summary = this.summary(keys.partsOfRunKey(key).sequence);
      if (summary) yield summary;
    }
  }

  /** Names of all runs. */
  async runs(): Promise<string[]> {
    await this.flush();
    const runs: string[] = [];
    let [from, to] = keys.ALL_RUNS;
    for (;;) {
      const [entry] = await collect(this.#range([from, to], false, 1));
      if (!entry) return runs;
      const { run } = keys.partsOfRunKey(entry[0]);
      runs.push(run);
      from = keys.runRange(run)[1];
    }
  }

  async *tags(): AsyncGenerator<{ name: string; snapshot: SnapshotId }> {
    await this.flush();
    for await (const [key, value] of this.#range(keys.ALL_TAGS)) {
      yield { name: keys.tagOfKey(key), snapshot: keys.decodeSnapshotId(key, value) };
    }
  }

  /** At most `limit` ids that begin with these hexadecimal digits. */
  async idsWithPrefix(digits: string, limit: number): Promise<SnapshotId[]> {
    await this.flush();
    const found: SnapshotId[] = [];
    for await (const [key] of this.#range(keys.idPrefixRange(digits))) {
      found.push(keys.idOfKey(key));
      if (found.length === limit) break;
    }
    return found;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#values.close();
  }

  #applyOne({ id, location, payload }: Committed): void {
    if (location.type === RecordType.chunk || location.type === RecordType.page) {
      const key = keys.chunkEntryKey(id);
      this.#put(key, keys.encodeLocation(key, location));
      return;
    }
    if (!payload || !needsPayload(location.type)) return;
    if (location.type === RecordType.manifest) this.#applyManifest(location, payload);
    else if (location.type === RecordType.tag) this.#applyTag(payload);
    else if (location.type === RecordType.gc) this.#applyGc(location, payload);
    else if (location.type === RecordType.forget) {
      const { snapshot, forgotten } = decodeForget(payload);
      this.#amend(snapshot, { forgotten });
    } else {
      const { snapshot, durableMs } = decodeTiming(payload);
      this.#amend(snapshot, { durableMs });
    }
  }

  #applyManifest(location: Location, payload: Buffer): void {
    const { id, sequence, run, step, createdAt } = decodeManifest(payload);
    const summary: Summary = {
      id,
      sequence,
      manifest: location,
      run,
      step,
      createdAt,
      forgotten: false,
      durableMs: undefined,
    };
    const key = keys.snapshotKey(sequence);
    this.#put(key, keys.encodeSummary(key, summary));
    const byId = keys.idKey(id);
    this.#put(byId, keys.encodeSequence(byId, sequence));
    const byRun = keys.runKey(run, sequence);
    this.#put(byRun, keys.encodeSequence(byRun, sequence));
  }

  #applyTag(payload: Buffer): void {
    const { name, snapshot } = decodeTag(payload);
    const key = keys.tagKey(name);
    this.#put(key, snapshot && keys.encodeSnapshotId(key, snapshot));
  }

  #applyGc(location: Location, payload: Buffer): void {
    this.#put(keys.GC_KEY, keys.encodeLocation(keys.GC_KEY, location));
    for (const { snapshot } of decodeGc(payload).collected) {
      const summary = this.byId(snapshot);
      if (!summary) continue;
      this.#put(keys.idKey(snapshot), undefined);
      this.#put(keys.snapshotKey(summary.sequence), undefined);
      this.#put(keys.runKey(summary.run, summary.sequence), undefined);
    }
  }

  #amend(id: SnapshotId, change: Partial<Summary>): void {
    const summary = this.byId(id);
    if (!summary) return;
    const key = keys.snapshotKey(summary.sequence);
    this.#put(key, keys.encodeSummary(key, { ...summary, ...change }));
  }

  #put(key: Buffer, value: Buffer | undefined): void {
    this.#pending.set(key.toString('latin1'), { key, value });
  }

  #get(key: Buffer): Buffer | undefined {
    if (this.#pending.size > 0 || this.#writing.size > 0) {
      const name = key.toString('latin1');
      const change = this.#pending.get(name) ?? this.#writing.get(name);
      if (change) return change.value;
    }
    try {
      return this.#values.get(key);
    } catch (error) {
      throw toSnapError(error, 'reading the index');
    }
  }

  async *#range([from, to]: keys.KeyRange, reverse = false, limit = -1): AsyncGenerator<[Buffer, Buffer]> {
    if (!this.settled) {
      throw new SnapError(
        'SNAP_IO',
        'the index cannot be written; free space or check permissions, then try again',
      );
    }
    try {
      yield* this.#values.range(from, to, reverse, limit);
    } catch (error) {
      throw toSnapError(error, 'reading the index');
    }
  }

  async #writePending(): Promise<void> {
    if (this.#pending.size === 0) return;
    this.#writing = this.#pending;
    this.#pending = new Map();
    try {
      await this.#values.write(this.#writing);
    } catch (error) {
      for (const [name, change] of this.#pending) this.#writing.set(name, change);
      this.#pending = this.#writing;
      this.#onTrouble(error);
    } finally {
      this.#writing = new Map();
    }
  }
}

export type Summary = keys.Summary;

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
