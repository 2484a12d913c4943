/** How damage is told: which snapshots it hits, where in the packs it lies, and what nobody can say of it. */

import type { DamagedSnapshot, RepairedPack } from '../index.js';
import type { Style } from './style.js';
import { type Column, table } from './table.js';
import { count, shortIds } from './words.js';

/** A place in a pack that cannot be read. */
export interface Place {
  pack: number;
  offset: number;
  reason: string;
}

/** What is gone without a name. */
export interface Nameless {
  unlisted: number;
  damagedTags: number;
  uncertain: boolean;
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
  const named = known.length > 0 ? [`pack ${known.join(', ')}`] : [];
  return [...named, ...(packs.has(undefined) ? ['in no pack'] : [])].join('; ');
}

const PLACES: readonly Column[] = [
  { title: 'pack', align: 'right' },
  { title: 'byte', align: 'right' },
  { title: 'what is wrong', least: 20 },
];

/** One line for each pack and kind of damage, with the first place of it. */
export function placesTable(places: readonly Place[], style: Style): string {
  const kinds = new Map<string, Place & { more: number }>();
  for (const place of places) {
    const kind = `${place.pack} ${place.reason}`;
    const known = kinds.get(kind);
    if (known) known.more++;
    else kinds.set(kind, { ...place, more: 0 });
  }
  const rows = [...kinds.values()].map(({ pack, offset, reason, more }) => [
    String(pack),
    String(offset),
    more > 0 ? `${reason} (and ${count(more, 'more place')})` : reason,
  ]);
  return table(PLACES, rows, style);
}

const REPAIRED: readonly Column[] = [
  { title: 'pack', align: 'right' },
  { title: 'what was wrong', least: 20 },
  { title: 'its file now' },
];
/** So many reasons are told of one pack; the JSON has all of them. */
const REASONS = 2;

/** One line for each pack that was set aside. */
export function repairedTable(packs: readonly RepairedPack[], style: Style): string {
  const rows = packs.map(({ pack, reasons, movedTo }) => {
    const more = reasons.length - REASONS;
    const told = reasons.slice(0, REASONS).join('; ');
    return [
      String(pack),
      more > 0 ? `${told}; and ${count(more, 'more place')}` : told,
      movedTo ?? '(there is none)',
    ];
  });
  return table(REPAIRED, rows, style);
}

/** What may be missing from the list, as far as anybody can say. */
export function namelessLines({ unlisted, damagedTags, uncertain }: Nameless): string[] {
  const lines = [];
  if (unlisted > 0) {
    const them = unlisted === 1 ? 'its manifest' : 'their manifests';
    lines.push(`not listed any more: ${count(unlisted, 'snapshot')}, as ${them} cannot be read`);
  }
  if (damagedTags > 0) {
    const them = damagedTags === 1 ? 'it is' : 'they are';
    lines.push(`${count(damagedTags, 'tag')} cannot be read: ${them} gone, or where an earlier one was`);
  }
  if (uncertain) lines.push('more may be missing from the list: nobody can say what the lost parts held');
  return lines;
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
