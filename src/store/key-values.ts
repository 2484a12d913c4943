/** Ordered keys and values: LevelDB for an owner, a Map for a reader that must leave LevelDB alone. */

import { Level } from 'level';
import { MiB } from '../base/sizes.js';
import type { Io } from '../io/io.js';
import { IndexGuard } from './index-guard.js';

export interface KeyValues {
  get(key: Buffer): Buffer | undefined;
  /** All or nothing; of several changes of one key the last counts. */
  write(changes: Iterable<Change>): Promise<void>;
  /** At most `limit` (-1: all) entries with `from <= key < to`, in order or in reverse. */
  range(from: Buffer, to: Buffer, reverse: boolean, limit: number): AsyncIterable<[Buffer, Buffer]>;
  /** Leaves on disk what can be believed when it is opened again; throws where that cannot be. `close` follows. */
  complete(): Promise<void>;
  close(): Promise<void>;
}

/** An entry, or without a value that there is none. */
export interface Change {
  key: Buffer;
  value: Buffer | undefined;
}

/** Changes by key, as latin-1. */
export type Batch = ReadonlyMap<string, Change>;

/** Bulk loads run best with few, large tables; a run's own writes are small. */
const WRITE_BUFFER_BYTES = 8 * MiB;
const TABLE_BYTES = 8 * MiB;
/** Below every key of the index. */
const BEFORE_ALL = Buffer.from([0]);

/** What Node's LevelDB has beyond the one for every platform that `level` declares. */
interface NativeLevel {
  getProperty(name: string): string;
  compactRange(start: Buffer, end: Buffer): Promise<void>;
}

/** Opens the LevelDB in a folder, which must not be open anywhere else. */
export async function openLevel(io: Io, folder: string, create: boolean): Promise<KeyValues> {
  const level = new Level<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: create,
    errorIfExists: create,
    writeBufferSize: WRITE_BUFFER_BYTES,
    maxFileSize: TABLE_BYTES,
  });
  await level.open();
  const native = level as unknown as NativeLevel;
  let guard: IndexGuard;
  try {
    guard = new IndexGuard(io, folder, () => native.getProperty('leveldb.sstables'));
  } catch (error) {
    await level.close();
    throw error;
  }
  let written = false;
  return {
    get(key) {
      guard.check();
      return level.getSync(key);
    },
    async write(changes) {
      guard.check();
      written = true;
      await level.batch(
        Array.from(changes, ({ key, value }) =>
          value === undefined ? { type: 'del' as const, key } : { type: 'put' as const, key, value },
        ),
      );
    },
    async *range(from, to, reverse, limit) {
      guard.check();
      for await (const entry of level.iterator({ gte: from, lt: to, reverse, limit })) {
        yield entry;
        guard.check();
      }
    },
    async complete() {
      guard.look();
      // Moves what is in memory into tables; where that fails LevelDB does not say so, but its log is not empty.
      if (written) await native.compactRange(BEFORE_ALL, BEFORE_ALL);
      guard.look();
      guard.checkLogsEmpty();
    },
    close: () => level.close(),
  };
}

/**
 * Keeps everything in memory, to begin with `entries`; gone when closed. As latin-1 strings, a character a byte: they
 * sort like the bytes, and take a third of what buffers do.
 */
export function memoryKeyValues(entries: Batch = new Map()): KeyValues {
  const values = new Map<string, string | undefined>();
  /** Keys in order, removed ones too, and those that came since. */
  let sorted: string[] = [];
  let added: string[] = [];
  function put(name: string, value: Buffer | undefined): void {
    if (!values.has(name)) added.push(name);
    values.set(name, value?.toString('latin1'));
  }
  function get(name: string): Buffer | undefined {
    const value = values.get(name);
    return value === undefined ? undefined : Buffer.from(value, 'latin1');
  }
  for (const [name, { value }] of entries) put(name, value);
  return {
    get: (key) => get(key.toString('latin1')),
    async write(changes) {
      for (const { key, value } of changes) put(key.toString('latin1'), value);
    },
    async *range(from, to, reverse, limit) {
      if (added.length > 0) sorted = merged(sorted, added.sort(byCodeUnits));
      added = [];
      const keys = sorted;
      const start = positionOf(keys, from.toString('latin1'));
      const end = positionOf(keys, to.toString('latin1'));
      let left = limit;
      for (let done = 0; done < end - start && left !== 0; done++) {
        const name = keys[reverse ? end - 1 - done : start + done] as string;
        const value = get(name);
        if (!value) continue;
        left--;
        yield [Buffer.from(name, 'latin1'), value];
      }
    },
    async complete() {},
    async close() {
      values.clear();
    },
  };
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Index of the first key that is not below `bound`. */
function positionOf(keys: readonly string[], bound: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function merged(a: readonly string[], b: readonly string[]): string[] {
  const all: string[] = [];
  let next = 0;
  for (const key of a) {
    for (; next < b.length && (b[next] as string) < key; next++) all.push(b[next] as string);
    all.push(key);
  }
  for (; next < b.length; next++) all.push(b[next] as string);
  return all;
}
