/**
 * Compares a region of one snapshot with a region of another, reading only what may differ.
 *
 * Invariants
 *  - chunks and pages with equal ids at equal places are not read
 *  - at most one chunk of each region is in memory at a time
 */

import { invariant, SnapError } from '../base/errors.js';
import type { ChunkId } from '../base/ids.js';
import type { RegionEntry } from '../format/manifest.js';
import type { Tree } from '../format/tree.js';
import { ContentComparison, type ContentDiff, commonKind } from './content-diff.js';
import { type ContentSource, readSpan, type Span, TreeCursor } from './tree-cursor.js';

export class RegionComparison {
  readonly #comparison: ContentComparison;
  readonly #a: Side;
  readonly #b: Side;
  readonly #commonBytes: number;

  constructor(a: RegionEntry, b: RegionEntry, readA: ContentSource, readB: ContentSource, tolerance: number) {
    this.#comparison = new ContentComparison(commonKind(a, b), tolerance);
    this.#a = new Side(readA, a.tree);
    this.#b = new Side(readB, b.tree);
    this.#commonBytes = Math.min(a.tree.byteLength, b.tree.byteLength);
  }

  /** How many bytes are compared, or known to be equal without being read. */
  get doneBytes(): number {
    const [x, y] = [this.#a.cursor.span, this.#b.cursor.span];
    return x && y ? Math.max(x.start, y.start) : this.#commonBytes;
  }

  /** Numbers that differ, but within the tolerance. */
  get tolerated(): number {
    return this.#comparison.tolerated;
  }

  /** What differs in the bytes that both have; undefined where nothing does. */
  get result(): ContentDiff | undefined {
    return this.#comparison.result(this.#commonBytes);
  }

  /** Compares a little more, a chunk at most; false once there is nothing more to compare. */
  step(): boolean {
    const [a, b] = [this.#a.cursor, this.#b.cursor];
    const [x, y] = [a.span, b.span];
    if (!x || !y) return false;
    if (isSame(x, y)) {
      a.next();
      b.next();
    } else if (x.height > 0 || y.height > 0) {
      (x.height >= y.height ? a : b).enter();
    } else {
      this.#compareChunks(x, y);
    }
    return true;
  }

  #compareChunks(x: Span, y: Span): void {
    const start = Math.max(x.start, y.start);
    const end = Math.min(x.end, y.end);
    if (start % this.#comparison.width !== 0) {
      throw new SnapError('SNAP_CORRUPT', 'a tree cuts a number of its region in two');
    }
    this.#comparison.add(this.#a.read(start, end), this.#b.read(start, end), start);
    if (x.end === end) this.#a.cursor.next();
    if (y.end === end) this.#b.cursor.next();
  }
}

/** True where two trees are the same from the root on: nothing of them needs to be read to know it. */
export function isSameTree(a: Tree, b: Tree): boolean {
  if (a.byteLength !== b.byteLength || a.height !== b.height || a.entries.length !== b.entries.length)
    return false;
  return a.entries.every(({ id }, index) => b.entries[index]?.id.equals(id));
}

function isSame(x: Span, y: Span): boolean {
  return x.height === y.height && x.start === y.start && x.end === y.end && x.id.equals(y.id);
}

/** One region, and the chunk of it that was read last. */
class Side {
  readonly cursor: TreeCursor;
  readonly #source: ContentSource;
  #held: { id: ChunkId; bytes: Buffer } | undefined;

  constructor(source: ContentSource, tree: Tree) {
    this.cursor = new TreeCursor(source, tree);
    this.#source = source;
  }

  /** Bytes `[start, end)` of the region, which lie in the chunk that the cursor stands at. */
  read(start: number, end: number): Buffer {
    const { span } = this.cursor;
    invariant(span, 'reading behind the end of a region');
    if (!this.#held?.id.equals(span.id)) this.#held = { id: span.id, bytes: readSpan(this.#source, span) };
    return this.#held.bytes.subarray(start - span.start, end - span.start);
  }
}
