/** Ordered keys and values: LevelDB for an owner, a Map for a reader that must leave LevelDB alone. */

import { Level } from 'level';

export interface KeyValues {
  get(key: Buffer): Buffer | undefined;
  /** All or nothing. */
  write(batch: Batch): Promise<void>;
  /** At most `limit` (-1: all) entries with `from <= key < to`, in order or in reverse. */
  range(from: Buffer, to: Buffer, reverse: boolean, limit: number): AsyncIterable<[Buffer, Buffer]>;
  close(): Promise<void>;
}

/** Changes to apply together; a later one of the same key replaces an earlier one. */
export type Batch = ReadonlyMap<string, { key: Buffer; value: Buffer | undefined }>;

/** Bulk loads run best with few, large tables; a run's own writes are small. */
const WRITE_BUFFER_BYTES = 8 << 20;

/** Opens the LevelDB in a folder, which must not be open anywhere else. */
export async function openLevel(folder: string, create: boolean): Promise<KeyValues> {
  const level = new Level<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: create,
    errorIfExists: create,
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
  await level.open();
  return {
    get: (key) => level.getSync(key),
    async write(batch) {
      await level.batch(
        Array.from(batch.values(), ({ key, value }) =>
          value === undefined ? { type: 'del' as const, key } : { type: 'put' as const, key, value },
        ),
      );
    },
    range: (from, to, reverse, limit) => level.iterator({ gte: from, lt: to, reverse, limit }),
    close: () => level.close(),
  };
}

/** Keeps everything in memory; gone when closed. */
export function memoryKeyValues(): KeyValues {
  const values = new Map<string, { key: Buffer; value: Buffer }>();
  let sorted: Buffer[] | undefined;
  return {
    get: (key) => values.get(key.toString('latin1'))?.value,
    async write(batch) {
      for (const [name, { key, value }] of batch) {
        if (value === undefined ? values.delete(name) : !values.has(name)) sorted = undefined;
        if (value !== undefined) values.set(name, { key, value });
      }
    },
    async *range(from, to, reverse, limit) {
      sorted ??= Array.from(values.values(), ({ key }) => key).sort((a, b) => a.compare(b));
      const keys = sorted.filter((key) => key.compare(from) >= 0 && key.compare(to) < 0);
      const wanted = reverse ? keys.reverse() : keys;
      for (const key of limit < 0 ? wanted : wanted.slice(0, limit)) {
        const entry = values.get(key.toString('latin1'));
        if (entry) yield [key, entry.value];
      }
    },
    async close() {
      values.clear();
    },
  };
}
