/**
 * File names for arrays, after their place in the state: `grids[0].u` becomes `grids/0/u`.
 *
 * Invariants
 *  - a name stays inside of its folder and is one on every file system: letters, digits, `-` and `_` of ASCII, no word
 *    that Windows reserves, and of bounded length
 *  - no two names are equal, even where capitals count for nothing
 *  - a name depends on the whole list, not on which part of it is exported
 */

const LONGEST_WORD = 60;
const LONGEST_NAME = 160;
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/** One name for each list of words, without an extension. */
export function namesFor(paths: readonly (readonly string[])[]): string[] {
  const taken = new Set<string>();
  return paths.map((words, index) => {
    const name = words.map(safeWord).join('/') || 'state';
    const wanted = name.length <= LONGEST_NAME ? name : `long-${index}`;
    let free = wanted;
    for (let number = 2; taken.has(free.toLowerCase()); number++) free = `${wanted}-${number}`;
    taken.add(free.toLowerCase());
    return free;
  });
}

function safeWord(word: string): string {
  const safe = word.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, LONGEST_WORD);
  return safe === '' || RESERVED.test(safe) ? `${safe}_` : safe;
}
