/** No space left: a save fails with a code that says so, everything else goes on, and with space it works again. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError } from '../../src/base/errors.js';
import { replayable, seeds } from '../support/budget.js';
import { pointOf, survive } from '../support/crash-points.js';
import { generateProgram } from '../support/program.js';
import { Random } from '../support/random.js';
import { Session } from '../support/session.js';

const OPTIONS = { packBytes: 2000, stagingBytes: 500, chunkBytes: 64, compression: false } as const;

test('a disk that fills up fails saves with SNAP_NO_SPACE and loses nothing', async (t) => {
  let failures = 0;
  for (const seed of seeds(60)) {
    await replayable(seed, 'a full disk', async () => {
      const random = new Random(seed);
      const session = await Session.begin({ ...OPTIONS, seed });
      session.disk.capacity = session.disk.usedBytes() + random.between(0, 9000);
      await session.run(generateProgram(random, 12));
      for (const error of session.failures) assert.ok(isSnapError(error, 'SNAP_NO_SPACE'), String(error));
      failures += session.failures.length;
      // Full to the last byte: everything can still be read, in this process and in the next.
      session.disk.capacity = session.disk.usedBytes();
      await session.settle();
      const next = await Session.begin({
        ...OPTIONS,
        seed: seed + 1,
        image: session.disk.image(),
        model: session.model,
      });
      next.disk.capacity = next.disk.usedBytes();
      await next.close();
      await next.open();
      await next.settle();
      assert.equal(await next.perform({ do: 'save', run: 'alpha', edit: 1 }), false);
      next.disk.capacity = Number.POSITIVE_INFINITY;
      assert.ok(await next.perform({ do: 'save', run: 'alpha', edit: 2 }), 'there is room again');
      await survive(pointOf(next, 'after a full disk'), 'nothing', seed, 1, OPTIONS);
    });
  }
  t.diagnostic(`${failures} actions found the disk full`);
});

test('a save that does not fit gives back what it wrote, so that a smaller one fits', async () => {
  const session = await Session.begin({ ...OPTIONS, seed: 1, packBytes: 100_000 });
  await session.perform({ do: 'save', run: 'alpha', edit: 1 });
  const before = session.disk.usedBytes();
  session.disk.capacity = before + 600;
  assert.equal(await session.perform({ do: 'save', run: 'beta', edit: 2 }), false);
  assert.equal(session.disk.usedBytes(), before);
  assert.ok(await session.perform({ do: 'tag', name: 'best', pick: 0 }));
  await session.settle();
});
