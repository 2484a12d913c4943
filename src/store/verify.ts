/**
 * Verification: is everything there that the snapshots say, and, if asked, does every byte read back?
 *
 * Two passes. Over the packs: every record's header, in order; with `readData` (or a sample of it) every payload is
 * read, decoded and hashed. Over the snapshots: every page and chunk has to be where the index says, with the right
 * length, and not among what the first pass found damaged. So damage is named twice: where it lies, and what it hits.
 *
 * Runs in steps, so that the writer thread can do other things in between; a run that ends early is continued by the
 * next one at the record where it stopped. What it had found damaged is looked at again, so that the last of several
 * runs does not call sound what the first had found broken. Reads only.
 */

import { SnapError } from '../base/errors.js';
import { type ChunkId, chunkKey } from '../base/ids.js';
import { fitsBase, takesBase } from '../format/bases.js';
import { type Location, locationOf, TRAILER_BYTES } from '../format/pack.js';
import { isContent, RECORD_ALIGNMENT, type RecordHeader, RecordType, recordBytes } from '../format/record.js';
import type { Tree } from '../format/tree.js';
import type { Summary } from './index.js';
import { readRegionTable } from './manifests.js';
import { damagedAt, type Packs } from './packs.js';
import type { RecordReader } from './record-reader.js';
import { visitChunks } from './region-tree.js';
import { cutOff, type Damage, damageOf, UNREADABLE } from './scan.js';
import type { Store } from './store.js';

export interface VerifyOptions {
  /** Share of the payloads to read: 0 none, 1 all. */
  share: number;
  /** What an earlier run that ended early came to. */
  from: VerifiedSoFar;
  /** Draws the sample; in [0, 1). */
  random(): number;
  /** What opening the store found wrong. */
  known: readonly Damage[];
}

/** A snapshot that cannot be restored whole. */
export interface DamagedSnapshot {
  id: string;
  run: string;
  step: number | undefined;
  tags: string[];
  /** What of it, and why: a region's path, `(skeleton)`, `(manifest)`. */
  parts: { path: string; reason: string; pack?: number; offset?: number }[];
}

/** How far a verification is: `done` of `total` bytes of the packs, or snapshots. */
export interface VerifyProgress {
  phase: 'packs' | 'snapshots';
  done: number;
  total: number;
}

/** Packs before `pack`, and that one up to `offset`, are verified; what of them was damaged. */
export interface VerifiedSoFar {
  pack: number;
  offset: number;
  damage: readonly Damage[];
}

export interface VerifyFindings {
  /** The pack that was looked at last, and up to where. */
  pack: number;
  offset: number;
  /** Packs that this run finished, that earlier ones had finished, and all. */
  packs: number;
  packsBefore: number;
  packsTotal: number;
  /** It goes on where an earlier one ended. */
  continues: boolean;
  records: number;
  readBytes: number;
  snapshots: number;
  damage: Damage[];
  damagedSnapshots: DamagedSnapshot[];
  /** Manifests that cannot be read: so many snapshots are not listed any more. */
  unlisted: number;
  /** Tags that cannot be read: they are gone, or point where they did before. */
  damagedTags: number;
  /** Parts of packs are gone of which nobody knows what they held. */
  uncertain: boolean;
}

export interface Verification {
  readonly findings: VerifyFindings;
  /** Goes on; yields often. */
  run(): AsyncGenerator<VerifyProgress, void>;
}

interface DamagedRange {
  offset: number;
  end: number;
  reason: string;
}

/** Records looked at between two yields. */
const STEP = 32;

