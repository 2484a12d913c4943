/**
 * Opens the stores it is told of over IPC, one after another, and answers with all that is in them. A process of its
 * own, because LevelDB may end the process it runs in.
 */

import { chunkIdOf } from '../../../src/chunker/ids.js';
import { realIo } from '../../../src/io/real.js';
import { openLevel } from '../../../src/store/key-values.js';
import { Store } from '../../../src/store/store.js';
import { dumpOf } from '../../support/index-dump.js';
import { readSnapshot } from '../../support/saved.js';

export interface Examined {
  warnings: string[];
  /** A hash of the content by snapshot, every byte of it read and checked. */
  snapshots: Record<string, string>;
  tags: Record<string, string>;
  /** The index after closing, key by key. */
  index: Record<string, string>;
}

async function examine(directory: string): Promise<Examined> {
  const examined: Examined = { warnings: [], snapshots: {}, tags: {}, index: {} };
  const store = await Store.open({
    io: realIo,
    directory,
    create: false,
    readOnly: false,
    compression: false,
    onWarning: ({ message }) => examined.warnings.push(message),
  });
  for await (const summary of store.summaries()) {
    const content = [...readSnapshot(store, summary)].flatMap(([path, bytes]) => [Buffer.from(path), bytes]);
    examined.snapshots[summary.id] = chunkIdOf(Buffer.concat(content)).toString('hex');
  }
  for await (const { name, snapshot } of store.tags()) examined.tags[name] = snapshot;
  await store.close();
  const values = await openLevel(realIo, `${directory}/index`, false);
  examined.index = Object.fromEntries(await dumpOf(values));
  await values.close();
  return examined;
}

process.on('message', (directory: string) => {
  examine(directory).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
