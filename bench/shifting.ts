/**
 * Bytes that shift: serialised blobs into which something is inserted, at random places or at the end. How much of them is
 * written anew, beside what fixed chunks would write, and what it costs beside memcpy + compare of the same bytes.
 *
 * The loop waits until each save is durable, so that all CPU time is the save's. The first insertion counts for itself: until
 * then nothing has moved, and the region is cut into fixed chunks.
 */

import { join } from 'node:path';
import { serialize } from 'node:v8';
import { formatBytes, MiB } from '../src/base/sizes.js';
import { Snap } from '../src/index.js';
import { REST_MS, type SaveCost, saveCost } from './support/costs.js';
import { type CopyAndCompare, copyAndCompare, WarmTarget } from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { type Report, runBench, showMillis, showPercent, showRatio, sleep } from './support/program.js';
import { meanOf, medianOf, seededRandom } from './support/samples.js';
import { CHUNK_BYTES } from './support/states.js';

const SIZES = [8 * MiB, 64 * MiB];
const MOST_INSERTED = 1000;

type Random = () => number;

const CHANGES: { name: string; samples: number; isTarget?: true; insertions?: number; appended?: number }[] =
  [
    { name: 'one insertion, the first', samples: 6, isTarget: true, insertions: 1 },
    { name: 'one insertion', samples: 20, isTarget: true, insertions: 1 },
    { name: 'ten insertions', samples: 10, insertions: 10 },
    { name: 'appended to', samples: 10, appended: 10_000 },
  ];

const BLOBS: { name: string; encode(value: unknown): Buffer }[] = [
  { name: 'v8.serialize', encode: serialize },
  { name: 'JSON', encode: (value) => Buffer.from(JSON.stringify(value)) },
];

await runBench('shifting', 'bytes that shift', async ({ folder, samples, sizes, report }) => {
  const rows = [];
  for (const { name: blob, encode } of BLOBS) {
    for (const bytes of sizes ?? SIZES) {
      const random = seededRandom(1);
      const first = encode({ step: 1, items: itemsFor(bytes, encode, random) });
      for (const change of CHANGES) {
        const store = join(folder, `${blob}-${bytes}-${change.name}`);
        const others = new OtherLoad();
        const taken = await measure(store, first, encode, change, samples ?? change.samples, random);
        const row = {
          blob,
          size: first.length,
          changed: change.name,
          ...taken,
          'other processes': others.share(),
        };
        rows.push(row);
        if (change.isTarget) hold(report, row);
      }
    }
  }
  report.section(
    'A save of a blob into which 1 to 1000 bytes were inserted at random places (medians; bytes: means)',
    [
      { name: 'blob' },
      { name: 'size', show: formatBytes },
      { name: 'changed' },
      { name: 'samples' },
      { name: 'fixed chunks', show: showPercent },
      { name: 'new bytes', show: (share) => `${(100 * share).toFixed(2)} %` },
      { name: 'written', show: (value) => formatBytes(Math.round(value)) },
      { name: 'memcpy + compare', show: showMillis },
      { name: 'durable', show: showMillis },
      { name: 'durable ratio', show: showRatio },
      { name: 'cpu', show: showMillis },
      { name: 'cpu ratio', show: showRatio },
      { name: 'other processes', show: showPercent },
    ],
    rows,
    'fixed chunks: the share of the blob in 64 KiB chunks that are not what stood in their places before',
    'new bytes: the share of the blob in chunks that were put; written: growth of the store folder',
    OTHERS_NOTE,
  );
});

interface Sample extends SaveCost, CopyAndCompare {
  /** Shares of the blob: in fixed chunks that changed, and in chunks that were put. */
  fixed: number;
  anew: number;
}

