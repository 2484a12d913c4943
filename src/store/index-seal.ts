/**
 * The seal of the index: what a clean close leaves behind so that the next open can trust LevelDB's files.
 *
 * LevelDB does not notice all damage to its files, and dies of some. So they are trusted only when they are,
 * byte for byte, what a clean close left, and the packs have the sizes they had then. Hashing runs at memory
 * speed; everything else is a rebuild from the packs.
 */

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { SnapError } from '../base/errors.js';
import { MiB } from '../base/sizes.js';
import { RunningHash } from '../chunker/ids.js';
import type { Io } from '../io/io.js';
import { readFully, readSmallFile, replaceFile } from '../io/transfer.js';
import type { Layout } from './layout.js';
import type { Damage } from './scan.js';

export interface CleanState {
  /** UUID of the store. */
  store: string;
  /** Hash of the index's files. */
  index: string;
  /** Size of every pack. */
  packs: Record<string, number>;
  /** The pack to append to and where its last commit ends; 0 and 0 where there is none. */
  openPack: number;
  openEnd: number;
  /** The last pack in which anything counts and where that ends: for the header of the next. */
  lastPack: number;
  lastEnd: number;
  sequence: number;
  commitNumber: number;
  /** Hexadecimal. */
  commitId: string;
  /** What was known to be damaged: an index that is trusted is not compared with the packs again. */
  damage: readonly Damage[];
}

/** Packs are listed here one by one; a store of a million packs has other troubles. */
const SEAL_LIMIT = 64 * MiB;
const READ_BYTES = MiB;
/** LevelDB's own lock and log for people: never read back by it. */
const NOT_DATA: ReadonlySet<string> = new Set(['LOCK', 'LOG', 'LOG.old']);

/** Hash over the names, sizes and bytes of the index's files, which must not be open; throws where one is no file. */
export function hashIndex(io: Io, layout: Layout): string {
  const hash = new RunningHash();
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (const name of io.list(layout.index).sort()) {
    if (NOT_DATA.has(name)) continue;
    const path = join(layout.index, name);
    // Opening a pipe would wait for somebody to write to it.
    if (io.stat(path)?.kind !== 'file') throw new SnapError('SNAP_CORRUPT', `${path} is not a file`);
    const file = io.open(path, 'read');
    try {
      const size = file.size();
      hash.update(Buffer.from(`${name}\0${size}\0`));
      for (let position = 0; position < size; position += READ_BYTES) {
        hash.update(buffer.subarray(0, readFully(file, buffer, position)));
      }
    } finally {
      file.close();
    }
  }
  return hash.digest().toString('hex');
}

export function writeSeal(io: Io, layout: Layout, state: CleanState): void {
  const content = JSON.stringify(state);
  const check = crc32(Buffer.from(content)).toString(16);
  replaceFile(io, layout.clean, Buffer.from(`${JSON.stringify({ state: content, check })}\n`));
}

/** What the last clean close of this store wrote, if that file is there and whole. */
export function readSeal(io: Io, layout: Layout, store: string): CleanState | undefined {
  try {
    const text = readSmallFile(io, layout.clean, SEAL_LIMIT)?.toString('utf8');
    if (text === undefined) return undefined;
    const { state, check } = JSON.parse(text) as { state: string; check: string };
    if (crc32(Buffer.from(state)).toString(16) !== check) return undefined;
    const value: unknown = JSON.parse(state);
    return isCleanState(value) && value.store === store ? value : undefined;
  } catch {
    return undefined;
  }
}

function isCleanState(value: unknown): value is CleanState {
  if (typeof value !== 'object' || value === null) return false;
  const { store, index, packs, commitId, damage, ...rest } = value as Record<keyof CleanState, unknown>;
  const numbers = [
    rest.openPack,
    rest.openEnd,
    rest.lastPack,
    rest.lastEnd,
    rest.sequence,
    rest.commitNumber,
  ];
  return (
    typeof store === 'string' &&
    typeof index === 'string' &&
    typeof packs === 'object' &&
    packs !== null &&
    typeof commitId === 'string' &&
    /^[0-9a-f]{64}$/.test(commitId) &&
    Array.isArray(damage) &&
    numbers.every((number) => Number.isSafeInteger(number) && (number as number) >= 0)
  );
}

/** True where index and packs are exactly what the seal says; what cannot even be read is not. */
export function sealHolds(io: Io, layout: Layout, state: CleanState, packs: Record<string, number>): boolean {
  if (JSON.stringify(packs) !== JSON.stringify(state.packs)) return false;
  if (state.openPack > 0 && !(state.openEnd <= (packs[state.openPack] ?? 0))) return false;
  try {
    return hashIndex(io, layout) === state.index;
  } catch {
    return false;
  }
}
