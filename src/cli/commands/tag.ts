/** `snap tag`: a name for a snapshot. A tag that exists is moved, and it says from where. */

import type { Command } from 'commander';
import { parseRef, parseTag, RUN_OF_REF } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, WRITING } from '../help.js';
import { writing } from '../open-store.js';
import { REF_HELP, resolveRef } from '../refs.js';
import { commandLine } from '../shell.js';
import { shortId } from '../words.js';

interface Options {
  run?: string;
}

const EXAMPLES = ['snap tag best 3f9a21c0', 'snap tag before-refinement latest --run heat'];

export function addTag(program: Command, perform: Perform): void {
  program
    .command('tag')
    .description(
      'Makes NAME point at a snapshot. If it pointed at another one it is moved, and that is said.',
    )
    .summary('name a snapshot')
    .argument('<NAME>', 'the tag', parseTag)
    .argument('<REF>', REF_HELP, parseRef)
    .option(...RUN_OF_REF)
    .addHelpText('after', epilogue(EXAMPLES, WRITING))
    .action((name: string, ref: string, options: Options) =>
      perform((context) => tag(context, name, ref, options)),
    );
}

async function tag(context: Context, name: string, ref: string, { run }: Options): Promise<ExitStatus> {
  const { output, json } = context;
  return writing(context, async (snap) => {
    const previous = (await snap.tags()).get(name);
    const { id, run: itsRun, step } = await resolveRef(snap, ref, run);
    await snap.tag(name, id);
    const at = step === undefined ? `run ${itsRun}` : `run ${itsRun}, step ${step}`;
    if (json) output.json({ store: snap.directory, tag: name, snapshot: id, previous: previous ?? null });
    else output.data(`${name} is ${shortId(id)} (${at})`);
    if (!json && previous !== undefined && previous !== id) {
      output.talk(
        `it was ${shortId(previous)}; undo: ${commandLine(context, 'tag', name, shortId(previous))}`,
      );
    }
    return ExitStatus.done;
  });
}
