/** Opening and closing leaves no thread behind, also where the index is made anew each time. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Snap } from '../../src/index.js';
import { budget } from '../support/budget.js';
import { storePath } from './support.js';

const TASKS = '/proc/self/task';

test('threads stay as few as they are', async (t) => {
  if (!existsSync(TASKS)) return t.skip(`there is no ${TASKS} here`);
  const path = storePath(t);
  const snap = await Snap.open(path);
  // Enough for LevelDB to think of compaction when it is filled again.
  for (let step = 0; step < 1500; step++)
    await snap.save({ step, grid: new Float64Array(500).fill(step) }, { step });
  await snap.close();
  const openAndClose = async (times: number) => {
    for (let round = 0; round < times; round++) {
      rmSync(join(path, 'clean.json'), { force: true });
      await (await Snap.open(path)).close();
    }
    return readdirSync(TASKS).length;
  };
  const before = await openAndClose(3);
  const after = await openAndClose(budget(10));
  assert.ok(after < before + 5, `${before} threads before, ${after} after`);
});
