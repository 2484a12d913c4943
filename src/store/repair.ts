/** Rebuilds what can be rebuilt from the packs, with the lock held. */

import { SnapError } from '../base/errors.js';
import { newDescriptor } from '../format/descriptor.js';
import { decodePackHeader } from '../format/pack.js';
import { RecordType } from '../format/record.js';
import type { Io } from '../io/io.js';
import { realIo } from '../io/real.js';
import { findStore, writeDescriptor } from './folder.js';
import { Layout } from './layout.js';
import { Packs } from './packs.js';
import { Store, type StoreWarning } from './store.js';

export interface RepairReport {
  /** The descriptor was gone or damaged and was made anew from the packs. */
  descriptor: boolean;
  /** Snapshots found while rebuilding the index. */
  snapshots: number;
  /** What cannot be read, and what was done about it. */
  warnings: string[];
}

export async function repairStore(directory: string, io: Io = realIo): Promise<RepairReport> {
  const layout = new Layout(directory);
  const descriptor = restoreDescriptor(io, layout);
  const warnings: string[] = [];
  // Without its seal the index is not believed, and opening rebuilds it.
  if (io.stat(layout.clean)) io.remove(layout.clean);
  const store = await Store.open({
    io,
    directory,
    create: false,
    readOnly: false,
    compression: false,
    onWarning: (warning: StoreWarning) => warnings.push(warning.message),
  });
  let snapshots = 0;
  for await (const _ of store.summaries()) snapshots++;
  await store.close();
  return { descriptor, snapshots, warnings };
}

/** Makes the descriptor anew where it is gone or damaged and a pack tells the store's UUID. */
function restoreDescriptor(io: Io, layout: Layout): boolean {
  try {
    if (findStore(io, layout)) return false;
  } catch (error) {
    if (!(error instanceof SnapError) || error.code !== 'SNAP_CORRUPT') throw error;
  }
  if (io.stat(layout.packs)?.kind !== 'folder') {
    throw new SnapError('SNAP_NOT_FOUND', `there is no store at ${layout.root}`, { path: layout.root });
  }
  const packs = new Packs(io, layout);
  try {
    for (const number of packs.numbers()) {
      const record = packs.readRecord(number, 0);
      if (record?.header.type !== RecordType.packHeader) continue;
      const { store, time } = decodePackHeader(record.payload);
      writeDescriptor(io, layout, newDescriptor(store.toString('hex'), time));
      return true;
    }
  } finally {
    packs.close();
  }
  throw new SnapError('SNAP_NOT_FOUND', `no pack in ${layout.packs} tells which store it belongs to`, {
    path: layout.packs,
  });
}
