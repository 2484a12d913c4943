/** Moves files out of the way instead of deleting them: perhaps somebody can still make something of them. */

import { dirname, relative } from 'node:path';
import { toSnapError } from '../io/failure.js';
import type { Io } from '../io/io.js';
import type { Layout } from './layout.js';

/** Gives a pack a name that is no pack's; returns the path from the store's folder. */
export function moveAside(io: Io, layout: Layout, path: string): string {
  try {
    const target = freePath(io, `${path}.damaged`);
    io.rename(path, target);
    io.syncFolder(dirname(path));
    return relative(layout.root, target);
  } catch (error) {
    throw toSnapError(error, `moving ${path} aside`);
  }
}

function freePath(io: Io, path: string): string {
  if (!io.stat(path)) return path;
  for (let copy = 2; ; copy++) {
    const numbered = `${path}.${copy}`;
    if (!io.stat(numbered)) return numbered;
  }
}
