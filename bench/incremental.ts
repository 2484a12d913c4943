/**
 * What a save costs behind the loop: time to durable, CPU of the whole process, bytes on disk, against floors
 * measured in the same run, one beside each save.
 *
 * The loop waits meanwhile, so that all CPU time is the save's. Written is the growth of the store's folder,
 * index included, a moment after the save became durable, because the index is written behind.
 */

import { join } from 'node:path';
import { formatBytes, KiB, MiB } from '../src/base/sizes.js';
import { Snap } from '../src/index.js';
import { REST_MS, type SaveCost, saveCost } from './support/costs.js';
import {
  Appender,
  besideCopying,
  type CopyAndCompare,
  codecMillis,
  compressedBytes,
  copyAndCompare,
  WarmTarget,
} from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import {
  type Report,
  runBench,
  showMillis,
  showPercent,
  showRate,
  showRatio,
  sleep,
} from './support/program.js';
import { meanOf, median, percentile, sum } from './support/samples.js';
import { DATA, SmoothField } from './support/states.js';

const BYTES = 256 * MiB;

interface Sample extends SaveCost, CopyAndCompare {
  compressedBytes: number;
}

interface FullFloor {
  appendRate: number;
  codecRate: number;
}

const PATTERNS: { name: string; samples: number; change: (field: SmoothField) => void }[] = [
  { name: 'nothing', samples: 100, change: () => {} },
  {
    name: '1 % in one piece',
    samples: 100,
    change: (field) => field.changeContiguous(0.01 * field.bytes.length),
  },
  {
    name: '1 % in 64 KiB places',
    samples: 100,
    change: (field) => field.changeScattered(0.01 * field.bytes.length),
  },
  { name: 'everything', samples: 12, change: (field) => field.changeAll() },
];

await runBench(
  'incremental',
  'what a save costs behind the loop',
  async ({ folder, samples, sizes, report }) => {
    const bytes = sizes?.[0] ?? BYTES;
    const store = join(folder, 'store');
    const snap = await Snap.open(store, { capture: 'copy' });
    const field = new SmoothField(bytes);
    await snap.prepare(field.state);
    const previous = Buffer.from(field.bytes);
    const target = new WarmTarget(bytes);
    const appender = new Appender(folder);
    const rows = [];
    const fullFloors: FullFloor[] = [];
    const full: Sample[] = [];
    await (await snap.save(field.state)).durable;

    const take = async (change: (field: SmoothField) => void): Promise<Sample> => {
      change(field);
      const floor = copyAndCompare(field.bytes, previous, target);
      const compressed = compressedBytes(field.bytes, floor.changed);
      await sleep(REST_MS);
      const cost = await saveCost(snap, store, field.state);
      previous.set(field.bytes);
      return { ...floor, ...cost, compressedBytes: compressed };
    };

    for (const { name, samples: usual, change } of PATTERNS) {
      for (let round = 0; round < 3; round++) await take(change);
      const others = new OtherLoad();
      const taken: Sample[] = [];
      for (let sample = 0; sample < (samples ?? usual); sample++) {
        taken.push(await take(change));
        if (name !== 'everything') continue;
        fullFloors.push(measureFullFloor(field, appender, taken.at(-1)?.compressedBytes ?? bytes));
      }
      if (name === 'everything') full.push(...taken);
      const row = rowOf(name, taken);
      if (name !== 'everything') holdIncremental(report, row);
      rows.push({ ...row, 'other processes': others.share() });
    }
    appender.close();
    await snap.close();

    report.section(
      `A save of ${formatBytes(bytes)} beside memcpy + ranged compare of the same bytes (medians)`,
      [
        { name: 'changed' },
        { name: 'samples' },
        { name: 'memcpy + compare', show: showMillis },
        { name: 'durable', show: showMillis },
        { name: 'durable p99', show: showMillis },
        { name: 'durable ratio', show: showRatio },
        { name: 'cpu floor', show: showMillis },
        { name: 'cpu', show: showMillis },
        { name: 'cpu ratio', show: showRatio },
        { name: 'other processes', show: showPercent },
      ],
      rows,
      `data: ${DATA}`,
      'cpu: user and system time of the whole process, from the call of save until the process rests again',
      OTHERS_NOTE,
    );
    report.section(
      'Bytes written for it (means)',
      [
        { name: 'changed' },
        { name: 'changed chunks' },
        { name: 'compressed', show: formatBytes },
        { name: 'written', show: (value) => formatBytes(Math.round(value)) },
        { name: 'beyond compressed', show: (value) => formatBytes(Math.round(value)) },
        { name: 'written / compressed', show: showRatio },
        { name: 'kernel wrote', show: (value) => formatBytes(Math.round(value)) },
      ],
      rows,
      'compressed: the changed 64 KiB chunks, each by zstd level 1 or raw if that is smaller',
      'written: growth of the store folder; kernel: write_bytes of /proc/self/io, whole pages',
    );
    const ratio = (full.length * bytes) / sum(full.map(({ compressedBytes }) => compressedBytes));
    const durableRate = bytes / median(full.map(({ durableMs }) => durableMs));
    const appendRate = median(fullFloors.map((floor) => floor.appendRate));
    const codecRate = median(fullFloors.map((floor) => floor.codecRate));
    const floorRate = Math.min(appendRate * ratio, codecRate);
    report.hold(6, {
      of: `${formatBytes(bytes)} to durable`,
      floor: `min(append x compression ${showRate(appendRate * ratio)}, codec ${showRate(codecRate)})`,
      figure: showRate(durableRate),
      ratio: showRatio(durableRate / floorRate),
      limit: 'at least 0.6 x',
      met: durableRate >= 0.6 * floorRate,
    });
    report.section(
      'Everything changed: rate to durable',
      [
        { name: 'compression', show: showRatio },
        { name: 'append rate', show: showRate },
        { name: 'append x compression', show: showRate },
        { name: 'codec + verify', show: showRate },
        { name: 'durable', show: showRate },
        { name: 'share of the floor', show: showPercent },
      ],
      [
        {
          compression: ratio,
          'append rate': appendRate,
          'append x compression': appendRate * ratio,
          'codec + verify': codecRate,
          durable: durableRate,
          'share of the floor': durableRate / floorRate,
        },
      ],
      'append: plain writes of 4 MiB and one fdatasync, as many bytes as the compressed state, in the same folder',
    );
  },
);

