/**
 * What a save costs where the kernel tells the dirty pages: the stall, and the time until it is durable, beside a memcpy
 * of the whole state. And from which share of dirty pages on copying is cheaper, first writes to pages included.
 *
 * Each sample takes a memcpy and a save of the same state one right after the other, in turns which comes first. The
 * loop waits until the save is durable, so that none waits for a slot.
 */

import { join } from 'node:path';
import { formatBytes, GiB, KiB, MiB } from '../src/base/sizes.js';
import { Snap } from '../src/index.js';
import { DirtyPages, type PageSpan } from '../src/io/dirty-pages.js';
import { cpuMillis, millisOf, REST_MS } from './support/costs.js';
import { changedChunks, codecMillis, WarmTarget } from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { type Report, runBench, showMillis, showPercent, showRatio, sleep } from './support/program.js';
import { median, medianOf, percentile } from './support/samples.js';
import { CHUNK_BYTES, DATA, SmoothField } from './support/states.js';

const SIZES = [256 * MiB, GiB];
const SHARES = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1];
const SHARE_BYTES = 256 * MiB;
const PAGE = 4 * KiB;

const PATTERNS: { name: string; change: (field: SmoothField) => void }[] = [
  { name: 'nothing', change: () => {} },
  { name: '1 % in one piece', change: (field) => field.changeContiguous(0.01 * field.bytes.length) },
  { name: '1 % in 64 KiB places', change: (field) => field.changeScattered(0.01 * field.bytes.length) },
  { name: '1 % in 4 KiB places', change: (field) => field.changeScattered(0.01 * field.bytes.length, PAGE) },
];

interface Sample {
  copyMs: number;
  stallMs: number;
  durableMs: number;
  /** CPU of the whole process for the save. */
  cpuMs: number;
}

await runBench(
  'track',
  'saves with dirty pages from the kernel',
  async ({ folder, samples, sizes, report }) => {
    const pages = DirtyPages.open(true);
    if (!pages) {
      console.log('\nthis kernel does not tell dirty pages, or koffi is not installed: nothing to measure');
      return;
    }
    const rows = [];
    for (const bytes of sizes ?? SIZES) {
      for (const compression of [{ level: 1 }, false] as const) {
        const name = `${bytes}-${compression ? 'zstd' : 'raw'}`;
        const taken = await measureSaves(join(folder, name), bytes, compression, samples ?? 24);
        for (const row of taken) if (row.changed.startsWith('1 %')) holdTracked(report, row);
        rows.push(...taken);
      }
    }
    report.section(
      'A tracked save beside a memcpy of the whole state (medians)',
      [
        { name: 'state' },
        { name: 'changed' },
        { name: 'codec' },
        { name: 'samples' },
        { name: 'memcpy', show: showMillis },
        { name: 'stall', show: showMillis },
        { name: 'stall p99', show: showMillis },
        { name: 'memcpy / stall', show: showRatio },
        { name: 'durable', show: showMillis },
        { name: 'durable / memcpy', show: showRatio },
        { name: 'cpu', show: showMillis },
        { name: 'codec alone', show: showMillis },
        { name: 'other processes', show: showPercent },
      ],
      rows,
      `data: ${DATA}`,
      '"durable": from the call of save; "cpu": of the whole process; "codec alone": the changed chunks, compressed and',
      'decompressed again as the engine does, by this thread: a part of "durable" that does not depend on how it is captured',
      OTHERS_NOTE,
    );
    report.section(
      `Tracking beside copying, by the share of pages that are written: ${formatBytes(SHARE_BYTES)}, one write to a page (medians)`,
      [
        { name: 'pages written', show: showPercent },
        { name: 'samples' },
        { name: 'write', show: showMillis },
        { name: 'write, tracked', show: showMillis },
        { name: 'per page', show: showMillis },
        { name: 'ask', show: showMillis },
        { name: 'copy those', show: showMillis },
        { name: 'copy all', show: showMillis },
        { name: 'tracked / copied', show: showRatio },
      ],
      measureShares(pages, samples ?? 12),
      '"per page": what the first write to a page costs more where it is tracked',
      '"tracked / copied": writing, asking and copying what was written, beside writing and copying all',
    );
    pages.close();
  },
);

async function measureSaves(
  folder: string,
  bytes: number,
  compression: { level: number } | false,
  samples: number,
) {
  const snap = await Snap.open(folder, { capture: 'track', compression });
  const field = new SmoothField(bytes);
  const target = new WarmTarget(bytes);
  await snap.prepare(field.state);
  await (await snap.save(field.state)).durable;
  const rows = [];
  for (const { name, change } of PATTERNS) {
    for (let round = 0; round < 3; round++) await measureSave(snap, field, change, target, round);
    const before = Buffer.from(field.bytes);
    const others = new OtherLoad();
    const taken: Sample[] = [];
    for (let round = 0; round < samples; round++) {
      taken.push(await measureSave(snap, field, change, target, round));
    }
    const otherShare = others.share();
    before.set(field.bytes);
    change(field);
    const codecMs = compression ? codecOf(field.bytes, changedChunks(field.bytes, before)) : 0;
    rows.push({
      ...rowOf(bytes, name, taken),
      codec: compression ? 'zstd 1' : 'none',
      'codec alone': codecMs,
      'other processes': otherShare,
    });
  }
  await snap.close();
  return rows;
}

