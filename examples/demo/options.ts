/** What the demo can be asked for. */

import { randomInt } from 'node:crypto';
import { Command, CommanderError, InvalidArgumentError } from 'commander';

export interface DemoOptions {
  steps: number;
  every: number;
  seed: number;
  /** Folder for the store; undefined: one in the temp folder. */
  store: string | undefined;
  keep: boolean;
}

const LONG = { steps: 2500, every: 50 };
const SHORT = { steps: 450, every: 15 };
/** The kill waits for the sixth save, and wants something left to interrupt. */
const FEWEST_SAVES = 12;

/** Wrong usage, or help: `status` is what the process should exit with; the text is printed already. */
export class Usage extends Error {
  constructor(readonly status: number) {
    super('usage');
  }
}

export function parseOptions(args: readonly string[]): DemoOptions {
  const command = new Command('npm run demo --')
    .description('Computes a heat equation, kills it at a random moment, resumes it, and compares every bit.')
    .option('--steps <number>', `steps to compute (${LONG.steps})`, wholeNumber)
    .option('--every <number>', `steps from one save to the next (${LONG.every})`, wholeNumber)
    .option('--seed <number>', 'of the moment of the kill and of the physics (random)', wholeNumber)
    .option('--short', `a run of seconds: ${SHORT.steps} steps, a save every ${SHORT.every}`)
    .option('--store <folder>', 'new or empty folder for the store (one in the temp folder)')
    .option('--keep', 'leave the store there at the end')
    .allowExcessArguments(false)
    .showHelpAfterError(
      'usage: npm run demo -- [--steps N] [--every N] [--seed N] [--short] [--store FOLDER] [--keep]',
    )
    .exitOverride();
  try {
    const given = command.parse(args, { from: 'user' }).opts<Partial<DemoOptions> & { short?: true }>();
    const { steps, every } = { ...(given.short ? SHORT : LONG), ...definedOf(given) };
    if (steps < FEWEST_SAVES * every) {
      command.error(`error: ${steps} steps with a save every ${every} leave too little to interrupt`);
    }
    const { seed = randomInt(2 ** 32), store, keep = false } = given;
    return { steps, every, seed, store, keep };
  } catch (error) {
    if (error instanceof CommanderError) throw new Usage(error.exitCode === 0 ? 0 : 2);
    throw error;
  }
}

function definedOf({ steps, every }: { steps?: number; every?: number }): { steps?: number; every?: number } {
  return { ...(steps !== undefined && { steps }), ...(every !== undefined && { every }) };
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('it takes a whole number above 0.');
}
