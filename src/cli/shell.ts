/** Command lines to copy: what undoes, or continues, what was just done. */

import type { Context } from './context.js';
import { printable } from './words.js';

/** `snap WORDS`, for the same store that this invocation named. */
export function commandLine({ store }: Context, ...words: string[]): string {
  const start = store === undefined ? ['snap'] : ['snap', '--store', store];
  return [...start, ...words].map(quoted).join(' ');
}

function quoted(word: string): string {
  const safe = printable(word);
  return /^[\w@%+=:,./~-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}
