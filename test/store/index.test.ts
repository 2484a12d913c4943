/** The index: the same answers from memory and LevelDB, also while it cannot be written, and never a wrong one. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSnapError } from '../../src/base/errors.js';
import { asChunkId, type SnapshotId } from '../../src/base/ids.js';
import { encodeManifest, type Manifest } from '../../src/format/manifest.js';
import { encodeForget, encodeTag, encodeTiming } from '../../src/format/notes.js';
import type { Location } from '../../src/format/pack.js';
import { RecordType } from '../../src/format/record.js';
import { type Committed, Index } from '../../src/store/index.js';
import { chunkEntryKey, snapshotKey, tagKey } from '../../src/store/index-keys.js';
import { type KeyValues, memoryKeyValues, openLevel } from '../../src/store/key-values.js';
import { budget } from '../support/budget.js';
import { dumpOf } from '../support/index-dump.js';
import { flip } from '../support/pack-bytes.js';
import { temporaryFolder } from '../support/real-store.js';

const NAMES = ['a', 'ab', 'a/b', 'zoë', 'Z'];
const idOf = (number: number) => number.toString(16).padStart(2, '0').repeat(16) as SnapshotId;

const unexpected = (error: unknown): void => assert.fail(String(error));

let sequence = 0;

function locationOf(type: Location['type']): Location {
  return {
    pack: 1,
    offset: ++sequence * 8,
    storedLength: 10,
    rawLength: 10,
    type,
    codec: 0,
    filter: 0,
    flags: 0,
  };
}

function recordOf(type: Location['type'], payload: Buffer): Committed {
  return { id: asChunkId(Buffer.alloc(32, sequence)), location: locationOf(type), payload };
}

function manifestRecord(number: number, run: string): Committed {
  const tree = { byteLength: 0, chunking: 0 as const, chunkBytes: 64, height: 0, entries: [] };
  const manifest: Manifest = {
    id: idOf(number),
    run,
    parent: undefined,
    sequence: number + 1,
    step: number % 3 === 0 ? undefined : -number,
    createdAt: number,
    stallMs: 0,
    logicalBytes: 0,
    changedBytes: 0,
    storedBytes: 0,
    program: { name: '', version: '', node: '' },
    meta: '',
    skeleton: tree,
    regions: { inline: [] },
  };
  return recordOf(RecordType.manifest, encodeManifest(manifest));
}

const number = fc.nat(12);
const name = fc.constantFrom(...NAMES);
const record = fc.oneof(
  fc.tuple(number, name).map(([id, run]) => manifestRecord(id, run)),
  fc
    .tuple(name, fc.option(number))
    .map(([tag, id]) =>
      recordOf(RecordType.tag, encodeTag({ name: tag, snapshot: id === null ? undefined : idOf(id) })),
    ),
  fc
    .tuple(number, fc.boolean())
    .map(([id, forgotten]) => recordOf(RecordType.forget, encodeForget({ snapshot: idOf(id), forgotten }))),
  number.map((id) => recordOf(RecordType.timing, encodeTiming({ snapshot: idOf(id), durableMs: id }))),
  number.map((id) => ({ id: asChunkId(Buffer.alloc(32, id)), location: locationOf(RecordType.chunk) })),
);

/** Every answer that an index can give. */
async function answersOf(index: Index): Promise<unknown> {
  const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = [];
    for await (const item of items) found.push(item);
    return found;
  };
  return {
    runs: await index.runs(),
    summaries: await all(index.summaries()),
    below: await all(index.summaries(undefined, 5)),
    byRun: await Promise.all(NAMES.map((run) => all(index.summaries(run)))),
    byRunBelow: await Promise.all(NAMES.map((run) => all(index.summaries(run, 5)))),
    tags: await all(index.tags()),
    tagged: NAMES.map((tag) => index.tag(tag)),
    byId: Array.from({ length: 13 }, (_, id) => index.byId(idOf(id))),
    located: Array.from({ length: 13 }, (_, id) => index.locate(asChunkId(Buffer.alloc(32, id)))),
    prefixes: await Promise.all(
      ['', '0', '00', '0a', '0a0', 'f'].map((digits) => index.idsWithPrefix(digits, 4)),
    ),
  };
}

test('LevelDB and memory give the same answers and hold the same keys', async () => {
  const folder = temporaryFolder();
  let stores = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 40 }), async (records) => {
      const level = await openLevel(join(folder, `${++stores}`), true);
      const memory = memoryKeyValues();
      const [first, second] = [new Index(level, unexpected), new Index(memory, unexpected)];
      // One flushes after every record, the other at the end.
      for (const one of records) {
        first.apply([one]);
        await first.flush();
      }
      second.apply(records);
      assert.deepEqual(await answersOf(first), await answersOf(second));
      assert.deepEqual(await dumpOf(level), await dumpOf(memory));
      await first.close();
    }),
    { numRuns: budget(15) },
  );
});

test('what cannot be written stays readable, and is written when it can be', async () => {
  const memory = memoryKeyValues();
  let failing = true;
  const flaky: KeyValues = {
    ...memory,
    write: async (batch) => {
      if (failing) throw new Error('not today');
      await memory.write(batch);
    },
  };
  const troubles: unknown[] = [];
  const index = new Index(flaky, (error) => troubles.push(error));
  index.apply([manifestRecord(1, 'a'), manifestRecord(2, 'a')]);
  await index.flush();
  assert.equal(troubles.length, 1);
  assert.equal(index.settled, false);
  index.apply([recordOf(RecordType.forget, encodeForget({ snapshot: idOf(1), forgotten: true }))]);
  assert.equal(index.byId(idOf(1))?.forgotten, true, 'what came later counts');
  assert.equal(index.byId(idOf(2))?.forgotten, false);
  await assert.rejects(index.summaries().next(), (error) => isSnapError(error, 'SNAP_IO'));
  failing = false;
  await index.flush();
  assert.equal(index.settled, true);
  const found: boolean[] = [];
  for await (const { forgotten } of index.summaries()) found.push(forgotten);
  assert.deepEqual(found, [false, true]);
});

test('an entry with any bit flipped, or under another key, is a typed error and no answer', async () => {
  const memory = memoryKeyValues();
  const index = new Index(memory, unexpected);
  const chunk = { id: asChunkId(Buffer.alloc(32, 7)), location: locationOf(RecordType.chunk) };
  index.apply([
    chunk,
    manifestRecord(1, 'a'),
    recordOf(RecordType.tag, encodeTag({ name: 'a', snapshot: idOf(1) })),
  ]);
  await index.flush();
  const asked: [Buffer, () => unknown][] = [
    [chunkEntryKey(chunk.id), () => index.locate(chunk.id)],
    [snapshotKey(2), () => index.summary(2)],
    [tagKey('a'), () => index.tag('a')],
  ];
  const isTyped = (error: unknown): boolean => isSnapError(error, 'SNAP_CORRUPT');
  const put = (key: Buffer, value: Buffer) =>
    memory.write(new Map([[key.toString('latin1'), { key, value }]]));
  for (const [key, ask] of asked) {
    const value = memory.get(key) ?? assert.fail('no entry');
    for (let position = 0; position < value.length * 8; position++) {
      const damaged = Buffer.from(value);
      flip(damaged, position >> 3, position & 7);
      await put(key, damaged);
      assert.throws(ask, isTyped);
    }
    await put(key, Buffer.alloc(0));
    assert.throws(ask, isTyped);
    for (const [other] of asked) {
      if (other.equals(key)) continue;
      await put(key, memory.get(other) as Buffer);
      assert.throws(ask, isTyped);
    }
    await put(key, value);
    ask();
  }
});
