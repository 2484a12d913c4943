/**
 * Draws the charts of docs/performance.md from the figures that were filed last, as SVG: those of the comparisons here, and
 * those of the benchmarks of the project.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as echarts from 'echarts';
import { RESULTS, script } from './support.js';

const FOLDER = script('../../docs/charts');
const BENCHES = script('../../build/bench');
const WIDTH = 860;
const COLOURS = ['#0b6e4f', '#c1440e', '#8a6d00', '#44519e', '#7a3b69', '#555555'];

function draw(name, height, option) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    backgroundColor: '#ffffff',
    color: COLOURS,
    animation: false,
    textStyle: { fontFamily: 'sans-serif' },
    ...option,
  });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/${name}.svg`, `${chart.renderToSVGString()}\n`);
  chart.dispose();
  console.log(`docs/charts/${name}.svg`);
}

function resultOf(name, folder = RESULTS) {
  const path = join(folder, `${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

/** Every iteration of 3,000, one picture below the other, all with one scale. */
function iterations({ series, every, rows }) {
  const names = Object.keys(series);
  const top = (index) => 84 + index * 150;
  draw('iterations', 84 + names.length * 150, {
    title: {
      text: `Time of each iteration, a checkpoint every ${every}th (100 x 100 cells, synced disk)`,
      left: 'center',
      textStyle: { fontSize: 15 },
    },
    grid: names.map((_, index) => ({ left: 80, right: 24, top: top(index), height: 96 })),
    xAxis: names.map((_, index) => ({
      gridIndex: index,
      type: 'value',
      min: 0,
      max: series[names[index]].length,
      axisLabel: { show: index === names.length - 1 },
    })),
    yAxis: names.map((name, index) => ({
      gridIndex: index,
      type: 'log',
      min: 10,
      max: 100_000,
      name: `${name}: ${rows[index]['times as long'].toFixed(1)} times a plain iteration, ${(100 * rows[index]['loop time lost']).toFixed(0)} % of the loop lost`,
      nameLocation: 'end',
      nameTextStyle: { align: 'left', fontSize: 12, color: '#222222' },
      axisLabel: { formatter: (value) => (value >= 1000 ? `${value / 1000} ms` : `${value} us`) },
    })),
    series: names.map((name, index) => ({
      name,
      type: 'line',
      xAxisIndex: index,
      yAxisIndex: index,
      showSymbol: false,
      lineStyle: { width: 0.8 },
      data: series[name].map((time, step) => [step + 1, Number(time.toFixed(1))]),
    })),
  });
}

/** Bars of one figure for each of several programs, on a logarithmic scale. */
function bars(name, title, unit, labels, values) {
  draw(name, 120 + labels.length * 34, {
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    grid: { left: 200, right: 100, top: 50, bottom: 40 },
    xAxis: { ...logAxis(values), name: unit, nameLocation: 'end' },
    yAxis: { type: 'category', data: labels, inverse: true },
    series: [
      {
        type: 'bar',
        data: values.map((value, index) => ({ value, itemStyle: { color: COLOURS[index === 0 ? 0 : 1] } })),
        label: { show: true, position: 'right', formatter: ({ value }) => `${short(value)} ${unit}` },
      },
    ],
  });
}

/** For each simulation the bytes of every store, as a share of what was saved. */
function space({ rows, snapshots }) {
  const programs = Object.keys(rows[0].bytes);
  draw('space', 480, {
    title: {
      text: `${snapshots} snapshots of eight simulations: bytes on disk, % of the states`,
      left: 'center',
      textStyle: { fontSize: 15 },
    },
    legend: { top: 32, itemGap: 30 },
    grid: { left: 60, right: 24, top: 80, bottom: 60 },
    xAxis: {
      type: 'category',
      data: rows.map(({ name }) => name.replace(/ (?=f\d)/, '\n')),
      axisLabel: { interval: 0, fontSize: 10 },
    },
    yAxis: { type: 'value', axisLabel: { formatter: '{value} %' } },
    series: programs.map((program) => ({
      name: program,
      type: 'bar',
      data: rows.map(({ logical, bytes }) => Number(((100 * bytes[program]) / logical).toFixed(1))),
    })),
  });
}

