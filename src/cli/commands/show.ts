/** `snap show`: everything about one snapshot. */

import type { Command } from 'commander';
import { readLoopMeta } from '../../api/loop/meta.js';
import { formatBytes } from '../../base/sizes.js';
import { roughDuration } from '../../base/units.js';
import type { RegionInfo, SnapshotInfo } from '../../index.js';
import { parseRef, RUN_OF_REF } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, READING } from '../help.js';
import { snapshotJson } from '../json.js';
import { type Lineage, lineageOf } from '../lineage.js';
import { reading } from '../open-store.js';
import { REF_HELP, resolveRef } from '../refs.js';
import type { Style } from '../style.js';
import { pairs, table } from '../table.js';
import { age, count, shortIds } from '../words.js';

interface Options {
  run?: string;
}

type Details = SnapshotInfo & { regions: RegionInfo[] };

const ANCESTORS = 10;
const EXAMPLES = [
  'snap show latest',
  'snap show best',
  'snap show step:300 --run heat',
  "snap show 3f9a21c0 --json | jq '.snapshot.regions'",
];

export function addShow(program: Command, perform: Perform): void {
  program
    .command('show')
    .description('Shows one snapshot: where it comes from, its regions and its lineage.')
    .summary('show one snapshot, its regions and its lineage')
    .argument('<REF>', REF_HELP, parseRef)
    .option(...RUN_OF_REF)
    .addHelpText('after', epilogue(EXAMPLES, READING))
    .action((ref: string, options: Options) => perform((context) => show(context, ref, options)));
}

async function show(context: Context, ref: string, { run }: Options): Promise<ExitStatus> {
  const { output, json } = context;
  return reading(context, async (snap) => {
    const { id } = await resolveRef(snap, ref, run);
    const info = await snap.info(id);
    const lineage = await lineageOf(snap, info, ANCESTORS);
    if (json) output.json({ store: snap.directory, ...detailsJson(info, lineage) });
    else output.data(describe(info, lineage, output.style));
    return ExitStatus.done;
  });
}

function detailsJson(info: Details, lineage: Lineage) {
  return {
    snapshot: { ...snapshotJson(info), regions: info.regions },
    lineage: lineage.ancestors.map(({ id, run, step, createdAt, forgotten }) => ({
      id,
      run,
      step: step ?? null,
      createdAt,
      forgotten,
    })),
    lineageComplete: lineage.next === undefined,
  };
}

function describe(info: Details, lineage: Lineage, style: Style): string {
  const now = Date.now();
  const { name, version, node } = info.program;
  const facts: (readonly [string, string])[] = [
    ['snapshot', info.id],
    ['run', info.run],
    ['step', info.step === undefined ? '-' : String(info.step)],
    ['tags', info.tags.join(', ') || '-'],
    ['created', `${info.createdAt.toISOString()} (${age(info.createdAt, now)})`],
    ['size', `${formatBytes(info.logicalBytes)} in ${count(info.regions.length, 'region')}`],
    ['changed', formatBytes(info.changedBytes)],
    ['stored', formatBytes(info.storedBytes)],
    ['held the loop', milliseconds(info.stallMs)],
    ['durable after', milliseconds(info.durableMs)],
    ['program', `${[name, version].filter(Boolean).join(' ') || '-'}, Node ${node}`],
  ];
  facts.push(...loopFacts(info));
  const parts = [pairs(facts, style)];
  if (info.regions.length > 0) parts.push(regionTable(info.regions, style));
  parts.push(lineageTable(info, lineage, style, now));
  return parts.join('\n\n');
}

/** What the loop that made it says of itself; or the JSON that was given to `save`. */
function loopFacts(info: Details): [string, string][] {
  if (info.meta === undefined) return [];
  const loop = readLoopMeta(info);
  if (!loop) return [['meta', JSON.stringify(info.meta)]];
  const { elapsedMs, restarts, done, cadence } = loop;
  const resumed = restarts > 0 ? [`resumed ${count(restarts, 'time')}`] : [];
  const facts: [string, string][] = [
    ['run clock', [roughDuration(elapsedMs), ...resumed, ...(done ? ['done'] : [])].join(', ')],
  ];
  if (cadence) facts.push(['saved', cadence.reason]);
  return facts;
}

function regionTable(regions: readonly RegionInfo[], style: Style): string {
  return table(
    [
      { title: 'region', least: 8 },
      { title: 'kind', least: 8, drop: 3 },
      { title: 'size', align: 'right', drop: 1 },
      { title: 'bytes', align: 'right', drop: 2 },
    ],
    regions.map(({ path, kind, byteLength }) => [
      path === '' ? '(state)' : path,
      kind,
      formatBytes(byteLength),
      String(byteLength),
    ]),
    style,
  );
}

function lineageTable(info: Details, { ancestors, next, cut }: Lineage, style: Style, now: number): string {
  const all = [info, ...ancestors];
  const ids = shortIds(next === undefined ? all.map(({ id }) => id) : [...all.map(({ id }) => id), next]);
  const rows = all.map(({ id, run, step, createdAt, forgotten }) => [
    `${ids.get(id)}${forgotten ? ' (forgotten)' : ''}`,
    run,
    step === undefined ? '-' : String(step),
    age(createdAt, now),
  ]);
  if (next !== undefined) rows.push([`${ids.get(next)} ${cut ? '(gone)' : '...'}`, '', '', '']);
  return table(
    [
      { title: 'lineage' },
      { title: 'run', least: 6, drop: 1 },
      { title: 'step', align: 'right' },
      { title: 'age', align: 'right', drop: 2 },
    ],
    rows,
    style,
  );
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '(not noted)' : `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}