async function measure(
  store: string,
  first: Buffer,
  encode: (value: unknown) => Buffer,
  { name, insertions = 0, appended = 0 }: (typeof CHANGES)[number],
  samples: number,
  random: Random,
) {
  const taken: Sample[] = [];
  const isFirst = name.endsWith('first');
  const change = (bytes: Buffer): Buffer => {
    let next = bytes;
    for (let times = 0; times < insertions; times++) {
      const at = Math.floor(random() * next.length);
      const part = encode(item(random)).subarray(0, 1 + Math.floor(random() * MOST_INSERTED));
      next = Buffer.concat([next.subarray(0, at), part, next.subarray(at)]);
    }
    return appended > 0 ? Buffer.concat([next, Buffer.alloc(appended, encode(item(random)))]) : next;
  };
  let bytes = first;
  let snap: Snap | undefined;
  for (let sample = isFirst ? 0 : -2; sample < samples; sample++) {
    if (!snap || isFirst) {
      await snap?.close();
      bytes = first;
      snap = await Snap.open(isFirst ? `${store}-${sample}` : store, { capture: 'copy' });
      await snap.prepare({ blob: bytes });
      await snap.save({ blob: own(bytes) }, { durable: true });
      await sleep(REST_MS);
    }
    const next = change(bytes);
    const one = await take(snap, isFirst ? `${store}-${sample}` : store, own(next), bytes);
    if (sample >= 0) taken.push(one);
    bytes = next;
  }
  await snap?.close();
  const floorMs = medianOf(taken, (sample) => sample.floorMs);
  const durableMs = medianOf(taken, (sample) => sample.durableMs);
  const cpuMs = medianOf(taken, (sample) => sample.cpuMs);
  return {
    samples,
    'fixed chunks': meanOf(taken, ({ fixed }) => fixed),
    'new bytes': meanOf(taken, ({ anew }) => anew),
    'most new bytes': Math.max(...taken.map(({ anew }) => anew)),
    written: meanOf(taken, ({ writtenBytes }) => writtenBytes),
    'memcpy + compare': floorMs,
    durable: durableMs,
    'durable ratio': durableMs / floorMs,
    cpu: cpuMs,
    'cpu ratio': cpuMs / medianOf(taken, (sample) => sample.floorCpuMs),
  };
}

async function take(snap: Snap, store: string, blob: Uint8Array, previous: Buffer): Promise<Sample> {
  const now = Buffer.from(blob.buffer as ArrayBuffer);
  const floor = copyAndCompare(now, previous, new WarmTarget(blob.length));
  const beyond = Math.max(0, now.length - previous.length);
  const cost = await saveCost(snap, store, { blob });
  return {
    ...floor,
    ...cost,
    fixed: Math.min(1, (floor.changed.length * CHUNK_BYTES + beyond) / now.length),
    anew: cost.newBytes / now.length,
  };
}

/** A buffer of its own: others would be saved with what lies beside them. */
function own(bytes: Buffer): Uint8Array {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}

function item(random: Random) {
  const name = `agent ${Math.floor(random() * 1e9).toString(36)}`;
  const neighbours = Array.from({ length: 60 }, () => Math.floor(random() * 1e6));
  return { name, at: random() * 100, place: { x: random(), y: random() }, tags: ['a', 'b'], neighbours };
}

/** As many as make up about so many bytes. */
function itemsFor(bytes: number, encode: (value: unknown) => Buffer, random: Random): object[] {
  const some = Array.from({ length: 100 }, () => item(random));
  const each = encode(some).length / some.length;
  return Array.from({ length: Math.ceil(bytes / each) }, () => item(random));
}

type Row = { blob: string; size: number; changed: string } & Awaited<ReturnType<typeof measure>>;

function hold(report: Report, row: Row): void {
  const most = row['most new bytes'];
  report.hold(11, {
    of: `${row.blob} of ${formatBytes(row.size)}, ${row.changed}`,
    floor: `fixed chunks ${showPercent(row['fixed chunks'])}`,
    figure: `${showPercent(row['new bytes'])} new, at most ${showPercent(most)}`,
    ratio: showRatio(row['new bytes'] / row['fixed chunks']),
    limit: '12 %',
    met: most <= 0.12,
  });
}
