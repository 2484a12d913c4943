/**
 * From packs to a store that can go on: what counts, where to append, what was lost.
 *
 * Used whenever the index is not known to match the packs: after an unclean stop, when it is gone or damaged,
 * and by every reader beside an owner. Reads packs only; `Store` writes what follows from the result.
 *
 * Every pack is taken in order. A sealed one is believed by its footer. Of one without a footer, commits count
 * as `scan.ts` says, up to where the next pack's header says that it ended.
 */

import { decodeCommit, NO_COMMIT } from '../format/commit.js';
import { decodePackHeader, type Footer, type PackHeader } from '../format/pack.js';
import { RecordType } from '../format/record.js';
import type { Committed, Index } from './index.js';
import { needsPayload } from './index.js';
import type { Chain } from './pack-writer.js';
import type { Packs } from './packs.js';
import { type CommittedSpan, type Damage, scanPack, spanIsWhole } from './scan.js';

export interface Recovered {
  chain: Chain;
  damage: Damage[];
  /** The last pack, unless it is sealed. */
  open: OpenPack | undefined;
  /** The packs that have a footer; a reader looks chunks up in them. */
  footers: Map<number, Footer>;
}

export interface OpenPack {
  number: number;
  /** Where the last commit that counts ends. */
  end: number;
  size: number;
  /** The span that no later commit proves to be synced. */
  unproved: CommittedSpan | undefined;
  /** What lies behind `end` may be more than the beginning of a save, or the pack has damage: append elsewhere. */
  setAside: boolean;
}

/** How far a pack is known to have been durable, from the last clean close. */
export interface KnownDurable {
  pack: number;
  end: number;
}

export interface RecoveryOptions {
  store: Buffer;
  known: KnownDurable | undefined;
  /** Enter the chunks of sealed packs too; a reader finds them by footer. */
  indexSealed: boolean;
  onProgress?: (done: number, total: number) => void;
}

/** Entries held in memory before a bulk load writes them. */
const BACKLOG = 20_000;

export async function recover(packs: Packs, index: Index, options: RecoveryOptions): Promise<Recovered> {
  const numbers = packs.numbers();
  const headers = new Map(numbers.map((number) => [number, headerOf(packs, number)]));
  const result: Recovered = {
    chain: { sequence: 1, commitNumber: 0, commitId: NO_COMMIT },
    damage: missingPacks(numbers),
    open: undefined,
    footers: new Map(),
  };
  for (const [position, number] of numbers.entries()) {
    const header = headers.get(number);
    if (header && !header.store.equals(options.store)) {
      result.damage.push({ pack: number, offset: 0, reason: 'it belongs to another store' });
      continue;
    }
    const footer = packs.footer(number);
    if (footer) {
      await takeSealed(packs, index, number, footer, options.indexSealed, result);
    } else {
      const next = headers.get(numbers[position + 1] ?? 0);
      await takeUnsealed(packs, index, number, next, position === numbers.length - 1, options, result);
    }
    options.onProgress?.(position + 1, numbers.length);
  }
  await index.flush();
  return result;
}

async function takeSealed(
  packs: Packs,
  index: Index,
  pack: number,
  footer: Footer,
  indexContent: boolean,
  result: Recovered,
): Promise<void> {
  result.footers.set(pack, footer);
  if (indexContent) {
    for (let position = 0; position < footer.contentCount; position++) {
      index.apply([footer.content(position)]);
      if (index.backlog > BACKLOG) await index.flush();
    }
  }
  for (let position = 0; position < footer.otherCount; position++) {
    const entry: Committed = footer.other(position);
    const { type, offset } = entry.location;
    // Of the commits only the last one matters: it is the last of the others.
    const closes = type === RecordType.commit && position === footer.otherCount - 1;
    if (!needsPayload(type) && !closes) continue;
    const record = packs.readRecord(pack, offset);
    if (!record) {
      result.damage.push({ pack, offset, reason: 'a manifest, note or commit record is damaged' });
    } else if (closes) {
      advance(result.chain, record.header.sequence, decodeCommit(record.payload).number, entry.id);
    } else {
      index.apply([{ ...entry, payload: record.payload }]);
      if (index.backlog > BACKLOG) await index.flush();
    }
  }
  result.open = undefined;
}

async function takeUnsealed(
  packs: Packs,
  index: Index,
  pack: number,
  next: PackHeader | undefined,
  isLast: boolean,
  options: RecoveryOptions,
  result: Recovered,
): Promise<void> {
  const size = packs.size(pack);
  const limit = next?.previousPack === pack ? Math.min(size, next.previousPackEnd) : size;
  if (next?.previousPack === pack && size < next.previousPackEnd) {
    result.damage.push({ pack, offset: size, reason: 'the pack was cut off' });
  }
  const { spans, damage, end, tailHasCommit } = scanPack(packs, pack, limit);
  result.damage.push(...damage);
  let counted = end;
  let suspicious = tailHasCommit;
  const last = spans.at(-1);
  if (isLast && last && !spanIsWhole(packs, pack, last)) {
    spans.pop();
    counted = last.start;
    suspicious = true;
  }
  for (const span of spans) {
    index.apply(span.records);
    advance(result.chain, span.sequence, span.commit.number, span.id);
    if (index.backlog > BACKLOG) await index.flush();
  }
  const expected = options.known?.pack === pack ? options.known.end : 0;
  if (counted < expected) {
    result.damage.push({ pack, offset: counted, reason: 'commits that were durable cannot be read' });
    suspicious = true;
  }
  if (!isLast) return;
  result.open = {
    number: pack,
    end: counted,
    size,
    unproved: spans.at(-1),
    setAside: suspicious || damage.length > 0,
  };
}

function advance(chain: Chain, sequence: number, commitNumber: number, commitId: Chain['commitId']): void {
  chain.sequence = Math.max(chain.sequence, sequence + 1);
  if (commitNumber < chain.commitNumber) return;
  chain.commitNumber = commitNumber;
  chain.commitId = commitId;
}

function headerOf(packs: Packs, pack: number): PackHeader | undefined {
  const record = packs.readRecord(pack, 0);
  return record?.header.type === RecordType.packHeader ? decodePackHeader(record.payload) : undefined;
}

/** Packs are numbered without gaps until gc removes some. */
function missingPacks(numbers: number[]): Damage[] {
  const damage: Damage[] = [];
  for (let expected = 1; expected < (numbers.at(-1) ?? 0); expected++) {
    if (!numbers.includes(expected))
      damage.push({ pack: expected, offset: 0, reason: 'the file is missing' });
  }
  return damage;
}
