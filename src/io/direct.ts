/**
 * Writes past the page cache (O_DIRECT), for bytes that nobody reads back soon: in the cache they take pages that have to be
 * found and filled, and are written out later, whenever the system gets to it.
 *
 * The system takes whole blocks, from memory that begins where a page does. Where it takes none (other systems than Linux,
 * some file systems) the caller goes through the cache: which way it was makes no difference but in time.
 */

import * as fs from 'node:fs';
import { KiB } from '../base/sizes.js';
import { DIRECT_BLOCK } from './io.js';

/** Node's types leave WebAssembly to those of browsers. */
interface Machine {
  Memory: new (limits: { initial: number }) => { buffer: ArrayBuffer };
}

const WASM_PAGE_BYTES = 64 * KiB;
/** As large as a page of memory has to be for any disk. */
const ALIGNMENT = 4 * KiB;
/** What the system says where it does not write so. */
const REFUSALS: ReadonlySet<unknown> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP']);

/** Memory that is known to begin where a page does. */
const aligned = new WeakSet<ArrayBufferLike>();

/** Memory that begins where a page does, if that can be had: of WebAssembly it is known. */
export function pageAligned(byteLength: number): Buffer {
  const { WebAssembly: machine } = globalThis as unknown as { WebAssembly?: Machine };
  try {
    if (!machine) throw new Error('there is no WebAssembly');
    const { buffer } = new machine.Memory({ initial: Math.ceil(byteLength / WASM_PAGE_BYTES) });
    aligned.add(buffer);
    return Buffer.from(buffer, 0, byteLength);
  } catch {
    return Buffer.allocUnsafeSlow(byteLength);
  }
}

/** The second descriptor of an open file, made when it is first used. */
export class DirectWriter {
  readonly #file: number;
  #direct: number | undefined;
  #isRefused = fs.constants.O_DIRECT === undefined;

  constructor(file: number) {
    this.#file = file;
  }

  /**
   * How many bytes from the start of `source` are to be written by one call, and whether past the cache: up to the next
   * block they are not.
   */
  plan(source: Uint8Array, position: number): { length: number; direct: boolean } {
    const through = { length: source.length, direct: false };
    if (this.#isRefused || !aligned.has(source.buffer)) return through;
    const toBlock = (DIRECT_BLOCK - (position % DIRECT_BLOCK)) % DIRECT_BLOCK;
    if (source.length - toBlock < DIRECT_BLOCK || (source.byteOffset + toBlock) % ALIGNMENT !== 0)
      return through;
    if (toBlock > 0) return { length: toBlock, direct: false };
    return { length: source.length - (source.length % DIRECT_BLOCK), direct: true };
  }

  /** Returns how many bytes were written; undefined where the system does not take them so. */
  async write(source: Uint8Array, position: number): Promise<number | undefined> {
    try {
      // By its descriptor and not by its path, which may lead to another file by now.
      this.#direct ??= fs.openSync(
        `/proc/self/fd/${this.#file}`,
        fs.constants.O_WRONLY | fs.constants.O_DIRECT,
      );
    } catch {
      this.#isRefused = true;
      return undefined;
    }
    try {
      return await writeAt(this.#direct, source, position);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && REFUSALS.has(error.code))) throw error;
      this.#isRefused = true;
      return undefined;
    }
  }

  close(): void {
    if (this.#direct !== undefined) fs.closeSync(this.#direct);
    this.#direct = undefined;
  }
}

/** On a thread of the system. */
export function writeAt(descriptor: number, source: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(descriptor, source, 0, source.length, position, (error, written) => {
      if (error) reject(error);
      else resolve(written);
    });
  });
}
