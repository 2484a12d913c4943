/**
 * `snap forget`: drops snapshots, logically.
 *
 * Plans before it acts: every REF is looked up first, so that two names for one snapshot are one, and `latest`
 * given twice does not eat its way back. `--dry-run` prints that plan, and needs no ownership for it.
 */

import type { Command } from 'commander';
import type { Snap, SnapshotInfo } from '../../index.js';
import { parseRefs, RUN_OF_REF } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import type { ExitStatus } from '../exit-status.js';
import { epilogue, WRITING_SEVERAL } from '../help.js';
import { failureJson, snapshotJson } from '../json.js';
import { snapshotTable } from '../listing.js';
import { reading, writing } from '../open-store.js';
import { REF_HELP, resolveRef } from '../refs.js';
import { each, type Failed, statusOf, tellFailed } from '../several.js';
import { commandLine } from '../shell.js';
import { count, shortIds } from '../words.js';

interface Options {
  run?: string;
  dryRun?: boolean;
}

const EXAMPLES = [
  'snap forget 3f9a21c0 diverged',
  'snap forget latest --run heat --dry-run',
  'snap unforget 3f9a21c0              undoes it',
];

export function addForget(program: Command, perform: Perform): void {
  program
    .command('forget')
    .description(
      'Drops snapshots: they are listed and found no more, nor are their tags. Nothing is removed from the ' +
        'disk, and "snap unforget ID" brings them back.',
    )
    .summary('drop snapshots; undone by unforget')
    .argument('<REF...>', REF_HELP, parseRefs)
    .option(...RUN_OF_REF)
    .option('--dry-run', 'only say which snapshots would be forgotten')
    .addHelpText('after', epilogue(EXAMPLES, WRITING_SEVERAL))
    .action((refs: string[], options: Options) => perform((context) => forget(context, refs, options)));
}

function forget(context: Context, refs: readonly string[], options: Options): Promise<ExitStatus> {
  return options.dryRun
    ? reading(context, async (snap) => {
        const { snapshots, failed } = await plan(context, snap, refs, options);
        return report(context, snap, snapshots, failed, true);
      })
    : writing(context, async (snap) => {
        const { snapshots, failed } = await plan(context, snap, refs, options);
        const forgotten: SnapshotInfo[] = [];
        const stuck = await each([...snapshots.keys()], context.signal, async (id) => {
          await snap.forget(id);
          const info = snapshots.get(id);
          if (info) forgotten.push({ ...info, forgotten: true });
        });
        const done = new Map(forgotten.map((info) => [info.id, info]));
        return report(context, snap, done, [...failed, ...stuck], false);
      });
}

interface Plan {
  snapshots: Map<string, SnapshotInfo>;
  failed: Failed[];
}

async function plan(context: Context, snap: Snap, refs: readonly string[], { run }: Options): Promise<Plan> {
  const snapshots = new Map<string, SnapshotInfo>();
  const failed = await each(refs, context.signal, async (ref) => {
    const info = await resolveRef(snap, ref, run);
    snapshots.set(info.id, info);
  });
  return { snapshots, failed };
}

function report(
  context: Context,
  snap: Snap,
  snapshots: ReadonlyMap<string, SnapshotInfo>,
  failed: readonly Failed[],
  dryRun: boolean,
): ExitStatus {
  const { output, json, signal } = context;
  const infos = [...snapshots.values()];
  tellFailed(failed, output);
  if (json) {
    output.json({
      store: snap.directory,
      dryRun,
      snapshots: infos.map(snapshotJson),
      failed: failed.map(failureJson),
    });
  } else if (infos.length > 0) {
    const said = count(infos.length, 'snapshot');
    const undo = commandLine(context, 'unforget', ...shortIds(infos.map(({ id }) => id)).values());
    output.talk(dryRun ? `would forget ${said}; nothing was done:` : `forgot ${said}; undo: ${undo}`);
    output.data(
      snapshotTable(
        infos.map((info) => ({ ...info, forgotten: false })),
        output.style,
        Date.now(),
      ),
    );
  }
  return statusOf(infos.length, failed, signal);
}
