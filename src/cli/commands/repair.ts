/**
 * `snap repair`: makes a damaged store one in which everything that is listed restores whole.
 *
 * Says what it will do, does it, and says what it did. `--dry-run` looks without the lock and changes nothing: what it
 * finds is what a repair would act on.
 */

import type { Command } from 'commander';
import { isSnapError, SnapError } from '../../base/errors.js';
import { formatBytes } from '../../base/sizes.js';
import type { RepairReport, VerifyReport } from '../../index.js';
import type { Context, Perform } from '../context.js';
import {
  damagedSnapshotJson,
  damagedTable,
  type Nameless,
  namelessLines,
  type Place,
  placesTable,
  repairedTable,
} from '../damage.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, WRITING } from '../help.js';
import { reading, unopened } from '../open-store.js';
import { Progress } from '../progress.js';
import { commandLine, commandList } from '../shell.js';
import { count, printable, shortIds } from '../words.js';

interface Options {
  dryRun?: boolean;
}

const EXAMPLES = [
  'snap repair --dry-run   what would be set aside, and what is lost',
  'snap repair',
  'snap repair --json | jq -c \'select(.message_type == "summary").lost[]\'',
];

const PHASES = {
  packs: { title: 'packs', unit: 'bytes' },
  snapshots: { title: 'snapshots', unit: 'snapshot' },
  salvage: { title: 'salvage', unit: 'pack' },
};

/** A file that a repair gives its name back. */
const MISPLACED = /^it is the file of pack \d+$/;

export function addRepair(program: Command, perform: Perform): void {
  program
    .command('repair')
    .description(
      'Makes a damaged store one in which everything that is listed restores whole: reads every byte, copies what ' +
        'is intact out of damaged packs, sets those aside, makes the index and a lost descriptor anew, and says ' +
        'what is lost. Deletes nothing.',
    )
    .summary('keep what is intact, and say what is lost')
    .option('--dry-run', 'only say what would be set aside and what is lost')
    .addHelpText('after', epilogue(EXAMPLES, WRITING))
    .action((options: Options) => perform((context) => (options.dryRun ? plan(context) : repair(context))));
}

/** What a repair would act on; it ends in the status in which that would. */
function plan(context: Context): Promise<ExitStatus> {
  const { output, json, signal } = context;
  context.warnings.leaveDamage();
  return reading(context, async (snap) => {
    const progress = new Progress(context, PHASES);
    const found = await snap
      .verify({ readData: true, signal, onProgress: progress.tell })
      .finally(() => progress.end());
    const { damage, damagedSnapshots: lost, unlisted, damagedTags, uncertain } = found;
    const snapshots = found.snapshots - lost.length;
    if (json) {
      output.jsonLine('summary', {
        store: snap.directory,
        dryRun: true,
        descriptor: false,
        snapshots,
        packs: packsOf(damage),
        salvagedBytes: 0,
        lost: lost.map(damagedSnapshotJson),
        unlisted,
        damagedTags,
        uncertain,
        clean: found.ok,
      });
    } else {
      tellPlan(context, found, snapshots);
    }
    return statusOf(found, lost.length);
  });
}

function tellPlan({ output }: Context, found: VerifyReport, kept: number): void {
  const { ok, damage, damagedSnapshots: lost } = found;
  if (ok) {
    output.data(`nothing is wrong: ${whole(kept)}; only the index would be made anew`);
    return;
  }
  output.data(`would keep ${count(kept, 'snapshot')} and lose ${lost.length}; nothing was done`);
  for (const line of namelessLines(found)) output.data(line);
  if (damage.length > 0) {
    output.data('\nwould be set aside, when what is intact was copied out:');
    output.data(placesTable(damage, output.style));
  }
  if (lost.length > 0) output.data(`\nwould be forgotten:\n${damagedTable(lost, output.style)}`);
  if (damage.some(({ reason }) => MISPLACED.test(reason))) {
    output.talk('\nFiles under wrong names get their own again first: what is lost then may be less.');
  }
}

