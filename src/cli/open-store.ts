/** Opens the store that a command means, and closes it whatever happens. */

import { resolve } from 'node:path';
import { isSnapError } from '../base/errors.js';
import type { Snap } from '../index.js';
import type { Context } from './context.js';
import { NoStoreError } from './errors.js';
import { namedStore, nearestStore, noStoreAt } from './find-store.js';

/** Looks without a lock, so beside a live run too. */
export function reading<T>(context: Context, work: (snap: Snap) => Promise<T>): Promise<T> {
  return using(context, storeOf(context), { readOnly: true }, work);
}

/** Plans what an owner would do: asks the one there is, who knows what is in use; else looks without a lock. */
export function planning<T>(context: Context, work: (snap: Snap) => Promise<T>): Promise<T> {
  return using(context, storeOf(context), { readOnly: true, ask: true }, work);
}

/** Becomes the owner for as long as the work takes; where another process is, asks that to do it. */
export function writing<T>(context: Context, work: (snap: Snap) => Promise<T>): Promise<T> {
  return using(context, storeOf(context), { readOnly: false, ask: true }, work);
}

/** Works on the folder of a store that need not be one that can be opened. */
export async function unopened<T>(
  context: Context,
  work: (directory: string, library: typeof Snap) => Promise<T>,
): Promise<T> {
  const directory = storeOf(context);
  const { Snap: library } = await import('../index.js');
  try {
    return await work(directory, library);
  } catch (error) {
    throw saysNoStore(error, directory) ? noStoreAt(directory, error) : error;
  }
}

/** The folder of the store that is meant, or undefined where none was named and none is near. */
export function findStore(context: Context): string | undefined {
  const named = namedStore(context.store, context.env);
  return named === undefined ? nearestStore(context.currentFolder()) : resolve(named);
}

/** The folder of the store that is meant; a NoStoreError where there is none. */
export function storeOf(context: Context): string {
  const directory = findStore(context);
  if (directory !== undefined) return directory;
  throw new NoStoreError(
    'there is no store here or in a folder above; name one with --store DIR or in SNAP_STORE',
  );
}

interface Access {
  readOnly: boolean;
  /** Where another process owns the store, ask it. */
  ask?: boolean;
}

async function using<T>(
  { signal }: Context,
  directory: string,
  access: Access,
  work: (snap: Snap) => Promise<T>,
): Promise<T> {
  const snap = await open(directory, access, signal);
  let result: T;
  try {
    result = await work(snap);
  } catch (error) {
    // What went wrong first is what counts.
    await snap.close().catch(() => {});
    throw error;
  }
  await snap.close();
  return result;
}

async function open(directory: string, { readOnly, ask }: Access, signal: AbortSignal): Promise<Snap> {
  // Loaded late: help and wrong usage need none of it, and it takes most of the time that they took.
  const [{ Snap }, { ASK_OWNER }] = await Promise.all([import('../index.js'), import('../api/options.js')]);
  const asking = ask ? { [ASK_OWNER]: true } : {};
  try {
    // No command here writes chunks, so none needs to hear that zstd is missing.
    return await Snap.open(directory, { create: false, readOnly, compression: false, signal, ...asking });
  } catch (error) {
    throw saysNoStore(error, directory) ? noStoreAt(directory, error) : error;
  }
}

function saysNoStore(error: unknown, directory: string): boolean {
  return isSnapError(error, 'SNAP_NOT_FOUND') && error.path === directory;
}
