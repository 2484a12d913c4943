/** What the comparisons share: programs that may be absent, files that are synced, scratch folders, figures. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
/** Figures are kept where everything that is made is kept. */
export const RESULTS = join(here, '../../build/peers');

/** The one that Debian's python3-* packages are for. */
export const PYTHON = '/usr/bin/python3';
/** After this, whatever is written behind a save has been written. */
export const REST_MS = 25;

/** What a program says of its version, or undefined where it is not installed. */
export function find(program, ...versionArguments) {
  const args = versionArguments.length > 0 ? versionArguments : ['--version'];
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim().split('\n')[0] : undefined;
}

/** What cannot be compared here, and why. */
export class Absent {
  list = [];

  add(name, reason) {
    if (!this.list.some((one) => one.name === name)) this.list.push({ name, reason });
  }

  print() {
    for (const { name, reason } of this.list) console.log(`skipped: ${name} (${reason})`);
  }
}

/** Runs a program to its end; returns its output, wall and CPU seconds (children of it included). */
export function run(program, args, options = {}) {
  const began = performance.now();
  const wrapped = ['-c', TIMER, program, ...args];
  const { status, stdout, stderr } = spawnSync(PYTHON, wrapped, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...options,
  });
  const seconds = (performance.now() - began) / 1000;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`);
  const lines = stderr.trimEnd().split('\n');
  const { wall, cpu } = JSON.parse(lines.at(-1));
  return { stdout, seconds: wall ?? seconds, cpu };
}

/** Wall and CPU time of a child, as its last line on stderr. */
const TIMER = `
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:])
wall = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime}), file=sys.stderr)
sys.exit(done.returncode)
`;

/** An empty folder on a real disk; removed when the process ends. */
export function scratch() {
  const folder = mkdtempSync(join(process.env.HOLDFAST_BENCH_FOLDER ?? tmpdir(), 'holdfast-peers-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function folderBytes(folder) {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sum += statSync(join(entry.parentPath ?? entry.path, entry.name)).size;
  }
  return sum;
}

/** Writes a file as a program does that must not lose the one before: beside it, synced, renamed, the folder synced. */
export async function writeSynced(path, bytes) {
  const file = await open(`${path}.new`, 'w');
  await file.writeFile(bytes);
  await file.sync();
  await file.close();
  await rename(`${path}.new`, path);
  await sync(dirname(path));
}

/** Syncs a file or a folder. */
export async function sync(path) {
  const file = await open(path);
  await file.sync();
  await file.close();
}

/** Waits without computing. */
export function sleep(millis) {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/** Seconds of user and system time that this process took since. */
export function cpuSeconds(since) {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

export function quantile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export const median = (samples) => quantile(samples, 0.5);

/** Prints rows as a table, numbers to three digits. */
export function showTable(rows) {
  const shown = (value) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value);
  const entries = (row) => Object.entries(row).map(([key, value]) => [key, shown(value)]);
  console.table(rows.map((row) => Object.fromEntries(entries(row))));
}

/** Files a result; its `targets` are what `npm run bench -- targets` of the project shows of it. */
export function writeResult(name, result) {
  mkdirSync(RESULTS, { recursive: true });
  const filed = { bench: `peers: ${name}`, at: new Date(), ...result };
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(filed, null, 1)}\n`);
}

export function script(name) {
  return join(here, name);
}
