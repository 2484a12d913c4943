/** The options that say which snapshots to keep, and the policy they make: `docs/retention.md` explains each. */

import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration, parseSize } from '../base/units.js';
import type { RetentionPolicy } from '../index.js';

export interface PolicyOptions {
  keepLast?: number;
  keepEvery?: number;
  /** Milliseconds. */
  keepWithin?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepTag?: string[];
  maxBytes?: number;
}

export function addPolicyOptions(command: Command): Command {
  return command
    .option('--keep-last <N>', 'the newest N of each run', once(parseCount))
    .option('--keep-every <STEPS>', 'those whose step is a multiple of STEPS', once(parseSteps))
    .option('--keep-within <DURATION>', 'those made so long before the newest: 90m, 7d', once(parseTime))
    .option('--keep-hourly <N>', 'the newest of each of the last N hours that have one', once(parseCount))
    .option('--keep-daily <N>', 'the same for days (UTC)', once(parseCount))
    .option('--keep-weekly <N>', 'the same for weeks', once(parseCount))
    .option(
      '--keep-tag <GLOB>',
      'those with such a tag, and no other tag keeps any then; repeatable',
      parseGlobs,
    )
    .option(
      '--max-bytes <SIZE>',
      'of all these as many as fit, oldest dropped first: 20GB',
      once(parseBytes),
    );
}

/** Undefined where no option says what to keep. What cannot be a policy is wrong usage of the command. */
export async function policyOf(
  options: PolicyOptions,
  command: Command,
): Promise<RetentionPolicy | undefined> {
  const { keepLast, keepEvery, keepWithin, keepHourly, keepDaily, keepWeekly, keepTag, maxBytes } = options;
  const policy: RetentionPolicy = {
    last: keepLast,
    every: keepEvery,
    within: keepWithin,
    hourly: keepHourly,
    daily: keepDaily,
    weekly: keepWeekly,
    tags: keepTag,
    maxBytes,
  };
  if (Object.values(policy).every((rule) => rule === undefined)) return undefined;
  // Loaded late, as the library is.
  const { checkGc } = await import('../api/options.js');
  try {
    return checkGc(policy, {}).policy;
  } catch (error) {
    // The library calls the globs by another name.
    return command.error(messageOf(error).replace(/^tags /, '--keep-tag '));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Of two values of one option nobody knows which is meant. */
function once<T>(parse: (text: string) => T): (text: string, previous: T | undefined) => T {
  return (text, previous) => {
    if (previous !== undefined) throw new InvalidArgumentError('It is given twice.');
    return parse(text);
  };
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count)) return count;
  throw new InvalidArgumentError('It takes a whole number of snapshots.');
}

function parseSteps(text: string): number {
  const steps = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(steps) && steps > 0) return steps;
  throw new InvalidArgumentError('It takes a whole number of steps from 1.');
}

function parseTime(text: string): number {
  return above0(text, parseDuration, 'It takes a duration above 0, as in 7d.');
}

function parseBytes(text: string): number {
  return above0(text, parseSize, 'It takes a size above 0, as in 20GB.');
}

function above0(text: string, parse: (text: string) => number, right: string): number {
  let value: number;
  try {
    value = parse(text);
  } catch (error) {
    // It says how the right form goes.
    throw new InvalidArgumentError(messageOf(error));
  }
  if (value > 0) return value;
  throw new InvalidArgumentError(right);
}

export function parseGlobs(text: string, previous: readonly string[] = []): string[] {
  if (text !== '') return [...previous, text];
  throw new InvalidArgumentError("It takes a glob, as in 'good-*'.");
}
