/**
 * What each filter makes of physics: how much smaller the chunks of a region become, and how fast.
 *
 * States are those of real solvers, saved some steps apart; a filter with a base has the state saved before for one. Rates
 * include the check after encoding. All of it in one thread, chunk by chunk, filters interleaved. Then the same states are
 * saved twenty times, through the real store, with all that it adds: headers, pages, bases that have to be renewed.
 */

import { join } from 'node:path';
import { DEFAULT_LEVEL, FASTEST_LEVEL, findCompressor } from '../src/compress/compressor.js';
import { Encoding } from '../src/compress/encoding.js';
import { takesBase } from '../src/format/bases.js';
import { filtersFor, numberFilter, type Width } from '../src/format/number-filters.js';
import { Filter, recordBytes } from '../src/format/record.js';
import { Snap } from '../src/index.js';
import { allPhysics, type Floats, type Physics } from './support/physics.js';
import { runBench } from './support/program.js';
import { median } from './support/samples.js';
import { CHUNK_BYTES } from './support/states.js';

const ROUNDS = 7;
/** Of each state, through the store. */
const SAVES = 20;

interface Chunk {
  raw: Buffer;
  base: Buffer;
}

interface Figures {
  storedBytes: number;
  encodeMs: number[];
  decodeMs: number[];
}

await runBench(
  'filters',
  'what filters make of the numbers of physics',
  async ({ folder, samples, report }) => {
    const encoding = new Encoding(findCompressor(DEFAULT_LEVEL), true, findCompressor(FASTEST_LEVEL));
    const rows = [];
    for (const physics of allPhysics()) {
      const chunks = chunksOf(physics);
      const bytes = chunks.reduce((sum, { raw }) => sum + raw.length, 0);
      const width = Object.values(physics.state)[0]?.BYTES_PER_ELEMENT as Width;
      const filters = [
        Filter.none,
        ...filtersFor(width, false),
        ...filtersFor(width, true),
        Filter.dictionary,
      ];
      const figures = new Map(filters.map((filter) => [filter, newFigures()]));
      for (let round = 0; round < (samples ?? ROUNDS); round++) {
        for (const filter of filters) measure(encoding, chunks, filter, figures.get(filter) as Figures);
      }
      const row: Record<string, string> = { state: physics.name };
      for (const [filter, { storedBytes, encodeMs, decodeMs }] of figures) {
        const ratio = (bytes / storedBytes).toFixed(2);
        row[nameOf(filter)] = `${ratio} @ ${rate(bytes, encodeMs)}, ${rate(bytes, decodeMs)}`;
      }
      rows.push(row);
    }
    report.section(
      'Bytes of a chunk / bytes stored @ GB/s encoded and checked, GB/s decoded (medians)',
      ['state', 'none', 'shuffle', 'delta', 'difference', 'dictionary'].map((name) => ({ name })),
      rows,
      'none: zstd level 1; the others: filtered, zstd level -1. A difference is one from the state saved before, which is the dictionary too (level 1).',
    );
    const saved = [];
    for (const physics of allPhysics()) saved.push(await savedRow(physics, join(folder, physics.name)));
    report.section(
      `${SAVES} saves through the store: bytes of the states / bytes of the packs`,
      ['state', 'without bases', 'with'].map((name) => ({ name })),
      saved,
      'without bases: every chunk of the same states by itself, with the filter that is smallest for all chunks of the state',
    );
  },
);

/** Saves a state again and again, and beside it finds out what its chunks take by themselves. */
async function savedRow(physics: Physics, store: string): Promise<Record<string, string>> {
  const encoding = new Encoding(findCompressor(DEFAULT_LEVEL), true, findCompressor(FASTEST_LEVEL));
  const width = Object.values(physics.state)[0]?.BYTES_PER_ELEMENT as Width;
  const filters = [Filter.none, ...filtersFor(width, false)];
  const alone = filters.map(() => 0);
  let logicalBytes = 0;
  const snap = await Snap.open(store);
  for (let save = 0; save < SAVES; save++) {
    await (await snap.save(physics.state)).durable;
    const chunks = chunksOf(physics).map(({ base }) => base);
    logicalBytes += chunks.reduce((sum, raw) => sum + raw.length, 0);
    const sizes = filters.map((filter) =>
      chunks.reduce((sum, raw) => sum + recordBytes(encoding.encode(raw, filter).stored.length), 0),
    );
    for (const [at, size] of sizes.entries()) alone[at] = (alone[at] as number) + size;
  }
  const { packBytes } = await snap.stats();
  await snap.close();
  return {
    state: physics.name,
    'without bases': (logicalBytes / Math.min(...alone)).toFixed(2),
    with: (logicalBytes / packBytes).toFixed(2),
  };
}

function newFigures(): Figures {
  return { storedBytes: 0, encodeMs: [], decodeMs: [] };
}

function chunksOf(physics: Physics): Chunk[] {
  const before = Object.values(physics.state).map((array) => Buffer.from(bytesOf(array)));
  physics.advance();
  return Object.values(physics.state).flatMap((array, index) => {
    const bytes = bytesOf(array);
    const base = before[index] as Buffer;
    return Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, chunk) => {
      const [start, end] = [chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES];
      return { raw: bytes.subarray(start, end), base: base.subarray(start, end) };
    });
  });
}

function bytesOf(array: Floats): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}

function measure(encoding: Encoding, chunks: readonly Chunk[], filter: Filter, figures: Figures): void {
  const target = Buffer.alloc(CHUNK_BYTES);
  let [stored, encodeMs, decodeMs] = [0, 0, 0];
  for (const { raw, base } of chunks) {
    const given = takesBase(filter) ? base : undefined;
    const start = performance.now();
    const encoded = encoding.encode(raw, filter, given);
    const between = performance.now();
    encoding.decode(encoded.codec, encoded.filter, encoded.stored, target.subarray(0, raw.length), given);
    decodeMs += performance.now() - between;
    encodeMs += between - start;
    stored += encoded.stored.length;
  }
  figures.storedBytes = stored;
  figures.encodeMs.push(encodeMs);
  figures.decodeMs.push(decodeMs);
}

function rate(bytes: number, millis: readonly number[]): string {
  return (bytes / median(millis) / 1e6).toFixed(1);
}

function nameOf(filter: Filter): string {
  return filter === Filter.dictionary ? 'dictionary' : (numberFilter(filter)?.kind ?? 'none');
}
