/**
 * Compares two arrays element by element: runs of elements that are there in one only, or that are different primitives,
 * and the pairs that take a closer look.
 *
 * Invariant: holes are passed over as runs, so that the length of a sparse array costs nothing.
 */

import { HoleRun, isNode } from './graph.js';

/** Neighbours that changed in the same way. */
export interface Run {
  index: number;
  count: number;
  change: 'added' | 'removed' | 'changed';
  /** The first few elements of each; empty where there are none. */
  a: unknown[];
  b: unknown[];
}

export interface Runs {
  runs: Run[];
  /** Elements of which at least one is an object. */
  pairs: { a: unknown; b: unknown; index: number }[];
  /** False where nothing but holes makes one array longer: a run tells of anything else. */
  sameLength: boolean;
}

const KEPT = 20;
const ABSENT = Symbol('absent');

export function runsOf(a: readonly unknown[], b: readonly unknown[]): Runs {
  const [x, y] = [new Elements(a), new Elements(b)];
  const runs: Run[] = [];
  const pairs: Runs['pairs'] = [];
  let index = 0;
  let lastSeen = -1;
  for (;;) {
    const absent = Math.min(x.absent, y.absent);
    if (absent === Number.POSITIVE_INFINITY) break;
    if (absent > 0) {
      x.skip(absent);
      y.skip(absent);
      index += absent;
      continue;
    }
    const [ours, theirs] = [x.take(), y.take()];
    lastSeen = index;
    if (ours === ABSENT || theirs === ABSENT || !(isNode(ours) || isNode(theirs))) {
      if (!Object.is(ours, theirs)) extend(runs, index, ours, theirs);
    } else {
      pairs.push({ a: ours, b: theirs, index });
    }
    index++;
  }
  return { runs, pairs, sameLength: x.length === y.length || lastSeen >= Math.min(x.length, y.length) };
}

/** Adds to the last run what continues it, or begins another. */
function extend(runs: Run[], index: number, a: unknown, b: unknown): void {
  const change = a === ABSENT ? 'added' : b === ABSENT ? 'removed' : 'changed';
  let run = runs.at(-1);
  if (run?.change !== change || run.index + run.count !== index) {
    run = { index, count: 0, change, a: [], b: [] };
    runs.push(run);
  }
  run.count++;
  if (run.count > KEPT) return;
  if (a !== ABSENT) run.a.push(a);
  if (b !== ABSENT) run.b.push(b);
}

/** The elements of an array from left to right. */
class Elements {
  readonly length: number;
  readonly #children: readonly unknown[];
  #next = 0;
  /** Elements of the current run of holes that were passed over. */
  #passed = 0;

  constructor(children: readonly unknown[]) {
    this.#children = children;
    this.length = children.reduce<number>(
      (sum, child) => sum + (child instanceof HoleRun ? child.count : 1),
      0,
    );
  }

  /** How many elements from here on are not there; behind the end, all. */
  get absent(): number {
    if (this.#next >= this.#children.length) return Number.POSITIVE_INFINITY;
    const child = this.#children[this.#next];
    return child instanceof HoleRun ? child.count - this.#passed : 0;
  }

  skip(count: number): void {
    const child = this.#children[this.#next];
    if (!(child instanceof HoleRun)) return;
    this.#passed += count;
    if (this.#passed < child.count) return;
    this.#passed = 0;
    this.#next++;
  }

  /** The next element, or ABSENT. */
  take(): unknown {
    if (this.absent > 0) {
      this.skip(1);
      return ABSENT;
    }
    return this.#children[this.#next++];
  }
}
