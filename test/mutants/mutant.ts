/** A mutant: one thing broken on purpose, and the tests that have to notice. */

export interface Mutant {
  /** Unique, in lower case with hyphens. */
  name: string;
  /** What no longer holds. */
  breaks: string;
  /** Below `src`: `store/pack-writer.ts`. */
  file: string;
  /** Stands there exactly once; line breaks and indentation are of no account. */
  find: string;
  replace: string;
  /** Test files below `test`, the one that tells it best first: `store/failed-sync`. */
  tests: readonly [string, ...string[]];
}

/** The source with the mutant in it. A text that no longer stands there once is an error: the list must not rot. */
export function mutate(source: string, { name, find, replace }: Mutant): string {
  const pattern = find
    .trim()
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\s+/g, '\\s+');
  const places = source.match(new RegExp(pattern, 'g'))?.length ?? 0;
  if (places !== 1) throw new Error(`${name}: its text stands there ${places} times, not once: ${find}`);
  return source.replace(new RegExp(pattern), () => replace);
}
