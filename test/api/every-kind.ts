/** A state with a region of every kind, of lengths that end within a chunk, and what there is to do to one. */

import type { Random } from '../support/random.js';

export const CHUNK = 65_536;

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
// Node's types leave WebAssembly to those of browsers.
const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (o: object) => Memory } })
  .WebAssembly;

interface Resizable {
  resize(byteLength: number): void;
  grow(byteLength: number): void;
}

/** Lengths of what has no fixed one; a memory and a growable buffer never shrink. */
export interface Sizes {
  resizable: number;
  growable: number;
  pages: number;
}

export const LARGEST: Sizes = { resizable: 300_000, growable: 300_000, pages: 4 };

export type EveryKind = ReturnType<typeof makeEveryKind>;

export function makeEveryKind({ resizable, growable, pages }: Sizes) {
  const memory = new Memory({ initial: pages, maximum: LARGEST.pages });
  const both = new ArrayBuffer(2 * CHUNK + 8);
  return {
    n: 0,
    numbers: new Float64Array(40_001),
    shared: new Int32Array(new SharedArrayBuffer(3 * CHUNK)),
    resizable: new Uint8Array(
      Reflect.construct(ArrayBuffer, [resizable, { maxByteLength: LARGEST.resizable }]) as ArrayBuffer,
    ),
    growable: new Uint8Array(
      Reflect.construct(SharedArrayBuffer, [
        growable,
        { maxByteLength: LARGEST.growable },
      ]) as SharedArrayBuffer,
    ),
    memory,
    heap: new Uint8Array(memory.buffer),
    bytes: Buffer.alloc(100_000),
    view: new DataView(new ArrayBuffer(CHUNK + 1)),
    views: [new Float32Array(both), new BigInt64Array(both, 8)],
    small: new Uint16Array(10),
    empty: new Uint8Array(0),
  };
}

/** The live bytes of each of its regions that is none of the skeleton, by path. */
export function bytesOf(state: EveryKind): Map<string, Buffer> {
  const { numbers, shared, resizable, growable, memory, bytes, view, views } = state;
  const buffers = {
    numbers: numbers.buffer,
    shared: shared.buffer,
    resizable: resizable.buffer,
    growable: growable.buffer,
    memory: memory.buffer,
    bytes: bytes.buffer,
    view: view.buffer,
    'views[0]': (views[0] as Float32Array).buffer,
  };
  return new Map(Object.entries(buffers).map(([path, buffer]) => [path, Buffer.from(buffer as ArrayBuffer)]));
}

/** The bytes as they are now. */
export function contentOf(state: EveryKind): Map<string, Buffer> {
  return new Map([...bytesOf(state)].map(([path, bytes]) => [path, Buffer.from(bytes)]));
}

/** Resizes what can be, and lays the views over it again that an engine does not. */
export function resizeTo(state: EveryKind, { resizable, growable, pages }: Sizes): void {
  (state.resizable.buffer as unknown as Resizable).resize(resizable);
  (state.growable.buffer as unknown as Resizable).grow(growable);
  state.memory.grow(pages - state.memory.buffer.byteLength / CHUNK);
  state.heap = new Uint8Array(state.memory.buffer);
}

/** Changes a few places. */
export function scribble(state: EveryKind, random: Random): void {
  state.n = random.below(1000);
  const all = [...bytesOf(state).values()];
  for (let count = random.below(12); count > 0; count--) {
    const bytes = random.pick(all);
    const start = random.below(bytes.length + 1);
    bytes.fill(random.below(256), start, Math.min(bytes.length, start + random.pick([1, 9, CHUNK])));
  }
}

/** Chunks of `saved` that a live buffer does not hold at their place. */
export function differingChunks(live: Buffer, saved: Buffer): number {
  let count = 0;
  for (let start = 0; start < saved.length; start += CHUNK) {
    const chunk = saved.subarray(start, start + CHUNK);
    if (!live.subarray(start, start + chunk.length).equals(chunk)) count++;
  }
  return count;
}
