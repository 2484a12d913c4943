/**
 * Micro-benchmarks of what a save is made of, on one 64 KiB chunk of smooth f64: how many chunks a second each
 * part could do alone. Medians and ratios of whole saves are the business of the other benchmarks.
 */

import benny from 'benny';
import { chunkIdOf, RunningHash } from '../src/chunker/ids.js';
import { DEFAULT_LEVEL, findCompressor } from '../src/compress/compressor.js';
import { Encoding } from '../src/compress/encoding.js';

const CHUNK_BYTES = 65_536;
const smooth = Float64Array.from({ length: CHUNK_BYTES / 8 }, (_, i) => Math.sin(i * 1e-3) * 100);
const source = Buffer.from(new SharedArrayBuffer(CHUNK_BYTES));
source.set(new Uint8Array(smooth.buffer));
const slot = new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES));
const twin = Buffer.from(source);
const encoding = new Encoding(findCompressor(DEFAULT_LEVEL), true);

await benny.suite(
  '64 KiB chunk',
  benny.add('copy into a slot', () => slot.set(source)),
  benny.add('compare with the previous slot', () => source.equals(twin)),
  benny.add('hash (BLAKE3)', () => chunkIdOf(source)),
  benny.add('hash in pieces of 96 bytes', () => {
    const hash = new RunningHash();
    for (let at = 0; at < CHUNK_BYTES; at += 96) hash.update(source.subarray(at, at + 96));
    return hash.digest();
  }),
  benny.add('compress, decompress, compare', () => encoding.encode(source)),
  benny.cycle(),
  benny.complete(),
);
