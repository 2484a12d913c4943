/**
 * Time per iteration of a heat solver of 100 x 100 cells over 3,000 iterations, with a checkpoint every 100th: holdfast and
 * v8.serialize in JavaScript; dill, cloudpickle, pickle and h5py in Python with numpy. All write to the same disk and sync.
 *
 * Each is compared with the same program without checkpoints; the two run in turn, several times.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { WAYS } from './hdf5.js';
import {
  Absent,
  find,
  median,
  PYTHON,
  quantile,
  run,
  scratch,
  script,
  showTable,
  writeResult,
} from './support.js';

const STEPS = 3000;
const EVERY = 100;
const ROUNDS = 5;

const folder = scratch();
const absent = new Absent();
const inNode = ['holdfast', 'v8.serialize'].map((name) => ({
  name,
  program: process.execPath,
  args: [script('iterations-node.js')],
}));
const inPython = [
  ...['dill', 'cloudpickle', 'pickle'].map((name) => ({ name, library: name })),
  ...WAYS.map(({ name }) => ({ name, library: 'h5py' })),
].flatMap(({ name, library }) => {
  if (find(PYTHON, '-c', `import ${library}, numpy; print("found")`)) {
    return { name, program: PYTHON, args: [script('iterations.py')] };
  }
  absent.add(name, `${library} or numpy is not installed for ${PYTHON}`);
  return [];
});

const rows = [];
const series = {};
for (const { name, program, args } of [...inNode, ...inPython]) {
  const runs = { plain: [], saving: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const store = join(folder, `${name}-${round}`);
    mkdirSync(store);
    const timesOf = (what) =>
      JSON.parse(run(program, [...args, what, String(STEPS), String(EVERY), store]).stdout);
    runs.plain.push(timesOf('none'));
    runs.saving.push(timesOf(name));
  }
  const all = runs.saving.flat();
  const saves = all.filter((_, index) => (index + 1) % EVERY === 0);
  const plainMedian = median(runs.plain.flat());
  const total = (lists) => median(lists.map((list) => list.reduce((sum, one) => sum + one, 0)));
  rows.push({
    name,
    'plain iteration (us)': plainMedian,
    'checkpointing iteration (us)': median(saves),
    'p99 of those (us)': quantile(saves, 0.99),
    'times as long': median(saves) / plainMedian,
    'loop time lost': total(runs.saving) / total(runs.plain) - 1,
  });
  series[name] = runs.saving[0];
}
showTable(rows);
absent.print();
const [ours, ...theirs] = rows;
/** Microseconds that a checkpoint adds to an iteration. */
const added = (row) => row['checkpointing iteration (us)'] - row['plain iteration (us)'];
const targets = theirs.map((row) => ({
  target: 16,
  of: `80 KB: a checkpoint in an iteration, beside ${row.name}`,
  floor: `${added(row).toFixed(0)} us`,
  figure: `${added(ours).toFixed(0)} us`,
  ratio: `1 / ${(added(row) / added(ours)).toFixed(1)}`,
  limit: 'below',
  met: added(ours) < added(row),
}));
writeResult('iterations', { steps: STEPS, every: EVERY, rows, series, absent: absent.list, targets });
