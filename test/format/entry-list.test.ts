/** Lists of entries against plain arrays. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { asChunkId } from '../../src/base/ids.js';
import { type Entry, EntryList } from '../../src/format/page.js';
import { budget } from '../support/budget.js';
import * as any from './arbitraries.js';

const EMPTY: Entry = { id: asChunkId(Buffer.alloc(32)), byteLength: 0 };

test('a list that grows, shrinks and is set holds what an array would, and nothing of what was cut off', () => {
  const step = fc.oneof(
    any.record({ resize: fc.nat(50) }),
    any.record({ at: fc.nat(49), id: any.chunkId, byteLength: any.count }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const list = new EntryList();
      let model: Entry[] = [];
      for (const one of steps) {
        if ('resize' in one) {
          list.resize(one.resize);
          model = Array.from({ length: one.resize }, (_, index) => model[index] ?? EMPTY);
        } else if (one.at < model.length) {
          list.set(one.at, one.id, one.byteLength);
          model[one.at] = { id: one.id, byteLength: one.byteLength };
        }
      }
      assert.equal(list.count, model.length);
      assert.deepEqual(list.toArray(), model);
      assert.equal(
        list.total(),
        model.reduce((sum, { byteLength }) => sum + byteLength, 0),
      );
    }),
    { numRuns: budget(200) },
  );
});
