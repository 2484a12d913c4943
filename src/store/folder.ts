/** Turning a folder into a store, and telling a store from what is none. */

import { dirname } from 'node:path';
import { SnapError } from '../base/errors.js';
import {
  checkFeatures,
  type Descriptor,
  decodeDescriptor,
  encodeDescriptor,
  newDescriptor,
} from '../format/descriptor.js';
import { UUID_BYTES } from '../format/pack.js';
import { toSnapError } from '../io/failure.js';
import type { Io } from '../io/io.js';
import { readSmallFile, replaceFile } from '../io/transfer.js';
import { type Layout, OWN_NAMES, packNumber } from './layout.js';

const DESCRIPTOR_LIMIT = 64 * 1024;

/** The descriptor of the store in a folder; undefined where the folder may become one. */
export function findStore(io: Io, layout: Layout): Descriptor | undefined {
  try {
    const folder = io.stat(layout.root);
    if (!folder) return undefined;
    if (folder.kind !== 'folder') {
      throw new SnapError(
        'SNAP_NOT_FOUND',
        `${layout.root} is a file; a store is a folder: choose another path`,
        {
          path: layout.root,
        },
      );
    }
    const text = readSmallFile(io, layout.descriptor, DESCRIPTOR_LIMIT);
    if (text) return decodeDescriptor(text);
    refuseForeign(io, layout);
    return undefined;
  } catch (error) {
    throw toSnapError(error, `opening ${layout.root}`);
  }
}

/**
 * Writes the descriptor of a new store, last: until it is durable there is no store. What leads to the folder is made
 * durable before, because a folder that was just made can vanish with everything in it.
 */
export function createStore(io: Io, layout: Layout): Descriptor {
  syncAbove(io, layout.root);
  const descriptor = newDescriptor(io.random(UUID_BYTES).toString('hex'), io.now());
  try {
    writeDescriptor(io, layout, descriptor);
  } catch (error) {
    // Its name may be visible and not durable: the next attempt has to make it anew, not to find it.
    discardDescriptor(io, layout);
    throw error;
  }
  return descriptor;
}

function discardDescriptor(io: Io, layout: Layout): void {
  try {
    if (io.stat(layout.descriptor)) io.remove(layout.descriptor);
  } catch {
    // What made it impossible to write is reported already.
  }
}

export function makeFolders(io: Io, layout: Layout): void {
  io.makeFolder(layout.packs);
  io.makeFolder(layout.lock);
}

/**
 * Syncs every folder above one. All of them, because a process that died may have made any of them; those that
 * cannot be opened or synced were there before us and are not ours.
 */
function syncAbove(io: Io, folder: string): void {
  for (
    let child = folder, parent = dirname(folder);
    parent !== child;
    child = parent, parent = dirname(parent)
  ) {
    try {
      io.syncFolder(parent);
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
}

/** The system does not allow or know syncing this folder; anything else means that the disk failed. */
function isRefusal(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && ['EACCES', 'EPERM', 'EROFS', 'EINVAL', 'ENOTSUP'].includes(code);
}

export function writeDescriptor(io: Io, layout: Layout, descriptor: Descriptor): void {
  replaceFile(io, layout.descriptor, encodeDescriptor(descriptor));
}

/** Another store may have come to stand in the place of this one, or nothing. */
export function checkInPlace(io: Io, layout: Layout, uuid: string): void {
  if (findStore(io, layout)?.uuid !== uuid) throw movedError(layout);
}

export function movedError({ root }: Layout): SnapError {
  return new SnapError(
    'SNAP_IO',
    `the store is not at ${root} any more; was it moved or deleted? Saving goes on when it is back`,
    { path: root },
  );
}

export function checkUsable(descriptor: Descriptor, readOnly: boolean): void {
  checkFeatures(descriptor, 'read');
  if (!readOnly) checkFeatures(descriptor, 'write');
}

/** A folder without a descriptor becomes a store only if it is empty or a creation was cut short in it. */
function refuseForeign(io: Io, layout: Layout): void {
  const names = io.list(layout.root);
  if (names.includes('packs') && io.list(layout.packs).some((name) => packNumber(name) !== undefined)) {
    throw new SnapError(
      'SNAP_CORRUPT',
      `${layout.root} holds packs but its descriptor (holdfast.json) is gone; Snap.repair(directory) makes it anew`,
      { path: layout.root },
    );
  }
  const foreign = names.find((name) => !OWN_NAMES.has(name));
  if (foreign !== undefined) {
    throw new SnapError(
      'SNAP_NOT_FOUND',
      `${layout.root} is not a store and holds other files (${foreign}); choose an empty folder or a new name`,
      { path: layout.root },
    );
  }
}
