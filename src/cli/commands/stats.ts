/** `snap stats`: how large the store is, and what incremental saving and compression did for it. */

import type { Command } from 'commander';
import { formatBytes } from '../../base/sizes.js';
import type { RegionSizes, RunStats, Snap, StoreStats } from '../../index.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, READING } from '../help.js';
import { reading } from '../open-store.js';
import { Progress } from '../progress.js';
import type { Style } from '../style.js';
import { type Column, pairs, table } from '../table.js';
import { age, count, ratio, shortId, times } from '../words.js';

const EXAMPLES = [
  'snap stats',
  'snap stats --regions                which arrays take the disk',
  "snap stats --json | jq '.packBytes'",
];

interface Options {
  regions?: boolean;
}

const PHASES = { regions: { title: 'regions', unit: 'snapshot' } };

/** Sums that the store and each of its runs have. */
type Sums = Pick<RunStats, 'snapshots' | 'logicalBytes' | 'changedBytes' | 'storedBytes'>;

export function addStats(program: Command, perform: Perform): void {
  program
    .command('stats')
    .description(
      'Shows sizes: of all states that were saved, of what changed between them, of what was stored for that, ' +
        'and of the files; for the store and for each run, and with --regions for each region.',
    )
    .summary('sizes, and what incremental saving and compression did')
    .option('--regions', 'also what each region takes; reads what describes the states, so it takes longer')
    .addHelpText('after', epilogue(EXAMPLES, READING))
    .action((options: Options) => perform((context) => stats(context, options)));
}

async function stats(context: Context, options: Options): Promise<ExitStatus> {
  const { output, json } = context;
  return reading(context, async (snap) => {
    const found = await snap.stats();
    const regions = options.regions ? await sizesByRegion(context, snap) : undefined;
    if (json) output.json({ store: snap.directory, ...statsJson(found), ...(regions && { regions }) });
    else
      output.data(
        describe(found, output.style) + (regions ? `\n\n${regionTable(regions, output.style)}` : ''),
      );
    return ExitStatus.done;
  });
}

/** With a bar, but no lines of JSON: there it is one document. */
async function sizesByRegion(context: Context, snap: Snap): Promise<RegionSizes[]> {
  const { signal, json } = context;
  if (json) return snap.regionSizes({ signal });
  const progress = new Progress(context, PHASES);
  const onProgress = (far: { done: number; total: number }) => progress.tell({ phase: 'regions', ...far });
  return snap.regionSizes({ signal, onProgress }).finally(() => progress.end());
}

function statsJson({ directory: _, runs, ...store }: StoreStats) {
  return {
    ...store,
    ...ratiosOf(store),
    runs: runs.map((run) => ({ ...run, ...ratiosOf(run) })),
  };
}

/** How many times smaller each step made it; null where there is nothing to compare. */
function ratiosOf({ snapshots, logicalBytes, changedBytes, storedBytes }: Sums) {
  return {
    incrementalRatio: ratio(logicalBytes, changedBytes) ?? null,
    storingRatio: ratio(changedBytes, storedBytes) ?? null,
    totalRatio: ratio(logicalBytes, storedBytes) ?? null,
    storedBytesPerSnapshot: ratio(storedBytes, snapshots) ?? null,
  };
}

function describe(stats: StoreStats, style: Style): string {
  const { logicalBytes, changedBytes, storedBytes } = stats;
  const forgotten = stats.forgotten > 0 ? `, and ${stats.forgotten} forgotten` : '';
  const facts = pairs(
    [
      ['store', stats.directory],
      [
        'made',
        `${stats.createdAt.toISOString()} (${age(stats.createdAt, Date.now())}), format ${stats.format}`,
      ],
      ['snapshots', `${stats.snapshots}${forgotten}; ${count(stats.tags, 'tag')}`],
      ['states', `${formatBytes(logicalBytes)} in all`],
      [
        'changed',
        `${formatBytes(changedBytes)}: ${times(ratio(logicalBytes, changedBytes))} less than the states`,
      ],
      [
        'stored',
        `${formatBytes(storedBytes)}: ${times(ratio(changedBytes, storedBytes))} less than what changed`,
      ],
      [
        'on disk',
        `${formatBytes(stats.packBytes)} in ${count(stats.packs, 'pack')}, index ${formatBytes(stats.indexBytes)}`,
      ],
    ],
    style,
  );
  return stats.runs.length === 0 ? facts : `${facts}\n\n${runTable(stats.runs, style)}`;
}

const COLUMNS: readonly Column[] = [
  { title: 'run', least: 6 },
  { title: 'snapshots', align: 'right', drop: 6 },
  { title: 'newest', drop: 1 },
  { title: 'states', align: 'right', drop: 5 },
  { title: 'changed', align: 'right', drop: 3 },
  { title: 'stored', align: 'right', drop: 4 },
  { title: 'stored each', align: 'right', drop: 2 },
];

function runTable(runs: readonly RunStats[], style: Style): string {
  return table(
    COLUMNS,
    runs.map((run) => [
      run.run,
      String(run.snapshots),
      shortId(run.newest),
      formatBytes(run.logicalBytes),
      formatBytes(run.changedBytes),
      formatBytes(run.storedBytes),
      formatBytes(Math.round(run.storedBytes / Math.max(run.snapshots, 1))),
    ]),
    style,
  );
}

const REGION_COLUMNS: readonly Column[] = [
  { title: 'run', least: 6, drop: 6 },
  { title: 'region', least: 12 },
  { title: 'kind', drop: 4 },
  { title: 'snapshots', align: 'right', drop: 5 },
  { title: 'states', align: 'right', drop: 3 },
  { title: 'stored', align: 'right' },
  { title: 'stored each', align: 'right', drop: 2 },
];

function regionTable(regions: readonly RegionSizes[], style: Style): string {
  return table(
    REGION_COLUMNS,
    regions.map(({ run, path, kind, snapshots, logicalBytes, storedBytes }) => [
      run,
      path ?? '(the rest)',
      path === undefined ? '-' : kind,
      String(snapshots),
      formatBytes(logicalBytes),
      formatBytes(storedBytes),
      formatBytes(Math.round(storedBytes / snapshots)),
    ]),
    style,
  );
}
