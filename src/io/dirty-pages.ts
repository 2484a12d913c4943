/**
 * Which pages of memory were written, as the kernel knows it.
 *
 * userfaultfd write-protects pages in its asynchronous mode: at the first write to one the kernel lifts the protection
 * by itself and notes the page as written. The PAGEMAP_SCAN ioctl lists the noted pages and protects them again, each
 * page in one step. Linux >= 6.7 on x64 and arm64, reached through `koffi`, without privileges.
 *
 * Invariants
 *  - a write is reported by the first `written` that begins after it; one that comes while `written` runs, by this one
 *    or the next: it is never lost, whichever thread it came from
 *  - nothing is read or written through an address from here: a wrong one is an error of the kernel, never a crash
 *  - memory is tracked only while it is private to this process and backed by no file: others could write to the rest
 *    unnoticed. Devices still can, where they were given the memory before and write to it later (O_DIRECT, RDMA)
 *  - a piece that was unmapped, or mapped anew, is not tracked any more, and `written` says so
 */

import { closeSync, openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The whole pages inside a piece of memory: addresses, as far as a number holds them exactly. */
export interface PageSpan {
  /** Where the piece begins, which need not be at a page. */
  readonly address: number;
  readonly start: number;
  readonly end: number;
}

interface Kernel {
  readonly pageBytes: number;
  addressOf(bytes: Uint8Array): number;
  userfaultfd(): number;
  ioctl(descriptor: number, request: number, argument: ArrayBufferView): number;
  close(descriptor: number): void;
}

/** `_IOR` and `_IOWR` of the kernel's headers. */
const READ = 2;
const READ_WRITE = 3;
function requestCode(direction: number, type: number, number: number, bytes: number): number {
  return ((direction << 30) | (bytes << 16) | (type << 8) | number) >>> 0;
}

/** System calls have other numbers on other processors. */
const USERFAULTFD: Partial<Record<NodeJS.Architecture, number>> = { x64: 323, arm64: 282 };
const UFFD_USER_MODE_ONLY = 1;
const O_CLOEXEC = 0o2000000;

const UFFD = 0xaa;
const API_BYTES = 3 * 8;
const REGISTER_BYTES = 4 * 8;
const RANGE_BYTES = 2 * 8;
const UFFDIO_API = requestCode(READ_WRITE, UFFD, 0x3f, API_BYTES);
const UFFDIO_REGISTER = requestCode(READ_WRITE, UFFD, 0x00, REGISTER_BYTES);
const UFFDIO_UNREGISTER = requestCode(READ, UFFD, 0x01, RANGE_BYTES);
const REGISTER_MODE_WP = 2n;
const FEATURE_WP_UNPOPULATED = 1n << 13n;
const FEATURE_WP_ASYNC = 1n << 15n;

const SCAN_BYTES = 12 * 8;
const PAGEMAP_SCAN = requestCode(READ_WRITE, 'f'.charCodeAt(0), 16, SCAN_BYTES);
/** Protect what is listed; fail where a piece of the range is not registered. */
const WP_MATCHING = 1n;
const CHECK_WPASYNC = 2n;
const PAGE_IS_WRITTEN = 2n;
/** Words of 64 bits in the ioctl's argument. */
const Scan = { size: 0, flags: 1, start: 2, end: 3, walkEnd: 4, vector: 5, length: 6, mask: 9, result: 11 };
/** `struct page_region`: start, end, categories, of 64 bits each. */
const LISTED_WORDS = 3 * 2;
/** Ranges listed by one call; the next goes on where it ended. */
const LISTED_AT_ONCE = 2048;

/** What asking found in this thread; undefined: nobody has asked. */
let works: boolean | undefined;

export class DirtyPages {
  readonly #kernel: Kernel;
  readonly #faults: number;
  readonly #pagemap: number;
  readonly #listed = new Uint32Array(LISTED_WORDS * LISTED_AT_ONCE);
  readonly #scan = new BigUint64Array(SCAN_BYTES / 8);
  #isOpen = true;

  /**
   * Undefined where the kernel does not offer it, which is found out once, on a few pages of scratch memory. Under a
   * seccomp filter, which may end the process for asking, it is asked only if the caller insists.
   */
  static open(insist: boolean): DirtyPages | undefined {
    if (works === false || (!insist && isFiltered())) return undefined;
    const pages = DirtyPages.#make();
    if (!pages) {
      works = false;
      return undefined;
    }
    works ??= pages.#passesTest();
    if (works) return pages;
    pages.close();
    return undefined;
  }

  static #make(): DirtyPages | undefined {
    const kernel = findKernel();
    const faults = kernel?.userfaultfd() ?? -1;
    if (!kernel || faults < 0) return undefined;
    try {
      const api = BigUint64Array.of(BigInt(UFFD), FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED, 0n);
      if (kernel.ioctl(faults, UFFDIO_API, api) === 0) {
        return new DirtyPages(kernel, faults, openSync('/proc/self/pagemap', 'r'));
      }
    } catch {
      // No /proc here.
    }
    kernel.close(faults);
    return undefined;
  }

  private constructor(kernel: Kernel, faults: number, pagemap: number) {
    this.#kernel = kernel;
    this.#faults = faults;
    this.#pagemap = pagemap;
    this.#scan[Scan.size] = BigInt(SCAN_BYTES);
    this.#scan[Scan.flags] = WP_MATCHING | CHECK_WPASYNC;
    const listed = new Uint8Array(this.#listed.buffer);
    this.#scan[Scan.vector] = BigInt(kernel.addressOf(listed));
    this.#scan[Scan.length] = BigInt(LISTED_AT_ONCE);
    this.#scan[Scan.mask] = PAGE_IS_WRITTEN;
    this.#scan[Scan.result] = PAGE_IS_WRITTEN;
  }

  /** The whole pages inside `bytes`; undefined where there are none. */
  locate(bytes: Uint8Array): PageSpan | undefined {
    const { pageBytes } = this.#kernel;
    const address = this.#kernel.addressOf(bytes);
    const start = Math.ceil(address / pageBytes) * pageBytes;
    const end = Math.floor((address + bytes.byteLength) / pageBytes) * pageBytes;
    return start < end && Number.isSafeInteger(end) ? { address, start, end } : undefined;
  }

  /**
   * Begins to track live memory, from now on. False for what the kernel refuses: it may be tracked by another
   * DirtyPages of this process already. Spans must not overlap each other or one that is tracked.
   */
  track(spans: readonly PageSpan[]): boolean[] {
    const mappings = spans.length > 0 ? privateMappings() : [];
    return spans.map((span) => {
      if (!covers(mappings, span)) return false;
      const register = BigUint64Array.of(BigInt(span.start), lengthOf(span), REGISTER_MODE_WP, 0n);
      if (this.#kernel.ioctl(this.#faults, UFFDIO_REGISTER, register) !== 0) return false;
      if (this.written(span)) return true;
      this.untrack(span);
      return false;
    });
  }

  /**
   * What was written since the last call, or since `track`: whole pages as `[start, end, start, end, ...]` in bytes
   * from the span's address, in order. Undefined where the span is not tracked any more: anything may have been written.
   */
  written({ address, start, end }: PageSpan): number[] | undefined {
    if (!this.#isOpen) return undefined;
    const found: number[] = [];
    const scan = this.#scan;
    const listed = this.#listed;
    scan[Scan.end] = BigInt(end);
    for (let from = start; from < end; ) {
      scan[Scan.start] = BigInt(from);
      const count = this.#kernel.ioctl(this.#pagemap, PAGEMAP_SCAN, scan);
      const reached = Number(scan[Scan.walkEnd]);
      if (count < 0 || reached <= from) return undefined;
      for (let at = 0; at < count * LISTED_WORDS; at += LISTED_WORDS) {
        const begin = wordAt(listed, at) - address;
        if (found.length > 0 && found[found.length - 1] === begin) found.pop();
        else found.push(begin);
        found.push(wordAt(listed, at + 2) - address);
      }
      from = reached;
    }
    return found;
  }

  /** Lets memory go. It may be gone already, and something else in its place. */
  untrack(span: PageSpan): void {
    if (!this.#isOpen) return;
    this.#kernel.ioctl(
      this.#faults,
      UFFDIO_UNREGISTER,
      BigUint64Array.of(BigInt(span.start), lengthOf(span)),
    );
  }

  /** Lets everything go. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#kernel.close(this.#faults);
    closeSync(this.#pagemap);
  }

  /** True where the kernel notes just what is written: one that says yes to everything and does nothing is not enough. */
  #passesTest(): boolean {
    const { pageBytes } = this.#kernel;
    const scratch = new Uint8Array(8 * pageBytes).fill(1);
    const span = this.locate(scratch);
    if (!span || !this.track([span])[0]) return false;
    const pages = (...indexes: number[]) =>
      indexes
        .flatMap((index) => [index, index + 1])
        .map((page) => span.start - span.address + page * pageBytes);
    const notes = (expected: number[]) => `${this.written(span)}` === `${expected}`;
    let passes = notes([]);
    scratch[pages(2)[0] as number] = 2;
    scratch[pages(5)[0] as number] = 2;
    passes &&= notes(pages(2, 5)) && notes([]);
    scratch[pages(5)[0] as number] = 3;
    passes &&= notes(pages(5));
    this.untrack(span);
    return passes && this.written(span) === undefined;
  }
}

function wordAt(words: Uint32Array, at: number): number {
  return (words[at] as number) + (words[at + 1] as number) * 2 ** 32;
}

function lengthOf({ start, end }: PageSpan): bigint {
  return BigInt(end - start);
}

/** Pieces of private memory that no file is behind, in order. */
function privateMappings(): { start: number; end: number }[] {
  let listing: string;
  try {
    listing = readFileSync('/proc/self/maps', 'latin1');
  } catch {
    return [];
  }
  // start-end, read and write and private, offset, device, inode 0
  const lines = listing.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw.p \S+ \S+ 0(?: |$)/gm);
  return Array.from(lines, ([, start, end]) => ({
    start: Number.parseInt(start as string, 16),
    end: Number.parseInt(end as string, 16),
  }));
}

function covers(mappings: readonly { start: number; end: number }[], { start, end }: PageSpan): boolean {
  let from = start;
  for (const mapping of mappings) if (mapping.start <= from && from < mapping.end) from = mapping.end;
  return from >= end;
}

/** True where a seccomp filter stands between this thread and the kernel. */
function isFiltered(): boolean {
  try {
    return !/^Seccomp:\s*0$/m.test(readFileSync('/proc/thread-self/status', 'latin1'));
  } catch {
    return true;
  }
}

interface Koffi {
  load(path: null): {
    func(name: string, result: string, parameters: string[]): (...args: unknown[]) => number;
  };
  address(value: Uint8Array): bigint;
}

/** The system calls, where this is a Linux that we know the numbers of and `koffi` is installed and loads. */
function findKernel(): Kernel | undefined {
  const number = USERFAULTFD[process.arch];
  if (process.platform !== 'linux' || number === undefined) return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const library = koffi.load(null);
    const pageBytes = library.func('getpagesize', 'int', [])();
    const syscall = library.func('syscall', 'long', ['long', 'long']);
    const ioctl = library.func('ioctl', 'int', ['int', 'ulong', 'void *']);
    const close = library.func('close', 'int', ['int']);
    return {
      pageBytes,
      addressOf: (bytes) => Number(koffi.address(bytes)),
      userfaultfd: () => Number(syscall(number, O_CLOEXEC | UFFD_USER_MODE_ONLY)),
      ioctl: (descriptor, request, argument) => ioctl(descriptor, request, argument),
      close: (descriptor) => {
        close(descriptor);
      },
    };
  } catch {
    return undefined;
  }
}
