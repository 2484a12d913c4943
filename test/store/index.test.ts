/** The index: the same answers from memory and LevelDB, also while it cannot be written, and never a wrong one. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { asChunkId, type SnapshotId } from '../../src/base/ids.js';
import { encodeManifest, type Manifest } from '../../src/format/manifest.js';
import { encodeForget, encodeTag, encodeTiming } from '../../src/format/notes.js';
import type { Location } from '../../src/format/pack.js';
import { RecordType } from '../../src/format/record.js';
import { realIo } from '../../src/io/real.js';
import { type Committed, Index, type Substitute, type Summary } from '../../src/store/index.js';
import { chunkEntryKey, snapshotKey, tagKey } from '../../src/store/index-keys.js';
import { type KeyValues, memoryKeyValues, openLevel } from '../../src/store/key-values.js';
import { budget } from '../support/budget.js';
import { dumpOf } from '../support/index-dump.js';
import { flip } from '../support/pack-bytes.js';
import { temporaryFolder } from '../support/real-store.js';

const NAMES = ['a', 'ab', 'a/b', 'zoë', 'Z'];
const idOf = (number: number) => number.toString(16).padStart(2, '0').repeat(16) as SnapshotId;

const unexpected: Substitute = {
  needed: (reason) => assert.fail(String(reason)),
  make: () => assert.fail('no substitute is needed'),
};

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
    tagNames: [...(await index.tagNames())]
      .map(([id, names]) => [id, ...[...names].sort()])
      .filter(([, ...names]) => names.length > 0)
      .sort(),
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
      const level = await openLevel(realIo, join(folder, `${++stores}`), true);
      const memory = memoryKeyValues();
      const [first, second] = [new Index(level, unexpected), new Index(memory, unexpected)];
      // One flushes after every record, and has told its tags before; the other does so at the end.
      await first.tagNames();
      for (const one of records) {
        first.apply(one);
        await first.flush();
      }
      for (const one of records) second.apply(one);
      assert.deepEqual(await answersOf(first), await answersOf(second));
      assert.deepEqual(await dumpOf(level), await dumpOf(memory));
      await first.close();
    }),
    { numRuns: budget(15) },
  );
});

test('law: the newest of a run is what listing finds first, whatever came since it was last asked', async () => {
  const asked = fc.array(fc.tuple(record, fc.option(fc.nat(30))), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(asked, async (records) => {
      const index = new Index(memoryKeyValues(), unexpected);
      for (const [one, turns] of records) {
        // What comes while it is being looked up counts too.
        const early = turns === null ? [] : [undefined, ...NAMES].map((run) => index.newest(run));
        for (let turn = 0; turn < (turns ?? 0); turn++) await Promise.resolve();
        index.apply(one);
        await Promise.all(early);
        if (turns === null) continue;
        for (const run of [undefined, ...NAMES]) {
          let expected: Summary | null = null;
          for await (const summary of index.summaries(run)) if (!summary.forgotten) expected ??= summary;
          assert.deepEqual(await index.newest(run), expected, `of run ${run}`);
        }
      }
    }),
    { numRuns: budget(60) },
  );
});

/** An index whose values fail as told, and what was asked of its substitute, which is made of the same records. */
function failing(records: readonly Committed[]) {
  const memory = memoryKeyValues();
  const state = { get: false, write: false, range: 0, make: false, needed: 0, made: 0 };
  const trip = (fails: boolean): void => {
    if (fails) throw new Error('not today');
  };
  const values: KeyValues = {
    ...memory,
    get(key) {
      trip(state.get);
      return memory.get(key);
    },
    async write(batch) {
      trip(state.write);
      await memory.write(batch);
    },
    async *range(...args) {
      for await (const entry of memory.range(...args)) {
        trip(state.range > 0 && --state.range === 0);
        yield entry;
      }
    },
  };
  const index = new Index(values, {
    needed() {
      state.needed++;
    },
    make() {
      trip(state.make);
      state.made++;
      const made = new Index(memoryKeyValues(), unexpected);
      for (const one of records) made.apply(one);
      return memoryKeyValues(made.unwritten);
    },
  });
  return { index, state, memory };
}

const SOME = [
  manifestRecord(1, 'a'),
  manifestRecord(2, 'a'),
  manifestRecord(3, 'b'),
  recordOf(RecordType.tag, encodeTag({ name: 'a', snapshot: idOf(1) })),
  recordOf(RecordType.tag, encodeTag({ name: 'a', snapshot: idOf(2) })),
  recordOf(RecordType.forget, encodeForget({ snapshot: idOf(1), forgotten: true })),
  recordOf(RecordType.timing, encodeTiming({ snapshot: idOf(2), durableMs: 7 })),
  { id: asChunkId(Buffer.alloc(32, 7)), location: locationOf(RecordType.chunk) },
];

