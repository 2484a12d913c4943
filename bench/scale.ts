/**
 * Large stores: a million chunks, a hundred thousand snapshots with a tag each. What opening costs after a clean close,
 * without an index and for a reader, and what the questions cost that a store is asked; each step in a fresh process.
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatBytes } from '../src/base/sizes.js';
import { folderBytes } from './support/disk.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { type Report, runBench, showMillis, showPercent, showRatio } from './support/program.js';
import { median } from './support/samples.js';

const CHUNKS = 1_000_000;
const SNAPSHOTS = 100_000;
const OPENINGS = 7;

interface Step {
  what: string;
  ms: number;
  cpuMs: number;
  peakBytes: number;
  result?: number;
}

const program = fileURLToPath(new URL('./support/scale-step.js', import.meta.url));

/** Runs one step in a process of its own. */
function run(step: string, folder: string, size = 0): Step[] {
  const { stdout, status } = spawnSync(process.execPath, [program, step, folder, String(size)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`step ${step} failed`);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Step);
}

await runBench('scale', 'stores of a million chunks and of 100,000 snapshots', async ({ folder, report }) => {
  const idle = run('idle', join(folder, 'idle')).at(-1)?.peakBytes ?? Number.NaN;
  const stores = [
    { name: `${CHUNKS} chunks`, make: 'make-chunks', size: CHUNKS, steps: ['clean', 'reader', 'rebuild'] },
    {
      name: `${SNAPSHOTS} snapshots`,
      make: 'make-snapshots',
      size: SNAPSHOTS,
      steps: ['clean', 'reader', 'rebuild', 'use'],
    },
  ];
  for (const { name, make, size, steps } of stores) {
    const store = join(folder, make);
    const others = new OtherLoad();
    run(make, store, size);
    const stored = folderBytes(store);
    const rows = steps.flatMap((step) =>
      run(step, store).map(({ what, ms, cpuMs, peakBytes, result }) => ({
        step: what,
        time: ms,
        cpu: cpuMs,
        'memory beyond idle': peakBytes - idle,
        result,
      })),
    );
    if (size === SNAPSHOTS) holdOpening(report, store, join(folder, 'idle'));
    report.section(
      `${name}, ${formatBytes(stored)}`,
      [
        { name: 'step' },
        { name: 'time', show: showMillis },
        { name: 'cpu', show: showMillis },
        { name: 'memory beyond idle', show: (bytes) => formatBytes(Math.max(0, bytes)) },
        { name: 'result' },
      ],
      rows,
      `other processes took ${showPercent(others.share())} of the machine`,
      OTHERS_NOTE,
      '"memory beyond idle": the most the process ever held, less what one with an empty store open holds;',
      '"result": how often progress was told, how many were found',
    );
  }
});

/** Opens a store and an empty one in turn. */
function holdOpening(report: Report, store: string, empty: string): void {
  const [large, small]: [number[], number[]] = [[], []];
  for (let round = 0; round < OPENINGS; round++) {
    small.push(run('clean', empty)[0]?.ms ?? Number.NaN);
    large.push(run('clean', store)[0]?.ms ?? Number.NaN);
  }
  report.hold(13, {
    of: `opening ${SNAPSHOTS} snapshots after a clean close`,
    floor: `an empty store ${showMillis(median(small))}`,
    figure: showMillis(median(large)),
    ratio: showRatio(median(large) / median(small)),
    limit: '100 ms',
    met: median(large) <= 100,
  });
}
