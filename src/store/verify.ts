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
import { type Location, locationOf, TRAILER_BYTES } from '../format/pack.js';
import { RECORD_ALIGNMENT, type RecordHeader, RecordType, recordBytes } from '../format/record.js';
import type { Tree } from '../format/tree.js';
import type { Summary } from './index.js';
import { readRegionTable } from './manifests.js';
import type { Packs } from './packs.js';
import type { RecordReader } from './record-reader.js';
import { visitChunks } from './region-tree.js';
import type { Damage } from './scan.js';
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
  const rest = [...ends.keys()].filter((number) => !isDone(number));
  const startOf = (number: number) => (number === from.pack ? from.offset : 0);
  const findings: VerifyFindings = {
    pack: from.pack,
    offset: from.offset,
    packs: 0,
    packsBefore: ends.size - rest.length,
    packsTotal: ends.size,
    continues: from.pack > 0,
    records: 0,
    readBytes: 0,
    snapshots: 0,
    damage: [],
    damagedSnapshots: [],
  };
  const ranges = new Map<number, DamagedRange[]>();
  const told = new Set<string>();
  const soundPages = new Set<string>();

  // What opening the store found comes first: it knows more of the reason than a look at single records.
  for (const damage of options.known) tell(damage);

  function tell(damage: Damage): void {
    const place = `${damage.pack} ${damage.offset}`;
    if (told.has(place)) return;
    told.add(place);
    findings.damage.push(damage);
  }

  function damaged(pack: number, offset: number, end: number, reason: string): void {
    tell({ pack, offset, reason });
    const known = ranges.get(pack);
    if (known) known.push({ offset, end, reason });
    else ranges.set(pack, [{ offset, end, reason }]);
  }

  /** What earlier runs found damaged and no later one would come to. */
  function lookAgain(): void {
    for (const { pack, offset, reason } of from.damage) {
      const end = ends.get(pack);
      if (end === undefined) continue;
      try {
        const header = packs.headerAt(pack, offset);
        if (header) checkPayload(header);
        else damaged(pack, offset, packs.resync(pack, offset, end) ?? end, reason);
      } catch (error) {
        damaged(pack, offset, end, reasonOf(error));
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
      damaged(number, 0, end, reasonOf(error));
      return;
    }
    if (size < end) damaged(number, size, end, 'the pack was cut off');
    const limit = Math.min(size, end);
    for (let position: number | undefined = start; position !== undefined && position < limit; ) {
      let next: number = position;
      for (const { header } of packs.headers(number, position, limit)) {
        next = header.offset + recordBytes(header.storedLength);
        checkRecord(header);
        // Behind a footer there is nothing but the trailer that points at it.
        if (header.type === RecordType.footer) next += TRAILER_BYTES;
        if (++findings.records % STEP === 0) yield next;
      }
      if (next >= limit) return;
      position = packs.resync(number, next + RECORD_ALIGNMENT, limit);
      damaged(number, next, position ?? limit, 'there is no readable record');
    }
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
      const isContent = header.type === RecordType.chunk || header.type === RecordType.page;
      if (isContent) reader.readLocated(id, locationOf(header));
      else if (!packs.readRecord(pack, offset)) damaged(pack, offset, end, 'its checksum is wrong');
    } catch (error) {
      damaged(pack, offset, end, reasonOf(error));
    }
  }

  async function* overSnapshots(): AsyncGenerator<VerifyProgress, void> {
    const summaries: Summary[] = [];
    // What was forgotten waits for gc: nobody misses it.
    for await (const summary of store.summaries()) if (!summary.forgotten) summaries.push(summary);
    const tags = new Map<string, string[]>();
    for await (const { name, snapshot } of store.tags())
      tags.set(snapshot, [...(tags.get(snapshot) ?? []), name]);
    for (const [done, summary] of summaries.entries()) {
      yield { phase: 'snapshots', done, total: summaries.length };
      const parts = damagedParts(summary);
      findings.snapshots++;
      if (parts.length === 0) continue;
      const { id, run, step } = summary;
      findings.damagedSnapshots.push({ id, run, step, tags: tags.get(id) ?? [], parts });
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
    const location: Location | undefined = store.locate(id);
    if (!location)
      throw new SnapError('SNAP_CORRUPT', `chunk ${id.toString('hex', 0, 8)} is in none of the packs`);
    const { pack, offset } = location;
    const hit = ranges.get(pack)?.find((range) => offset >= range.offset && offset < range.end);
    if (hit) {
      const { reason } = hit;
      throw new SnapError('SNAP_CORRUPT', `pack ${pack}, byte ${offset}: ${reason}`, { pack, offset });
    }
    if (location.rawLength !== byteLength) {
      throw new SnapError('SNAP_CORRUPT', 'a chunk has another length than its page says', location);
    }
  }

  return {
    findings,
    async *run() {
      yield* overPacks();
      yield* overSnapshots();
    },
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