async function repair(context: Context): Promise<ExitStatus> {
  const { output, json, signal } = context;
  return unopened(context, async (directory, library) => {
    output.talk(`repairing ${printable(directory)}: all of it is read; damaged packs are set aside`);
    output.talk('when what is intact was copied out of them; nothing is deleted');
    const progress = new Progress(context, PHASES);
    try {
      const report = await library.repair(directory, { signal, onProgress: progress.tell });
      progress.end();
      if (json) output.jsonLine('summary', { store: directory, dryRun: false, ...reportJson(report) });
      else tell(context, report);
      return statusOf(report, report.lost.length);
    } catch (error) {
      progress.end();
      if (signal.aborted) output.talk('what was intact is still there: run it again');
      throw isSnapError(error, 'SNAP_LOCKED') ? ownedError(error) : error;
    }
  });
}

/** A repair is nothing that an owner could be asked to do. */
function ownedError(error: SnapError): SnapError {
  const owner = error.pid === undefined ? 'another process' : `process ${error.pid}`;
  const message = `${owner} owns this store: end it first, as a repair needs the store for itself (verify and repair --dry-run work beside it)`;
  return new SnapError('SNAP_LOCKED', message, { ...error, cause: error });
}

/** Damage where anything is lost, or nobody can say that nothing is. */
function statusOf({ unlisted, damagedTags, uncertain }: Nameless, lost: number): ExitStatus {
  return lost + unlisted + damagedTags > 0 || uncertain ? ExitStatus.damage : ExitStatus.done;
}

function reportJson({ packs, lost, ...report }: RepairReport) {
  return {
    ...report,
    packs: packs.map(({ pack, reasons, movedTo }) => ({ pack, reasons, movedTo: movedTo ?? null })),
    lost: lost.map(damagedSnapshotJson),
  };
}

/** As a repair reports them. */
function packsOf(places: readonly Place[]) {
  const packs = new Map<number, string[]>();
  for (const { pack, offset, reason } of places) {
    const told = offset === 0 ? reason : `byte ${offset}: ${reason}`;
    packs.set(pack, [...(packs.get(pack) ?? []), told]);
  }
  return [...packs].map(([pack, reasons]) => ({ pack, reasons, movedTo: null }));
}

function tell(context: Context, report: RepairReport): void {
  const { output } = context;
  const { clean, descriptor, snapshots, packs, salvagedBytes, lost } = report;
  if (clean) {
    output.data(`nothing was wrong: ${whole(snapshots)}; the index was made anew`);
    return;
  }
  const isLoss = statusOf(report, lost.length) === ExitStatus.damage;
  const fate = isLoss ? (lost.length > 0 ? `, ${lost.length} lost` : '') : ', nothing is lost';
  output.data(`repaired: ${whole(snapshots)}${fate}`);
  for (const line of namelessLines(report)) output.data(line);
  if (descriptor) output.data('the descriptor (holdfast.json) was made anew');
  if (packs.length > 0) output.data(`\npacks:\n${repairedTable(packs, output.style)}`);
  if (salvagedBytes > 0) output.data(`${formatBytes(salvagedBytes)} of them were intact and copied out`);
  if (lost.length > 0) output.data(`\nlost:\n${damagedTable(lost, output.style)}`);
  if (isLoss) for (const line of afterLoss(context, report)) output.talk(line);
}

/** What to do about what is lost. */
function afterLoss(context: Context, { snapshots, lost }: RepairReport): string[] {
  const [first] = shortIds(lost.map(({ id }) => id)).values();
  const left = snapshots > 0 ? 'what is whole; a program resumes from the newest' : 'is empty now';
  const next: [string, string][] = [[commandLine(context, 'ls'), left]];
  if (first !== undefined) {
    next.push([commandLine(context, 'unforget', first), 'brings one back, for its regions that are intact']);
  }
  return ['\nA backup from before the damage still has what is lost. In this store:', ...commandList(next)];
}

function whole(snapshots: number): string {
  return snapshots === 1 ? '1 snapshot is whole' : `${snapshots} snapshots are whole`;
}
