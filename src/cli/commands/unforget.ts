/** `snap unforget`: undoes `forget`. By id only: a tag of a forgotten snapshot may mean another by now. */

import type { Command } from 'commander';
import { isSnapError } from '../../base/errors.js';
import type { Snap, SnapshotInfo } from '../../index.js';
import { parseRefs } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import type { ExitStatus } from '../exit-status.js';
import { epilogue, WRITING_SEVERAL } from '../help.js';
import { failureJson, snapshotJson } from '../json.js';
import { snapshotTable } from '../listing.js';
import { writing } from '../open-store.js';
import { resolveRef } from '../refs.js';
import { each, statusOf, tellFailed } from '../several.js';
import { count, shortId } from '../words.js';

const EXAMPLES = [
  'snap unforget 3f9a21c0',
  'snap ls --forgotten                 shows what can be brought back',
];

export function addUnforget(program: Command, perform: Perform): void {
  program
    .command('unforget')
    .description(
      'Brings forgotten snapshots back, with their tags where those were not given to others since.',
    )
    .summary('undo forget')
    .argument('<ID...>', 'an id or at least 4 digits of one', parseRefs)
    .addHelpText('after', epilogue(EXAMPLES, WRITING_SEVERAL))
    .action((ids: string[]) => perform((context) => unforget(context, ids)));
}

async function unforget(context: Context, ids: readonly string[]): Promise<ExitStatus> {
  const { output, json, signal } = context;
  return writing(context, async (snap) => {
    const back = new Map<string, SnapshotInfo>();
    const unchanged = new Map<string, SnapshotInfo>();
    const failed = await each(ids, signal, async (prefix) => {
      const present = await notForgotten(snap, prefix);
      if (present && back.has(present.id)) return;
      if (present) unchanged.set(present.id, present);
      else {
        const id = await snap.unforget(prefix);
        back.set(id, await resolveRef(snap, id, undefined));
      }
    });
    tellFailed(failed, output);
    const infos = [...back.values()];
    if (json) {
      output.json({
        store: snap.directory,
        snapshots: infos.map(snapshotJson),
        unchanged: [...unchanged.values()].map(snapshotJson),
        failed: failed.map(failureJson),
      });
    } else {
      for (const id of unchanged.keys()) output.talk(`${shortId(id)} is not forgotten; nothing to undo`);
      if (infos.length > 0) {
        output.talk(`brought back ${count(infos.length, 'snapshot')}:`);
        output.data(snapshotTable(infos, output.style, Date.now()));
      }
    }
    return statusOf(infos.length + unchanged.size, failed, signal);
  });
}

/** The snapshot whose id begins so, unless it is forgotten or there is none. */
async function notForgotten(snap: Snap, prefix: string): Promise<SnapshotInfo | undefined> {
  try {
    const info = await resolveRef(snap, prefix, undefined);
    // A tag may be called like the beginning of an id; here only ids count.
    return info.id.startsWith(prefix.toLowerCase()) ? info : undefined;
  } catch (error) {
    if (isSnapError(error, 'SNAP_NOT_FOUND')) return undefined;
    throw error;
  }
}
