/**
 * Verification: is everything there that the snapshots say, and, if asked, does every byte read back?
 *
 * Two passes. Over the packs: every record's header, in order; with `readData` (or a sample of it) every payload is
 * read, decoded and hashed. Over the snapshots: every page and chunk has to be where the index says, with the right
 * length, and not among what the first pass found damaged. So damage is named twice: where it lies, and what it hits.
 *
 * Runs in steps, so that the writer thread can do other things in between; a run that ends early continues at the
 * pack after the last one it finished. Reads only.
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
  /** Packs up to this number were verified by an earlier run that ended early. */
  after: number;
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

export interface VerifyProgress {
  phase: 'packs' | 'snapshots';
  done: number;
  total: number;
}

export interface VerifyFindings {
  /** Number of the last pack that was finished. */
  pack: number;
  packs: number;
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
  const findings: VerifyFindings = {
    pack: options.after,
    packs: 0,
    records: 0,
    readBytes: 0,
    snapshots: 0,
    // A pack that is gone cannot be looked at any more.
    damage: options.known.filter(({ pack }) => !ends.has(pack)),
    damagedSnapshots: [],
  };
  const ranges = new Map<number, DamagedRange[]>();
  const soundPages = new Set<string>();

  function damaged(pack: number, offset: number, end: number, reason: string): void {
    findings.damage.push({ pack, offset, reason });
    const known = ranges.get(pack);
    if (known) known.push({ offset, end, reason });
    else ranges.set(pack, [{ offset, end, reason }]);
  }

  async function* overPacks(): AsyncGenerator<VerifyProgress, void> {
    const numbers = [...ends.keys()].filter((number) => number > options.after);
    for (const [done, number] of numbers.entries()) {
      yield { phase: 'packs', done, total: numbers.length };
      yield* overPack(number, ends.get(number) ?? 0, { phase: 'packs', done, total: numbers.length });
      findings.pack = number;
      findings.packs++;
    }
  }

  async function* overPack(
    number: number,
    end: number,
    at: VerifyProgress,
  ): AsyncGenerator<VerifyProgress, void> {
    let size: number;
    try {
      size = packs.size(number);
    } catch (error) {
      damaged(number, 0, end, reasonOf(error));
      return;
    }
    if (size < end) damaged(number, size, end, 'the pack was cut off');
    const limit = Math.min(size, end);
    for (let start: number | undefined = 0; start !== undefined && start < limit; ) {
      let next: number = start;
      for (const { header } of packs.headers(number, start, limit)) {
        next = header.offset + recordBytes(header.storedLength);
        checkRecord(header);
        // Behind a footer there is nothing but the trailer that points at it.
        if (header.type === RecordType.footer) next += TRAILER_BYTES;
        if (++findings.records % STEP === 0) yield at;
      }
      if (next >= limit) return;
      start = packs.resync(number, next + RECORD_ALIGNMENT, limit);
      damaged(number, next, start ?? limit, 'there is no readable record');
    }
  }

  function checkRecord(header: RecordHeader): void {
    if (options.share < 1 && (options.share === 0 || options.random() >= options.share)) return;
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