async function measureSave(
  snap: Snap,
  field: SmoothField,
  change: (field: SmoothField) => void,
  target: WarmTarget,
  round: number,
): Promise<Sample> {
  change(field);
  let copyMs = round % 2 === 0 ? target.copy(field.bytes) : 0;
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const ticket = await snap.save(field.state);
  const stallMs = performance.now() - start;
  await ticket.durable;
  const durableMs = performance.now() - start;
  const cpuMs = cpuMillis(cpuBefore);
  if (round % 2 === 1) copyMs = target.copy(field.bytes);
  await sleep(REST_MS);
  return { copyMs, stallMs, durableMs, cpuMs };
}

function codecOf(bytes: Buffer, chunks: readonly number[]): number {
  const changed = chunks.map((chunk) => bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES));
  return codecMillis(Buffer.concat(changed));
}

function rowOf(bytes: number, changed: string, taken: readonly Sample[]) {
  const memcpy = medianOf(taken, ({ copyMs }) => copyMs);
  const stalls = taken.map(({ stallMs }) => stallMs);
  const stall = median(stalls);
  const durable = medianOf(taken, ({ durableMs }) => durableMs);
  return {
    state: formatBytes(bytes),
    changed,
    samples: taken.length,
    memcpy,
    stall,
    'stall p99': percentile(stalls, 0.99),
    'memcpy / stall': memcpy / stall,
    durable,
    'durable / memcpy': durable / memcpy,
    cpu: medianOf(taken, ({ cpuMs }) => cpuMs),
  };
}

function holdTracked(report: Report, row: Awaited<ReturnType<typeof measureSaves>>[number]): void {
  const { state, changed, codec, memcpy, stall, durable } = row;
  const of = `${state}, ${changed}, ${codec === 'none' ? 'not compressed' : codec}`;
  const floor = `memcpy ${showMillis(memcpy)}`;
  report.hold(3, {
    of: `${of}: stall`,
    floor,
    figure: showMillis(stall),
    ratio: `1 / ${(memcpy / stall).toFixed(1)}`,
    limit: '1 / 25',
    met: memcpy >= 25 * stall,
  });
  report.hold(3, {
    of: `${of}: durable`,
    floor,
    figure: showMillis(durable),
    ratio: showRatio(durable / memcpy),
    limit: '0.5 x',
    met: durable <= 0.5 * memcpy,
  });
}

/** Writes to every so manieth page of two arrays, one of them tracked, and captures both. */
function measureShares(pages: DirtyPages, samples: number) {
  const plain = new Uint8Array(SHARE_BYTES).fill(1);
  const tracked = new Uint8Array(SHARE_BYTES).fill(1);
  const target = new WarmTarget(SHARE_BYTES);
  const span = pages.locate(tracked) as PageSpan;
  pages.track([span]);
  return SHARES.map((share) => {
    const taken = Array.from({ length: samples }, (_, round) => {
      const writeMs = millisOf(() => writePages(plain, share, round));
      const copyMs = target.copy(plain);
      const trackedWriteMs = millisOf(() => writePages(tracked, share, round));
      let written: readonly number[] = [];
      const askMs = millisOf(() => {
        written = pages.written(span) ?? [];
      });
      const piecesMs = millisOf(() => {
        for (let at = 0; at < written.length; at += 2)
          target.view.set(tracked.subarray(written[at], written[at + 1]), written[at]);
      });
      return { writeMs, copyMs, trackedWriteMs, askMs, piecesMs };
    });
    const of = (name: keyof (typeof taken)[number]) => medianOf(taken, (sample) => sample[name]);
    const followed = of('trackedWriteMs') + of('askMs') + of('piecesMs');
    return {
      'pages written': share,
      samples,
      write: of('writeMs'),
      'write, tracked': of('trackedWriteMs'),
      'per page': (of('trackedWriteMs') - of('writeMs')) / ((share * SHARE_BYTES) / PAGE),
      ask: of('askMs'),
      'copy those': of('piecesMs'),
      'copy all': of('copyMs'),
      'tracked / copied': followed / (of('writeMs') + of('copyMs')),
    };
  });
}

function writePages(bytes: Uint8Array, share: number, round: number): void {
  const stride = PAGE / share;
  for (let at = 0; at < bytes.length; at += stride) bytes[Math.floor(at)] = round;
}
