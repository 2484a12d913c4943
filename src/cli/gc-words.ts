/** What `snap gc` says of a collection: to people, and to programs. */

import { formatBytes } from '../base/sizes.js';
import type { GcReport, PlannedSnapshot, RetentionPolicy } from '../index.js';
import type { Output } from './output.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';
import { age, count, shortIds } from './words.js';

/** The first line: what was done, or would be. */
export function verdict(
  report: GcReport,
  policy: RetentionPolicy | undefined,
  run: string | undefined,
): string {
  const { dryRun, complete, dropped, packs, freedBytes, snapshots } = report;
  const drops = `${dryRun ? 'would drop' : 'dropped'} ${dropped} of ${count(snapshots.length, 'snapshot')}`;
  const frees = `${formatBytes(Math.max(0, freedBytes))} (${packsOf(report)})`;
  if (dropped === 0 && packs === 0) {
    if (complete) return `nothing to do: ${whyNothing(report, policy, run)}`;
    return dryRun ? 'the plan is not made yet' : 'nothing is done yet';
  }
  if (dropped === 0) return `${dryRun ? 'would free' : 'freed'} ${frees}, which nothing holds`;
  if (packs > 0) return `${drops} and ${dryRun ? 'free' : 'freed'} ${frees}`;
  if (complete) return `${drops}; no pack is worth rewriting for that`;
  return `${drops}; ${dryRun ? 'how much that frees is not known yet' : 'nothing is freed yet'}`;
}

function packsOf({ packs, repackedPacks, copiedBytes }: GcReport): string {
  const carried = repackedPacks > 0 ? `; ${formatBytes(copiedBytes)} in use carried elsewhere` : '';
  return count(packs, 'pack') + carried;
}

function whyNothing(
  { snapshots }: GcReport,
  policy: RetentionPolicy | undefined,
  run: string | undefined,
): string {
  const ofRun = run === undefined ? '' : ` of run ${run}`;
  if (snapshots.length === 0) return 'the store is empty';
  if (policy)
    return `the policy keeps ${snapshots.length === 1 ? 'the one snapshot' : `all ${snapshots.length} snapshots`}${ofRun}`;
  return `no snapshot${ofRun} is forgotten, and no --keep option was given`;
}

/** What stays although nobody holds it. */
export function tellOfGarbage({ garbageBytes, damagedPacks }: GcReport, output: Output): void {
  if (garbageBytes === 0) return;
  const where =
    damagedPacks.length > 0
      ? 'in packs that are damaged or mostly in use'
      : 'in packs that are mostly in use';
  output.data(`${formatBytes(garbageBytes)} of garbage stays ${where}; it goes when more of them is garbage`);
}

export function tellOfLimit({ limit }: GcReport, output: Output): void {
  if (!limit) return;
  const { maxBytes, bytes, reached } = limit;
  if (reached) output.data(`what is kept takes ${formatBytes(bytes)} of at most ${formatBytes(maxBytes)}`);
  else
    output.data(
      `over the limit of ${formatBytes(maxBytes)}: what any policy keeps takes ${formatBytes(bytes)} ` +
        '(the newest of each run, what has a tag, what is in use)',
    );
}

const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'run', least: 6, drop: 3 },
  { title: 'step', align: 'right', drop: 5 },
  { title: 'tags', least: 6, drop: 4 },
  { title: 'age', align: 'right', drop: 2 },
  { title: 'only here', align: 'right', drop: 1 },
  { title: 'plan' },
  { title: 'why', least: 8 },
];

/** One line a snapshot, newest first. */
export function planTable(
  snapshots: readonly PlannedSnapshot[],
  { dryRun, collected }: GcReport,
  style: Style,
  now: number,
): string {
  const [keep, drop] = !dryRun && collected ? ['kept', 'dropped'] : ['keep', 'drop'];
  const ids = shortIds(snapshots.map(({ id }) => id));
  const isExplained = snapshots.some(({ ownBytes }) => ownBytes !== undefined);
  const isShown = ({ title }: Column) => title !== 'only here' || isExplained;
  const rows = snapshots.map(({ id, run, step, tags, createdAt, ownBytes, reasons, ...planned }) => [
    ids.get(id) ?? id,
    run,
    step === undefined ? '-' : String(step),
    tags.join(', ') || '-',
    age(createdAt, now),
    ...(isExplained ? [formatBytes(ownBytes ?? 0)] : []),
    (planned.keep ? keep : drop) as string,
    reasons.join(', '),
  ]);
  return table(COLUMNS.filter(isShown), rows, style);
}

/** Every key there is; what is not known is null. */
export function gcJson({ snapshots, limit, ...report }: GcReport) {
  return {
    ...report,
    limit: limit ?? null,
    snapshots: snapshots.map(({ id, run, step, createdAt, tags, forgotten, keep, reasons, ownBytes }) => ({
      id,
      run,
      step: step ?? null,
      createdAt,
      tags,
      forgotten,
      keep,
      reasons,
      ownBytes: ownBytes ?? null,
    })),
  };
}
