/** Command lines to copy: what undoes, or continues, what was just done. */

import type { Context } from './context.js';
import { printable } from './words.js';

/** `snap WORDS`, for the same store that this invocation named. */
export function commandLine({ store }: Context, ...words: string[]): string {
  const start = store === undefined ? ['snap'] : ['snap', '--store', store];
  return [...start, ...words].map(shellWord).join(' ');
}

/** Command lines and what each is for, as lines of a list. */
export function commandList(entries: readonly (readonly [line: string, meaning: string])[]): string[] {
  const width = Math.max(...entries.map(([line]) => line.length));
  return entries.map(([line, meaning]) => `  ${line.padEnd(width)}   ${meaning}`);
}

/** A word as a shell takes it. */
export function shellWord(word: string): string {
  const safe = printable(word);
  return /^[\w@%+=:,./~-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}
