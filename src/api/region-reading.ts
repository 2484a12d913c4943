/**
 * The bytes of a snapshot's regions: in buffers of their own, or as patches of live ones.
 *
 * Invariants
 *  - every byte was checked against its chunk id, or compared with bytes that were
 *  - nothing live is written to here: what differs waits in shared memory until the state is finished
 */

import { throwIfAborted } from '../base/abort.js';
import { SnapError } from '../base/errors.js';
import { type AnyBuffer, type RegionNeed, RegionPatch, type RegionSource } from '../state/index.js';
import { checkFits } from '../store/limits.js';
import {
  ChunkReader,
  type ChunkSource,
  cutPieces,
  type Piece,
  type Place,
  type Run,
} from '../writer/chunk-reader.js';
import { type ChunkTable, type RegionChunks, regionChunks } from '../writer/chunk-table.js';
import { LiveRegion } from '../writer/live-region.js';
import type { OpenedSnapshot } from '../writer/restore-requests.js';
import type { Slots } from '../writer/slots.js';
import { Ring, Staging } from '../writer/staging.js';

/** What reading takes of a Snap. */
export interface ReadingHost extends ChunkSource {
  /** Undefined for a Snap that does not save. */
  readonly slots: Slots | undefined;
  /** Gives back a slot that was taken. */
  released(slot: number): void;
}

export interface ReadingOptions {
  signal: AbortSignal | undefined;
  onProgress: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined;
}

/** How long comparing goes on before others are let in. */
const SLICE_MS = 10;

export class RegionReading {
  readonly #host: ReadingHost;
  readonly #snapshot: string;
  readonly #opened: OpenedSnapshot;
  readonly #captures: number | undefined;
  readonly #options: ReadingOptions;
  readonly #reader: ChunkReader;
  readonly #sources: (RegionSource | undefined)[] = [];
  #staging: Staging | undefined;
  #doneBytes = 0;
  #totalBytes = 0;

  /** `captures`: how many there were before the snapshot was opened. */
  constructor(
    host: ReadingHost,
    opened: OpenedSnapshot,
    captures: number | undefined,
    options: ReadingOptions,
  ) {
    const snapshot = opened.info.id;
    this.#host = host;
    this.#opened = opened;
    this.#captures = captures;
    this.#snapshot = snapshot;
    this.#options = options;
    this.#reader = new ChunkReader(host, snapshot, options.signal);
  }

