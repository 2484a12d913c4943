/**
 * Where things differ, as a bounded number of ranges.
 *
 * Each run of neighbours is a range by itself until there are more than the limit. Then ranges with fewer than `gap`
 * others between them are joined, and the gap is doubled until they are few enough.
 *
 * Invariants
 *  - ranges ascend, are at least `gap` apart, and begin and end with something that was added
 *  - the gap is the smallest power of two that leaves at most the limit, in whatever portions the runs came
 */

/** `[start, end)`. */
export interface Range {
  start: number;
  end: number;
}

export class Runs {
  readonly #limit: number;
  #ranges: Range[] = [];
  #gap = 1;
  #end = -1;
  /** How many runs of neighbours there were. */
  count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get ranges(): Range[] {
    return this.#ranges;
  }

  /** Ranges with fewer others than this between them were joined; 1: none were, every range is exact. */
  get gap(): number {
    return this.#gap;
  }

  /** Takes an index that is higher than all before. */
  add(index: number): void {
    if (index !== this.#end) this.count++;
    this.#end = index + 1;
    const last = this.#ranges.at(-1);
    if (last && index - last.end < this.#gap) {
      last.end = index + 1;
      return;
    }
    this.#ranges.push({ start: index, end: index + 1 });
    while (this.#ranges.length > this.#limit) this.#coarsen();
  }

  #coarsen(): void {
    this.#gap *= 2;
    const ranges: Range[] = [];
    for (const range of this.#ranges) {
      const last = ranges.at(-1);
      if (last && range.start - last.end < this.#gap) last.end = range.end;
      else ranges.push(range);
    }
    this.#ranges = ranges;
  }
}
