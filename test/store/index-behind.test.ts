/** The index while LevelDB writes behind it: what was applied is there at once, and what came last counts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asChunkId } from '../../src/base/ids.js';
import { encodeTag } from '../../src/format/notes.js';
import { Codec, Filter, RecordType } from '../../src/format/record.js';
import { type Committed, Index } from '../../src/store/index.js';
import { type KeyValues, memoryKeyValues } from '../../src/store/key-values.js';
import { newId } from '../support/direct.js';

/** Values that are written when the test says so, or not. */
function slowValues(): { values: KeyValues; finish(error?: Error): void } {
  const memory = memoryKeyValues();
  let finish: (error?: Error) => void = () => assert.fail('nothing is being written');
  const values: KeyValues = {
    ...memory,
    write: (batch) =>
      new Promise((resolve, reject) => {
        finish = (error) => (error ? reject(error) : resolve(memory.write(batch)));
      }),
  };
  return { values, finish: (error) => finish(error) };
}

function tagRecord(snapshot: ReturnType<typeof newId> | undefined): Committed {
  const payload = encodeTag({ name: 'best', snapshot });
  const location = {
    pack: 1,
    offset: 8,
    storedLength: payload.length,
    rawLength: payload.length,
    type: RecordType.tag,
    codec: Codec.raw,
    filter: Filter.none,
    flags: 0,
  };
  return { id: asChunkId(Buffer.alloc(32)), location, payload };
}

for (const fails of [false, true]) {
  test(`what is being written is visible, and what came after it counts, ${fails ? 'also if the write fails' : 'once it is written'}`, async () => {
    const { values, finish } = slowValues();
    const [first, second] = [newId(), newId()];
    const index = new Index(values, {
      needed: () => assert.ok(fails),
      make() {
        const made = new Index(memoryKeyValues(), { needed: assert.fail, make: assert.fail });
        for (const id of [first, second]) made.apply(tagRecord(id));
        return memoryKeyValues(made.unwritten);
      },
    });
    index.apply(tagRecord(first));
    const writing = index.flush();
    await new Promise(setImmediate);
    assert.equal(index.tag('best'), first);
    index.apply(tagRecord(second));
    assert.equal(index.tag('best'), second);
    finish(fails ? new Error('not today') : undefined);
    await writing;
    assert.equal(index.tag('best'), second);
    const closing = index.close();
    await new Promise(setImmediate);
    if (!fails) finish();
    assert.equal(await closing, !fails);
  });
}
