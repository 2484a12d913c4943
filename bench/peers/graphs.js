/**
 * Object graphs: 100,000 small objects, as agents' states are, of which 1 % changed at random places: what a save holds the
 * program for, when it is durable, what it writes, and how long it takes to bring all of it back.
 *
 * All but holdfast make bytes of the whole graph; they are written to a file beside the loop, synced and renamed.
 * structuredClone writes nothing: it is the least that capturing such a graph costs in memory.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Snap } from 'holdfast';
import { serializers } from './serializers.js';
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
  writeSynced,
} from './support.js';

const OBJECTS = Number(process.env.OBJECTS ?? 100_000);
const CHANGED = 0.01;
const ROUNDS = Number(process.env.ROUNDS ?? 15);
const WARM_UPS = 3;

const folder = scratch();
const store = join(folder, 'store');
const state = {
  agents: Array.from({ length: OBJECTS }, (_, index) => ({
    id: index,
    name: `agent ${index}`,
    x: (index + 0.5) / 7,
    y: -index / 3,
    alive: true,
  })),
};

let seed = 1;
function random() {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
}

function change() {
  for (let count = 0; count < CHANGED * OBJECTS; count++) {
    state.agents[Math.floor(random() * OBJECTS)].x = random();
  }
}

const snap = await Snap.open(store, { run: 'peers' });
await snap.prepare(state);
const absent = new Absent();
const savers = [
  {
    name: 'holdfast',
    durability: 'its own fdatasync',
    async save() {
      const ticket = await snap.save(state);
      return { durable: ticket.durable };
    },
    written: () => folderBytes(store),
    restore: () => snap.restore('latest'),
  },
  ...(await serializers(absent)).map(({ name, encode, decode }) => {
    const path = join(folder, name.replaceAll(/\W+/g, '-'));
    let bytes = 0;
    return {
      name,
      durability: 'fsync of a file, rename',
      async save() {
        const encoded = await encode(state);
        bytes += encoded.length;
        return { durable: writeSynced(path, encoded) };
      },
      written: () => bytes,
      restore: async () => decode(await readFile(path)),
    };
  }),
  {
    name: 'structuredClone',
    durability: 'none: in memory',
    async save() {
      this.kept = structuredClone(state);
      return { durable: undefined };
    },
    written: () => 0,
    restore: async () => structuredClone(state),
  },
];

const samples = new Map(savers.map(({ name }) => [name, []]));
for (let round = -WARM_UPS; round < ROUNDS; round++) {
  change();
  for (const saver of savers) {
    const before = saver.written();
    const cpu = process.cpuUsage();
    const began = performance.now();
    const { durable } = await saver.save();
    const stall = (performance.now() - began) / 1000;
    await durable;
    const durableAfter = durable ? (performance.now() - began) / 1000 : undefined;
    await sleep(REST_MS);
    const sample = {
      stall,
      durable: durableAfter,
      cpu: cpuSeconds(cpu),
      written: saver.written() - before,
    };
    const restoring = performance.now();
    await saver.restore();
    sample.restore = (performance.now() - restoring) / 1000;
    if (round >= 0) samples.get(saver.name).push(sample);
  }
}
await snap.close();

const rows = savers.map(({ name, durability }) => {
  const taken = samples.get(name);
  const of = (key) => median(taken.map((sample) => sample[key]));
  return {
    name,
    durability,
    stall: of('stall'),
    durable: of('durable'),
    cpu: of('cpu'),
    written: taken.reduce((sum, { written }) => sum + written, 0) / taken.length,
    restore: of('restore'),
  };
});
const [ours] = rows;
showTable(
  rows.map(({ name, durability, stall, durable, cpu, written, restore }) => ({
    name,
    'stall (ms)': 1000 * stall,
    'durable (ms)': durable === undefined ? '-' : 1000 * durable,
    'CPU (ms)': 1000 * cpu,
    'written each (MiB)': written / 2 ** 20,
    'restored in (ms)': 1000 * restore,
    'stall, x of holdfast': stall / ours.stall,
    'written, x of holdfast': written / ours.written,
    durability,
  })),
);
absent.print();
writeResult('graphs', { objects: OBJECTS, changed: CHANGED, rounds: ROUNDS, rows, absent: absent.list });
