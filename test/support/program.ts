/** Small programs that save, tag, forget, close and restore: what a crash is aimed at. */

import { Random } from './random.js';
import type { Content } from './saved.js';

/** Places and sizes are fractions, so that an action makes sense whatever came before it. */
export type Action =
  | {
      do: 'save';
      run: string;
      edit: number;
      tag?: string /** Restores this one before committing. */;
      restoring?: number;
    }
  | { do: 'tag' | 'untag'; name: string; pick: number }
  | { do: 'forget' | 'unforget' | 'restore'; pick: number }
  /** A save that is given up before its commit. */
  | { do: 'abandon'; run: string; edit: number }
  /** What counts of a pack is carried elsewhere, and the pack set aside. */
  | { do: 'evacuate'; pick: number }
  /** What was forgotten, and what is not among the `last` so many of its run, is collected. */
  | { do: 'gc'; last?: number }
  /** Somebody opens the store for reading beside its owner. */
  | { do: 'beside' }
  | { do: 'reopen' };

export const RUNS = ['alpha', 'beta'];
const TAGS = ['best', 'good/one'];

export function generateProgram(random: Random, length: number): Action[] {
  return Array.from({ length }, () => generateAction(random));
}

export function generateAction(random: Random): Action {
  const roll = random.next();
  if (roll < 0.55) {
    const tag = random.chance(0.25) ? { tag: random.pick(TAGS) } : {};
    const restoring = random.chance(0.1) ? { restoring: random.next() } : {};
    return { do: 'save', run: random.pick(RUNS), edit: random.below(0x1_0000_0000), ...tag, ...restoring };
  }
  if (roll < 0.65) return { do: 'tag', name: random.pick(TAGS), pick: random.next() };
  if (roll < 0.69) return { do: 'untag', name: random.pick(TAGS), pick: 0 };
  if (roll < 0.77) return { do: 'forget', pick: random.next() };
  if (roll < 0.82) return { do: 'unforget', pick: random.next() };
  if (roll < 0.88) return { do: 'restore', pick: random.next() };
  if (roll < 0.91) return { do: 'beside' };
  if (roll < 0.94) return { do: 'abandon', run: random.pick(RUNS), edit: random.below(0x1_0000_0000) };
  if (roll < 0.95) return { do: 'evacuate', pick: random.next() };
  if (roll < 0.98) return random.chance(0.5) ? { do: 'gc' } : { do: 'gc', last: random.between(1, 3) };
  return { do: 'reopen' };
}

/** Region sizes of a program; the empty path is the skeleton. */
export type Shape = ReadonlyMap<string, number>;

export const SMALL: Shape = new Map([
  ['', 40],
  ['u', 250],
  ['v.w', 90],
]);

/** Enough regions that their table leaves the manifest. */
export const MANY: Shape = new Map([
  ['', 300],
  ...Array.from({ length: 22 }, (_, index): [string, number] => [`field[${index}]`, 20 + index]),
]);

/** Enough chunks for pages, and for a page over pages. */
export const DEEP: Shape = new Map([
  ['', 50],
  ['wide', 16 * 280],
  ['u', 16 * 20],
  ['v', 16 * 20],
]);

export function freshContent(shape: Shape, random: Random): Content {
  return new Map([...shape].map(([path, size]) => [path, random.bytes(size)]));
}

/** The content after one step of the program: unchanged, poked, filled, grown, shrunk, a region more or less. */
export function edited(content: Content, edit: number): Content {
  const random = new Random(edit);
  if (random.chance(0.15)) return content;
  const next = new Map(content);
  for (let times = random.between(1, 3); times > 0; times--) {
    const path = random.pick([...next.keys()]);
    const bytes = next.get(path) as Buffer;
    const roll = random.next();
    if (roll < 0.5) next.set(path, poked(bytes, random));
    else if (roll < 0.65) next.set(path, Buffer.alloc(bytes.length, random.below(256)));
    else if (roll < 0.8) next.set(path, Buffer.concat([bytes, random.bytes(random.below(90))]));
    else if (roll < 0.9) next.set(path, bytes.subarray(0, random.below(bytes.length + 1)));
    else if (path !== '' && next.size > 2 && random.chance(0.5)) next.delete(path);
    else next.set(`new${random.below(3)}`, random.bytes(random.below(120)));
  }
  return next;
}

function poked(bytes: Buffer, random: Random): Buffer {
  const next = Buffer.from(bytes);
  for (let times = random.between(1, 4); times > 0 && next.length > 0; times--) {
    next[random.below(next.length)] = random.below(256);
  }
  return next;
}
