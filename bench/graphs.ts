/**
 * Object graphs: what a save of 100,000 small objects holds the loop for, beside `v8.serialize` of the same graph, and what
 * it writes when 1 % of the objects changed at random places, or none.
 *
 * Each sample takes both, one right after the other, in turns which comes first; the loop waits until the save is durable.
 */

import { join } from 'node:path';
import { serialize } from 'node:v8';
import { formatBytes } from '../src/base/sizes.js';
import { Snap } from '../src/index.js';
import { millisOf, REST_MS } from './support/costs.js';
import { folderBytes } from './support/disk.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { type Report, runBench, showMillis, showPercent, showRatio, sleep } from './support/program.js';
import { mean, median, percentile, seededRandom } from './support/samples.js';

const OBJECTS = 100_000;
const WARM_UPS = 5;

/** A graph, and how one of its objects changes. */
interface Shape {
  name: string;
  make(index: number): object;
  change(object: never, value: number): void;
}

interface Agent {
  id: number;
  name: string;
  x: number;
  y: number;
  alive: boolean;
}

const SHAPES: readonly Shape[] = [
  {
    name: '5 fields: id, name, x, y, alive',
    make: (index): Agent => ({
      id: index,
      name: `agent ${index}`,
      x: (index + 0.5) / 7,
      y: -index / 3,
      alive: true,
    }),
    change: (agent: Agent, value) => {
      agent.x = value;
    },
  },
  {
    // A seventh of the numbers are whole, and shorter in a skeleton than the fractions that they become.
    name: '2 fields: x, y; some were whole',
    make: (index) => ({ x: index / 7, y: -index / 3 }),
    change: (point: { x: number }, value) => {
      point.x = value;
    },
  },
  {
    name: 'arrays of 3 numbers; some were whole',
    make: (index) => [index / 7, -index / 3, index],
    change: (array: number[], value) => {
      array[0] = value;
    },
  },
];

const CHANGES = [
  { name: '1 % at random', share: 0.01 },
  { name: 'nothing', share: 0 },
];

await runBench('graphs', 'graphs of small objects', async ({ folder, samples, report }) => {
  const rows = [];
  for (const [index, shape] of SHAPES.entries()) {
    const snap = await Snap.open(join(folder, `store-${index}`));
    const objects = Array.from({ length: OBJECTS }, (_, at) => shape.make(at));
    const state = { objects };
    await snap.prepare(state);
    for (const { name, share } of CHANGES) {
      const others = new OtherLoad();
      const taken = await measure(snap, join(folder, `store-${index}`), shape, state, share, samples ?? 40);
      const row = { objects: shape.name, changed: name, ...taken, 'other processes': others.share() };
      rows.push(row);
      hold(report, row);
    }
    await snap.close();
  }
  report.section(
    `A save of ${OBJECTS} objects beside v8.serialize of the same graph (medians; written: means)`,
    [
      { name: 'objects' },
      { name: 'changed' },
      { name: 'samples' },
      { name: 'v8.serialize', show: showMillis },
      { name: 'stall', show: showMillis },
      { name: 'stall p99', show: showMillis },
      { name: 'stall / v8.serialize', show: showRatio },
      { name: 'durable', show: showMillis },
      { name: 'serialized', show: formatBytes },
      { name: 'written', show: (bytes) => formatBytes(Math.round(bytes)) },
      { name: 'written / serialized', show: showPercent },
      { name: 'other processes', show: showPercent },
    ],
    rows,
    'written: growth of the store folder, a moment after the save became durable',
    '"some were whole": a seventh of the numbers that change were integers, which take less room, so that what follows moves',
    OTHERS_NOTE,
  );
});

async function measure(
  snap: Snap,
  store: string,
  shape: Shape,
  state: { objects: object[] },
  share: number,
  samples: number,
) {
  const random = seededRandom(1);
  const [serializes, stalls, durables, written]: [number[], number[], number[], number[]] = [[], [], [], []];
  let serialized = 0;
  const serializeOnce = (): number =>
    millisOf(() => {
      serialized = serialize(state).length;
    });
  for (let sample = -WARM_UPS; sample < samples; sample++) {
    for (let changes = share * OBJECTS; changes > 0; changes--) {
      shape.change(state.objects[Math.floor(random() * OBJECTS)] as never, random());
    }
    const before = folderBytes(store);
    let serializeMs = sample % 2 === 0 ? serializeOnce() : 0;
    const start = performance.now();
    const ticket = await snap.save(state);
    const stallMs = performance.now() - start;
    await ticket.durable;
    const durableMs = performance.now() - start;
    if (sample % 2 !== 0) serializeMs = serializeOnce();
    await sleep(REST_MS);
    if (sample < 0) continue;
    serializes.push(serializeMs);
    stalls.push(stallMs);
    durables.push(durableMs);
    written.push(folderBytes(store) - before);
  }
  const writtenEach = mean(written);
  return {
    samples,
    'v8.serialize': median(serializes),
    stall: median(stalls),
    'stall p99': percentile(stalls, 0.99),
    'stall / v8.serialize': median(stalls) / median(serializes),
    durable: median(durables),
    serialized,
    written: writtenEach,
    'written / serialized': writtenEach / serialized,
  };
}

type Row = { objects: string; changed: string } & Awaited<ReturnType<typeof measure>>;

function hold(report: Report, row: Row): void {
  const { objects, changed, serialized, written } = row;
  const stallRatio = row['stall / v8.serialize'];
  report.hold(15, {
    of: `${objects}; ${changed}: stall`,
    floor: `v8.serialize ${showMillis(row['v8.serialize'])}`,
    figure: showMillis(row.stall),
    ratio: showRatio(stallRatio),
    limit: '1.5 x',
    met: stallRatio <= 1.5,
  });
  report.hold(15, {
    of: `${objects}; ${changed}: written`,
    floor: `serialized ${formatBytes(serialized)}`,
    figure: formatBytes(Math.round(written)),
    ratio: showPercent(written / serialized),
    limit: '10 %',
    met: written <= 0.1 * serialized,
  });
}
