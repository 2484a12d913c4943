/**
 * The index: what the packs say, arranged for looking up. Disposable: everything in it comes from committed
 * records, applied in commit order by `apply`, live and on a rebuild alike, so a rebuilt index equals the one
 * that was lost, key by key.
 *
 * Invariants
 *  - only committed, synced records enter
 *  - what `apply` took is visible at once, from memory, while LevelDB writes it behind
 *  - at its first failure, reading or writing, LevelDB is given up: from then on the index is one in memory, made anew
 *    from the packs. LevelDB is not asked again, because what failed once may come back wrong: a log with half a batch
 *    in it silently loses what is written behind.
 */

import type { ChunkId, SnapshotId } from '../base/ids.js';
import type { ByteReader } from '../format/bytes.js';
import { decodeGc } from '../format/gc.js';
import { decodeManifest } from '../format/manifest.js';
import { decodeForget, decodeTag, decodeTiming } from '../format/notes.js';
import type { Location } from '../format/pack.js';
import { isContent, RecordType } from '../format/record.js';
import { toSnapError } from '../io/failure.js';
import * as keys from './index-keys.js';
import type { Batch, Change, KeyValues } from './key-values.js';
import { NewestByRun } from './newest.js';

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

/** What becomes of an index whose LevelDB failed. */
export interface Substitute {
  /** Told once, when LevelDB is given up. */
  needed(reason: unknown): void;
  /** Everything that is committed, in memory. Asked when it is needed; where it throws, again the next time. */
  make(): KeyValues;
}

export class Index {
  /** LevelDB, or what takes its place; undefined where that has yet to be made. */
  #values: KeyValues | undefined;
  readonly #substitute: Substitute;
  /** LevelDB, once it was given up. */
  #givenUp: KeyValues | undefined;
  #loaded: Change[] = [];
  /** Once somebody asked. */
  #tagNames: TagNames | undefined;
  #tagChanges = 0;
  readonly #newest = new NewestByRun();
  /** Applied and not yet written: newest first in `#pending`, being written in `#writing`. */
  #pending = new Map<string, Change>();
  #writing: Map<string, Change> = new Map();
  #written: Promise<void> = Promise.resolve();

  constructor(values: KeyValues, substitute: Substitute) {
    this.#values = values;
    this.#substitute = substitute;
  }

  /** Takes in a committed record; they have to come in commit order. */
  apply({ id, location, payload }: Committed): void {
    const { type } = location;
    if (isContent(type)) {
      const { key, value } = keys.chunkEntry(id, location);
      this.#put(key, value);
    } else if (!payload) return;
    else if (type === RecordType.manifest) this.#applyManifest(location, payload);
    else if (type === RecordType.tag) this.#applyTag(payload);
    else if (type === RecordType.gc) this.#applyGc(location, payload);
    else if (type === RecordType.forget) {
      const { snapshot, forgotten } = decodeForget(payload);
      this.#amend(snapshot, { forgotten });
      this.#newest.clear();
    } else if (type === RecordType.timing) {
      const { snapshot, durableMs } = decodeTiming(payload);
      this.#amend(snapshot, { durableMs });
    }
  }

  /** The same in a bulk load: chunks and pages are found only once they were written. */
  load(record: Committed): void {
    if (isContent(record.location.type)) this.#loaded.push(keys.chunkEntry(record.id, record.location));
    else this.apply(record);
  }

  /** Takes out a chunk or page that is no more at a place; where it is found elsewhere by now it stays. */
  drop(id: ChunkId, { pack, offset }: { pack: number; offset: number }): void {
    const location = this.locate(id);
    if (location?.pack === pack && location.offset === offset) this.#put(keys.chunkEntryKey(id), undefined);
  }

  /** Starts writing what was applied; resolves when it is written, or could not be and stays in memory. */
  flush(): Promise<void> {
    this.#written = this.#written.then(() => this.#writePending());
    return this.#written;
  }

  /** What was applied and is not being written: everything, where `flush` was never called. */
  get unwritten(): Batch {
    return this.#pending;
  }

  locate(id: ChunkId): Location | undefined {
    const entry = this.#get(keys.chunkEntryKey(id));
    return entry && keys.decodeLocation(entry);
  }

  summary(sequence: number): Summary | undefined {
    const entry = this.#get(keys.snapshotKey(sequence));
    return entry && keys.decodeSummary(entry);
  }

  byId(id: SnapshotId): Summary | undefined {
    const entry = this.#get(keys.idKey(id));
    return entry && this.summary(keys.decodeSequence(entry));
  }

