/**
 * The buffers that an encode takes out of band, and the table at the end of the skeleton that describes them.
 *
 * Invariants
 *  - each buffer is one region however many views share it, numbered in the order the skeleton meets them
 *  - `bytes` is live memory, never a copy
 *  - the table comes last, so that a region that grows moves nothing before it
 */

import type { RegionKind } from '../format/kinds.js';
import type { BufferFacts } from './buffers.js';
import type { AnyBuffer } from './intrinsics.js';
import type { Sink } from './sink.js';
import { BUFFER_MEMORY, BUFFER_RESIZABLE, BUFFER_SHARED } from './tags.js';

export interface Region {
  /** Path of the first value that reached the buffer; '' when the state itself is the buffer or its view. */
  path: string;
  /** Type of the first view; 'bytes' for a bare buffer or a Buffer. */
  kind: RegionKind;
  /** The live memory: the whole buffer, or the range of a Buffer that was cut from Node's pool. */
  bytes: Uint8Array;
}

export function bufferFlags(facts: BufferFacts): number {
  return (facts.shared ? BUFFER_SHARED : 0) | (facts.resizable ? BUFFER_RESIZABLE : 0);
}

export class RegionList {
  regions: Region[] = [];
  #buffers: (AnyBuffer | undefined)[] = [];
  #flags: number[] = [];
  #maxLengths: number[] = [];
  /** Regions so far reached only as bare buffers: a later view still says what they hold. */
  #bare = 0;

  add(buffer: AnyBuffer, kind: RegionKind | undefined, path: string, facts: BufferFacts): void {
    if (kind === undefined) this.#bare++;
    this.regions.push({ path, kind: kind ?? 'bytes', bytes: new Uint8Array(buffer, 0, facts.byteLength) });
    this.#buffers.push(buffer);
    this.#flags.push(bufferFlags(facts) | (kind === 'WebAssembly.Memory' ? BUFFER_MEMORY : 0));
    this.#maxLengths.push(facts.maxByteLength);
  }

  /** A range of Node's pool, kept as a buffer of its own. */
  addRange(bytes: Uint8Array, path: string): void {
    this.regions.push({ path, kind: 'bytes', bytes });
    this.#buffers.push(undefined);
    this.#flags.push(0);
    this.#maxLengths.push(bytes.byteLength);
  }

  /** A buffer met again, through a view of this kind. */
  meet(buffer: AnyBuffer, kind: RegionKind | undefined): void {
    if (kind === undefined || (this.#bare === 0 && kind !== 'WebAssembly.Memory')) return;
    const index = this.#buffers.indexOf(buffer);
    if (index === -1) return;
    const region = this.regions[index] as Region;
    if (kind === 'WebAssembly.Memory') {
      this.#flags[index] = (this.#flags[index] as number) | BUFFER_MEMORY;
      region.kind = kind;
    } else if (region.kind === 'bytes') {
      region.kind = kind;
    }
  }

  writeTable(sink: Sink): void {
    const start = sink.length;
    sink.varint(this.regions.length);
    for (let i = 0; i < this.regions.length; i++) {
      const flags = this.#flags[i] as number;
      sink.u8(flags);
      sink.varint((this.regions[i] as Region).bytes.byteLength);
      if ((flags & BUFFER_RESIZABLE) !== 0) sink.varint(this.#maxLengths[i] as number);
    }
    sink.u32(sink.length - start);
  }

  /** Hands the regions over and forgets the buffers. */
  take(): Region[] {
    const regions = this.regions;
    this.regions = [];
    this.#bare = 0;
    if (regions.length > 0) {
      this.#buffers = [];
      this.#flags = [];
      this.#maxLengths = [];
    }
    return regions;
  }
}