/** Rows of a benchmark's table as groups of bars, on a logarithmic scale. */
function groups(name, title, unit, labels, series) {
  const present = series.filter(({ values }) => values.some((value) => value > 0));
  draw(name, 130 + labels.length * (18 + 16 * present.length), {
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    legend: { top: 30, itemGap: 30 },
    grid: { left: 270, right: 90, top: 70, bottom: 40 },
    xAxis: { ...logAxis(present.flatMap(({ values }) => values)), name: unit, nameLocation: 'end' },
    yAxis: {
      type: 'category',
      data: labels,
      inverse: true,
      axisLabel: { width: 235, overflow: 'break' },
    },
    series: present.map((one) => ({
      name: one.name,
      type: 'bar',
      data: one.values.map((value) => (value > 0 ? value : undefined)),
      label: { show: true, position: 'right', fontSize: 10, formatter: ({ value }) => short(value) },
    })),
  });
}

function labelsOf(rows) {
  return rows.map(({ name }) => name);
}

/** Bars begin at the power of ten below the least of them. */
function logAxis(values) {
  const min = 10 ** Math.floor(Math.log10(Math.min(...values.filter((value) => value > 0))));
  return { type: 'log', min, startValue: min, axisLabel: { formatter: short } };
}

function short(value) {
  if (value >= 1000 || value < 0.001) return Number(value.toPrecision(3)).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** What to draw of each benchmark: one of its tables, how a row is called, and which columns. */
const TABLES = [
  {
    bench: 'stall',
    title: 'What a save by copy holds the loop for',
    label: ({ state }) => state,
    columns: ['memcpy p50', 'stall p50', 'stall p99'],
  },
  {
    bench: 'incremental',
    title: '256 MiB: from the call of save to durable',
    label: ({ changed }) => `changed: ${changed}`,
    columns: ['memcpy + compare', 'durable', 'durable p99'],
  },
  {
    bench: 'commit',
    title: '80 KB, all of it changed: from the call of save to durable',
    label: ({ saves, store }) => `up to save ${saves} (store: ${store})`,
    columns: ['append p50', 'durable p50', 'durable p99'],
  },
  {
    bench: 'restore',
    title: 'Restoring into fresh memory, all of it verified',
    label: ({ state, data, 'page cache': cache }) => `${state}, ${data}, page cache ${cache}`,
    columns: ['read', 'restore'],
  },
  {
    bench: 'restore',
    name: 'restore-into',
    section: 3,
    title: 'Restoring into a living state of which 1 % differs',
    label: ({ state, data, 'compared with': by }) => `${state}, ${data}, compared with ${by}`,
    columns: ['compare', 'restore'],
  },
  {
    bench: 'track',
    title: 'Saving with dirty pages from the kernel',
    label: ({ state, changed, codec }) => `${state}, changed: ${changed}, codec: ${codec}`,
    columns: ['memcpy', 'stall', 'durable'],
  },
  {
    bench: 'lend',
    title: 'What a save that lends holds the loop for, and when the buffers are back',
    label: ({ lent, kind }) => `${lent}, ${kind}`,
    columns: ['memcpy', 'stall p50', 'released'],
  },
  {
    bench: 'scattered',
    title: 'One number changed in every hundredth page of a heap',
    label: ({ heap }) => heap,
    columns: ['memcpy + compare', 'durable', 'cpu'],
  },
  {
    bench: 'shifting',
    title: 'Blobs into which something is inserted: % of them written anew',
    unit: '%',
    label: ({ blob, size, changed }) => `${blob}, ${Math.round(size / 2 ** 20)} MiB, ${changed}`,
    columns: ['fixed chunks', 'new bytes'],
    times: 100,
  },
  {
    bench: 'graphs',
    title: '100,000 objects: what a save holds the loop for',
    label: ({ objects, changed }) => `${objects}; changed: ${changed}`,
    columns: ['v8.serialize', 'stall'],
  },
  {
    bench: 'filters',
    title: 'How many times smaller a chunk becomes',
    unit: 'x',
    label: ({ state }) => state,
    columns: ['none', 'shuffle', 'delta', 'difference'],
  },
];

/** What became of each value on each way: a coloured field. */
function roundTrips({ ways, rows }) {
  const numberOf = (wanted) => OUTCOMES.findIndex(({ outcome }) => outcome === wanted);
  const cells = rows.flatMap(({ outcomes }, row) =>
    ways.map((way, column) => [column, row, numberOf(outcomes[way].outcome)]),
  );
  draw('round-trips', 110 + rows.length * 22, {
    title: { text: 'What comes back as it was saved', left: 'center', textStyle: { fontSize: 15 } },
    grid: { left: 200, right: 24, top: 90, bottom: 20 },
    visualMap: {
      type: 'piecewise',
      orient: 'horizontal',
      left: 'center',
      top: 30,
      selectedMode: false,
      itemGap: 30,
      pieces: OUTCOMES.map(({ label, color }, value) => ({ value, label, color })).filter(({ value }) =>
        cells.some(([, , outcome]) => outcome === value),
      ),
    },
    xAxis: { type: 'category', data: ways, position: 'top', axisTick: { show: false } },
    yAxis: { type: 'category', data: rows.map(({ name }) => name), inverse: true },
    series: [
      {
        type: 'heatmap',
        itemStyle: { borderColor: '#ffffff', borderWidth: 2 },
        data: cells,
      },
    ],
  });
}

const OUTCOMES = [
  { outcome: 'identical', label: 'identical', color: '#0b6e4f' },
  { outcome: 'refused', label: 'refused when it is saved', color: '#bdbdbd' },
  { outcome: 'changed', label: 'something else, and nobody says so', color: '#c1440e' },
  { outcome: 'unreadable', label: 'cannot be read', color: '#222222' },
];

const found = {
  iterations: resultOf('iterations'),
  incremental: resultOf('incremental'),
  graphs: resultOf('graphs'),
  roundTrips: resultOf('round-trips'),
  space: resultOf('space'),
};
if (found.iterations) iterations(found.iterations);
if (found.incremental) {
  const { rows, bytes } = found.incremental;
  const labels = labelsOf(rows);
  for (const [name, what, unit, figure] of [
    ['peers-stall', 'what the program waits for', 'ms', ({ stall }) => 1000 * stall],
    ['peers-time', 'from the call to durable', 'ms', ({ durable }) => 1000 * durable],
    ['peers-cpu', 'CPU time', 'ms', ({ cpu }) => 1000 * cpu],
    ['peers-bytes', 'stored by each save', 'MiB', ({ storedEach }) => storedEach / 2 ** 20],
  ]) {
    bars(name, `${bytes / 2 ** 20} MiB, 1 % changed: ${what}`, unit, labels, rows.map(figure));
  }
}
if (found.graphs) {
  const { rows, objects } = found.graphs;
  const title = `${objects.toLocaleString('en')} small objects, 1 % changed`;
  const of = (key) => rows.map((row) => 1000 * row[key]);
  groups('peers-graphs', title, 'ms', labelsOf(rows), [
    { name: 'the program waits', values: of('stall') },
    { name: 'durable', values: of('durable') },
    { name: 'restored', values: of('restore') },
  ]);
  const written = rows.filter((row) => row.written > 0);
  bars(
    'peers-graphs-bytes',
    `${title}: bytes written by each save`,
    'MiB',
    labelsOf(written),
    written.map((row) => row.written / 2 ** 20),
  );
}
if (found.roundTrips) roundTrips(found.roundTrips);
if (found.space) space(found.space);
for (const { bench, name = bench, section = 0, title, unit = 'ms', times = 1, label, columns } of TABLES) {
  const rows = resultOf(bench, BENCHES)?.sections[section]?.rows;
  if (!rows) continue;
  const series = columns.map((column) => ({
    name: column,
    values: rows.map((row) => times * Number.parseFloat(row[column])),
  }));
  groups(name, title, unit, rows.map(label), series);
}
if (Object.values(found).every((one) => !one)) console.log('no results of other programs yet: npm start');