test('whenever LevelDB fails, the index gives every answer as before, from memory, and is not to be believed again', async () => {
  const expected = new Index(memoryKeyValues(), unexpected);
  for (const one of SOME) expected.apply(one);
  const answers = await answersOf(expected);
  for (const fault of ['get', 'write', 'range'] as const) {
    for (let applied = 0; applied <= SOME.length; applied++) {
      for (let nth = 1; nth <= (fault === 'range' ? 8 : 1); nth++) {
        const { index, state } = failing(SOME);
        for (const one of SOME.slice(0, applied)) index.apply(one);
        await index.flush();
        if (fault === 'range') state.range = nth;
        else state[fault] = true;
        for (const one of SOME.slice(applied)) index.apply(one);
        void index.flush();
        assert.deepEqual(await answersOf(index), answers, `${fault} fails after ${applied} records`);
        const failed = state.needed > 0;
        if (fault !== 'write') assert.ok(failed || state.range > 0);
        assert.equal(state.made, state.needed);
        assert.ok(state.needed <= 1, 'told once');
        assert.equal(await index.close(), !failed);
      }
    }
  }
});

test('a write that fails late does not bring back what was there before', async () => {
  const { index, state, memory } = failing(SOME);
  let fail: (() => void) | undefined;
  memory.write = () => new Promise((_, reject) => (fail = () => reject(new Error('too late'))));
  const [first, second, third, old, current] = SOME as [
    Committed,
    Committed,
    Committed,
    Committed,
    Committed,
  ];
  for (const one of [first, second, third, old]) index.apply(one);
  void index.flush();
  await new Promise(setImmediate);
  index.apply(current);
  state.get = true;
  assert.equal(index.locate(asChunkId(Buffer.alloc(32, 8))), undefined);
  assert.equal(state.made, 1);
  assert.equal(index.tag('a'), idOf(2));
  fail?.();
  await index.flush();
  assert.equal(index.tag('a'), idOf(2));
  assert.deepEqual([state.needed, state.made], [1, 1]);
});

test('where nothing can take the place of LevelDB that is a typed error, until something can', async () => {
  const { index, state } = failing(SOME);
  for (const one of SOME) index.apply(one);
  await index.flush();
  Object.assign(state, { get: true, make: true });
  for (let times = 0; times < 3; times++) assert.throws(() => index.tag('a'), /not today/);
  assert.equal(state.needed, 1, 'told once');
  state.make = false;
  assert.equal(index.tag('a'), idOf(2));
  assert.equal(await index.close(), false);
});

test('an entry with any bit flipped, or under another key, is never an answer', async () => {
  const { index, state, memory } = failing(SOME);
  for (const one of SOME) index.apply(one);
  await index.flush();
  const chunk = asChunkId(Buffer.alloc(32, 7));
  const asked: [Buffer, (index: Index) => unknown][] = [
    [chunkEntryKey(chunk), (asked) => asked.locate(chunk)],
    [snapshotKey(2), (asked) => asked.summary(2)],
    [tagKey('a'), (asked) => asked.tag('a')],
  ];
  const ask = (question: (index: Index) => unknown): unknown => {
    let damaged = 0;
    const fresh = new Index(memory, { needed: () => damaged++, make: () => memoryKeyValues(pristine) });
    const answer = question(fresh);
    assert.equal(damaged, 1);
    return answer;
  };
  const pristine = new Map<string, { key: Buffer; value: Buffer }>();
  for (const [key] of asked) {
    pristine.set(key.toString('latin1'), { key, value: memory.get(key) as Buffer });
  }
  const put = (key: Buffer, value: Buffer) => memory.write([{ key, value }]);
  for (const [key, question] of asked) {
    const value = memory.get(key) ?? assert.fail('no entry');
    const right = question(index);
    for (let position = 0; position < value.length * 8; position++) {
      const damaged = Buffer.from(value);
      flip(damaged, position >> 3, position & 7);
      await put(key, damaged);
      assert.deepEqual(ask(question), right);
    }
    await put(key, Buffer.alloc(0));
    assert.deepEqual(ask(question), right);
    for (const [other] of asked) {
      if (other.equals(key)) continue;
      await put(key, memory.get(other) as Buffer);
      assert.deepEqual(ask(question), right);
    }
    await put(key, value);
  }
  assert.equal(state.needed, 0);
});
