/** How a state is captured changes nothing of what is saved. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { budget } from '../support/budget.js';
import { TRACKED } from '../support/pages.js';
import { history, play } from './capture-histories.js';
import { storePath } from './support.js';

test('law: whatever becomes of a state, tracked, copied and chosen saves give the same back', async (t) => {
  let histories = 0;
  let tracked = 0;
  await fc.assert(
    fc.asyncProperty(history, async (actions) => {
      const base = join(storePath(t), '..', `${histories++}`);
      const copied = await play(`${base}-copy`, 'copy', actions);
      const [followed, chosen] = [
        await play(`${base}-track`, 'track', actions),
        await play(`${base}-auto`, 'auto', actions),
      ];
      assert.deepEqual(followed.sizes, copied.sizes);
      assert.deepEqual(chosen.sizes, copied.sizes);
      assert.equal(copied.trackedBytes, 0);
      tracked += followed.trackedBytes;
    }),
    // A failure is told with its seed and path; shrinking it takes minutes.
    { numRuns: budget(6), endOnFailure: true },
  );
  if (!TRACKED.skip) assert.ok(tracked > 0);
});

test('law: whatever is lent, the same is given back as where all of it is copied', async (t) => {
  let histories = 0;
  let lent = 0;
  await fc.assert(
    fc.asyncProperty(history, fc.constantFrom('copy', 'track', 'auto'), async (actions, capture) => {
      const base = join(storePath(t), '..', `${histories++}`);
      const copied = await play(`${base}-copy`, 'copy', actions);
      const handedOver = await play(`${base}-lend`, capture, actions, true);
      assert.deepEqual(handedOver.sizes, copied.sizes);
      lent += handedOver.lent;
    }),
    { numRuns: budget(4), endOnFailure: true },
  );
  assert.ok(lent > 0);
});
