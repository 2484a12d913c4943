/** How damage is told: which snapshots it hits, and where in the packs it lies. */

import type { DamagedSnapshot } from '../index.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';
import { shortIds } from './words.js';

/** A place in a pack that cannot be read. */
export interface Place {
  pack: number;
  offset: number;
  reason: string;
}

const SNAPSHOTS: readonly Column[] = [
  { title: 'id' },
  { title: 'run', least: 6, drop: 2 },
  { title: 'step', align: 'right' },
  { title: 'tags', least: 8, drop: 1 },
  { title: 'damaged', least: 12 },
  { title: 'where', least: 12, drop: 3 },
];

/** One line for each snapshot: what of it cannot be restored, and the packs in which that lies or lay. */
export function damagedTable(snapshots: readonly DamagedSnapshot[], style: Style): string {
  const ids = shortIds(snapshots.map(({ id }) => id));
  const rows = snapshots.map(({ id, run, step, tags, parts }) => [
    ids.get(id) ?? id,
    run,
    step === undefined ? '-' : String(step),
    tags.join(', ') || '-',
    parts.map(({ path }) => path).join(', '),
    whereOf(parts),
  ]);
  return table(SNAPSHOTS, rows, style);
}

function whereOf(parts: DamagedSnapshot['parts']): string {
  const packs = new Set(parts.map(({ pack }) => pack));
  const known = [...packs].filter((pack) => pack !== undefined).sort((a, b) => a - b);
  return known.length === packs.size
    ? `pack ${known.join(', ')}`
    : ['gone', ...known.map((pack) => `pack ${pack}`)].join(', ');
}

const PLACES: readonly Column[] = [
  { title: 'pack', align: 'right' },
  { title: 'byte', align: 'right' },
  { title: 'what is wrong', least: 20 },
];

/** One line for each pack and kind of damage, with the first place of it. */
export function placesTable(places: readonly Place[], style: Style): string {
  const kinds = new Map<string, Place & { more: number }>();
  for (const { pack, offset, reason } of places) {
    const plain = withoutPlace(reason);
    const known = kinds.get(`${pack} ${plain}`);
    if (known) known.more++;
    else kinds.set(`${pack} ${plain}`, { pack, offset, reason: plain, more: 0 });
  }
  const rows = [...kinds.values()].map(({ pack, offset, reason, more }) => [
    String(pack),
    String(offset),
    more > 0 ? `${reason} (and in ${more} more places)` : reason,
  ]);
  return table(PLACES, rows, style);
}

/** The library's message without the place, which stands beside it. */
export function withoutPlace(reason: string): string {
  return reason.replace(/^pack \d+( is damaged at|,) byte \d+: /, '');
}

export function damagedSnapshotJson({ id, run, step, tags, parts }: DamagedSnapshot) {
  return {
    id,
    run,
    step: step ?? null,
    tags,
    parts: parts.map(({ path, reason, pack, offset }) => ({
      path,
      reason,
      pack: pack ?? null,
      offset: offset ?? null,
    })),
  };
}
