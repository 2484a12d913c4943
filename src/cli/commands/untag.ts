/** `snap untag`: removes a tag. The snapshot stays. */

import type { Command } from 'commander';
import { parseRef } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, WRITING } from '../help.js';
import { writing } from '../open-store.js';
import { commandLine } from '../shell.js';
import { printable, shortId } from '../words.js';

const EXAMPLES = ['snap untag best'];

export function addUntag(program: Command, perform: Perform): void {
  program
    .command('untag')
    .description('Removes a tag. The snapshot it points at stays.')
    .summary('remove a tag; the snapshot stays')
    .argument('<NAME>', 'the tag', parseRef)
    .addHelpText('after', epilogue(EXAMPLES, WRITING))
    .action((name: string) => perform((context) => untag(context, name)));
}

async function untag(context: Context, name: string): Promise<ExitStatus> {
  const { output, json } = context;
  return writing(context, async (snap) => {
    const previous = (await snap.tags()).get(name);
    await snap.untag(name);
    if (json) output.json({ store: snap.directory, tag: name, previous: previous ?? null });
    else if (previous === undefined) output.data(`${printable(name)} is removed; its snapshot is forgotten`);
    else {
      output.data(`${printable(name)} is removed; it was ${shortId(previous)}`);
      output.talk(`undo: ${commandLine(context, 'tag', name, shortId(previous))}`);
    }
    return ExitStatus.done;
  });
}
