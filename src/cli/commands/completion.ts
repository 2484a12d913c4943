/**
 * `snap completion SHELL`: a script that makes the shell complete commands, options, snapshots and tags. What there is
 * to complete the script asks of `snap __complete WORDS...`, so that it knows every command of this very version.
 */

import { Argument, type Command, type Option } from 'commander';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue } from '../help.js';
import { reading } from '../open-store.js';
import { shortIds } from '../words.js';

const EXAMPLES = [
  'snap completion bash >> ~/.bashrc',
  'snap completion zsh >> ~/.zshrc          behind compinit',
  'snap completion fish > ~/.config/fish/completions/snap.fish',
];

const SCRIPTS = {
  bash: `_snap_complete() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(snap __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _snap_complete snap`,
  zsh: `_snap_complete() {
  local -a found
  found=("\${(@f)$(snap __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found
}
compdef _snap_complete snap`,
  fish: `complete -c snap -f -a '(snap __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'`,
} as const;

type Shell = keyof typeof SCRIPTS;

/** Names of arguments that take a snapshot or a tag. */
const TAKES_SNAPSHOT: ReadonlySet<string> = new Set(['REF', 'A', 'B', 'ID']);
/** So many of the newest are offered. */
const OFFERED = 50;

export function addCompletion(program: Command, perform: Perform): void {
  program
    .command('completion')
    .description('Prints a script that makes the shell complete commands, options, snapshots and tags.')
    .summary('a script for bash, zsh or fish')
    .addArgument(new Argument('<SHELL>', 'the shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', epilogue(EXAMPLES, [ExitStatus.done, ExitStatus.usage]))
    .action((shell: Shell) =>
      perform(async ({ output }) => {
        output.data(SCRIPTS[shell]);
        return ExitStatus.done;
      }),
    );
  program
    .command('__complete', { hidden: true })
    .argument('[WORDS...]')
    .action((words: string[]) =>
      perform(async (context) => {
        const found = await candidates(program, context, words);
        if (found.length > 0) context.output.data(found.join('\n'));
        return ExitStatus.done;
      }),
    );
}

/** What may stand in the place of the last word. */
async function candidates(program: Command, context: Context, words: readonly string[]): Promise<string[]> {
  const before = words.slice(0, -1);
  const partial = words.at(-1) ?? '';
  const command = commandOf(program, before);
  const options = [...(command?.options ?? []), ...program.options];
  const last = options.find((option) => isNamed(option, before.at(-1)));
  // The word is what an option takes: a folder, a name, a number.
  if (last?.required) return last.argChoices ?? [];
  if (partial.startsWith('-')) return options.flatMap(({ long }) => long ?? []).sort();
  if (!command) return program.commands.map((one) => one.name()).filter((name) => !name.startsWith('_'));
  const given = operandsOf(command, program, before).length;
  const argument = command.registeredArguments[given] ?? command.registeredArguments.at(-1);
  if (!argument || (given >= command.registeredArguments.length && !argument.variadic)) return [];
  if (argument.argChoices) return argument.argChoices;
  if (command.name() === 'untag') return (await named(context, before)).tags;
  if (!TAKES_SNAPSHOT.has(argument.name())) return [];
  const { tags, ids } = await named(context, before);
  return ['latest', ...tags, ...ids];
}

function isNamed({ short, long }: Option, word: string | undefined): boolean {
  return word !== undefined && (word === short || word === long);
}

function commandOf(program: Command, words: readonly string[]): Command | undefined {
  for (const [position, word] of words.entries()) {
    const isValue =
      position > 0 && program.options.some((one) => one.required && isNamed(one, words[position - 1]));
    if (!isValue && !word.startsWith('-')) return program.commands.find((one) => one.name() === word);
  }
  return undefined;
}

/** The words that are neither options nor what they take, without the command. */
function operandsOf(command: Command, program: Command, words: readonly string[]): string[] {
  const options = [...command.options, ...program.options];
  const operands = words.filter((word, position) => {
    const taken = options.some((one) => one.required && isNamed(one, words[position - 1]));
    return !taken && !word.startsWith('-');
  });
  return operands.slice(1);
}

/** Tags and ids of the store that the words mean. */
async function named(context: Context, words: readonly string[]): Promise<{ tags: string[]; ids: string[] }> {
  const at = words.lastIndexOf('--store');
  const store = at < 0 ? context.store : words[at + 1];
  const tags: string[] = [];
  const ids: string[] = [];
  await reading({ ...context, store }, async (snap) => {
    tags.push(...(await snap.tags()).keys());
    for await (const { id } of snap.list()) if (ids.push(id) === OFFERED) break;
    return ExitStatus.done;
  });
  return { tags, ids: [...shortIds(ids).values()] };
}
