/** What tests of tracking share: whether this kernel offers it, and memory of kinds that JavaScript does not make. */

import { createRequire } from 'node:module';
import { DirtyPages } from '../../src/io/dirty-pages.js';

const probe = DirtyPages.open(true);
probe?.close();

/** For tests of what the kernel has to offer: `test(name, TRACKED, ...)`. */
export const TRACKED = {
  skip: probe ? false : 'this kernel does not tell dirty pages, or koffi is not there',
};

export const PAGE = 4096;

export interface ResizableBuffer extends ArrayBuffer {
  resize(byteLength: number): void;
}

export function resizableBuffer(byteLength: number, maxByteLength: number): ResizableBuffer {
  return Reflect.construct(ArrayBuffer, [byteLength, { maxByteLength }]) as ResizableBuffer;
}

export interface Memory {
  readonly buffer: ArrayBuffer;
  /** By pages of 64 KiB. */
  grow(pages: number): number;
}

const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (options: object) => Memory } })
  .WebAssembly;

export function wasmMemory(options: { initial: number; maximum?: number; shared?: boolean }): Memory {
  return new Memory(options);
}

interface Koffi {
  load(path: null): { func(definition: string): (...args: unknown[]) => number };
  view(address: number, length: number): ArrayBuffer;
}

/** Memory straight from the system, for whoever is not skipped; never given back, so that no view can miss it. */
export class SystemMemory {
  static readonly READ_WRITE = 3;
  static readonly SHARED = 1;
  static readonly PRIVATE = 2;
  static readonly FIXED = 16;
  static readonly ANONYMOUS = 32;

  readonly #koffi = createRequire(import.meta.url)('koffi') as Koffi;
  readonly #library = this.#koffi.load(null);
  readonly #mmap = this.#library.func('intptr_t mmap(intptr_t at, size_t length, int, int, int, long)');
  readonly #madvise = this.#library.func('int madvise(intptr_t at, size_t length, int advice)');

  /** Maps memory; returns its address. */
  map(length: number, flags: number, descriptor = -1, at = 0): number {
    const address = this.#mmap(at, length, SystemMemory.READ_WRITE, flags, descriptor, 0);
    if (address <= 0) throw new Error('mmap failed');
    return Number(address);
  }

  view(address: number, length: number): Uint8Array {
    return new Uint8Array(this.#koffi.view(address, length));
  }

  /** Gives the content of pages back: they read as zeros from then on. */
  discard(address: number, length: number): void {
    if (this.#madvise(address, length, 4) !== 0) throw new Error('madvise failed');
  }
}
