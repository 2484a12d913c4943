/**
 * `snap watch`: what a running loop does, as its owner counts it. On a terminal in place, else a line each time.
 *
 * Asks the owner alone, so it costs the loop nothing; where nobody owns the store it says so and waits.
 */

import type { Command } from 'commander';
import type { OwnerStatus } from '../../api/remote-owner.js';
import { formatBytes } from '../../base/sizes.js';
import { parseLimit, parseSeconds } from '../arguments.js';
import type { Context, Perform } from '../context.js';
import { ExitStatus } from '../exit-status.js';
import { epilogue } from '../help.js';
import { reading, storeOf } from '../open-store.js';
import { pairs } from '../table.js';
import { age, count, duration, shortId } from '../words.js';

interface Options {
  interval: number;
  count?: number;
}

const EXAMPLES = ['snap watch', 'snap watch --interval 10', 'snap watch --count 1 --json'];
const STATUSES = [ExitStatus.done, ExitStatus.failed, ExitStatus.usage, ExitStatus.noStore] as const;
const NOBODY = 'no program has this store open; waiting for one (Ctrl-C ends)';

export function addWatch(program: Command, perform: Perform): void {
  program
    .command('watch')
    .description(
      'Shows what the program that has the store open is doing: saves, how long they held the loop, how far behind ' +
        'the disk is, growth, the last error. Ends with Ctrl-C.',
    )
    .summary('a live view of a running loop')
    .option('--interval <S>', 'seconds between two looks', parseSeconds, 1)
    .option('--count <N>', 'end after so many looks', parseLimit)
    .addHelpText('after', epilogue(EXAMPLES, STATUSES))
    .action((options: Options) => perform((context) => watch(context, options)));
}

async function watch(context: Context, { interval, count: looks = Number.POSITIVE_INFINITY }: Options) {
  const directory = storeOf(context);
  const { output, json, signal } = context;
  let isWaiting = false;
  for (let look = 1; ; look++) {
    const status = await statusOf(directory, signal);
    // A folder that is no store is told as everywhere.
    if (!status && look === 1) await reading(context, async () => {});
    if (json) output.jsonLine('status', { store: directory, owner: status ?? null });
    else if (output.style.columns !== undefined) output.redraw(status ? panel(status, context) : NOBODY);
    else if (status) output.data(line(status));
    // Lines in a file: once is enough.
    else if (!isWaiting) output.data(NOBODY);
    isWaiting = !status;
    if (look >= looks || signal.aborted) return ExitStatus.done;
    await pause(interval * 1000, signal);
    // To stop looking is how this ends.
    if (signal.aborted) return ExitStatus.done;
  }
}

/** What the owner says now; undefined where there is none. */
async function statusOf(directory: string, signal: AbortSignal): Promise<OwnerStatus | undefined> {
  const { RemoteOwner } = await import('../../api/remote-owner.js');
  const owner = await RemoteOwner.find(directory, 'main', { signal });
  try {
    return await owner?.status();
  } finally {
    await owner?.close();
  }
}

function panel(status: OwnerStatus, { output }: Context): string {
  const { last, lastError } = status;
  const now = Date.now();
  return pairs(
    [
      ['program', `pid ${status.pid} on ${status.host}, runs ${status.runs.join(', ') || '-'}`],
      ['open', `since ${age(status.since, now).replace(/ ago$/, '')}`],
      ['saves', `${savesOf(status)}; ${status.savesPerMinute.toFixed(1)} a minute`],
      ['behind', behindOf(status)],
      [
        'last',
        last
          ? `${shortId(last.id)} of run ${last.run}, step ${last.step ?? '-'}, ${age(last.createdAt, now)}`
          : '-',
      ],
      ['', last ? `held the loop ${millis(last.stallMs)}, durable after ${millis(last.durableMs)}` : '-'],
      ['', last ? `changed ${formatBytes(last.changedBytes)} of ${formatBytes(last.logicalBytes)}` : '-'],
      ['growth', growthOf(status)],
      ['last error', lastError ? `${age(lastError.at, now)}: ${lastError.message}` : 'none'],
    ],
    output.style,
  );
}

function line(status: OwnerStatus): string {
  const { last, lastError } = status;
  return [
    new Date().toISOString(),
    savesOf(status),
    `${status.savesPerMinute.toFixed(1)}/min`,
    `step ${last?.step ?? '-'}`,
    `stall ${millis(last?.stallMs)}`,
    `durable ${millis(last?.durableMs)}`,
    behindOf(status),
    growthOf(status),
    lastError ? `error: ${lastError.message}` : 'no error',
  ].join('  ');
}

function savesOf({ saves, failedSaves }: OwnerStatus): string {
  return failedSaves > 0 ? `${count(saves, 'save')}, ${failedSaves} failed` : count(saves, 'save');
}

function behindOf({ waiting, lagMs }: OwnerStatus): string {
  return waiting === 0 ? 'nothing waits' : `${count(waiting, 'save')} for ${duration(lagMs)}`;
}

function growthOf({ saves, storedBytes, savesPerMinute }: OwnerStatus): string {
  if (saves === 0) return '-';
  const each = storedBytes / saves;
  return `${formatBytes(Math.round(each))} a save, ${formatBytes(Math.round(each * savesPerMinute))} a minute`;
}

function millis(value: number | undefined): string {
  return value === undefined ? '-' : `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

function pause(millisLong: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, millisLong);
    signal.addEventListener('abort', () => [clearTimeout(timer), resolve()], { once: true });
  });
}
