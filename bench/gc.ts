/**
 * Garbage collection of a long run: time and memory at rest, and what a loop that goes on saving feels of it.
 *
 * - `--samples` snapshots (10,000) of a state of `--sizes` (256 MiB), each with 1 % changed in one place; the oldest 90 %
 *   are collected by a fresh process
 * - then the same loop saves on while the oldest 90 % of what is left are collected: stall and time to durable with and
 *   without gc, in one run
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatBytes, MiB } from '../src/base/sizes.js';
import { type GcReport, Snap } from '../src/index.js';
import { folderBytes } from './support/disk.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { runBench, showMillis, showPercent, showRatio, sleep } from './support/program.js';
import { summarize } from './support/samples.js';
import { SmoothField } from './support/states.js';

const SNAPSHOTS = 10_000;
const BYTES = 256 * MiB;
const CHANGED = 0.01;
const QUIET_SAVES = 100;
const BETWEEN_SAVES_MS = 50;

/** Of a process, in bytes: resident, and without what is mapped from files. */
interface Memory {
  openBytes: number;
  peakBytes: number;
  openOwnBytes: number;
  peakOwnBytes: number;
}

await runBench(
  'gc',
  'collecting the oldest 90 % of a long run',
  async ({ folder, samples, sizes, report }) => {
    const snapshots = samples ?? SNAPSHOTS;
    const bytes = sizes?.[0] ?? BYTES;
    const store = join(folder, 'store');
    const field = new SmoothField(bytes);
    const save = async (snap: Snap) => {
      field.changeContiguous(CHANGED * field.bytes.length);
      const ticket = await snap.save(field.state);
      const { durableMs } = await ticket.durable;
      return { stallMs: ticket.stallMs, durableMs: durableMs ?? Number.NaN };
    };

    let snap = await Snap.open(store);
    const began = performance.now();
    for (let made = 0; made < snapshots; made++) await save(snap);
    await snap.close();
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    console.log(
      `${snapshots} snapshots of ${formatBytes(bytes)} made in ${seconds} s, ${formatBytes(folderBytes(store))}`,
    );

    const others = new OtherLoad();
    const kept = Math.max(2, Math.round(snapshots / 10));
    const program = fileURLToPath(new URL('./support/gc-at-rest.js', import.meta.url));
    const child = spawnSync(process.execPath, [program, store, String(kept)], { encoding: 'utf8' });
    if (child.status !== 0) throw new Error(child.stderr);
    const rest = JSON.parse(child.stdout) as GcReport & Memory;
    const heldBytes = rest.peakBytes - rest.openBytes;
    report.hold(14, {
      of: `gc of ${rest.dropped} of ${snapshots} snapshots`,
      floor: `open ${formatBytes(rest.openBytes)}`,
      figure: formatBytes(heldBytes),
      ratio: '',
      limit: '100 MB',
      met: heldBytes <= 100e6,
    });
    report.section(
      `gc --keep-last ${kept} of ${snapshots} snapshots, at rest`,
      [
        { name: 'dropped' },
        { name: 'time', show: showMillis },
        { name: 'freed' },
        { name: 'copied' },
        { name: 'garbage left' },
        { name: 'memory at open' },
        { name: 'peak memory' },
        { name: 'beyond open' },
        { name: 'of it not mapped files' },
        { name: 'other processes', show: showPercent },
      ],
      [
        {
          dropped: rest.dropped,
          time: rest.seconds * 1000,
          freed: formatBytes(rest.freedBytes),
          copied: formatBytes(rest.copiedBytes),
          'garbage left': formatBytes(rest.garbageBytes),
          'memory at open': formatBytes(rest.openBytes),
          'peak memory': formatBytes(rest.peakBytes),
          'beyond open': formatBytes(heldBytes),
          'of it not mapped files': formatBytes(rest.peakOwnBytes - rest.openOwnBytes),
          'other processes': others.share(),
        },
      ],
      'mapped files: the tables of the index as far as they were read, which the kernel may take back; the highest of each',
      OTHERS_NOTE,
    );

    snap = await Snap.open(store);
    await snap.prepare(field.state);
    const quiet: { stallMs: number; durableMs: number }[] = [];
    for (let made = 0; made < QUIET_SAVES; made++) {
      quiet.push(await save(snap));
      await sleep(BETWEEN_SAVES_MS);
    }
    const beside: typeof quiet = [];
    let done = false;
    const collecting = snap.gc({ last: Math.max(2, Math.round(kept / 10)) }).finally(() => {
      done = true;
    });
    while (!done) {
      beside.push(await save(snap));
      await sleep(BETWEEN_SAVES_MS);
    }
    const collected = await collecting;
    await snap.close();
    const row = (what: string, list: typeof quiet) => {
      const [stall, durable] = [list.map((one) => one.stallMs), list.map((one) => one.durableMs)].map(
        summarize,
      );
      return {
        saves: what,
        count: list.length,
        'stall p50': stall?.p50,
        'stall p99': stall?.p99,
        'durable p50': durable?.p50,
        'durable p99': durable?.p99,
      };
    };
    const [without, during] = [row('without gc', quiet), row('beside gc', beside)];
    const ratio = (name: 'stall p50' | 'durable p50') =>
      (during[name] ?? Number.NaN) / (without[name] ?? Number.NaN);
    report.section(
      `Saves every ${BETWEEN_SAVES_MS} ms while ${collected.dropped} snapshots are collected in ${collected.seconds.toFixed(1)} s`,
      [
        { name: 'saves' },
        { name: 'count' },
        { name: 'stall p50', show: showMillis },
        { name: 'stall p99', show: showMillis },
        { name: 'durable p50', show: showMillis },
        { name: 'durable p99', show: showMillis },
      ],
      [without, during],
      `beside / without: stall p50 ${showRatio(ratio('stall p50'))}, durable p50 ${showRatio(ratio('durable p50'))}`,
    );
  },
);
