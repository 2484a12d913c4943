/** Loses the permission to its store in mid-run, and gets it back. Ends with 77 where permissions do not bind it. */
import assert from 'node:assert/strict';
import { accessSync, chmodSync, chownSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { INTERNALS } from '../../../src/api/options.js';
import { Snap } from '../../../src/index.js';
import { collect } from '../support.js';

const NOBODY = 65_534;
const [, , path] = process.argv as [string, string, string];

if (process.getuid?.() === 0) {
  chmodSync(dirname(path), 0o755);
  chownSync(path, NOBODY, NOBODY);
  try {
    process.setgroups?.([]);
    process.setgid?.(NOBODY);
    process.setuid?.(NOBODY);
    // What is loaded later has to be readable still.
    accessSync(new URL(import.meta.url));
  } catch {
    process.exit(77);
  }
}

const packs = join(path, 'packs');
const denied = { code: 'SNAP_IO', message: /permission was denied/ };
const snap = await Snap.open(path, { [INTERNALS]: { packBytes: 1 } });
const state = { n: 0, u: new Float64Array(20_000) };
await snap.save(state, { durable: true });
for (const mode of [0o000, 0o500]) {
  chmodSync(packs, mode);
  state.u.fill(++state.n, 50, 150);
  const before = structuredClone(state);
  for (let n = 0; n < 3; n++) await assert.rejects(snap.save(state, { durable: true }), denied);
  assert.deepEqual(state, before);
  chmodSync(packs, 0o700);
  const { id } = await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(id), before);
}
await snap.close();
chmodSync(path, 0o500);
await assert.rejects(Snap.open(path), denied);
await using reader = await Snap.open(path, { readOnly: true });
assert.deepEqual(await reader.restore(), state);
await reader.close();
chmodSync(path, 0o700);
await using again = await Snap.open(path);
assert.deepEqual(await again.restore(), state);
assert.equal((await collect(again.list())).length, 3);
assert.equal((await again.verify({ readData: true })).ok, true);
