/** `snap ls`: the snapshots, newest first. */

import type { Command } from 'commander';
import type { ListFilter, Snap, SnapshotInfo } from '../../index.js';
import { parseLimit, RUN_OPTION } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { graphOf } from '../graph.js';
import { epilogue, READING } from '../help.js';
import { snapshotJson } from '../json.js';
import { snapshotTable } from '../listing.js';
import { reading } from '../open-store.js';
import { checkRunExists } from '../refs.js';
import { count } from '../words.js';

interface Options {
  run?: string;
  limit?: number;
  forgotten?: boolean;
}

const EXAMPLES = ['snap ls', 'snap ls --run heat --limit 10', "snap ls --json | jq -r '.snapshots[].id'"];

export function addLs(program: Command, perform: Perform): void {
  program
    .command('ls')
    .description(
      'Lists snapshots, newest first: how large the state was, how much of it differed from the one before, ' +
        'and how much was written for it. Where runs branch, a graph says from where.',
    )
    .summary('list snapshots, newest first')
    .option(...RUN_OPTION)
    .option('--limit <N>', 'at most this many', parseLimit)
    .option('--forgotten', 'forgotten ones too')
    .addHelpText('after', epilogue(EXAMPLES, READING))
    .action((options: Options) => perform((context) => ls(context, options)));
}

async function ls(context: Context, options: Options): Promise<ExitStatus> {
  const { output, json, signal } = context;
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const filter: ListFilter = { forgotten: options.forgotten ?? false };
  if (options.run !== undefined) filter.run = options.run;
  return reading(context, async (snap) => {
    const infos: SnapshotInfo[] = [];
    for await (const info of snap.list(filter)) {
      signal.throwIfAborted();
      infos.push(info);
      if (infos.length >= limit) break;
    }
    const nothing = infos.length === 0 ? await whyNothing(snap, options) : undefined;
    if (json) output.json({ store: snap.directory, snapshots: infos.map(snapshotJson) });
    else if (nothing) output.talk(nothing);
    else output.data(snapshotTable(infos, output.style, Date.now(), graphOf(infos)));
    return ExitStatus.done;
  });
}

/** Why a list is empty; a run that never was is an error, as it is most likely mistyped. */
async function whyNothing(snap: Snap, { run }: Options): Promise<string> {
  if (run !== undefined) await checkRunExists(snap, run);
  let forgotten = 0;
  for await (const _ of snap.list({ forgotten: true, ...(run !== undefined && { run }) })) forgotten++;
  if (forgotten === 0) return 'no snapshots yet';
  return `no snapshots but ${count(forgotten, 'forgotten one')}: snap ls --forgotten`;
}
