/**
 * One incremental save: a state of 256 MiB of which 1 % changed in one place, from the call to synced on the disk, with
 * the CPU time it took. holdfast saves from memory; the rivals are given the state as a file in the page cache, for free.
 */

import { closeSync, fsyncSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Snap } from 'holdfast';
import { find, folderBytes, median, run, scratch, writeResult } from './support.js';

const BYTES = 256 * 2 ** 20;
const CHANGED = 0.01;
const ROUNDS = Number(process.env.ROUNDS ?? 8);

const folder = scratch();
const field = new Float64Array(BYTES / 8);
for (let index = 0; index < field.length; index++)
  field[index] = 300 + 40 * Math.sin(index / 517) * Math.cos(index / 7e5);
const bytes = Buffer.from(field.buffer);
const file = join(folder, 'state');
writeFileSync(file, bytes);
const descriptor = openSync(file, 'r+');

let round = 0;
function change() {
  round++;
  const length = Math.floor(field.length * CHANGED);
  const start = Math.floor(((round * 0.6180339887) % 1) * (field.length - length));
  for (let index = start; index < start + length; index++) {
    field[index] = 300 + (40 + Math.sin(round)) * Math.sin(index / 517) * Math.cos(index / 7e5);
  }
  writeSync(descriptor, bytes, 8 * start, 8 * length, 8 * start);
  fsyncSync(descriptor);
}

const snap = await Snap.open(join(folder, 'store'), { run: 'peers' });
const savers = [
  {
    name: 'holdfast',
    async save() {
      const before = process.cpuUsage();
      const began = performance.now();
      const ticket = await snap.save({ field });
      const stall = (performance.now() - began) / 1000;
      await ticket.durable;
      const durable = (performance.now() - began) / 1000;
      const { user, system } = process.cpuUsage(before);
      return { durable, cpu: (user + system) / 1e6, stall };
    },
    bytes: () => folderBytes(join(folder, 'store')),
  },
];
const env = {
  ...process.env,
  RESTIC_PASSWORD: 'x',
  RESTIC_REPOSITORY: join(folder, 'restic'),
  RESTIC_CACHE_DIR: join(folder, 'restic-cache'),
  BORG_REPO: join(folder, 'borg'),
  BORG_BASE_DIR: join(folder, 'borg-base'),
  BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
};
const absent = [];
const versions = {};
function rival(name, program, version, init, save) {
  versions[name] = find(program, version);
  if (!versions[name]) return absent.push(name);
  run(program, init, { env });
  savers.push({
    name,
    async save() {
      const { seconds, cpu } = run(program, save(), { env });
      return { durable: seconds, cpu, stall: seconds };
    },
    bytes: () => folderBytes(join(folder, name)),
  });
}
rival('restic', 'restic', 'version', ['init'], () => ['backup', '--quiet', file]);
rival('borg', 'borg', '--version', ['init', '--encryption=none'], () => [
  'create',
  '--compression=zstd,3',
  `::round-${round}`,
  file,
]);
mkdirSync(join(folder, 'zstd'));
if (find('zstd')) {
  savers.push({
    name: 'zstd -3',
    async save() {
      const { seconds, cpu } = run('zstd', ['-3', '-q', '-f', file, '-o', join(folder, 'zstd', `${round}`)]);
      return { durable: seconds, cpu, stall: seconds };
    },
    bytes: () => folderBytes(join(folder, 'zstd')),
  });
} else absent.push('zstd');

const samples = new Map(savers.map(({ name }) => [name, []]));
const firsts = new Map();
for (let turn = 0; turn <= ROUNDS; turn++) {
  if (turn > 0) change();
  for (const { name, save, bytes: stored } of savers) {
    const sample = await save();
    if (turn === 0) firsts.set(name, stored());
    else samples.get(name).push(sample);
  }
}
await snap.close();
closeSync(descriptor);

const rows = savers.map(({ name, bytes: stored }) => {
  const of = (key) => median(samples.get(name).map((sample) => sample[key]));
  return {
    name,
    stall: of('stall'),
    durable: of('durable'),
    cpu: of('cpu'),
    storedEach: (stored() - firsts.get(name)) / ROUNDS,
  };
});
const [ours] = rows;
console.table(
  rows.map(({ name, stall, durable, cpu, storedEach }) => ({
    name,
    'stall (ms)': (1000 * stall).toFixed(1),
    'durable (ms)': (1000 * durable).toFixed(1),
    'CPU (ms)': (1000 * cpu).toFixed(1),
    'stored each (MiB)': (storedEach / 2 ** 20).toFixed(2),
    'durable, x of holdfast': (durable / ours.durable).toFixed(1),
    'CPU, x of holdfast': (cpu / ours.cpu).toFixed(1),
  })),
);
for (const name of absent) console.log(`skipped: ${name} is not installed`);
const ms = (seconds) => `${(1000 * seconds).toFixed(1)} ms`;
const targets = rows.slice(1).flatMap(({ name, durable, cpu }) =>
  name === 'zstd -3'
    ? []
    : [
        ['to durable', durable, ours.durable, 10],
        ['CPU', cpu, ours.cpu, 20],
      ].map(([what, theirs, mine, limit]) => ({
        target: 16,
        of: `beside ${name}: ${what}`,
        floor: ms(theirs),
        figure: ms(mine),
        ratio: `1 / ${(theirs / mine).toFixed(1)}`,
        limit: `1 / ${limit}`,
        met: theirs >= limit * mine,
      })),
);
writeResult('incremental', {
  bytes: BYTES,
  changed: CHANGED,
  rounds: ROUNDS,
  versions,
  rows,
  absent,
  targets,
});
