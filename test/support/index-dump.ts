/** The whole content of an index, for comparing two of them key by key. */

import { type KeyValues, memoryKeyValues } from '../../src/store/key-values.js';

export async function dumpOf(values: KeyValues): Promise<Map<string, string>> {
  const dump = new Map<string, string>();
  for await (const [key, value] of values.range(Buffer.from([0]), Buffer.from([0xff]), false, -1)) {
    dump.set(key.toString('hex'), value.toString('hex'));
  }
  return dump;
}

/** An index in memory that a test can still look at after the store was closed. */
export class SeenIndex {
  #values = memoryKeyValues();

  /** A new one for the next open. */
  readonly next = (): KeyValues => {
    this.#values = memoryKeyValues();
    return { ...this.#values, close: async () => {} };
  };

  dump(): Promise<Map<string, string>> {
    return dumpOf(this.#values);
  }
}
