/**
 * `snap replay`: computes the intervals between snapshots of a run anew, with a reference, and says which disagree.
 *
 * What the reference prints goes to stderr. Status 1 means that intervals differ, and nothing else.
 */

import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { Replay, ReplayedInterval } from '../../index.js';
import { parseLimit, parseRef, RUN_OF_REF, TOLERANCE } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus, exitStatusOf } from '../exit-status.js';
import { COMPARING, epilogue } from '../help.js';
import { reading, unopened } from '../open-store.js';
import { Progress } from '../progress.js';
import { REF_HELP, resolveRef } from '../refs.js';
import { describeReplay, replayJson } from '../replay-text.js';
import { undecided } from '../undecided.js';

interface Options {
  run?: string;
  reference: string;
  tolerance?: number;
  workers?: number;
  limit?: number;
}

const FOR_PROGRAMS = 1000;
const PHASES = { replay: { title: 'replay', unit: 'interval' } };
const EXAMPLES = [
  'snap replay step:0 latest --reference reference.mjs',
  'snap replay step:0 latest --run heat --reference reference.mjs --tolerance 1e-9',
  'snap replay best latest --reference reference.mjs --workers 4',
];

export function addReplay(program: Command, perform: Perform): void {
  program
    .command('replay')
    .description(
      'Computes each interval between two snapshots of a run anew, with the step that a module exports, and compares ' +
        'where it ends with what the run has there. The intervals are computed in parallel, each in a process of its own ' +
        'that begins from its snapshot. The store is only read, so this works beside a live run.',
    )
    .summary('compute a run anew between its snapshots, and compare')
    .argument('<FROM>', REF_HELP, parseRef)
    .argument('<TO>', 'the same; it has to have come of FROM', parseRef)
    .requiredOption('--reference <MODULE>', 'a module that exports step(state, loop)', parseModule)
    .option(...TOLERANCE)
    .option('--workers <N>', 'intervals at a time (default: as many as there are processors)', parseLimit)
    .option(
      '--limit <N>',
      `with --json, at most so many values of each (default ${FOR_PROGRAMS})`,
      parseLimit,
    )
    .option(...RUN_OF_REF)
    .addHelpText(
      'after',
      epilogue(EXAMPLES, COMPARING, { 0: 'done: nothing differs', 1: 'something differs' }),
    )
    .action((from: string, to: string, options: Options) =>
      perform((context) => undecided(context, () => replay(context, from, to, options))),
    );
}

async function replay(
  context: Context,
  refFrom: string,
  refTo: string,
  { run, reference, tolerance, workers, limit = FOR_PROGRAMS }: Options,
): Promise<ExitStatus> {
  const { output, json, signal } = context;
  const [from, to] = await reading(context, async (snap) => [
    await resolveRef(snap, refFrom, run),
    await resolveRef(snap, refTo, run),
  ]);
  const progress = new Progress(context, PHASES);
  const report: Replay = await unopened(context, (directory, library) =>
    library
      .replay(directory, {
        from: from?.id ?? '',
        to: to?.id ?? '',
        reference: resolve(context.currentFolder(), reference),
        tolerance,
        workers,
        limit,
        signal,
        onProgress: progress.tell,
        onOutput: (bytes) => output.passOn(bytes),
      })
      .finally(() => progress.end()),
  );
  if (json) output.jsonLine('summary', replayJson(report));
  else output.data(describeReplay(report, reference, output.style));
  return statusOf(report.intervals);
}

/** A difference is an answer even where other intervals failed. */
function statusOf(intervals: readonly ReplayedInterval[]): ExitStatus {
  if (intervals.some(({ same }) => same === false)) return ExitStatus.failed;
  const failure = intervals.find(({ error }) => error)?.error;
  if (!failure) return ExitStatus.done;
  const status = exitStatusOf(failure);
  return status === ExitStatus.failed ? ExitStatus.undecided : status;
}

function parseModule(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It takes the path of a module.');
}
