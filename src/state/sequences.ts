/**
 * Compares two arrays element by element: runs of elements that are there in one only, or that differ, and the pairs of
 * objects, which take a closer look.
 *
 * Invariant: holes are passed over as runs, so that the length of a sparse array costs nothing.
 */

import { type GraphNode, HoleRun, isNode } from './graph.js';

/** Neighbours that changed in the same way. */
export interface Run {
  index: number;
  count: number;
  change: 'added' | 'removed' | 'changed';
  /** The first few elements of each; empty where there are none. */
  a: unknown[];
  b: unknown[];
}

export interface ObjectPair {
  index: number;
  a: GraphNode;
  b: GraphNode;
}

const KEPT = 20;
const ABSENT = Symbol('absent');

/** In ascending order; returns false where nothing but holes makes one array longer, of which no run tells. */
export function* compareElements(
  a: readonly unknown[],
  b: readonly unknown[],
  isSame: (a: unknown, b: unknown) => boolean,
): Generator<Run | ObjectPair, boolean, undefined> {
  const [x, y] = [new Elements(a), new Elements(b)];
  let run: Run | undefined;
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
    if (isNode(ours) && isNode(theirs)) {
      if (run) yield run;
      run = undefined;
      yield { index, a: ours, b: theirs };
    } else if (!isSame(ours, theirs)) {
      const next = extended(run, index, ours, theirs);
      if (run && next !== run) yield run;
      run = next;
    }
    index++;
  }
  if (run) yield run;
  return x.length === y.length || lastSeen >= Math.min(x.length, y.length);
}

/** The run, longer by this element where that continues it; else a new one. */
function extended(run: Run | undefined, index: number, a: unknown, b: unknown): Run {
  const change = a === ABSENT ? 'added' : b === ABSENT ? 'removed' : 'changed';
  const continues = run?.change === change && run.index + run.count === index;
  const longer: Run = run && continues ? run : { index, count: 0, change, a: [], b: [] };
  longer.count++;
  if (longer.count > KEPT) return longer;
  if (a !== ABSENT) longer.a.push(a);
  if (b !== ABSENT) longer.b.push(b);
  return longer;
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
