/** One invocation: parse, do, tell. Returns the exit status and never throws. */

import { type Command, CommanderError } from 'commander';
import type { Context, Work, World } from './context.js';
import { ExitStatus } from './exit-status.js';
import { reportFailure } from './failure.js';
import { buildProgram } from './program.js';
import { summary } from './summary.js';
import { Warnings } from './warnings.js';

export async function run(argv: readonly string[], world: World): Promise<ExitStatus> {
  const warnings = new Warnings(world.output);
  try {
    const status = await perform(argv, world, warnings);
    return warnings.damage && status === ExitStatus.done ? ExitStatus.damage : status;
  } catch (error) {
    // Help and version that were asked for end this way.
    if (error instanceof CommanderError && error.exitCode === 0) return ExitStatus.done;
    return reportFailure(error, world.output, world.env);
  } finally {
    warnings.stop();
  }
}

async function perform(argv: readonly string[], world: World, warnings: Warnings): Promise<ExitStatus> {
  let status: ExitStatus = ExitStatus.done;
  const program = buildProgram(world.output, async (work: Work) => {
    status = await work(contextOf(program, world, warnings));
  });
  const { operands, unknown } = program.parseOptions([...argv]);
  if (operands.length === 0 && unknown.length === 0) return summary(contextOf(program, world, warnings));
  await program.parseAsync(unknownCommand(program, operands) ?? [...argv], { from: 'user' });
  return status;
}

/**
 * The word that is no command, alone, so that it is told as such: with `--help` behind it, or after `help`,
 * commander would print the whole help instead. Undefined where there is none.
 */
function unknownCommand(program: Command, operands: readonly string[]): string[] | undefined {
  const names = ['help', ...program.commands.map((command) => command.name())];
  const asked = operands[0] === 'help' ? operands[1] : operands[0];
  return asked === undefined || names.includes(asked) ? undefined : [asked];
}

function contextOf(program: Command, world: World, warnings: Warnings): Context {
  const { json = false, store } = program.opts<{ json?: boolean; store?: string }>();
  return { ...world, json, store, warnings };
}
