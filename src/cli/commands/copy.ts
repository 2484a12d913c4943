/**
 * `snap copy`: snapshots to another store, only what is missing there.
 *
 * The source is only read, so it works beside a live run. What ends it early leaves what was copied; the next one goes
 * on from there.
 */

import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { formatBytes } from '../../base/sizes.js';
import { parseDuration } from '../../base/units.js';
import type { CopyOptions, CopyReport, RetentionPolicy, Snap } from '../../index.js';
import { parseLimit, parseRefs, parseRun, parseSeconds } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { copiedTable, copyJson, remarks } from '../copy-text.js';
import { UsageError } from '../errors.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, WRITING_SEVERAL } from '../help.js';
import { failureJson } from '../json.js';
import { reading, unopened } from '../open-store.js';
import { addPolicyOptions, type PolicyOptions, parseGlobs, policyOf } from '../policy-options.js';
import { Progress } from '../progress.js';
import { REF_HELP, resolveRef } from '../refs.js';
import { each, type Failed, statusOf, tellFailed } from '../several.js';
import { count, duration, printable } from '../words.js';

interface Options extends PolicyOptions {
  run?: string;
  tag?: string[];
  since?: Date;
  last?: number;
  maxSeconds?: number;
  dryRun?: boolean;
}

const EXAMPLES = [
  'snap copy /mnt/backup/heat                        all that is missing there',
  'snap copy /mnt/backup/heat best latest            these two',
  'snap copy /mnt/backup/heat --run heat --last 5    the newest five of a run',
  'snap copy /mnt/backup/heat --keep-daily 30        and there one a day is kept',
  'snap copy /mnt/backup/heat --dry-run              what would be copied',
  'snap --store /mnt/backup/heat copy ./checkpoints  back again',
];

const PHASES = {
  copy: { title: 'copy', unit: 'bytes' },
  plan: { title: 'collect: plan', unit: 'snapshot' },
  mark: { title: 'collect: mark', unit: 'snapshot' },
  weigh: { title: 'collect: weigh', unit: 'pack' },
  free: { title: 'collect: free', unit: 'pack' },
  repack: { title: 'collect: repack', unit: 'pack' },
};

export function addCopy(program: Command, perform: Perform): void {
  const command = program
    .command('copy')
    .description(
      'Copies snapshots to the store in the folder TO, which is made where there is none: only what is missing ' +
        'there, checked on the way. Works beside a live run. What ends it early leaves what was copied, and the ' +
        'next copy goes on from there. The --keep options and --max-bytes are those of gc, and say what TO keeps: ' +
        'others are not copied, and gc removes there what they do not keep any more.',
    )
    .summary('copy snapshots to another store, incrementally')
    .argument('<TO>', 'the folder of the other store')
    .argument('[REF...]', `only these: ${REF_HELP}`, parseRefs)
    .option('--run <NAME>', 'only this run; for REF the run that latest and step:N mean', parseRun)
    .option('--tag <GLOB>', 'only those with a tag that matches', parseGlobs)
    .option('--since <WHEN>', 'only those saved since: 7d, or 2026-11-20', parseSince)
    .option('--last <N>', 'of those only the newest N of each run', parseLimit);
  addPolicyOptions(command)
    .option('--max-seconds <S>', 'end after so long; the next copy goes on from there', parseSeconds)
    .option('--dry-run', 'only say what would be copied')
    .addHelpText('after', epilogue(EXAMPLES, WRITING_SEVERAL))
    .action((to: string, refs: string[] | undefined, options: Options) =>
      perform(async (context) => {
        const keep = await policyOf(options, command);
        return copy(context, resolve(context.currentFolder(), to), refs ?? [], options, keep);
      }),
    );
}

async function copy(
  context: Context,
  to: string,
  refs: readonly string[],
  options: Options,
  keep: RetentionPolicy | undefined,
): Promise<ExitStatus> {
  const { output, json, signal } = context;
  context.warnings.nameStores();
  if (refs.length > 0 && (options.tag ?? options.since ?? options.last) !== undefined) {
    throw new UsageError('REF names the snapshots: --tag, --since and --last select among all');
  }
  const { maxSeconds, dryRun = false } = options;
  const { snapshots, failed } = await named(context, refs, options.run);
  tellFailed(failed, output);
  if (refs.length > 0 && snapshots.size === 0) return statusOf(0, failed, signal);
  const selection = refs.length > 0 ? { snapshots: [...snapshots] } : selectionOf(options);
  const report = await unopened(context, (from, library) => {
    return carry(context, library, from, to, { ...selection, keep, maxSeconds, dryRun });
  });
  if (json) output.jsonLine('summary', { ...copyJson(report), failed: failed.map(failureJson) });
  else tell(context, report);
  return statusAfter(report, refs.length > 0, failed, signal);
}