  /** The snapshot a tag points at, forgotten or not. */
  tag(name: string): SnapshotId | undefined {
    const entry = this.#get(keys.tagKey(name));
    return entry && keys.decodeSnapshotId(entry);
  }

  /** Where the last gc record lies. */
  gc(): Location | undefined {
    const entry = this.#get(keys.GC_KEY);
    return entry && keys.decodeLocation(entry);
  }

  /** All snapshots, or those of one run, newest first; `below`: only those with a smaller sequence. */
  async *summaries(run?: string, below?: number): AsyncGenerator<Summary> {
    if (run === undefined) {
      for await (const { entry } of this.#range(keys.snapshotsBelow(below), true)) {
        yield keys.decodeSummary(entry);
      }
      return;
    }
    for await (const { key } of this.#range(keys.runRange(run, below), true)) {
      const summary = this.summary(keys.partsOfRunKey(key).sequence);
      if (summary) yield summary;
    }
  }

  /** The newest snapshot of a run, or of all, that is not forgotten; null: there is none. */
  async newest(run?: string): Promise<Summary | null> {
    const known = this.#newest.get(run);
    return known === undefined ? this.#newest.lookUp(run, () => this.#findNewest(run)) : known;
  }

  async #findNewest(run: string | undefined): Promise<Summary | null> {
    for await (const summary of this.summaries(run)) if (!summary.forgotten) return summary;
    return null;
  }

  /** Names of all runs. */
  async runs(): Promise<string[]> {
    const runs: string[] = [];
    let [from, to] = keys.ALL_RUNS;
    for (;;) {
      const [first] = await collect(this.#range([from, to], false, 1));
      if (!first) return runs;
      const { run } = keys.partsOfRunKey(first.key);
      runs.push(run);
      from = keys.runRange(run)[1];
    }
  }

  async *tags(): AsyncGenerator<{ name: string; snapshot: SnapshotId }> {
    for await (const { key, entry } of this.#range(keys.ALL_TAGS)) {
      yield { name: keys.tagOfKey(key), snapshot: keys.decodeSnapshotId(entry) };
    }
  }

  /** The tags of every snapshot that has any. Gathered once and then kept: listing asks again and again. */
  async tagNames(): Promise<TagNames> {
    if (this.#tagNames) return this.#tagNames;
    const gathered: TagNames = new Map();
    const changes = this.#tagChanges;
    for await (const { name, snapshot } of this.tags()) addName(gathered, snapshot, name);
    if (changes === this.#tagChanges) this.#tagNames = gathered;
    return gathered;
  }

  /** At most `limit` ids that begin with these hexadecimal digits. */
  async idsWithPrefix(digits: string, limit: number): Promise<SnapshotId[]> {
    const found = await collect(this.#range(keys.idPrefixRange(digits), false, limit));
    return found.map(({ key }) => keys.idOfKey(key));
  }

  /** Lets go of LevelDB. True where its files hold everything, so that they may be believed when they are opened again. */
  async close(): Promise<boolean> {
    await this.flush();
    let whole = this.#givenUp === undefined && this.#pending.size === 0;
    try {
      if (whole) await this.#values?.complete();
    } catch {
      whole = false;
    }
    for (const values of [this.#values, this.#givenUp]) await values?.close().catch(() => {});
    return whole;
  }

  /** Goes on in memory and lets go of LevelDB, so that the space of its files can be of use. */
  async leaveDisk(reason: unknown): Promise<void> {
    if (this.#values && !this.#givenUp) this.#giveUp(this.#values, reason);
    await this.#written;
    await this.#givenUp?.close().catch(() => {});
  }

  /** The last manifest of a snapshot counts: one that was collected may have been copied here again. */
  #applyManifest(location: Location, payload: Buffer): void {
    const { id, sequence, run, step, createdAt } = decodeManifest(payload);
    this.#dropSnapshot(id);
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
    this.#newest.came(summary);
    const key = keys.snapshotKey(sequence);
    this.#put(key, keys.encodeSummary(key, summary));
    const byId = keys.idKey(id);
    this.#put(byId, keys.encodeSequence(byId, sequence));
    const byRun = keys.runKey(run, sequence);
    this.#put(byRun, keys.encodeSequence(byRun, sequence));
  }

  #applyTag(payload: Buffer): void {
    const { name, snapshot } = decodeTag(payload);
    this.#tagChanges++;
    if (this.#tagNames) this.#moveTag(this.#tagNames, name, snapshot);
    const key = keys.tagKey(name);
    this.#put(key, snapshot && keys.encodeSnapshotId(key, snapshot));
  }

  #moveTag(names: TagNames, name: string, to: SnapshotId | undefined): void {
    const from = this.tag(name);
    if (from) names.get(from)?.delete(name);
    if (to) addName(names, to, name);
  }

  #applyGc(location: Location, payload: Buffer): void {
    this.#put(keys.GC_KEY, keys.encodeLocation(keys.GC_KEY, location));
    for (const { snapshot, pack } of decodeGc(payload).collected) {
      if (this.byId(snapshot)?.manifest.pack === pack) this.#dropSnapshot(snapshot);
    }
  }

  #dropSnapshot(id: SnapshotId): void {
    const summary = this.byId(id);
    if (!summary) return;
    this.#newest.clear();
    this.#put(keys.idKey(id), undefined);
    this.#put(keys.snapshotKey(summary.sequence), undefined);
    this.#put(keys.runKey(summary.run, summary.sequence), undefined);
  }

  #amend(id: SnapshotId, change: Partial<Summary>): void {
    const summary = this.byId(id);
    if (!summary) return;
    const amended = { ...summary, ...change };
    this.#newest.amended(amended);
    const key = keys.snapshotKey(summary.sequence);
    this.#put(key, keys.encodeSummary(key, amended));
  }

  #put(key: Buffer, value: Buffer | undefined): void {
    this.#pending.set(key.toString('latin1'), { key, value });
  }

  #get(key: Buffer): ByteReader | undefined {
    const name = this.#pending.size + this.#writing.size > 0 ? key.toString('latin1') : '';
    for (;;) {
      const change = name === '' ? undefined : (this.#pending.get(name) ?? this.#writing.get(name));
      if (change) return change.value && keys.openEntry(key, change.value);
      const values = this.#current();
      try {
        const value = values.get(key);
        return value && keys.openEntry(key, value);
      } catch (error) {
        this.#giveUp(values, error);
      }
    }
  }

  async *#range([from, to]: keys.KeyRange, reverse = false, limit = -1): AsyncGenerator<Found> {
    let [start, end, left] = [from, to, limit];
    for (;;) {
      await this.flush();
      const values = this.#current();
      try {
        for await (const [key, value] of values.range(start, end, reverse, left)) {
          yield { key, entry: keys.openEntry(key, value) };
          // Where LevelDB fails in between, the rest comes from what takes its place.
          if (reverse) end = key;
          else start = keys.keyAfter(key);
          left--;
        }
        return;
      } catch (error) {
        this.#giveUp(values, error);
      }
    }
  }

  async #writePending(): Promise<void> {
    const writing = this.#pending;
    const loaded = this.#loaded;
    const values = this.#values;
    if (writing.size + loaded.length === 0 || !values) return;
    this.#writing = writing;
    this.#pending = new Map();
    this.#loaded = [];
    try {
      if (loaded.length > 0) await values.write(loaded);
      if (writing.size > 0) await values.write(writing.values());
    } catch (error) {
      if (values === this.#values) {
        for (const [name, change] of this.#pending) writing.set(name, change);
        this.#pending = writing;
      }
      this.#giveUp(values, error);
    } finally {
      if (this.#writing === writing) this.#writing = new Map();
    }
  }

  /** What to ask. Where LevelDB was given up and nothing has taken its place yet, that is made now. */
  #current(): KeyValues {
    if (!this.#values) {
      this.#values = this.#substitute.make();
      // All that was applied is committed, so it came from the packs again.
      this.#pending = new Map();
      this.#writing = new Map();
    }
    return this.#values;
  }

  /** Asks `values` no more; throws where they are what took LevelDB's place. */
  #giveUp(values: KeyValues, reason: unknown): void {
    if (values !== this.#values) return;
    if (this.#givenUp) throw toSnapError(reason, 'reading the index');
    this.#givenUp = values;
    this.#values = undefined;
    this.#newest.clear();
    this.#substitute.needed(reason);
  }
}

/** Tags by the snapshot they point at. */
export type TagNames = Map<SnapshotId, Set<string>>;

function addName(names: TagNames, snapshot: SnapshotId, name: string): void {
  const known = names.get(snapshot);
  if (known) known.add(name);
  else names.set(snapshot, new Set([name]));
}

interface Found {
  key: Buffer;
  entry: ByteReader;
}

export type Summary = keys.Summary;

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
