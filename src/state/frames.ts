/**
 * The containers an encode is inside of: its explicit stack, so that a chain of any depth overflows nothing, and the
 * path to the current value, made only when somebody asks.
 *
 * Invariants
 *  - `next[d]` is one past the value of frame d that is being written; 0 where none has been begun
 *  - a popped frame refers to nothing of the state
 *
 * The arrays are public because the encoder's inner loop reads them for every container.
 */

import {
  indexSegment,
  joinPath,
  keySegment,
  mapKeySegment,
  mapValueSegment,
  memberSegment,
} from './paths.js';

/** Values that are the state itself or what a class encoded: they add nothing to the path. */
export const F_TRANSPARENT = 0;
/** Values named by `keys`. */
export const F_FIELDS = 1;
/** Elements of the array that is both owner and values. */
export const F_ARRAY = 2;
/** Key, value, key, value. */
export const F_MAP = 3;
export const F_SET = 4;

export type FrameKind = typeof F_TRANSPARENT | typeof F_FIELDS | typeof F_ARRAY | typeof F_MAP | typeof F_SET;

const NOTHING: readonly unknown[] = [];
/** Room kept from one encode to the next. */
const KEPT_DEPTH = 1024;

export class Frames {
  depth = 0;
  readonly kinds: FrameKind[] = [];
  readonly values: (readonly unknown[])[] = [];
  readonly keys: (readonly string[] | undefined)[] = [];
  readonly next: number[] = [];
  readonly ends: number[] = [];
  /** For F_TRANSPARENT: the ordinal of the instance whose encoded data this is, or -1. */
  readonly ordinals: number[] = [];

  push(
    kind: FrameKind,
    values: readonly unknown[],
    keys: readonly string[] | undefined,
    end: number,
    next = 0,
    ordinal = -1,
  ): void {
    const depth = this.depth++;
    this.kinds[depth] = kind;
    this.values[depth] = values;
    this.keys[depth] = keys;
    this.next[depth] = next;
    this.ends[depth] = end;
    this.ordinals[depth] = ordinal;
  }

  pop(): void {
    const depth = --this.depth;
    this.values[depth] = NOTHING;
    this.keys[depth] = undefined;
  }

  clear(): void {
    while (this.depth > 0) this.pop();
    if (this.kinds.length > KEPT_DEPTH) {
      for (const list of [this.kinds, this.values, this.keys, this.next, this.ends, this.ordinals]) {
        list.length = KEPT_DEPTH;
      }
    }
  }

  /** Path of the value being written, or of its property `key`. */
  path(key?: string): string {
    const segments: string[] = [];
    for (let depth = 0; depth < this.depth; depth++) {
      const at = (this.next[depth] as number) - 1;
      if (at >= 0) this.#segment(segments, depth, at);
    }
    if (key !== undefined) segments.push(keySegment(key));
    return joinPath(segments);
  }

  #segment(segments: string[], depth: number, at: number): void {
    switch (this.kinds[depth]) {
      case F_FIELDS:
        segments.push(keySegment((this.keys[depth] as readonly string[])[at] as string));
        break;
      case F_ARRAY:
        segments.push(indexSegment(at));
        break;
      case F_MAP: {
        const entry = at >> 1;
        const key = (this.values[depth] as readonly unknown[])[entry * 2];
        segments.push(at % 2 === 0 ? mapKeySegment(entry) : mapValueSegment(key, entry));
        break;
      }
      case F_SET:
        segments.push(memberSegment(at));
        break;
      default:
    }
  }
}
