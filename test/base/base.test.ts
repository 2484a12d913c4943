/** The few things that everything else stands on. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { abortError, orAbort, throwIfAborted } from '../../src/base/abort.js';
import { invariant, isSnapError, SnapError } from '../../src/base/errors.js';
import {
  asChunkId,
  chunkKey,
  isSnapshotId,
  snapshotIdFromBytes,
  snapshotIdToBytes,
} from '../../src/base/ids.js';
import { formatBytes, GiB, KiB, MiB, roundUp } from '../../src/base/sizes.js';
import { toSnapError } from '../../src/io/failure.js';
import { systemError } from '../support/disk-errors.js';

test('sizes are rounded up, and said as people say them', () => {
  assert.equal(roundUp(0, 8), 0);
  assert.equal(roundUp(1, 8), 8);
  assert.equal(roundUp(16, 8), 16);
  assert.equal(formatBytes(0), '0 B');
  assert.equal(formatBytes(1023), '1023 B');
  assert.equal(formatBytes(1.5 * KiB), '1.50 KiB');
  assert.equal(formatBytes(15 * MiB), '15.0 MiB');
  assert.equal(formatBytes(200 * GiB), '200 GiB');
});

test('ids have one length, and are the same in text and bytes', () => {
  const id = snapshotIdFromBytes(Buffer.alloc(16, 0xab));
  assert.ok(isSnapshotId(id));
  assert.ok(snapshotIdToBytes(id).equals(Buffer.alloc(16, 0xab)));
  for (const text of ['', 'ab', 'AB'.repeat(16), 'g'.repeat(32), `${id}0`]) assert.ok(!isSnapshotId(text));
  assert.throws(
    () => snapshotIdFromBytes(Buffer.alloc(15)),
    (error) => isSnapError(error, 'SNAP_CORRUPT'),
  );
  assert.throws(
    () => asChunkId(Buffer.alloc(31)),
    (error) => isSnapError(error, 'SNAP_CORRUPT'),
  );
  const keys = new Set([0, 1, 127, 128, 255].map((fill) => chunkKey(asChunkId(Buffer.alloc(32, fill)))));
  assert.equal(keys.size, 5);
});

test('an error of the system becomes one that says what to do, once', () => {
  const full = toSnapError(systemError('ENOSPC', 'write', '/x'), 'saving');
  assert.equal(full.code, 'SNAP_NO_SPACE');
  assert.equal(toSnapError(full, 'something else'), full);
  const denied = toSnapError(systemError('EACCES', 'open', '/x'), 'opening');
  assert.equal(denied.code, 'SNAP_IO');
  assert.match(denied.message, /opening failed: permission was denied/);
  assert.equal(toSnapError('a string', 'opening').code, 'SNAP_IO');
});

test('an error carries only what is known of where it happened', () => {
  const error = new SnapError('SNAP_CORRUPT', 'bad', { pack: 3 });
  assert.deepEqual({ ...error }, { name: 'SnapError', code: 'SNAP_CORRUPT', pack: 3 });
  assert.ok(isSnapError(error) && isSnapError(error, 'SNAP_CORRUPT') && !isSnapError(error, 'SNAP_IO'));
  assert.ok(!isSnapError(new Error('bad')));
  assert.throws(() => invariant(false, 'this cannot be'), /internal invariant broken: this cannot be/);
});

test('an abort is always an AbortError, and leaves no listener behind', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  throwIfAborted(undefined);
  throwIfAborted(signal);
  assert.equal(await orAbort(Promise.resolve(1), signal), 1);
  assert.equal(await orAbort(Promise.resolve(2), undefined), 2);
  const waiting = orAbort(new Promise(() => {}), signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, { name: 'AbortError' });
  assert.throws(() => throwIfAborted(signal), { name: 'AbortError' });
  assert.equal((abortError(signal).cause as Error).message, 'enough');
});