export function verification(
  store: Store,
  packs: Packs,
  reader: RecordReader,
  ends: ReadonlyMap<number, number>,
  options: VerifyOptions,
): Verification {
  const { from } = options;
  const isDone = (number: number) =>
    number < from.pack || (number === from.pack && from.offset >= (ends.get(number) ?? 0));
  const foreign = new Set(options.known.filter((damage) => damage.foreign).map(({ pack }) => pack));
  const own = [...ends.keys()].filter((number) => !foreign.has(number));
  const rest = own.filter((number) => !isDone(number));
  const startOf = (number: number) => (number === from.pack ? from.offset : 0);
  const findings: VerifyFindings = {
    pack: from.pack,
    offset: from.offset,
    packs: 0,
    packsBefore: own.length - rest.length,
    packsTotal: own.length,
    continues: from.pack > 0,
    records: 0,
    readBytes: 0,
    snapshots: 0,
    damage: [],
    damagedSnapshots: [],
    unlisted: 0,
    damagedTags: 0,
    uncertain: false,
  };
  const ranges = new Map<number, DamagedRange[]>();
  const told = new Set<string>();
  const soundPages = new Set<string>();
  /** Chunks that have a base which is there. */
  const soundDifferences = new Set<string>();

  // What opening the store found comes first: it knows more of the reason than a look at single records.
  for (const damage of options.known) tell(damage);

  function tell(damage: Damage): void {
    told.add(placeOf(damage));
    findings.damage.push(damage);
    findings.uncertain ||= damage.costs === 'unknown';
    if (damage.costs === 'tag') findings.damagedTags++;
  }

  function damaged(damage: Damage, end: number): void {
    const { pack, offset, reason } = damage;
    if (!told.has(placeOf(damage))) tell(damage);
    const known = ranges.get(pack);
    if (known) known.push({ offset, end, reason });
    else ranges.set(pack, [{ offset, end, reason }]);
  }

  /** What earlier runs found damaged and no later one would come to. */
  function lookAgain(): void {
    for (const damage of from.damage) {
      const { pack, offset } = damage;
      const end = ends.get(pack);
      if (end === undefined || foreign.has(pack)) continue;
      try {
        const header = packs.headerAt(pack, offset);
        if (header) checkPayload(header);
        else damaged(damage, packs.resync(pack, offset, end) ?? end);
      } catch (error) {
        damaged({ pack, offset, reason: reasonOf(error) }, end);
      }
    }
  }

  async function* overPacks(): AsyncGenerator<VerifyProgress, void> {
    lookAgain();
    const sizes = rest.map((number) => (ends.get(number) ?? 0) - startOf(number));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    for (const [position, number] of rest.entries()) {
      const base = done - startOf(number);
      yield { phase: 'packs', done, total };
      for (const offset of overPack(number, startOf(number), ends.get(number) ?? 0)) {
        Object.assign(findings, { pack: number, offset });
        yield { phase: 'packs', done: base + offset, total };
      }
      Object.assign(findings, { pack: number, offset: ends.get(number) ?? 0 });
      findings.packs++;
      done += sizes[position] ?? 0;
    }
  }

  /** Looks at `[start, end)` of a pack; yields up to where it came. */
  function* overPack(number: number, start: number, end: number): Generator<number, void> {
    let size: number;
    try {
      size = packs.size(number);
    } catch (error) {
      damaged({ pack: number, offset: 0, reason: reasonOf(error), costs: 'unknown' }, end);
      return;
    }
    if (size < end) damaged(cutOff(number, size), end);
    const limit = Math.min(size, end);
    for (let position: number | undefined = start; position !== undefined && position < limit; ) {
      let next: number = position;
      for (const { header } of packs.headers(number, position, limit)) {
        next = header.offset + recordBytes(header.storedLength);
        checkRecord(header);
        // Behind a footer there is nothing but the trailer that points at it.
        if (header.type === RecordType.footer) {
          checkTrailer(header, next);
          next += TRAILER_BYTES;
        }
        if (++findings.records % STEP === 0) yield next;
      }
      if (next >= limit) return;
      position = packs.resync(number, next + RECORD_ALIGNMENT, limit);
      // Of a sealed pack the footer says what stood there, and recovery has looked for it.
      const costs = packs.isSealed(number) ? {} : { costs: 'unknown' as const };
      damaged({ pack: number, offset: next, reason: UNREADABLE, ...costs }, position ?? limit);
    }
  }

  /** Without a trailer the footer is not found; where the footer itself is damaged, that is told of it. */
  function checkTrailer({ pack, offset }: RecordHeader, trailer: number): void {
    if (packs.footer(pack, trailer + TRAILER_BYTES) || !packs.readRecord(pack, offset)) return;
    damaged({ pack, offset: trailer, reason: 'the trailer is damaged' }, trailer + TRAILER_BYTES);
  }

  function checkRecord(header: RecordHeader): void {
    if (options.share < 1 && (options.share === 0 || options.random() >= options.share)) return;
    checkPayload(header);
  }

  function checkPayload(header: RecordHeader): void {
    findings.readBytes += header.storedLength;
    const { pack, offset, id } = header;
    const end = offset + recordBytes(header.storedLength);
    try {
      if (isContent(header.type)) reader.readLocated(id, locationOf(header));
      else if (!packs.readRecord(pack, offset)) damaged(damageOf(header), end);
    } catch (error) {
      if (!hasBaseAndIsIntact(header)) damaged({ pack, offset, reason: reasonOf(error, header) }, end);
    }
  }

  /** What is wrong with the base of a record is told of the base, and of the snapshots that need the record. */
  function hasBaseAndIsIntact(header: RecordHeader): boolean {
    if (!takesBase(header.filter)) return false;
    try {
      packs.readStored(locationOf(header), header.id, true);
      return true;
    } catch {
      return false;
    }
  }

  async function* overSnapshots(): AsyncGenerator<VerifyProgress, void> {
    const summaries: Summary[] = [];
    const manifests = findings.damage.filter(({ costs }) => costs === 'snapshot');
    const unlisted = new Set(manifests.map(placeOf));
    for await (const summary of store.summaries()) {
      if (summaries.length % STEP === 0) yield { phase: 'snapshots', done: 0, total: summaries.length };
      unlisted.delete(placeOf(summary.manifest));
      // What was forgotten waits for gc: nobody misses it.
      if (!summary.forgotten) summaries.push(summary);
    }
    const tags = await store.tagNames();
    findings.unlisted = unlisted.size;
    for (const [done, summary] of summaries.entries()) {
      yield { phase: 'snapshots', done, total: summaries.length };
      const parts = damagedParts(summary);
      findings.snapshots++;
      if (parts.length === 0) continue;
      const { id, run, step } = summary;
      findings.damagedSnapshots.push({ id, run, step, tags: [...(tags.get(id) ?? [])], parts });
    }
  }

  function damagedParts(summary: Summary): DamagedSnapshot['parts'] {
    const parts: DamagedSnapshot['parts'] = [];
    const attempt = <T>(path: string, look: () => T): T | undefined => {
      try {
        return look();
      } catch (error) {
        const where = error instanceof SnapError ? error : undefined;
        parts.push({
          path,
          reason: reasonOf(error),
          ...(where?.pack !== undefined && { pack: where.pack }),
          ...(where?.offset !== undefined && { offset: where.offset }),
        });
        return undefined;
      }
    };
    const manifest = attempt('(manifest)', () => store.manifest(summary));
    if (!manifest) return parts;
    attempt('(skeleton)', () => checkTree(manifest.skeleton));
    const table = attempt('(regions)', () => readRegionTable(store, manifest)) ?? [];
    for (const { path, tree } of table) attempt(path === '' ? '(state)' : path, () => checkTree(tree));
    return parts;
  }

  /** Throws at the first chunk or page of a tree that is not what it should be. */
  function checkTree(tree: Tree): void {
    visitChunks(store, tree, (id, _offset, byteLength) => checkPresent(id, byteLength), {
      skip: (page) => soundPages.has(chunkKey(page)),
      sound: (page) => soundPages.add(chunkKey(page)),
    });
  }

  function checkPresent(id: ChunkId, byteLength: number): void {
    const { filter } = checkPlace(id, byteLength);
    if (!takesBase(filter) || soundDifferences.has(chunkKey(id))) return;
    const base = store.baseOf(id);
    const place = base && checkPlace(base);
    if (place && takesBase(place.filter)) {
      throw new SnapError('SNAP_CORRUPT', 'the base of a chunk has a base itself');
    }
    if (place && !fitsBase(filter, byteLength, place.rawLength)) {
      throw new SnapError('SNAP_CORRUPT', 'the base of a chunk has a length that it cannot have');
    }
    soundDifferences.add(chunkKey(id));
  }

  function checkPlace(id: ChunkId, byteLength?: number): Location {
    const location: Location | undefined = store.locate(id);
    if (!location)
      throw new SnapError('SNAP_CORRUPT', `chunk ${id.toString('hex', 0, 8)} is in none of the packs`);
    const { pack, offset } = location;
    const hit = ranges.get(pack)?.find((range) => offset >= range.offset && offset < range.end);
    if (hit) {
      store.distrust(id);
      const { reason } = hit;
      throw new SnapError('SNAP_CORRUPT', `pack ${pack}, byte ${offset}: ${reason}`, { pack, offset });
    }
    if (byteLength !== undefined && location.rawLength !== byteLength) {
      throw new SnapError('SNAP_CORRUPT', 'a chunk has another length than its page says', location);
    }
    return location;
  }

  return {
    findings,
    async *run() {
      yield* overPacks();
      yield* overSnapshots();
    },
  };
}

function placeOf({ pack, offset }: { pack: number; offset: number }): string {
  return `${pack} ${offset}`;
}

/** The message, without the place where that is told beside it. */
function reasonOf(error: unknown, place?: { pack: number; offset: number }): string {
  const message = error instanceof Error ? error.message : String(error);
  const prefix = place ? damagedAt(place.pack, place.offset) : '';
  return message.startsWith(prefix) ? message.slice(prefix.length) : message;
}
