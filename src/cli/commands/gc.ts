/**
 * `snap gc`: gives back the space of snapshots that were forgotten, and of those that a policy does not keep.
 *
 * `--dry-run` prints the plan that would be carried out, made by whoever would carry it out. A glob that matches no
 * tag is most likely mistyped: where snapshots with other tags would go because of it, nothing is done without --force.
 */

import type { Command } from 'commander';
import type { GcOptions, GcReport, PlannedSnapshot, RetentionPolicy, Snap } from '../../index.js';
import { parseRun, parseSeconds } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { gcJson, planTable, tellOfGarbage, tellOfLimit, verdict } from '../gc-words.js';
import { epilogue, WRITING_SEVERAL } from '../help.js';
import { planning, writing } from '../open-store.js';
import { addPolicyOptions, type PolicyOptions, policyOf } from '../policy-options.js';
import { Progress } from '../progress.js';
import { checkRunExists } from '../refs.js';
import { shellWord } from '../shell.js';
import { count, duration, shortIds } from '../words.js';

interface Options extends PolicyOptions {
  run?: string;
  dryRun?: boolean;
  explain?: boolean;
  force?: boolean;
  maxSeconds?: number;
}

const EXAMPLES = [
  'snap gc --keep-last 10 --keep-daily 7 --dry-run   what would go, and why',
  'snap gc --keep-last 10 --keep-daily 7',
  'snap gc --max-bytes 20GB --run heat',
  'snap gc                                           only what is forgotten',
];

const PHASES = {
  plan: { title: 'planning', unit: 'snapshot' },
  mark: { title: 'marking', unit: 'snapshot' },
  weigh: { title: 'weighing', unit: 'pack' },
  free: { title: 'freeing', unit: 'pack' },
  repack: { title: 'repacking', unit: 'pack' },
};

/** How many snapshots a refusal names. */
const NAMED = 5;

export function addGc(program: Command, perform: Perform): void {
  const command = program
    .command('gc')
    .description(
      'Gives back the space of snapshots that were forgotten, and of those that no --keep option keeps: they are ' +
        'gone for good. Always kept: the newest of each run, what a tag points at (see --keep-tag), what is in use. ' +
        'Without such an option, only what was forgotten goes.',
    )
    .summary('give back the space of snapshots that nothing keeps');
  addPolicyOptions(command)
    .option('--run <NAME>', 'only this run; the others stay as they are', parseRun)
    .option('--dry-run', 'only say what would be done')
    .option('--explain', 'for every snapshot, why it stays or goes and what only it holds')
    .option('--force', 'also where nothing would be left, or a GLOB matches no tag')
    .option('--max-seconds <S>', 'end after so long; the next gc goes on from there', parseSeconds)
    .addHelpText('after', epilogue(EXAMPLES, WRITING_SEVERAL))
    .action((options: Options) =>
      perform(async (context) => gc(context, options, await policyOf(options, command))),
    );
}

function gc(context: Context, options: Options, policy: RetentionPolicy | undefined): Promise<ExitStatus> {
  const open = options.dryRun ? planning : writing;
  return open(context, async (snap) => {
    if (options.run !== undefined) await checkRunExists(snap, options.run);
    if (options.dryRun) {
      const report = await collect(context, snap, options, policy);
      return tell(context, snap, options, policy, report);
    }
    if (policy?.tags && !options.force) {
      const plan = await collect(context, snap, { ...options, dryRun: true, explain: false }, policy);
      const refusal = refusalOf(plan);
      if (refusal !== undefined) throw new Error(refusal);
    }
    return tell(context, snap, options, policy, await collect(context, snap, options, policy));
  });
}

async function collect(
  context: Context,
  snap: Snap,
  { dryRun = false, explain = false, force = false, run, maxSeconds }: Options,
  policy: RetentionPolicy | undefined,
): Promise<GcReport> {
  const progress = new Progress(context, PHASES);
  const { signal } = context;
  const options: GcOptions = { dryRun, explain, force, run, maxSeconds, signal, onProgress: progress.tell };
  try {
    return await snap.gc(policy, options);
  } catch (error) {
    if (signal.aborted && !dryRun) context.output.talk('what was not freed yet is found by the next gc');
    throw error;
  } finally {
    progress.end();
  }
}

function tell(
  context: Context,
  snap: Snap,
  options: Options,
  policy: RetentionPolicy | undefined,
  report: GcReport,
): ExitStatus {
  const { output, json } = context;
  const refusal = options.force ? undefined : refusalOf(report);
  for (const glob of report.unmatched) {
    output.talk(`snap: warning: --keep-tag ${shellWord(glob)} matches no tag`);
  }
  if (json) {
    output.jsonLine('summary', { store: snap.directory, ...gcJson(report), refusal });
  } else {
    output.data(verdict(report, policy, options.run));
    tellOfLimit(report, output);
    tellOfGarbage(report, output);
    const shown = report.dryRun || options.explain ? report.snapshots : report.snapshots.filter(isDropped);
    if (shown.length > 0) output.data(`\n${planTable(shown, report, output.style, Date.now())}`);
  }
  if (report.dryRun && refusal !== undefined)
    output.talk(`snap: without --force it would be refused: ${refusal}`);
  if (!report.complete) {
    output.talk(`stopped after ${duration(report.seconds * 1000)}; the next gc goes on from there`);
    return ExitStatus.partly;
  }
  return report.dryRun && refusal !== undefined ? ExitStatus.failed : ExitStatus.done;
}

/** Why a plan is not carried out without --force; undefined where nothing speaks against it. */
function refusalOf({ snapshots, unmatched }: GcReport): string | undefined {
  const tagged = snapshots.filter((one) => isDropped(one) && !one.forgotten && one.tags.length > 0);
  if (unmatched.length === 0 || tagged.length === 0) return undefined;
  const ids = shortIds(tagged.map(({ id }) => id));
  const named = tagged.slice(0, NAMED).map(({ id, tags }) => `${ids.get(id)} (${tags.join(', ')})`);
  const more = tagged.length > NAMED ? ', ...' : '';
  const globs = unmatched.map((glob) => shellWord(glob)).join(', ');
  const go = tagged.length === 1 ? 'that has a tag would go' : 'that have tags would go';
  return (
    `--keep-tag ${globs} matches no tag, and ${count(tagged.length, 'snapshot')} ${go}: ` +
    `${named.join(', ')}${more}; correct it, or use --force`
  );
}

function isDropped({ keep }: PlannedSnapshot): boolean {
  return !keep;
}
