/** The words of the command line: which commands and options there are, and what help says. */

import { createRequire } from 'node:module';
import { Command, type CommanderError } from 'commander';
import { addCheckpoint } from './commands/checkpoint.js';
import { addCompletion } from './commands/completion.js';
import { addCopy } from './commands/copy.js';
import { addDiff } from './commands/diff.js';
import { addForget } from './commands/forget.js';
import { addGc } from './commands/gc.js';
import { addLs } from './commands/ls.js';
import { addProve } from './commands/prove.js';
import { addRepair } from './commands/repair.js';
import { addReplay } from './commands/replay.js';
import { addRestore } from './commands/restore.js';
import { addShow } from './commands/show.js';
import { addStats } from './commands/stats.js';
import { addTag } from './commands/tag.js';
import { addTorture } from './commands/torture.js';
import { addUnforget } from './commands/unforget.js';
import { addUntag } from './commands/untag.js';
import { addVerify } from './commands/verify.js';
import { addWatch } from './commands/watch.js';
import type { Perform } from './context.js';
import { UsageError } from './errors.js';
import { ALL, epilogue } from './help.js';
import type { Output } from './output.js';

const DESCRIPTION = [
  'Looks at and tends the snapshots that a program keeps with holdfast.',
  'The store is --store DIR, else SNAP_STORE, else the nearest folder .snap or checkpoints, at or above the ' +
    'current folder, that is one. Without a command, says what the store holds.',
].join('\n\n');

const EXAMPLES = [
  'snap ls --limit 10                  the ten newest snapshots',
  'snap show latest                    all of the newest one',
  'snap tag best 3f9a21c0              name a snapshot',
  'snap --store runs/a stats --json    sizes, for a script',
];

const ADDITIONS = [
  addLs,
  addShow,
  addTag,
  addUntag,
  addStats,
  addRestore,
  addDiff,
  addForget,
  addUnforget,
  addGc,
  addVerify,
  addRepair,
  addCopy,
  addProve,
  addReplay,
  addWatch,
  addCheckpoint,
  addTorture,
  addCompletion,
];

export function buildProgram(output: Output, perform: Perform): Command {
  const program = new Command('snap')
    .usage('[--store DIR] [--json] COMMAND')
    .description(DESCRIPTION)
    .version(ownVersion(), '-V, --version', 'print the version')
    .option('--store <DIR>', 'the folder of the store')
    .option('--json', 'print JSON instead of text: one document, or lines for long work')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [COMMAND]', 'print help of a command')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => output.data(text.trimEnd()),
      writeErr: (text) => output.talk(text.trimEnd()),
      // Told by whoever catches it, like every other failure.
      outputError: () => {},
    })
    .addHelpText('after', epilogue(EXAMPLES, ALL));
  for (const add of ADDITIONS) add(program, perform);
  for (const command of [program, ...program.commands]) {
    command.exitOverride((error) => {
      throw error.exitCode === 0 ? error : usageError(error, command);
    });
  }
  return program;
}

/** Commander's message without its prefix and on one line, and how the command goes. */
function usageError(error: CommanderError, command: Command): UsageError {
  const message = error.message
    .replace(/^error: /, '')
    .replace(/^command-argument value .* is invalid for argument '\w+'\. /s, '')
    .replace(/\n\((Did you mean .*)\)$/s, (_, hint: string) => ` (${hint.replace('Did', 'did')})`)
    .replaceAll('\n', ' ');
  return new UsageError(message, usageOf(command));
}

function usageOf(command: Command): string {
  const help = command.createHelp();
  const more = command.parent ? `snap ${command.name()} --help` : 'snap --help';
  return `usage: ${help.commandUsage(command)}\nmore:  ${more}`;
}

function ownVersion(): string {
  const { version } = createRequire(import.meta.url)('holdfast/package.json') as { version: string };
  return version;
}
