/** `snap diff`: what changed from one snapshot to another, by region and by value. */

import type { Command } from 'commander';
import type { DiffProgress } from '../../index.js';
import { parseLimit, parseRef, RUN_OF_REF, TOLERANCE } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { describeDiff, diffJson } from '../diff-text.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, READING } from '../help.js';
import { reading } from '../open-store.js';
import { Progress } from '../progress.js';
import { REF_HELP, resolveRef } from '../refs.js';

interface Options {
  run?: string;
  limit?: number;
  tolerance?: number;
}

/** Values that are listed where nobody says how many: a screen of them, or enough for a program. */
const FOR_PEOPLE = 30;
const FOR_PROGRAMS = 1000;

const PHASES = { regions: { title: 'regions', unit: 'bytes' } };
const EXAMPLES = [
  'snap diff step:100 step:200',
  'snap diff best latest --run heat',
  'snap diff 3f9a21c0 27f579ce --limit 500',
  'snap diff step:100 other/step-100 --tolerance 1e-12',
  "snap diff best latest --json | jq '.regions[].content.largest'",
];

export function addDiff(program: Command, perform: Perform): void {
  program
    .command('diff')
    .description(
      'Says what changed from snapshot A to snapshot B: in regions by element, in everything else by path. ' +
        'Only chunks that differ are read. The status is 0 whether anything differs or not.',
    )
    .summary('say what changed from one snapshot to another')
    .argument('<A>', REF_HELP, parseRef)
    .argument('<B>', 'the same', parseRef)
    .option(...RUN_OF_REF)
    .option(
      '--limit <N>',
      `list at most so many values (default ${FOR_PEOPLE}, with --json ${FOR_PROGRAMS})`,
      parseLimit,
    )
    .option(...TOLERANCE)
    .addHelpText('after', epilogue(EXAMPLES, READING))
    .action((a: string, b: string, options: Options) => perform((context) => diff(context, a, b, options)));
}

async function diff(
  context: Context,
  refA: string,
  refB: string,
  { run, limit, tolerance }: Options,
): Promise<ExitStatus> {
  const { output, json, signal } = context;
  return reading(context, async (snap) => {
    const a = await resolveRef(snap, refA, run);
    const b = await resolveRef(snap, refB, run);
    const progress = json ? undefined : new Progress(context, PHASES);
    const onProgress = ({ doneBytes: done, totalBytes: total }: DiffProgress) =>
      progress?.tell({ phase: 'regions', done, total });
    const options = { limit: limit ?? (json ? FOR_PROGRAMS : FOR_PEOPLE), tolerance, signal, onProgress };
    const found = await snap.diff(a.id, b.id, options).finally(() => progress?.end());
    if (json) output.json({ store: snap.directory, ...diffJson(found) });
    else output.data(describeDiff(found, output.style, Date.now()));
    return ExitStatus.done;
  });
}
