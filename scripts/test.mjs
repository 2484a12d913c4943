// Runs every compiled test file. Node 20 and Node 22+ disagree about how `node --test` takes folders and
// globs, so the files are named one by one. Arguments filter by substring: `node scripts/test.mjs store`.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const filters = process.argv.slice(2);
const root = 'build/test';
const files = readdirSync(root, { recursive: true })
  .map((name) => join(root, String(name)))
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => filters.length === 0 || filters.some((part) => name.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no test file under ${root} matches ${filters.join(' ')}`);
  process.exit(1);
}
// Against hangs only: a soak takes as long as it was asked to.
const timeout = 300_000 * Math.max(1, Number(process.env.HOLDFAST_SOAK ?? 1));
// One more than there are processors: much of the time a test waits for disks and for other processes.
const lanes = `--test-concurrency=${availableParallelism() + 1}`;
const args = ['--expose-gc', '--test', `--test-timeout=${timeout}`, lanes, ...files];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
process.exit(status ?? 1);