function measureFullFloor(field: SmoothField, appender: Appender, storedBytes: number): FullFloor {
  const codecMs = codecMillis(field.bytes);
  const appendMs = appender.append(field.bytes, storedBytes);
  return { codecRate: field.bytes.length / codecMs, appendRate: storedBytes / appendMs };
}

function rowOf(name: string, taken: readonly Sample[]) {
  const written = meanOf(taken, (sample) => sample.writtenBytes);
  const compressed = meanOf(taken, (sample) => sample.compressedBytes);
  return {
    changed: name,
    samples: taken.length,
    ...besideCopying(taken),
    'durable p99': percentile(
      taken.map((sample) => sample.durableMs),
      0.99,
    ),
    'changed chunks': Math.round(meanOf(taken, (sample) => sample.changed.length)),
    compressed: Math.round(compressed),
    written,
    'beyond compressed': written - compressed,
    'written / compressed': compressed === 0 ? undefined : written / compressed,
    'kernel wrote': meanOf(taken, (sample) => sample.kernelBytes),
  };
}

function holdIncremental(report: Report, row: ReturnType<typeof rowOf>): void {
  const {
    changed,
    'memcpy + compare': floor,
    durable,
    'cpu floor': cpuFloor,
    cpu,
    compressed,
    written,
  } = row;
  for (const [what, floorMs, ms] of [
    ['to durable', floor, durable],
    ['CPU', cpuFloor, cpu],
  ] as const) {
    report.hold(5, {
      of: `${changed} changed, ${what}`,
      floor: `memcpy + compare ${showMillis(floorMs)}`,
      figure: showMillis(ms),
      ratio: showRatio(ms / floorMs),
      limit: '3 x',
      met: ms <= 3 * floorMs,
    });
  }
  report.hold(5, {
    of: `${changed} changed, written`,
    floor: `compressed ${formatBytes(compressed)}`,
    figure: formatBytes(Math.round(written)),
    ratio: compressed === 0 ? '' : showRatio(written / compressed),
    limit: '1.05 x + 4 KiB',
    met: written <= 1.05 * compressed + 4 * KiB,
  });
}
