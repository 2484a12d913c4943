/**
 * One incremental save: a state of 256 MiB of which 1 % changed in one place, from the call to synced on the disk, with
 * the CPU time it took. holdfast and icechunk save from memory; the others are given the state as a file in the page cache,
 * or, h5py, read it from there into memory of their own, for free.
 *
 * Stall: until the program may change its state again. Where a rival does not sync, that is added here.
 */

import { closeSync, fsyncSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Snap } from 'holdfast';
import { archivers } from './archivers.js';
import { hdf5Savers } from './hdf5.js';
import { icechunkSavers } from './icechunk.js';
import {
  Absent,
  cpuSeconds,
  folderBytes,
  median,
  REST_MS,
  scratch,
  showTable,
  sleep,
  writeResult,
} from './support.js';

const BYTES = Number(process.env.BYTES ?? 256 * 2 ** 20);
const CHANGED = 0.01;
const ROUNDS = Number(process.env.ROUNDS ?? 8);
/** Not counted: holdfast finds out how the state changes, and memory is touched for the first time. */
const WARM_UPS = 3;

const folder = scratch();
const field = new Float64Array(BYTES / 8);
for (let index = 0; index < field.length; index++)
  field[index] = 300 + 40 * Math.sin(index / 517) * Math.cos(index / 7e5);
const bytes = Buffer.from(field.buffer);
const file = join(folder, 'state');
writeFileSync(file, bytes);
const descriptor = openSync(file, 'r+');

/** In bytes: what changed in this round. */
let changed = [0, BYTES];
function change(round) {
  const length = Math.floor(field.length * CHANGED);
  const start = Math.floor(((round * 0.6180339887) % 1) * (field.length - length));
  for (let index = start; index < start + length; index++) {
    field[index] = 300 + (40 + Math.sin(round)) * Math.sin(index / 517) * Math.cos(index / 7e5);
  }
  writeSync(descriptor, bytes, 8 * start, 8 * length, 8 * start);
  fsyncSync(descriptor);
  changed = [8 * start, 8 * (start + length)];
}

const snap = await Snap.open(join(folder, 'store'), { run: 'peers' });
await snap.prepare({ field });
const absent = new Absent();
const savers = [
  {
    name: 'holdfast',
    durability: 'its own fdatasync',
    async save() {
      const cpu = process.cpuUsage();
      const began = performance.now();
      const ticket = await snap.save({ field });
      const stall = (performance.now() - began) / 1000;
      await ticket.durable;
      const durable = (performance.now() - began) / 1000;
      await sleep(REST_MS);
      return { stall, durable, cpu: cpuSeconds(cpu) };
    },
    bytes: () => folderBytes(join(folder, 'store')),
  },
  ...archivers(folder, file, absent),
  ...hdf5Savers(folder, file, [['field', 'f8', field.length]], absent),
  ...(await icechunkSavers(folder, bytes, () => changed, absent)),
];

const samples = new Map(savers.map(({ name }) => [name, []]));
const firstStalls = new Map();
const storedBefore = new Map();
for (let turn = 0; turn <= WARM_UPS + ROUNDS; turn++) {
  if (turn > 0) change(turn);
  for (const { name, save, bytes: stored } of savers) {
    const sample = await save(turn);
    if (turn === 1) firstStalls.set(name, sample.stall);
    if (turn === WARM_UPS) storedBefore.set(name, stored());
    if (turn > WARM_UPS) samples.get(name).push(sample);
  }
}

const rows = savers.map(({ name, durability, bytes: stored }) => {
  const of = (key) => median(samples.get(name).map((sample) => sample[key]));
  return {
    name,
    durability,
    stall: of('stall'),
    firstStall: firstStalls.get(name),
    durable: of('durable'),
    cpu: of('cpu'),
    storedEach: (stored() - storedBefore.get(name)) / ROUNDS,
  };
});
await snap.close();
for (const { close } of savers) close?.();
closeSync(descriptor);

const [ours] = rows;
showTable(
  rows.map(({ name, durability, stall, firstStall, durable, cpu, storedEach }) => ({
    name,
    'stall (ms)': 1000 * stall,
    'of the first (ms)': 1000 * firstStall,
    'durable (ms)': 1000 * durable,
    'CPU (ms)': 1000 * cpu,
    'stored each (MiB)': storedEach / 2 ** 20,
    'stall, x of holdfast': stall / ours.stall,
    'durable, x of holdfast': durable / ours.durable,
    'CPU, x of holdfast': cpu / ours.cpu,
    durability,
  })),
);
absent.print();
const ms = (seconds) => `${(1000 * seconds).toFixed(1)} ms`;
const targets = rows
  .filter(({ name }) => ['restic', 'borg'].includes(name))
  .flatMap(({ name, durable, cpu }) =>
    [
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
const versions = Object.fromEntries(savers.map(({ name, version }) => [name, version]));
writeResult('incremental', {
  bytes: BYTES,
  changed: CHANGED,
  rounds: ROUNDS,
  versions,
  rows,
  absent: absent.list,
  targets,
});
