/** No space left: a save fails with a code that says so, everything else goes on, and with space it works again. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isSnapError } from '../../src/base/errors.js';
import { replayable, seeds } from '../support/budget.js';
import { runUnder } from '../support/child.js';
import { pointOf, survive } from '../support/crash-points.js';
import { generateProgram } from '../support/program.js';
import { Random } from '../support/random.js';
import { temporaryFolder } from '../support/real-store.js';
import { Session } from '../support/session.js';
import type { FullDiskReport } from './programs/full-disk.js';

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

// ---- a real one ------------------------------------------------------------------------------------

const SNAP = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const NO_ROOM = 'save: SNAP_NO_SPACE';

for (const [how, failures] of [
  ['in the same process', [NO_ROOM, NO_ROOM]],
  ['in the same process, with no reserve', [NO_ROOM, NO_ROOM]],
  ['by another process', [NO_ROOM, NO_ROOM]],
  [
    'by another process, with no reserve and the index deleted',
    [
      NO_ROOM,
      NO_ROOM,
      /^snap forget: 1 snap: no space left for the store's lock .* index, which is made anew$/,
    ],
  ],
] as const) {
  test(`on a disk that is full to the last byte, forgetting and collecting ${how} make room`, async (t) => {
    const disk = temporaryFolder();
    const mount = `mount -t tmpfs -o size=4m none '${disk}'`;
    // A file system of its own, in a name space of its own: it is gone with the process.
    const shell = `unshare -rm sh -c '${mount.replaceAll("'", "'\\''")} || exit 77; exec "$@"' sh "$@" || exit $?`;
    const ended = await runUnder<FullDiskReport>(shell, 'full-disk', [disk, how, SNAP]);
    const { answer, stderr } = ended;
    if (!answer && /unshare|mount|not permitted/.test(stderr)) {
      t.skip(`no file system can be mounted here: ${stderr.trim()}`);
      return;
    }
    assert.ok(answer, `the process died (${ended.signal ?? ended.code}) ${stderr}`);
    assert.deepEqual(answer.wrong, []);
    assert.equal(answer.failures.length, failures.length, answer.failures.join('\n'));
    for (const [index, failure] of failures.entries())
      assert.match(answer.failures[index] ?? '', new RegExp(failure));
    const [before, , after = 0] = answer.free;
    assert.equal(before, 0);
    assert.ok(answer.forgotten >= answer.saved / 2 && answer.forgotten > 20);
    assert.ok(after > 1_000_000 && answer.freedBytes > 1_000_000, `${after} bytes are free`);
    assert.equal(answer.savedAfter, 3);
  });
}
