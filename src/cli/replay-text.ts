/** A replay, for people and as JSON. */

import type { Replay, ReplayedInterval } from '../index.js';
import { describeFailure } from './failure.js';
import { differenceInShort, divergenceJson } from './prove-text.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';
import { count, duration, printable, shortIds } from './words.js';

const COLUMNS: readonly Column[] = [
  { title: 'from', align: 'right' },
  { title: 'to', align: 'right' },
  { title: 'snapshot', drop: 1 },
  { title: 'state', least: 20 },
];

export function describeReplay({ intervals, run, seconds }: Replay, reference: string, style: Style): string {
  const differ = intervals.filter(({ same }) => same === false);
  const failed = intervals.filter(({ error }) => error);
  const first = intervals[0]?.from.step;
  const last = intervals.at(-1)?.to.step;
  const outcome = [
    ...(differ.length + failed.length === 0 ? [allSame(intervals)] : []),
    ...(differ.length > 0 ? [`${differ.length} ${differ.length === 1 ? 'differs' : 'differ'}`] : []),
    ...(failed.length > 0 ? [`${failed.length} failed`] : []),
  ];
  const what = `${count(intervals.length, 'interval')} of run ${printable(run)}, step ${first} to ${last}`;
  const headline = `replayed ${what}, with ${printable(reference)} in ${duration(seconds * 1000)}: ${outcome.join(', ')}`;
  const odd = intervals.filter(({ same }) => same !== true);
  if (odd.length === 0) return headline;
  const ids = shortIds(odd.map(({ to }) => to.id));
  const rows = odd.map((interval) => [
    String(interval.from.step),
    String(interval.to.step),
    ids.get(interval.to.id) ?? interval.to.id,
    stateOf(interval),
  ]);
  const rest = intervals.length - odd.length;
  const parts = [headline, table(COLUMNS, rows, style)];
  return [...parts, ...(rest > 0 ? [`${count(rest, 'interval')} the same`] : [])].join('\n\n');
}

function allSame(intervals: readonly ReplayedInterval[]): string {
  const tolerated = intervals.reduce((sum, interval) => sum + interval.tolerated, 0);
  return tolerated > 0 ? `all the same, ${count(tolerated, 'number')} within the tolerance` : 'all identical';
}

function stateOf({ divergence, error, presumed }: ReplayedInterval): string {
  const found = divergence ? differenceInShort(divergence) : `failed: ${error ? describeFailure(error) : ''}`;
  return presumed ? `${found} (it is only presumed that one came of the other)` : found;
}

/** With every key there is, in one order. */
export function replayJson({ same, run, intervals, seconds }: Replay) {
  return {
    same,
    run,
    intervals: intervals.map(({ divergence, error, same: one, ...rest }) => ({
      ...rest,
      same: one ?? null,
      divergence: divergence ? divergenceJson(divergence) : null,
      error: error ? { code: error.code, message: describeFailure(error) } : null,
    })),
    seconds,
  };
}
