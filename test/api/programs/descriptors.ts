/** Uses up its file descriptors while it saves, and gives them back. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { INTERNALS } from '../../../src/api/options.js';
import { Snap } from '../../../src/index.js';
import { collect } from '../support.js';

const LIMIT = 200;
const [, , path, limited] = process.argv as [string, string, string, string | undefined];
if (limited === undefined) {
  // Node raises the soft limit to the hard one as it starts, so both are lowered.
  const script = `ulimit -n ${LIMIT}; exec "$0" "$@"`;
  const own = fileURLToPath(import.meta.url);
  const { status } = spawnSync('bash', ['-c', script, process.execPath, own, path, 'limited'], {
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}

// The socket for others may find no descriptor either, and warns of it.
process.removeAllListeners('warning');

function useUp(): number[] {
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(openSync('/dev/null', 'r'));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EMFILE');
      return taken;
    }
  }
}

const full = { code: 'SNAP_IO', message: /too many open files/i };
// Every save begins a new pack, and needs a descriptor.
const snap = await Snap.open(path, { [INTERNALS]: { packBytes: 1 } });
const state = { n: 0, u: new Float64Array(20_000) };
const first = await snap.save(state, { durable: true });
let saved = 0;
let refused = 0;
for (let round = 0; round < 3; round++) {
  const taken = useUp();
  assert.ok(taken.length > 50);
  state.u.fill(++state.n, 50, 150);
  const before = structuredClone(state);
  for (let n = 0; n < 3; n++) {
    // Closing what it has open may give the store the one that it needs.
    taken.push(...useUp());
    const outcome = await snap.save(state, { durable: true }).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) saved++;
    else await assert.rejects(Promise.reject(outcome), full).then(() => refused++);
  }
  await assert.rejects(Snap.open(`${path}-other`), { code: 'SNAP_IO', message: /EMFILE/ });
  assert.deepEqual(state, before);
  for (const descriptor of taken) closeSync(descriptor);
  const { id } = await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(id), before);
}
await snap.close();
await using again = await Snap.open(path);
assert.deepEqual(await again.restore(first.id), { n: 0, u: new Float64Array(20_000) });
assert.deepEqual(await again.restore(), state);
assert.ok(refused > 0, 'it never ran out');
assert.equal((await collect(again.list())).length, 4 + saved);
assert.equal((await again.verify({ readData: true })).ok, true);
