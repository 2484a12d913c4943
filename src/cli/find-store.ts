/**
 * Which store a command means: `--store`, else SNAP_STORE, else the nearest one at or above the current folder.
 *
 * Nothing is opened or believed here: a folder counts when it has a descriptor, or packs whose descriptor is gone, and
 * opening it says the rest.
 */

import { dirname, join, resolve } from 'node:path';
import { realIo } from '../io/real.js';
import { NoStoreError } from './errors.js';
import type { Environment } from './failure.js';

/** The file that says "this folder is a store". */
const DESCRIPTOR = 'holdfast.json';
const PACKS = 'packs';
const PACK_NAME = /^\d{8,10}\.pack$/;
/** Names under which programs usually keep a store. */
const USUAL_NAMES = ['.snap', 'checkpoints'];

/** The folder that was named by option or environment; undefined where none was. */
export function namedStore(option: string | undefined, env: Environment): string | undefined {
  return option ?? (env.SNAP_STORE || undefined);
}

/** The nearest store: at each level the folder itself, then its `.snap`, then its `checkpoints`. */
export function nearestStore(start: string): string | undefined {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const found = storeIn(folder);
    if (found) return found;
    if (dirname(folder) === folder) return undefined;
  }
}

/** What to say where there is no store in a folder that was named. */
export function noStoreAt(directory: string, cause: unknown): NoStoreError {
  const inside = USUAL_NAMES.map((name) => join(directory, name)).find(isStore);
  const hint = inside ? `; did you mean ${inside}?` : '';
  return new NoStoreError(`there is no store at ${directory}${hint}`, { cause });
}

function storeIn(folder: string): string | undefined {
  return [folder, ...USUAL_NAMES.map((name) => join(folder, name))].find(isStore);
}

function isStore(folder: string): boolean {
  try {
    return realIo.stat(join(folder, DESCRIPTOR))?.kind === 'file' || hasPacks(join(folder, PACKS));
  } catch {
    // A folder that may not be looked into is not the one that is meant.
    return false;
  }
}

function hasPacks(folder: string): boolean {
  return realIo.stat(folder)?.kind === 'folder' && realIo.list(folder).some((name) => PACK_NAME.test(name));
}