  /** `live`: for each region the buffer to be patched, or undefined. Patches hold until `release`. */
  async read(
    needs: readonly RegionNeed[],
    live: readonly (AnyBuffer | undefined)[],
  ): Promise<(RegionSource | undefined)[]> {
    this.#sources.length = needs.length;
    const wanted = [...needs.keys()].filter((index) => needs[index]?.wanted);
    if (wanted.length === 0) return this.#sources;
    if (this.#opened.content) return this.#take(this.#opened.content, needs, live);
    const { slots } = this.#host;
    const table = this.#opened.chunks ?? (await this.#askForChunks(wanted, live));
    const all = regionChunks(wanted, table);
    for (const { region, byteLength } of all) {
      if (byteLength !== needs[region]?.byteLength) throw unlike(this.#snapshot);
      this.#totalBytes += byteLength;
    }
    const lives = all.map((chunks) => {
      const buffer = live[chunks.region];
      return buffer && new LiveRegion(chunks, buffer);
    });
    // At once: with the next save the capture may be gone.
    if (slots && slots.captures === this.#captures) compareCaptures(lives, table, slots);
    await this.#patch(lives.filter((region) => region !== undefined));
    const fresh = all.filter((_, position) => !lives[position]);
    await this.#fill(fresh, needs);
    return this.#sources;
  }

  /** Gives back the memory that patches lie in. */
  release(): void {
    this.#staging?.release();
    this.#staging = undefined;
  }

  /** Where only a part is wanted, or not all can be told. */
  async #askForChunks(
    wanted: readonly number[],
    live: readonly (AnyBuffer | undefined)[],
  ): Promise<ChunkTable> {
    const { request, slots } = this.#host;
    const compare = slots !== undefined && live.some((buffer) => buffer !== undefined);
    return (await request('chunks', [this.#snapshot, wanted, compare])) as ChunkTable;
  }

  /** A small state whose bytes are all here: to find out what differs would cost more than to write all of it. */
  #take(
    content: ArrayBuffer,
    needs: readonly RegionNeed[],
    live: readonly (AnyBuffer | undefined)[],
  ): (RegionSource | undefined)[] {
    const { regions } = this.#opened;
    for (const [index, need] of needs.entries()) {
      if (regions[index]?.byteLength !== need.byteLength) throw unlike(this.#snapshot);
      const bytes = new Uint8Array(content, this.#totalBytes, need.byteLength);
      const write = (to: AnyBuffer) => new Uint8Array(to).set(bytes);
      const patched = live[index];
      const source = patched ? new RegionPatch(patched, write) : newBuffer(need);
      if (!patched) write(source as AnyBuffer);
      this.#sources[index] = source;
      this.#totalBytes += need.byteLength;
    }
    this.#tell(this.#totalBytes);
    return this.#sources;
  }

  async #fill(regions: readonly RegionChunks[], needs: readonly RegionNeed[]): Promise<void> {
    checkFits(regions.reduce((sum, { byteLength }) => sum + byteLength, 0));
    const ring = new Ring();
    // Memory is made while the first pieces are being read.
    const targets = new Map<RegionChunks, Buffer>();
    const targetOf = (chunks: RegionChunks): Buffer => {
      let target = targets.get(chunks);
      if (!target) {
        const buffer = newBuffer(needs[chunks.region] as RegionNeed);
        this.#sources[chunks.region] = buffer;
        target = Buffer.from(buffer as ArrayBuffer);
        targets.set(chunks, target);
      }
      return target;
    };
    const runs = regions.map((chunks) => ({ chunks, from: 0, to: chunks.count }));
    await this.#reader.read(
      cutPieces(runs),
      (byteLength) => ring.place(byteLength),
      (piece, place) => {
        visitRuns(piece, place, (chunks, start, bytes) => bytes.copy(targetOf(chunks), start));
        this.#tell(piece.byteLength);
      },
    );
    // Those without bytes too.
    for (const chunks of regions) targetOf(chunks);
  }

  async #patch(regions: readonly LiveRegion[]): Promise<void> {
    if (regions.length === 0) return;
    const { slots, released } = this.#host;
    const staging = new Staging(
      regions.reduce((sum, { chunks }) => sum + chunks.byteLength, 0),
      slots,
      released,
    );
    this.#staging = staging;
    const lacking = new Map<RegionChunks, { start: number; bytes: Buffer }[]>();
    for (const { chunks, buffer } of regions) {
      const parts: { start: number; bytes: Buffer }[] = [];
      lacking.set(chunks, parts);
      this.#sources[chunks.region] = new RegionPatch(buffer, (to) => {
        const target = Buffer.from(to as ArrayBuffer);
        for (const { start, bytes } of parts) bytes.copy(target, start);
      });
    }
    await this.#reader.read(
      cutPieces(this.#differing(regions)),
      (byteLength) => staging.place(byteLength),
      (piece, place) => {
        visitRuns(piece, place, (chunks, start, bytes) => lacking.get(chunks)?.push({ start, bytes }));
        this.#tell(piece.byteLength);
      },
    );
  }

  async *#differing(regions: readonly LiveRegion[]): AsyncGenerator<Run> {
    let turnedAt = performance.now();
    const breathe = async (): Promise<void> => {
      await new Promise(setImmediate);
      turnedAt = performance.now();
      throwIfAborted(this.#options.signal);
    };
    for (const region of regions) {
      let same = region.chunks.byteLength;
      for await (const run of region.differing(() =>
        performance.now() - turnedAt < SLICE_MS ? undefined : breathe(),
      )) {
        same -= run.chunks.start(run.to) - run.chunks.start(run.from);
        yield run;
      }
      this.#tell(same);
    }
  }

  #tell(byteLength: number): void {
    if (byteLength === 0) return;
    this.#doneBytes += byteLength;
    this.#options.onProgress?.({ doneBytes: this.#doneBytes, totalBytes: this.#totalBytes });
  }
}

function compareCaptures(lives: readonly (LiveRegion | undefined)[], table: ChunkTable, slots: Slots): void {
  const { captured, counts } = table;
  let next = 0;
  for (const [position, live] of lives.entries()) {
    const end = next + (counts[position] as number);
    const place = captured?.regions[position];
    const bytes = captured && live && place && slots.held(captured.slot, place);
    if (bytes) live.compareCapture(bytes, place, captured.same.subarray(next, end));
    next = end;
  }
}

/** Where the runs of a piece begin in their regions, and their bytes. */
function visitRuns(
  { runs }: Piece,
  { memory, offset }: Place,
  visit: (chunks: RegionChunks, start: number, bytes: Buffer) => void,
): void {
  let at = offset;
  for (const { chunks, from, to } of runs) {
    const start = chunks.start(from);
    const byteLength = chunks.start(to) - start;
    visit(chunks, start, Buffer.from(memory, at, byteLength));
    at += byteLength;
  }
}

/** Every byte of it will be written: zeroing it first, where it can be spared, takes as long as writing. */
function newBuffer({ byteLength, shared, maxByteLength }: RegionNeed): AnyBuffer {
  if (!shared && maxByteLength === undefined) return Buffer.allocUnsafeSlow(byteLength).buffer as ArrayBuffer;
  const kind = shared ? SharedArrayBuffer : ArrayBuffer;
  if (maxByteLength === undefined) return new kind(byteLength);
  return Reflect.construct(kind, [byteLength, { maxByteLength }]) as AnyBuffer;
}

function unlike(snapshot: string): SnapError {
  const message = `snapshot ${snapshot} cannot be restored: its skeleton tells of other regions than it has`;
  return new SnapError('SNAP_CORRUPT', message, { snapshot });
}
