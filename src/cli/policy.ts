/** A retention policy in the words of the command line: `--keep-last 10 --keep-daily 7`. */

import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../base/units.js';
import type { RetentionPolicy } from '../index.js';
import { parseLimit } from './arguments.js';

export interface PolicyFlags {
  keepLast?: number;
  keepEvery?: number;
  keepWithin?: string;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepTag?: string[];
}

/** Adds the options; `whose` says which snapshots they keep. */
export function addPolicyOptions(command: Command, whose = ''): Command {
  return command
    .option('--keep-last <N>', `keep the newest N of each run${whose}`, parseLimit)
    .option('--keep-every <STEPS>', 'keep those whose step is a multiple', parseLimit)
    .option(
      '--keep-within <DURATION>',
      'keep those made so long before the newest of the run: 7d',
      parseWithin,
    )
    .option('--keep-hourly <N>', 'keep the newest of each of the last N hours that have one', parseLimit)
    .option('--keep-daily <N>', 'the same for days', parseLimit)
    .option('--keep-weekly <N>', 'the same for weeks', parseLimit)
    .option(
      '--keep-tag <GLOB>',
      'keep those with a tag that matches, instead of all that have one',
      parseGlobs,
    );
}

/** The policy; undefined where no option says one. */
export function policyOf(flags: PolicyFlags): RetentionPolicy | undefined {
  const policy: RetentionPolicy = {
    last: flags.keepLast,
    every: flags.keepEvery,
    within: flags.keepWithin,
    hourly: flags.keepHourly,
    daily: flags.keepDaily,
    weekly: flags.keepWeekly,
    tags: flags.keepTag,
  };
  return Object.values(policy).some((value) => value !== undefined) ? policy : undefined;
}

/** For several: commander hands each what the ones before made. */
export function parseGlobs(text: string, previous: readonly string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError("It takes a glob, as in 'good-*'.");
  return [...previous, text];
}

function parseWithin(text: string): string {
  try {
    parseDuration(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
