/**
 * `snap torture`: does this disk keep what it promises? Kills programs that save to scratch stores on it, damages those,
 * and checks that nothing acknowledged is lost. Touches nothing but a folder of its own.
 */

import { join } from 'node:path';
import type { Command } from 'commander';
import { realIo } from '../../io/real.js';
import { type TortureReport, torture } from '../../torture/torture.js';
import { parseFolder, parseLimit } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue } from '../help.js';
import { Progress } from '../progress.js';
import { count, duration } from '../words.js';

interface Options {
  kills: number;
  seed?: number;
}

const EXAMPLES = [
  'snap torture /mnt/scratch                 300 kills on that disk: a few minutes',
  'snap torture /mnt/scratch --kills 10000   a night',
];
const STATUSES = [ExitStatus.done, ExitStatus.failed, ExitStatus.usage, ExitStatus.interrupted];
const PHASES = { kills: { title: 'kills', unit: 'kill' } };
const SEEDS = 2 ** 31;

export function addTorture(program: Command, perform: Perform): void {
  program
    .command('torture')
    .description(
      'Tries a disk: programs that save to scratch stores on it are killed at random moments, bits of the stores are ' +
        'flipped, and after each the snapshots are compared with what was promised. Works in a folder of its own in ' +
        'DIR, which is removed unless something was lost or wrong. A power cut is not tried: pull the plug yourself.',
    )
    .summary('kill and damage scratch stores, to see that this disk holds')
    .argument('<DIR>', 'a folder on the disk to try', parseFolder)
    .option('--kills <N>', 'how many', parseLimit, 300)
    .option('--seed <N>', 'draw the same moments again, as far as time allows', parseLimit)
    .addHelpText('after', epilogue(EXAMPLES, STATUSES))
    .action((directory: string, options: Options) =>
      perform((context) => tortureIn(context, directory, options)),
    );
}

async function tortureIn(context: Context, parent: string, options: Options): Promise<ExitStatus> {
  const { output, json, signal } = context;
  const { kills, seed = 1 + Math.floor(Math.random() * SEEDS) } = options;
  // Warnings of damage are part of the work: the damage is done here.
  context.warnings.stop();
  const directory = join(parent, `torture-${process.pid}-${seed}`);
  realIo.makeFolder(directory);
  output.talk(`seed ${seed}, in ${directory}`);
  const began = performance.now();
  const progress = new Progress(context, PHASES);
  let report: TortureReport | undefined;
  try {
    report = await torture({ directory, kills, seed, signal, onProgress: progress.tell });
  } finally {
    progress.end();
    // What is not right stays for a look; so does what this program itself fails at.
    if (signal.aborted || report?.problems.length === 0) realIo.removeFolder(directory);
  }
  const seconds = (performance.now() - began) / 1000;
  if (json) output.jsonLine('summary', { directory, seed, seconds, ...report });
  else tell(context, report, seconds);
  return report.problems.length === 0 ? ExitStatus.done : ExitStatus.failed;
}

function tell({ output }: Context, report: TortureReport, seconds: number): void {
  const { kills, hits, elsewhere, stopped, looks, promised, restored, flips, flipsSeen, problems } = report;
  const where = Object.entries(hits).map(([name, hit]) => `${name} ${hit}`);
  output.data(
    `${count(kills, 'kill')} in ${duration(seconds * 1000)}: ${where.join(', ')}, elsewhere ${elsewhere}`,
  );
  output.data(`stopped before: ${stopped}; looked at from outside meanwhile: ${looks}`);
  output.data(`bits flipped: ${flips}, of which ${flipsSeen} were in use and seen`);
  output.data(
    `${count(promised, 'snapshot')} promised, ${count(restored, 'state')} restored and compared; lost or wrong: ${problems.length}`,
  );
  for (const problem of problems) output.talk(problem);
}
