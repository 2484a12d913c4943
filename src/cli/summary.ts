/** `snap` alone: what the store holds and what to do next, or how to begin where there is none. */

import { formatBytes } from '../base/sizes.js';
import type { SnapshotInfo, StoreStats } from '../index.js';
import type { Context } from './context.js';
import { ExitStatus } from './exit-status.js';
import { snapshotJson } from './json.js';
import { findStore, reading } from './open-store.js';
import { age, count, printable, shortId } from './words.js';

const HOW_TO_BEGIN = `There is no store here or in a folder above. A program makes one as it saves:

  import { Snap } from 'holdfast';
  const snap = await Snap.open('./checkpoints');
  await snap.save(state);
  await snap.close();

Then "snap ls" lists its snapshots. For a store elsewhere: snap --store DIR ls. All commands: snap --help`;

export async function summary(context: Context): Promise<ExitStatus> {
  const { output, json } = context;
  const directory = findStore(context);
  if (directory === undefined) {
    if (json) output.json({ store: null });
    else output.data(HOW_TO_BEGIN);
    return ExitStatus.done;
  }
  const { stats, newest } = await reading(context, async (snap) => ({
    stats: await snap.stats(),
    newest: await first(snap.list()),
  }));
  if (json) {
    const { snapshots, forgotten, tags, packBytes, runs } = stats;
    const names = runs.map(({ run }) => run);
    output.json({
      store: directory,
      snapshots,
      forgotten,
      tags,
      packBytes,
      runs: names,
      newest: newest && snapshotJson(newest),
    });
  } else {
    output.data(describe(directory, stats, newest));
  }
  return ExitStatus.done;
}

function describe(directory: string, stats: StoreStats, newest: SnapshotInfo | undefined): string {
  const store = printable(directory);
  if (!newest) {
    const forgotten = stats.forgotten > 0 ? ` (${stats.forgotten} forgotten: snap ls --forgotten)` : '';
    return `${store} is a store without snapshots${forgotten}.\nA program fills it: await snap.save(state)`;
  }
  const runs = stats.runs.map(({ run }) => printable(run));
  const inRuns = runs.length === 1 ? `run ${runs[0]}` : `${runs.length} runs (${runs.join(', ')})`;
  const step = newest.step === undefined ? '' : `, step ${newest.step}`;
  return [
    `${store} holds ${count(stats.snapshots, 'snapshot')} of ${inRuns} in ${formatBytes(stats.packBytes)}.`,
    `The newest is ${shortId(newest.id)}${step}, ${age(newest.createdAt, Date.now())}.`,
    'Next: snap ls, snap show latest, snap stats; all commands: snap --help',
  ].join('\n');
}

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
