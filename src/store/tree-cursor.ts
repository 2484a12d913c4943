/**
 * Walks a region's tree from left to right, and goes down only where it is told to: so whoever compares two trees,
 * or reads a range of one, reads no more pages than that takes.
 *
 * Invariant: what a page says of itself is checked when it is entered, so the entries passed over add up to the
 * region's length.
 */

import { SnapError } from '../base/errors.js';
import type { ChunkId } from '../base/ids.js';
import { decodePage, EntryList } from '../format/page.js';
import { MAX_RECORD_BYTES } from '../format/record.js';
import type { Tree } from '../format/tree.js';

/** Where pages come from. */
export interface PageSource {
  readPage(id: ChunkId): Buffer;
}

/** Where chunks come from too. */
export interface ContentSource extends PageSource {
  readChunk(id: ChunkId, target: Buffer): void;
}

/** A chunk, or a page with everything below it. */
export interface Span {
  id: ChunkId;
  /** 0: a chunk; h: a page of height h-1. */
  height: number;
  /** In the region, in bytes. */
  start: number;
  end: number;
}

interface Level {
  entries: EntryList;
  index: number;
  height: number;
}

export class TreeCursor {
  readonly #pages: PageSource;
  readonly #levels: Level[] = [];
  #start = 0;
  #span: Span | undefined;

  constructor(pages: PageSource, tree: Tree) {
    this.#pages = pages;
    this.#push(EntryList.of(tree.entries), tree.height);
  }

  /** What the cursor stands at; undefined behind the last byte. */
  get span(): Span | undefined {
    return this.#span;
  }

  /** On to what follows the span. */
  next(): void {
    if (this.#span) this.#start = this.#span.end;
    const level = this.#levels.at(-1);
    if (level) level.index++;
    this.#settle();
  }

  /** Down to the first part of the page that the cursor stands at. */
  enter(): void {
    const page = this.#span;
    if (!page || page.height === 0) throw new Error('holdfast: internal invariant broken: no page to enter');
    const height = page.height - 1;
    this.#push(decodePage(this.#pages.readPage(page.id), height, page.end - page.start), height);
  }

  #push(entries: EntryList, height: number): void {
    this.#levels.push({ entries, index: 0, height });
    this.#settle();
  }

  /** Leaves the levels that are done with, and looks at the entry that is next. */
  #settle(): void {
    for (;;) {
      const level = this.#levels.at(-1);
      if (!level) {
        this.#span = undefined;
        return;
      }
      const { entries, index, height } = level;
      if (index < entries.count) {
        const start = this.#start;
        this.#span = { id: entries.id(index), height, start, end: start + entries.byteLength(index) };
        return;
      }
      this.#levels.pop();
      const above = this.#levels.at(-1);
      if (above) above.index++;
    }
  }
}

/** Fills `target` with the verified bytes of a region from `start` on; they must all be there. */
export function readRange(source: ContentSource, tree: Tree, start: number, target: Buffer): void {
  const end = start + target.length;
  const cursor = new TreeCursor(source, tree);
  for (let span = cursor.span; span && span.start < end; span = cursor.span) {
    if (span.end <= start) {
      cursor.next();
    } else if (span.height > 0) {
      cursor.enter();
    } else {
      readPart(source, span, start, target);
      cursor.next();
    }
  }
}

/** The part of a chunk that lies in `target`, which begins at `start` of the region. */
function readPart(source: ContentSource, { id, ...chunk }: Span, start: number, target: Buffer): void {
  const at = chunk.start - start;
  if (at >= 0 && chunk.end <= start + target.length) {
    source.readChunk(id, target.subarray(at, chunk.end - start));
    return;
  }
  readSpan(source, { id, ...chunk }).copy(target, Math.max(at, 0), Math.max(-at, 0));
}

/** The verified bytes of a chunk, in memory of their own. */
export function readSpan(source: ContentSource, { id, start, end }: Span): Buffer {
  // No record is longer, whatever a page says: nothing is allocated for what cannot be there.
  if (end - start > MAX_RECORD_BYTES) {
    throw new SnapError('SNAP_CORRUPT', 'a page cannot be read: an entry has an impossible length');
  }
  const bytes = Buffer.allocUnsafeSlow(end - start);
  source.readChunk(id, bytes);
  return bytes;
}
