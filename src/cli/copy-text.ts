/** What a copy did, as a table, as remarks and as JSON. */

import { formatBytes } from '../base/sizes.js';
import type { CopiedSnapshot, CopyReport } from '../index.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';
import { age, count, printable, shortId, shortIds } from './words.js';

const COLUMNS: readonly Column[] = [
  { title: 'id' },
  { title: 'run', least: 6, drop: 2 },
  { title: 'step', align: 'right' },
  { title: 'tags', least: 8, drop: 3 },
  { title: 'age', align: 'right', drop: 4 },
  { title: 'size', align: 'right', drop: 1 },
  { title: 'written', align: 'right' },
];
/** More than this is told as a number: who wants all of them asks for JSON. */
const MOST_ROWS = 30;

export function copiedTable(copied: readonly CopiedSnapshot[], style: Style, now: number): string {
  const ids = shortIds(copied.map(({ id }) => id));
  const rows = copied
    .slice(0, MOST_ROWS)
    .map(({ id, run, step, tags, createdAt, logicalBytes, writtenBytes }) => [
      ids.get(id) ?? id,
      run,
      step === undefined ? '-' : String(step),
      tags.join(', ') || '-',
      age(createdAt, now),
      formatBytes(logicalBytes),
      formatBytes(writtenBytes),
    ]);
  const more = copied.length - rows.length;
  return table(COLUMNS, rows, style) + (more > 0 ? `\n... and ${more} more, older ones` : '');
}

/** What else there is to know. */
export function remarks({ skipped, tags, tagsLeft, notKept, gc, dryRun }: CopyReport): string[] {
  const lines = skipped.map(({ id, run, step, reason, message }) => {
    const which = `${shortId(id)} (run ${run}${step === undefined ? '' : `, step ${step}`})`;
    return reason === 'damaged'
      ? `snap: ${which} cannot be read whole and was left out: ${message}`
      : `${which} was left out: ${message}`;
  });
  for (const { name, snapshot, previous } of tags) {
    if (previous !== undefined)
      lines.push(`tag ${name} was moved there from ${shortId(previous)} to ${shortId(snapshot)}`);
  }
  for (const { name, snapshot, previous } of tagsLeft) {
    lines.push(
      `tag ${name} names ${shortId(previous ?? '')} there, not ${shortId(snapshot)}: it was left alone`,
    );
  }
  if (notKept > 0)
    lines.push(
      `${count(notKept, 'snapshot')} would not be kept there and ${notKept === 1 ? 'was' : 'were'} left out`,
    );
  if (gc && gc.dropped > 0 && !dryRun) {
    lines.push(
      `${count(gc.dropped, 'snapshot')} removed there, ${formatBytes(Math.max(0, gc.freedBytes))} freed`,
    );
  }
  return lines.map(printable);
}

export function copyJson({ from, to, gc, ...report }: CopyReport) {
  return {
    store: from,
    to,
    ...report,
    gc: gc && { dropped: gc.dropped, kept: gc.kept, freedBytes: gc.freedBytes, complete: gc.complete },
  };
}
