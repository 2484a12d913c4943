/**
 * Stands in for the kernel where tracking itself is tested: tells which pages were written by comparing them with a
 * copy. Any memory can be given any address, and everything may be refused.
 */

import type { PageSpan } from '../../src/io/dirty-pages.js';
import type { PageWatch } from '../../src/writer/tracker.js';

export const FAKE_PAGE = 4096;

export class FakePages implements PageWatch {
  /** Where buffers lie; those that nobody placed lie apart from each other, a little beyond a page's beginning. */
  readonly addresses = new WeakMap<object, number>();
  /** As the kernel, this keeps no buffer alive. */
  readonly #buffers = new WeakMap<PageSpan, WeakRef<ArrayBufferLike>>();
  readonly #copies = new Map<PageSpan, Uint8Array>();
  #next = 16;
  /** What is asked for next is refused, or not tracked any more. */
  refuses = false;
  hasLost = false;
  closed = 0;

  get tracked(): number {
    return this.#copies.size;
  }

  locate(bytes: Uint8Array): PageSpan | undefined {
    let address = this.addresses.get(bytes.buffer);
    if (address === undefined) {
      address = this.#next;
      this.#next += 1000 * FAKE_PAGE;
      this.addresses.set(bytes.buffer, address);
    }
    const start = Math.ceil(address / FAKE_PAGE) * FAKE_PAGE;
    const end = Math.floor((address + bytes.length) / FAKE_PAGE) * FAKE_PAGE;
    if (start >= end) return undefined;
    const span = { address, start, end };
    this.#buffers.set(span, new WeakRef(bytes.buffer));
    return span;
  }

  track(spans: readonly PageSpan[]): boolean[] {
    return spans.map((span) => {
      for (const other of this.#copies.keys()) {
        if (other.start < span.end && span.start < other.end) throw new Error('spans overlap');
      }
      if (this.refuses) return false;
      this.#copies.set(span, this.#pagesOf(span).slice());
      return true;
    });
  }

  written(span: PageSpan): number[] | undefined {
    const before = this.#copies.get(span);
    if (!before || this.hasLost) return undefined;
    const now = this.#pagesOf(span);
    const found: number[] = [];
    const first = span.start - span.address;
    for (let at = 0; at < now.length; at += FAKE_PAGE) {
      const page = now.subarray(at, at + FAKE_PAGE);
      if (Buffer.compare(page, before.subarray(at, at + FAKE_PAGE)) === 0) continue;
      if (found.at(-1) === first + at) found.pop();
      else found.push(first + at);
      found.push(first + at + FAKE_PAGE);
    }
    before.set(now);
    return found;
  }

  untrack(span: PageSpan): void {
    this.#copies.delete(span);
  }

  close(): void {
    this.closed++;
    this.#copies.clear();
  }

  #pagesOf(span: PageSpan): Uint8Array {
    const buffer = this.#buffers.get(span)?.deref();
    if (!buffer) throw new Error('the memory of a buffer that is gone was looked at');
    return new Uint8Array(buffer, span.start - span.address, span.end - span.start);
  }
}
