/**
 * `snap verify`: is everything there, and can it be read? Writes nothing but how far it came, so it works beside a
 * live run.
 */

import type { Command } from 'commander';
import { formatBytes } from '../../base/sizes.js';
import type { Snap, VerifyOptions, VerifyReport } from '../../index.js';
import { parseSeconds, parseShare } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { damagedSnapshotJson, damagedTable, namelessLines, placesTable } from '../damage.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, READING } from '../help.js';
import { reading } from '../open-store.js';
import { Progress } from '../progress.js';
import { commandLine, commandList } from '../shell.js';
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
  const { damage, damagedSnapshots } = report;
  output.data(`${verdict(report)} (${lookedAt(report, options)})`);
  for (const line of namelessLines(report)) output.data(line);
  if (damagedSnapshots.length > 0) output.data(`\n${damagedTable(damagedSnapshots, output.style)}`);
  if (damage.length > 0) output.data(`\n${placesTable(damage, output.style)}`);
  if (!report.complete) output.talk(whereItStopped(report, elapsed));
  for (const line of advice(context, report, options)) output.talk(line);
}

/** As much as can be said, and no more. */
function verdict({ ok, complete, snapshots, damagedSnapshots, packsTotal }: VerifyReport): string {
  const hit = damagedSnapshots.length;
  if (hit > 0)
    return `damaged: ${hit} of ${count(snapshots, 'snapshot')} ${hit === 1 ? 'is' : 'are'} not whole`;
  if (!ok && !complete) return 'damaged: which snapshots that hits is looked at when all packs are through';
  if (!ok && snapshots === 0) return 'damaged: no snapshot is left';
  if (!ok) return `damaged: none of ${count(snapshots, 'listed snapshot')} is hit`;
  if (!complete) return 'sound so far';
  return `sound: ${count(snapshots, 'snapshot')} in ${count(packsTotal, 'pack')}`;
}

function lookedAt({ continues, records, readBytes }: VerifyReport, { readData }: Options): string {
  const read = readData === undefined ? '' : `, ${formatBytes(readBytes)} read`;
  return `${count(records, 'record')}${read}${continues ? '; the rest in earlier runs' : ''}`;
}

function whereItStopped({ packs, packsBefore, packsTotal }: VerifyReport, elapsed: number): string {
  const finished = packs + packsBefore;
  const where =
    finished < packsTotal
      ? `pack ${finished + 1} of ${packsTotal}; the next run goes on from there`
      : 'the snapshots; the next run begins there';
  return `stopped after ${duration(elapsed)} at ${where}`;
}

/** What to do next. */
function advice(context: Context, { ok, complete }: VerifyReport, { readData }: Options): string[] {
  const all = commandLine(context, 'verify', '--read-data');
  if (ok) return complete && readData === undefined ? [`the data itself was not read: ${all}`] : [];
  return [
    '\nNothing was changed. Is there a backup? Put those packs back from it, and verify',
    'again. Otherwise:',
    ...commandList([
      ...(readData === true ? [] : [[all, 'finds all of the damage'] as const]),
      [commandLine(context, 'repair', '--dry-run'), 'says what can be kept and what is lost'],
      [commandLine(context, 'repair'), 'keeps all that is intact; deletes nothing'],
    ]),
  ];
}
