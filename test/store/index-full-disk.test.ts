/** LevelDB on a disk that is full: what it cannot write costs no snapshot, and what it half wrote is never believed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runUnder } from '../support/child.js';
import { temporaryFolder } from '../support/real-store.js';
import type { SmallDiskReport } from './programs/small-disk.js';

test('a small disk full to the last byte: saves say so, everything durable is there, also for LevelDB', async (t) => {
  const disk = temporaryFolder();
  const mount = `mount -t tmpfs -o size=6m none '${disk}'`;
  // A file system of its own, in a name space of its own: it is gone with the process.
  const shell = `unshare -rm sh -c '${mount.replaceAll("'", "'\\''")} || exit 77; exec "$@"' sh "$@" || exit $?`;
  const { answer, code, signal, stderr } = await runUnder<SmallDiskReport>(shell, 'small-disk', [disk]);
  if (!answer && /unshare|mount|not permitted/.test(stderr)) {
    t.skip(`no file system can be mounted here: ${stderr.trim()}`);
    return;
  }
  assert.ok(answer, `the process died (${signal ?? code}) ${stderr}`);
  for (const { free, failures, wrong, durable, warnings } of answer.rounds) {
    const what = `${free} bytes free`;
    assert.deepEqual(wrong, [], what);
    assert.ok(failures.length > 0, `${what}: nothing failed`);
    for (const failure of failures) assert.match(failure, /^SNAP_NO_SPACE$/, what);
    t.diagnostic(`${what}: ${durable} saves, ${failures.length} failures, ${warnings} warnings`);
  }
});