/** Ids of the snapshots that are named. */
async function named(
  context: Context,
  refs: readonly string[],
  run: string | undefined,
): Promise<{ snapshots: Set<string>; failed: Failed[] }> {
  const snapshots = new Set<string>();
  if (refs.length === 0) return { snapshots, failed: [] };
  return reading(context, async (snap) => {
    const failed = await each(refs, context.signal, async (ref) => {
      snapshots.add((await resolveRef(snap, ref, run)).id);
    });
    return { snapshots, failed };
  });
}

function selectionOf({ run, tag, since, last }: Options): CopyOptions {
  return { run, tags: tag, since, last };
}

async function carry(
  context: Context,
  library: typeof Snap,
  from: string,
  to: string,
  options: CopyOptions,
): Promise<CopyReport> {
  const { output, signal } = context;
  const progress = new Progress(context, PHASES);
  try {
    return await library.copy(from, to, { ...options, signal, onProgress: progress.tell });
  } catch (error) {
    progress.end();
    if (signal.aborted) output.talk('what was copied stays; the next copy goes on from there');
    // What the library calls a mistake of the program is one in the words of the command here.
    if (error instanceof TypeError || error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  } finally {
    progress.end();
  }
}

function tell({ output }: Context, report: CopyReport): void {
  const { copied, present, dryRun, complete, seconds } = report;
  const there = present > 0 ? `; ${present} ${present === 1 ? 'was' : 'were'} there` : '';
  if (copied.length === 0) {
    output.data(present > 0 ? `nothing to copy: ${count(present, 'snapshot')} there` : 'nothing to copy');
  } else {
    const did = dryRun ? 'would copy' : 'copied';
    output.data(`${did} ${count(copied.length, 'snapshot')} to ${printable(report.to)}${there}`);
    output.data(`${volume(report)}\n`);
    output.data(copiedTable(copied, output.style, Date.now()));
  }
  for (const line of remarks(report)) output.talk(line);
  if (dryRun) output.talk('nothing was done');
  if (!complete) output.talk(`stopped after ${duration(seconds * 1000)}; the next copy goes on from there`);
}

/** How many bytes that took. */
function volume({ dryRun, readBytes, writtenBytes, logicalBytes, sharedBytes, seconds }: CopyReport): string {
  const share = logicalBytes > 0 ? Math.floor((sharedBytes / logicalBytes) * 100) : 0;
  const states = `${formatBytes(logicalBytes)} of states, ${share} % of it shared`;
  if (dryRun) return `${states}: about ${formatBytes(writtenBytes)} to write`;
  const time = duration(seconds * 1000);
  return `${states}: ${formatBytes(readBytes)} read, ${formatBytes(writtenBytes)} written in ${time}`;
}

/** Where snapshots were named, each that is not there now counts; otherwise only what could not be read. */
function statusAfter(
  { copied, present, skipped, complete }: CopyReport,
  wereNamed: boolean,
  failed: readonly Failed[],
  signal: AbortSignal,
): ExitStatus {
  const missing = skipped.filter(({ reason }) => wereNamed || reason === 'damaged');
  if (missing.length > 0 && copied.length + present === 0) return ExitStatus.damage;
  const status = statusOf(copied.length + present, failed, signal);
  const isPart = missing.length > 0 || !complete;
  return status === ExitStatus.done && isPart ? ExitStatus.partly : status;
}

function parseSince(text: string): Date {
  try {
    return new Date(Date.now() - parseDuration(text));
  } catch {
    const time = new Date(text);
    if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time.getTime())) return time;
  }
  throw new InvalidArgumentError(
    'It takes a duration, as in 7d, or a date, as in 2026-11-20 or 2026-11-20T18:00Z.',
  );
}
