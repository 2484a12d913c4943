/**
 * Time per iteration of a heat solver of 100 x 100 cells over 3,000 iterations, with a checkpoint every 100th: holdfast in
 * JavaScript, and dill, cloudpickle and pickle in Python with numpy. All write to the same disk and sync.
 *
 * Each is compared with the same program without checkpoints; the two run in turn, several times.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { find, median, quantile, run, scratch, script, writeResult } from './support.js';

const STEPS = 3000;
const EVERY = 100;
const ROUNDS = 5;
const PYTHON = '/usr/bin/python3';

const folder = scratch();
const rivals = ['dill', 'cloudpickle', 'pickle'].filter(
  (name) => find(PYTHON, '-c', `import ${name}, numpy; print("${name}")`) !== undefined,
);
const programs = [
  { name: 'holdfast', plain: [process.execPath, script('iterations-holdfast.js'), 'none'] },
  ...rivals.map((name) => ({ name, plain: [PYTHON, script('iterations.py'), 'none'] })),
];
const absent = ['dill', 'cloudpickle', 'pickle'].filter((name) => !rivals.includes(name));

const rows = [];
const series = {};
for (const { name, plain } of programs) {
  const [program, ...args] = plain;
  const saving = [...args.slice(0, -1), name];
  const runs = { plain: [], saving: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const scratchFolder = join(folder, `${name}-${round}`);
    mkdirSync(scratchFolder);
    const more = [String(STEPS), String(EVERY), scratchFolder];
    runs.plain.push(JSON.parse(run(program, [...args, ...more]).stdout));
    runs.saving.push(JSON.parse(run(program, [...saving, ...more]).stdout));
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
console.table(
  rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([key, value]) => [
        key,
        typeof value === 'number' ? Number(value.toFixed(3)) : value,
      ]),
    ),
  ),
);
for (const name of absent) console.log(`skipped: ${name} is not installed for ${PYTHON}`);
writeResult('iterations', { steps: STEPS, every: EVERY, rows, series, absent });
