/** A comparison of two snapshots, for people and as JSON. */

import { formatBytes } from '../base/sizes.js';
import type { Diff, RegionDiff, SnapshotInfo, ValueDiff } from '../index.js';
import { snapshotJson } from './json.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';
import { age, count, shortIds } from './words.js';

/** Ranges that are listed one by one; of more, only the first and the last index and their number. */
const LISTED_RANGES = 3;

const REGION_COLUMNS: readonly Column[] = [
  { title: 'region', least: 8 },
  { title: 'kind', drop: 2 },
  { title: 'size', align: 'right', drop: 3 },
  { title: 'differ', align: 'right' },
  { title: 'where', drop: 5 },
  { title: 'largest difference', drop: 4 },
  { title: 'a -> b', drop: 1 },
];

const VALUE_COLUMNS: readonly Column[] = [
  { title: 'value', least: 6, cutLast: true },
  { title: 'a', least: 5 },
  { title: 'b', least: 5 },
];

export function describeDiff(diff: Diff, style: Style, now: number): string {
  const parts = [snapshots(diff, style, now), ...differences(diff, style)];
  if (diff.same) parts.splice(1, 0, 'nothing differs');
  return parts.join('\n\n');
}

/** The tables of what differs, where the two states are called so. */
export function differences(diff: Omit<Diff, 'a' | 'b'>, style: Style, [a, b] = ['a', 'b']): string[] {
  const named = (columns: readonly Column[]) =>
    columns.map((column) => ({ ...column, title: column.title.replace(/\ba\b/, a).replace(/\bb\b/, b) }));
  const parts: string[] = [];
  if (diff.regions.length > 0) parts.push(table(named(REGION_COLUMNS), diff.regions.map(regionRow), style));
  if (diff.values.length > 0) parts.push(table(named(VALUE_COLUMNS), diff.values.map(valueRow), style));
  const rest = restOf(diff);
  return rest ? [...parts, rest] : parts;
}

function snapshots({ a, b }: Diff, style: Style, now: number): string {
  const ids = shortIds([a.id, b.id]);
  const row = (name: string, info: SnapshotInfo) => [
    name,
    ids.get(info.id) ?? info.id,
    info.run,
    info.step === undefined ? '-' : String(info.step),
    age(info.createdAt, now),
  ];
  return table(
    [
      { title: '' },
      { title: 'id' },
      { title: 'run', least: 6, drop: 2 },
      { title: 'step', align: 'right' },
      { title: 'age', align: 'right', drop: 1 },
    ],
    [row('a', a), row('b', b)],
    style,
  );
}

function regionRow({ path, change, a, b, content }: RegionDiff): string[] {
  const name = path === '' ? '(state)' : path;
  if (!a || !b) {
    const form = a ?? b;
    return [name, form?.kind ?? '', formatBytes(form?.byteLength ?? 0), change];
  }
  const kind = fromTo(a.kind, b.kind);
  const size = fromTo(formatBytes(a.byteLength), formatBytes(b.byteLength));
  if (!content) return [name, kind, size, '0'];
  const { changed, elements, largest } = content;
  const numbers = largest ? `${short(largest.a)} -> ${short(largest.b)}` : '';
  return [
    name,
    kind,
    size,
    `${changed} (${percent(changed / elements)})`,
    where(content),
    largestText(content),
    numbers,
  ];
}

function fromTo(a: string, b: string): string {
  return a === b ? a : `${a} -> ${b}`;
}

type Content = NonNullable<RegionDiff['content']>;

/** Indexes of the first and last element of each range, both included. */
function where({ ranges, runs, first, last }: Content): string {
  if (runs > LISTED_RANGES) return `${first}-${last} in ${runs} runs`;
  return ranges.map(({ start, end }) => (end - start === 1 ? `${start}` : `${start}-${end - 1}`)).join(', ');
}

function largestText({ largest, incomparable }: Content): string {
  const known = largest ? [`${short(largest.difference)} at ${largest.index}`] : [];
  return [...known, ...(incomparable > 0 ? [`${incomparable} x NaN`] : [])].join('; ');
}

function valueRow({ path, count: length, a, b }: ValueDiff): string[] {
  const run =
    length > 1 ? path.replace(/\[(\d+)\]$/, (_, from) => `[${from}..${Number(from) + length - 1}]`) : path;
  return [run === '' ? '(state)' : run, a ?? '-', b ?? '-'];
}

function restOf({ same, moreValues, equalRegions, tolerated }: Omit<Diff, 'a' | 'b'>): string {
  const lines: string[] = [];
  if (moreValues > 0) lines.push(`and ${count(moreValues, 'more value')} (--limit N lists more)`);
  if (!same && equalRegions > 0) lines.push(`${count(equalRegions, 'region')} the same`);
  if (tolerated > 0) lines.push(`${count(tolerated, 'number')} within the tolerance`);
  return lines.join('\n');
}

function percent(share: number): string {
  if (share === 1) return '100 %';
  return share < 0.001 ? '< 0.1 %' : `${Math.min(share * 100, 99.9).toFixed(1)} %`;
}

/** Six digits are enough to see by; all of them are in the JSON. */
function short(value: number | bigint): string {
  return typeof value === 'bigint' ? String(value) : String(Number(value.toPrecision(6)));
}

/** With every key there is, in one order. */
export function diffJson({ a, b, ...found }: Diff) {
  return { a: snapshotJson(a), b: snapshotJson(b), ...differenceJson(found) };
}

/** What differs, without the two snapshots. */
export function differenceJson(found: Omit<Diff, 'a' | 'b'>) {
  const { same, regions, equalRegions, values, moreValues, tolerated, readBytes } = found;
  return {
    same,
    regions: regions.map(regionJson),
    equalRegions,
    values: values.map((value) => ({ ...value, a: value.a ?? null, b: value.b ?? null })),
    moreValues,
    tolerated,
    readBytes,
  };
}

function regionJson({ path, change, a, b, content }: RegionDiff) {
  return { path, change, a: a ?? null, b: b ?? null, content: content ? contentJson(content) : null };
}

function contentJson(content: Content) {
  const { largest: found, firstPair: pair } = content;
  const firstPair = { ...pair, a: exact(pair.a), b: exact(pair.b) };
  if (!found) return { ...content, firstPair, largest: null };
  const { index, difference, a, b } = found;
  const largest = { index, difference: exact(difference), a: exact(a), b: exact(b) };
  return { ...content, firstPair, largest };
}

/** A number as JSON says it, or as a string where it cannot: bigints, infinities, NaN, -0. */
function exact(value: number | bigint | undefined): number | string | null {
  if (value === undefined) return null;
  if (typeof value === 'bigint') return String(value);
  return Number.isFinite(value) && !Object.is(value, -0)
    ? value
    : Object.is(value, -0)
      ? '-0'
      : String(value);
}
