/**
 * Tables without borders: aligned, and no wider than the terminal.
 *
 * What does not fit is first cut (columns that have a `least` width, the widest first), then left out (columns
 * that have a `drop` rank, the lowest first). Nothing is cut where there is no terminal.
 */

import Table from 'cli-table3';
import type { Style } from './style.js';
import { printable } from './words.js';

export interface Column {
  title: string;
  align?: 'right';
  /** May be cut down to this many characters. */
  least?: number;
  /** Only where cutting others is not enough. */
  cutLast?: true;
  /** May be left out, lowest first. */
  drop?: number;
}

const GAP = '  ';
const FRAME = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
  'left',
  'left-mid',
  'mid',
  'mid-mid',
  'right',
  'right-mid',
] as const;
const NO_FRAME = Object.fromEntries(FRAME.map((part) => [part, '']));
/** cli-table3 takes time that grows with the square of the rows (8 s for 10,000), so it is given few at once. */
const ROWS_AT_ONCE = 25;

/** Title and rows as lines. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
): string {
  const cells = rows.map((row) => row.map(printable));
  const natural = columns.map(({ title }, index) =>
    cells.reduce((widest, row) => Math.max(widest, widthOf(row[index] ?? '')), widthOf(title)),
  );
  const widths = fit(columns, natural, style.columns);
  const kept = columns.map((_, index) => index).filter((index) => widths[index] !== undefined);
  const pick = (row: readonly string[]) => kept.map((index) => row[index] ?? '');
  const layout = {
    widths: kept.map((index) => widths[index] as number),
    aligns: kept.map((index) => columns[index]?.align ?? ('left' as const)),
  };
  const [title = ''] = render([pick(columns.map((column) => column.title))], layout);
  const lines = [style.strong(title)];
  for (let start = 0; start < cells.length; start += ROWS_AT_ONCE) {
    lines.push(...render(cells.slice(start, start + ROWS_AT_ONCE).map(pick), layout));
  }
  return lines.join('\n');
}

/** Names and what they are, one a line. */
export function pairs(entries: readonly (readonly [string, string])[], style: Style): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries
    .map(([name, value]) => `${style.strong(name.padEnd(width))}${GAP}${printable(value)}`)
    .join('\n');
}

/** Width of every column, undefined for one that is left out. */
function fit(
  columns: readonly Column[],
  natural: readonly number[],
  limit: number | undefined,
): (number | undefined)[] {
  const widths: (number | undefined)[] = [...natural];
  if (limit === undefined) return widths;
  const droppable = columns
    .map(({ drop }, index) => ({ drop, index }))
    .filter((entry): entry is { drop: number; index: number } => entry.drop !== undefined)
    .sort((a, b) => a.drop - b.drop);
  for (;;) {
    if (cut(columns, widths, limit)) return widths;
    const next = droppable.shift();
    if (!next) return widths;
    // What was cut may have its room back.
    for (const index of widths.keys()) if (widths[index] !== undefined) widths[index] = natural[index];
    widths[next.index] = undefined;
  }
}

/** Cuts the widest of the columns that may be cut until all fit; false where they cannot. */
function cut(columns: readonly Column[], widths: (number | undefined)[], limit: number): boolean {
  for (let excess = totalOf(widths) - limit; excess > 0; excess--) {
    const widest = widestOf(columns, widths, false) ?? widestOf(columns, widths, true);
    if (widest === undefined) return false;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return true;
}

/** The widest column that may be cut further, of those that are cut last or of the others. */
function widestOf(
  columns: readonly Column[],
  widths: readonly (number | undefined)[],
  last: boolean,
): number | undefined {
  let widest: number | undefined;
  for (const [index, { least, cutLast = false }] of columns.entries()) {
    const width = widths[index];
    if (cutLast !== last || least === undefined || width === undefined || width <= least) continue;
    if (widest === undefined || width > (widths[widest] ?? 0)) widest = index;
  }
  return widest;
}

function totalOf(widths: readonly (number | undefined)[]): number {
  const kept = widths.filter((width) => width !== undefined);
  return kept.reduce((sum, width) => sum + width, GAP.length * (kept.length - 1));
}

interface Layout {
  widths: number[];
  aligns: ('left' | 'right')[];
}

function render(rows: readonly string[][], { widths, aligns }: Layout): string[] {
  const block = new Table({
    chars: { ...NO_FRAME, middle: GAP },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    colWidths: widths,
    colAligns: aligns,
  });
  block.push(...rows);
  return block
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** Columns that a text takes: what cli-table3 says, which knows wide and combining characters. */
function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  // A cell of no text below is filled up to the width of the one above.
  const block = new Table({
    chars: { ...NO_FRAME, middle: '' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  block.push([text], ['']);
  return block.toString().split('\n').at(-1)?.length ?? text.length;
}
