/** What the same work costs without an engine: the floors that figures are quoted against. */

import * as fs from 'node:fs';
import { join } from 'node:path';
import { KiB, MiB } from '../../src/base/sizes.js';
import { findCompressor } from '../../src/compress/compressor.js';
import { Encoding } from '../../src/compress/encoding.js';
import { cpuMillis, millisOf, type SaveCost } from './costs.js';
import { medianOf } from './samples.js';
import { CHUNK_BYTES } from './states.js';

/** Shared memory whose pages are there already, to copy into. */
export class WarmTarget {
  readonly view: Uint8Array;

  constructor(byteLength: number) {
    this.view = new Uint8Array(new SharedArrayBuffer(byteLength));
    this.view.fill(1);
  }

  /** Milliseconds of one memcpy. */
  copy(source: Uint8Array): number {
    return millisOf(() => this.view.set(source));
  }
}

/** Indexes of the chunks in which two buffers of one length differ. */
export function changedChunks(current: Buffer, previous: Buffer): number[] {
  const changed: number[] = [];
  for (let start = 0; start < current.length; start += CHUNK_BYTES) {
    const end = Math.min(start + CHUNK_BYTES, current.length);
    if (current.compare(previous, start, end, start, end) !== 0) changed.push(start / CHUNK_BYTES);
  }
  return changed;
}

export interface CopyAndCompare {
  floorMs: number;
  floorCpuMs: number;
  /** Indexes of chunks, as far as both reach. */
  changed: number[];
}

/** What any save by copy has to do: a memcpy of all bytes, and a ranged compare with those saved before. */
export function copyAndCompare(current: Buffer, previous: Buffer, target: WarmTarget): CopyAndCompare {
  const common = Math.min(current.length, previous.length);
  const cpuBefore = process.cpuUsage();
  let changed: number[] = [];
  const floorMs =
    target.copy(current) +
    millisOf(() => {
      changed = changedChunks(current.subarray(0, common), previous.subarray(0, common));
    });
  return { floorMs, floorCpuMs: cpuMillis(cpuBefore), changed };
}

/** Medians of saves and of that floor, taken in turn, and how many times it they take. */
export function besideCopying(taken: readonly (CopyAndCompare & SaveCost)[]) {
  const floorMs = medianOf(taken, (sample) => sample.floorMs);
  const floorCpuMs = medianOf(taken, (sample) => sample.floorCpuMs);
  const durableMs = medianOf(taken, (sample) => sample.durableMs);
  const cpuMs = medianOf(taken, (sample) => sample.cpuMs);
  return {
    'memcpy + compare': floorMs,
    durable: durableMs,
    'durable ratio': durableMs / floorMs,
    'cpu floor': floorCpuMs,
    cpu: cpuMs,
    'cpu ratio': cpuMs / floorCpuMs,
  };
}

/** Bytes that these chunks take when each is compressed by itself with zstd level 1, or raw where that is less. */
export function compressedBytes(source: Buffer, chunks: readonly number[]): number {
  const compressor = findCompressor(1);
  const frame = Buffer.alloc(2 * CHUNK_BYTES);
  let total = 0;
  for (const chunk of chunks) {
    const raw = source.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
    const length = compressor.compress(raw, frame);
    total += length === 0 ? raw.length : Math.min(length, raw.length);
  }
  return total;
}

/** Milliseconds to compress every chunk and decompress it again to compare, as the engine does. */
export function codecMillis(source: Buffer): number {
  const encoding = new Encoding(findCompressor(1), true);
  const start = performance.now();
  for (let at = 0; at < source.length; at += CHUNK_BYTES)
    encoding.encode(source.subarray(at, at + CHUNK_BYTES));
  return performance.now() - start;
}

/** Appends to a file of its own, synced; how fast a plain program would. */
export class Appender {
  readonly #path: string;
  readonly #file: number;
  #position = 0;

  constructor(folder: string) {
    this.#path = join(folder, `floor-${process.pid}`);
    this.#file = fs.openSync(this.#path, 'wx');
  }

  /** Milliseconds to append so many bytes of `source` in writes of 4 MiB, with one fdatasync at the end. */
  append(source: Uint8Array, byteLength: number): number {
    const start = performance.now();
    for (let done = 0; done < byteLength; ) {
      const length = Math.min(4 * MiB, byteLength - done, source.length);
      done += fs.writeSync(
        this.#file,
        source,
        done % (source.length - length + 1),
        length,
        this.#position + done,
      );
    }
    fs.fdatasyncSync(this.#file);
    const took = performance.now() - start;
    this.#position += byteLength;
    if (this.#position > 512 * MiB) this.#rewind();
    return took;
  }

  close(): void {
    fs.closeSync(this.#file);
    fs.rmSync(this.#path);
  }

  /** Appending anew, on blocks the file system has to allocate again. */
  #rewind(): void {
    fs.ftruncateSync(this.#file, 0);
    fs.fsyncSync(this.#file);
    this.#position = 0;
  }
}

export const SMALL_APPEND = 4 * KiB;
