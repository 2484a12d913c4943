/** Draws the charts of docs/performance.md from the figures that were measured last, as SVG. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as echarts from 'echarts';
import { RESULTS, script } from './support.js';

const FOLDER = script('../../docs/charts');
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

function resultOf(name) {
  const path = join(RESULTS, `${name}.json`);
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
    grid: { left: 170, right: 90, top: 50, bottom: 40 },
    xAxis: { type: 'log', name: unit, nameLocation: 'end' },
    yAxis: { type: 'category', data: labels, inverse: true },
    series: [
      {
        type: 'bar',
        data: values.map((value, index) => ({ value, itemStyle: { color: COLOURS[index === 0 ? 0 : 1] } })),
        label: { show: true, position: 'right', formatter: ({ value }) => `${value.toPrecision(3)} ${unit}` },
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
    legend: { top: 32 },
    grid: { left: 60, right: 24, top: 80, bottom: 60 },
    xAxis: {
      type: 'category',
      data: rows.map(({ name }) => name.replace(/ (?=f\d)/, '\n')),
      axisLabel: { interval: 0 },
    },
    yAxis: { type: 'value', axisLabel: { formatter: '{value} %' } },
    series: programs.map((program) => ({
      name: program,
      type: 'bar',
      data: rows.map(({ logical, bytes }) => Number(((100 * bytes[program]) / logical).toFixed(1))),
    })),
  });
}

const found = {
  iterations: resultOf('iterations'),
  incremental: resultOf('incremental'),
  space: resultOf('space'),
};
if (found.iterations) iterations(found.iterations);
if (found.incremental) {
  const { rows } = found.incremental;
  const labels = rows.map(({ name }) => name);
  bars(
    'incremental-time',
    '256 MiB, 1 % changed: from the call to durable',
    'ms',
    labels,
    rows.map((row) => 1000 * row.durable),
  );
  bars(
    'incremental-cpu',
    '256 MiB, 1 % changed: CPU time',
    'ms',
    labels,
    rows.map((row) => 1000 * row.cpu),
  );
}
if (found.space) space(found.space);
if (Object.values(found).every((one) => !one)) console.log('no results yet: npm start');
