/** Snapshots as a table: what `ls` prints, and what `forget` and `unforget` say they act on. */

import { formatBytes } from '../base/sizes.js';
import type { SnapshotInfo } from '../index.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';
import { age, shortIds } from './words.js';

const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'run', least: 6, drop: 3 },
  { title: 'step', align: 'right' },
  { title: 'tags', least: 8, drop: 5 },
  { title: 'age', align: 'right', drop: 6 },
  { title: 'size', align: 'right', drop: 4 },
  { title: 'changed', align: 'right', drop: 2 },
  { title: 'stored', align: 'right', drop: 1 },
];

/** `graph`: a drawing for each snapshot, that goes before it. */
export function snapshotTable(
  infos: readonly SnapshotInfo[],
  style: Style,
  now: number,
  graph?: readonly string[],
): string {
  const ids = shortIds(infos.map(({ id }) => id));
  const rows = infos.map((info, index) => [
    ...(graph ? [graph[index] ?? ''] : []),
    ids.get(info.id) ?? info.id,
    info.run,
    info.step === undefined ? '-' : String(info.step),
    tagsOf(info) || '-',
    age(info.createdAt, now),
    formatBytes(info.logicalBytes),
    formatBytes(info.changedBytes),
    formatBytes(info.storedBytes),
  ]);
  return table(graph ? [{ title: '', drop: 7 }, ...COLUMNS] : COLUMNS, rows, style);
}

function tagsOf({ tags, forgotten }: SnapshotInfo): string {
  return [...(forgotten ? ['(forgotten)'] : []), tags.join(', ')].filter(Boolean).join(' ');
}
