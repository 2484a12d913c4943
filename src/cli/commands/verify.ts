/**
 * `snap verify`: is everything there, and can it be read? Writes nothing but how far it came, so it works beside a
 * live run.
 */

import type { Command } from 'commander';
import { formatBytes } from '../../base/sizes.js';
import type { Snap, VerifyOptions, VerifyReport } from '../../index.js';
import { parseSeconds, parseShare } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { damagedSnapshotJson, damagedTable, placesTable } from '../damage.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, READING } from '../help.js';
import { reading } from '../open-store.js';
import { Progress } from '../progress.js';
import { commandLine } from '../shell.js';
import { count, duration } from '../words.js';

interface Options {
  /** True: all of the data. */
  readData?: number | true;
  maxSeconds?: number;
}

const EXAMPLES = [
  'snap verify                                 a look at the structure: fast',
  'snap verify --read-data                     every byte',
  'snap verify --read-data 5%                  a twentieth of the data, drawn at random',
  'snap verify --read-data --max-seconds 600   ten minutes a night, on from where the last ended',
];

const PHASES = {
  packs: { title: 'packs', unit: 'bytes' },
  snapshots: { title: 'snapshots', unit: 'snapshot' },
};

export function addVerify(program: Command, perform: Perform): void {
  program
    .command('verify')
    .description(
      'Checks that everything the snapshots need is there; with --read-data, that it reads back as it was ' +
        'written. Says what is damaged and which snapshots that hits. Changes nothing.',
    )
    .summary('check that everything is there and can be read')
    .option('--read-data [SAMPLE%]', 'read every byte, or a sample of the data', parseShare)
    .option('--max-seconds <S>', 'end after so long; the next run goes on from there', parseSeconds)
    .addHelpText('after', epilogue(EXAMPLES, [...READING, ExitStatus.partly]))
    .action((options: Options) => perform((context) => verify(context, options)));
}

function verify(context: Context, options: Options): Promise<ExitStatus> {
  const { output, json } = context;
  context.warnings.leaveDamage();
  return reading(context, async (snap) => {
    const began = performance.now();
    const report = await look(context, snap, options);
    const elapsed = performance.now() - began;
    if (json) output.jsonLine('summary', { store: snap.directory, ...reportJson(report) });
    else tell(context, report, options, elapsed);
    if (!report.ok) return ExitStatus.damage;
    return report.complete ? ExitStatus.done : ExitStatus.partly;
  });
}

async function look(context: Context, snap: Snap, { readData, maxSeconds }: Options): Promise<VerifyReport> {
  const progress = new Progress(context, PHASES);
  const options: VerifyOptions = { maxSeconds, signal: context.signal, onProgress: progress.tell };
  if (readData !== undefined)
    Object.assign(options, { readData: true, sample: readData === true ? 1 : readData });
  try {
    return await snap.verify(options);
  } catch (error) {
    if (context.signal.aborted)
      context.output.talk('the next run with the same --read-data goes on from here');
    throw error;
  } finally {
    progress.end();
  }
}

function reportJson({ damagedSnapshots, ...report }: VerifyReport) {
  return { ...report, damagedSnapshots: damagedSnapshots.map(damagedSnapshotJson) };
}

function tell(context: Context, report: VerifyReport, options: Options, elapsed: number): void {
  const { output } = context;
  output.data(verdict(report, options));
  if (report.damagedSnapshots.length > 0) {
    output.data(`\n${damagedTable(report.damagedSnapshots, output.style)}`);
  }
  if (report.damage.length > 0) output.data(`\n${placesTable(report.damage, output.style)}`);
  if (!report.complete) output.talk(whereItStopped(report, elapsed));
  for (const line of advice(context, report, options)) output.talk(line);
}

/** The first line: as much as can be said, and no more. */
function verdict(report: VerifyReport, { readData }: Options): string {
  const { ok, complete, snapshots, damagedSnapshots, continues, packsTotal, records, readBytes } = report;
  const read = readData === undefined ? '' : `, ${formatBytes(readBytes)} of data read`;
  const before = continues ? '; the rest in earlier runs' : '';
  const looked = `${count(records, 'record')}${read}${before}`;
  if (damagedSnapshots.length > 0) {
    return `damaged: ${damagedSnapshots.length} of ${count(snapshots, 'snapshot')} cannot be restored whole (${looked})`;
  }
  if (!ok) return `damaged: ${untouched(report)} (${looked})`;
  if (!complete) return `sound so far (${looked})`;
  return `sound: ${count(snapshots, 'snapshot')} in ${count(packsTotal, 'pack')} (${looked})`;
}

/** A manifest that cannot be read is a snapshot that is not listed: nobody can say more of it than that. */
function untouched({ complete, snapshots }: VerifyReport): string {
  if (!complete) return 'which snapshots that hits is looked at when all packs are through';
  return `${count(snapshots, 'snapshot')} that can be listed ${snapshots === 1 ? 'does' : 'do'} not need what is`;
}

function whereItStopped({ packs, packsBefore, packsTotal }: VerifyReport, elapsed: number): string {
  const finished = packs + packsBefore;
  const where =
    finished < packsTotal
      ? `pack ${finished + 1} of ${packsTotal}; the next run goes on from`
      : 'the snapshots; the next run begins';
  return `stopped after ${duration(elapsed)} at ${where} there`;
}

/** What to do next. */
function advice(context: Context, { ok, complete }: VerifyReport, { readData }: Options): string[] {
  const all = commandLine(context, 'verify', '--read-data');
  if (ok) return complete && readData === undefined ? [`the data itself was not read: ${all}`] : [];
  const repair = commandLine(context, 'repair');
  return [
    '',
    'Nothing was changed. Next:',
    ...(readData === true ? [] : [`  ${all}   all of the damage`]),
    `  ${repair} --dry-run   what can be kept, and what is lost`,
    `  ${repair}             keeps all that is intact, deletes nothing`,
    'Is there a backup? Put the packs of that number back from it first, and verify again.',
  ];
}
