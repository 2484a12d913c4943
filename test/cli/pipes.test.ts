import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Snap } from '../../src/index.js';
import { scratch, shell } from './support.js';

/** So many that their list is larger than a pipe holds (64 KiB). */
const SNAPSHOTS = 1200;
const folder = scratch({ after });
const env = { SNAP_STORE: join(folder, 'store') };
before(async () => {
  await using store = await Snap.open(env.SNAP_STORE);
  for (let step = 0; step < SNAPSHOTS; step++) await store.save({ step }, { step });
});

test('a reader that goes away is no failure, and nothing is said', () => {
  for (const list of ['snap ls', 'snap ls --json', 'snap ls --forgotten']) {
    const script = `${list} | head -1 >/dev/null; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = shell(script, { env });
    assert.deepEqual([stdout, stderr], ['0\n', ''], list);
  }
});

test('a reader that went away does not keep the work from being done', () => {
  const forget = 'snap forget $(snap ls --json | grep -o \'"id": "[0-9a-f]*\' | cut -c8- | head -3)';
  const { stdout } = shell(
    `${forget} 2>/dev/null | true; snap ls --json --forgotten | grep -c '"forgotten": true'`,
    {
      env,
    },
  );
  assert.equal(stdout, '3\n');
});

test('a long list arrives whole, in the order in which it was saved', () => {
  const { stdout } = shell('snap ls --forgotten | cat', { env });
  const lines = stdout.trimEnd().split('\n').slice(1);
  assert.equal(lines.length, SNAPSHOTS);
  lines.forEach((line, index) => {
    assert.match(line, new RegExp(`^[0-9a-f]{8,} +main +${SNAPSHOTS - 1 - index} `));
  });
  assert.ok(stdout.length > 65_536);
});

test('a disk that is full is a failure', {
  skip: existsSync('/dev/full') ? false : 'takes /dev/full',
}, () => {
  const { stdout, stderr } = shell('snap ls >/dev/full; echo $?', { env });
  assert.equal(stdout, '1\n');
  assert.match(stderr, /^snap: the output cannot be written: .*no space.*\n$/);
});

test('stdout and stderr may be closed', () => {
  const { stdout } = shell('snap ls >&- 2>&-; echo $?; snap ls --run nope 2>&-; echo $?', { env });
  assert.equal(stdout, '0\n1\n');
});
