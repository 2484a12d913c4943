/**
 * zstd behind a seam: the addon where it loads, Node's own where it has one, nothing otherwise.
 *
 * All of them write the same frames, so a store written with one is read with any other. Which one is used is
 * found once per thread; a missing addon (npm 12 blocks install scripts by default) must never break an import.
 */

import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { SnapError } from '../base/errors.js';

export interface Compressor {
  readonly name: 'zstd-napi' | 'node:zlib' | 'none';
  /**
   * Compresses `source` into `target`; returns the length, or 0 where it does not fit. With a dictionary (see
   * `isPlainDictionary`) what stands in that takes next to nothing; 0 too where nothing here knows dictionaries.
   */
  compress(source: Buffer, target: Buffer, dictionary?: Buffer): number;
  /** Decompresses a frame that must fill `target` exactly; throws SNAP_CORRUPT otherwise. */
  decompress(source: Buffer, target: Buffer, dictionary?: Buffer): void;
}

/** Speed is what level 1 is for: the disk should be the limit, not the CPU. */
export const DEFAULT_LEVEL = 1;
/** For filtered numbers: twice as fast as level 1, and no larger. */
export const FASTEST_LEVEL = -1;

interface AddonContext {
  setParameter(parameter: number, value: number): void;
  compress2(target: Uint8Array, source: Uint8Array): number;
  compressUsingDict(target: Uint8Array, source: Uint8Array, dictionary: Uint8Array, level: number): number;
}
interface AddonDecoder {
  decompress(target: Uint8Array, source: Uint8Array): number;
  decompressUsingDict(target: Uint8Array, source: Uint8Array, dictionary: Uint8Array): number;
}
interface Addon {
  CCtx: new () => AddonContext;
  DCtx: new () => AddonDecoder;
  CParameter: { compressionLevel: number };
  compressBound(length: number): number;
}
/** Node's zstd, absent before 22.15 and from the types of Node 20. */
interface NodeZstd {
  zstdCompressSync?(source: Uint8Array, options: object): Buffer;
  zstdDecompressSync?(source: Uint8Array, options: object): Buffer;
  constants: { ZSTD_c_compressionLevel?: number; ZSTD_c_targetLength?: number };
}

/** One per level and thread: zstd's contexts take megabytes that the garbage collector knows nothing of. */
const found = new Map<number, Compressor>();

/** The best compressor there is here, writing at `level`. */
export function findCompressor(level: number): Compressor {
  let compressor = found.get(level);
  if (!compressor) {
    compressor = fromAddon(level) ?? fromNode(level) ?? nothing;
    found.set(level, compressor);
  }
  return compressor;
}

/** Levels are those of zstd: 1 (fast) to 19 (small). */
export function checkLevel(level: number): void {
  if (!Number.isInteger(level) || level < 1 || level > 19) {
    throw new RangeError(
      `compression.level is ${level}; it takes a whole number from 1 (fast) to 19 (small)`,
    );
  }
}

export function fromAddon(level: number): Compressor | undefined {
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)('zstd-napi/binding.js') as Addon;
  } catch {
    return undefined;
  }
  const encoder = new addon.CCtx();
  encoder.setParameter(addon.CParameter.compressionLevel, level);
  const decoder = new addon.DCtx();
  return {
    name: 'zstd-napi',
    compress(source, target, dictionary) {
      try {
        return dictionary
          ? encoder.compressUsingDict(target, source, dictionary, level)
          : encoder.compress2(target, source);
      } catch (error) {
        if (target.length < addon.compressBound(source.length)) return 0;
        throw error;
      }
    },
    decompress(source, target, dictionary) {
      let length = -1;
      try {
        length = dictionary
          ? decoder.decompressUsingDict(target, source, dictionary)
          : decoder.decompress(target, source);
      } catch (error) {
        throw damaged(error);
      }
      if (length !== target.length) throw damaged();
    },
  };
}

export function fromNode(level: number): Compressor | undefined {
  const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as NodeZstd;
  const { ZSTD_c_compressionLevel: levelParameter, ZSTD_c_targetLength: hasteParameter } = constants;
  if (!zstdCompressSync || !zstdDecompressSync) return undefined;
  if (levelParameter === undefined || hasteParameter === undefined) return undefined;
  // Node takes -1 for "not set". What level -1 means is level 1 with this much haste.
  const params = level < 0 ? { [levelParameter]: 1, [hasteParameter]: -level } : { [levelParameter]: level };
  const knowsDictionaries = zstdCompressSync(PROBE, { params, dictionary: PROBE }).length < PROBE.length;
  return {
    name: 'node:zlib',
    compress(source, target, dictionary) {
      if (dictionary && !knowsDictionaries) return 0;
      const frame = zstdCompressSync(source, { params, dictionary });
      return frame.length <= target.length ? frame.copy(target) : 0;
    },
    decompress(source, target, dictionary) {
      if (dictionary && !knowsDictionaries) throw tooOld();
      let raw: Buffer;
      try {
        raw = zstdDecompressSync(source, { maxOutputLength: Math.max(1, target.length), dictionary });
      } catch (error) {
        throw damaged(error);
      }
      if (raw.length !== target.length) throw damaged();
      raw.copy(target);
    },
  };
}

/** Shorter only with itself for a dictionary: Node before 22.19 takes none, in silence. */
const PROBE = Buffer.from(Array.from({ length: 64 }, (_, at) => (at * 167) & 0xff));

const nothing: Compressor = {
  name: 'none',
  compress: () => 0,
  decompress() {
    throw new SnapError(
      'SNAP_UNSUPPORTED',
      'this store holds compressed chunks and there is no zstd here: use Node >= 22.15, or allow the install script of zstd-napi and reinstall',
    );
  },
};

function tooOld(): SnapError {
  return new SnapError(
    'SNAP_UNSUPPORTED',
    'this store holds chunks that are compressed with others, which the zstd of this Node cannot read: use Node >= 22.19, or allow the install script of zstd-napi and reinstall',
  );
}

function damaged(cause?: unknown): SnapError {
  return new SnapError('SNAP_CORRUPT', 'a compressed record cannot be decompressed', { cause });
}
