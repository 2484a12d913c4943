/** `snap checkpoint`: asks a running loop for a save now, and waits until it is durable. */

import type { Command } from 'commander';
import { SnapError } from '../../base/errors.js';
import { parseSeconds } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue, WRITING } from '../help.js';
import { storeOf } from '../open-store.js';
import { shortId } from '../words.js';

interface Options {
  maxSeconds: number;
}

const EXAMPLES = ['snap checkpoint', 'snap checkpoint --max-seconds 300 && sudo reboot'];

export function addCheckpoint(program: Command, perform: Perform): void {
  program
    .command('checkpoint')
    .description(
      'Asks the program that has the store open for a save, and waits until one that was made after this is durable. ' +
        'The program makes it where it saves anyway, so how soon that is depends on it.',
    )
    .summary('ask a running loop for a durable save now')
    .option('--max-seconds <S>', 'give up after so long', parseSeconds, 60)
    .addHelpText('after', epilogue(EXAMPLES, WRITING))
    .action((options: Options) => perform((context) => checkpoint(context, options)));
}

async function checkpoint(context: Context, { maxSeconds }: Options): Promise<ExitStatus> {
  const directory = storeOf(context);
  const { output, json } = context;
  const { RemoteOwner } = await import('../../api/remote-owner.js');
  const owner = await RemoteOwner.find(directory, 'main', { signal: context.signal });
  if (!owner)
    throw new SnapError('SNAP_NOT_FOUND', `no program has ${directory} open, so there is nobody to ask`);
  const late = AbortSignal.timeout(maxSeconds * 1000);
  try {
    const info = await owner.checkpoint(AbortSignal.any([context.signal, late]));
    context.signal.throwIfAborted();
    if (!info) {
      const why = late.aborted
        ? `did not save within ${maxSeconds} s`
        : 'closed the store without another save';
      throw new Error(`process ${owner.pid} ${why}`);
    }
    if (json) output.json({ store: directory, snapshot: { id: info.id, run: info.run, step: info.step } });
    else output.data(`${shortId(info.id)} (run ${info.run}, step ${info.step ?? '-'}) is durable`);
    return ExitStatus.done;
  } finally {
    await owner.close();
  }
}
