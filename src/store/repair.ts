/**
 * Repair: from a damaged store to one in which everything that is listed restores whole.
 *
 *   1. the descriptor is made anew where it is gone, damaged or that of another store; files under wrong names get
 *      their names back
 *   2. the index is rebuilt from the packs, and every byte of them is read
 *   3. what can be read of a damaged pack is copied into a new one
 *   4. one gc record says that the damaged packs are no part of the store; only then are they renamed to `*.damaged`
 *   5. snapshots that do not restore whole are forgotten, and told
 *
 * Deletes nothing that a pack says. Whenever it is interrupted, all that was intact is still there, and it can be run
 * again. Holds the lock; long work yields, so that progress can be shown.
 */

import { join, relative } from 'node:path';
import { throwIfAborted } from '../base/abort.js';
import { isSnapError, SnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import { ALL_FEATURES, type Descriptor, newDescriptor } from '../format/descriptor.js';
import { decodePackHeader, type PackHeader } from '../format/pack.js';
import { RecordType } from '../format/record.js';
import type { Io } from '../io/io.js';
import { realIo } from '../io/real.js';
import type { Evacuation } from './evacuate.js';
import { findStore, writeDescriptor } from './folder.js';
import { Layout } from './layout.js';
import { acquireLock } from './lock.js';
import { PackOrder } from './pack-order.js';
import { Packs } from './packs.js';
import type { Damage } from './scan.js';
import { moveAside } from './set-aside.js';
import { Store } from './store.js';
import type { DamagedSnapshot, Verification } from './verify.js';
import { NOTHING_VERIFIED } from './verify-cursor.js';

/** A pack that was damaged, gone, or no part of this store. */
export interface RepairedPack {
  pack: number;
  reasons: string[];
  /** Where its file is now, from the store's folder; undefined where there was none. */
  movedTo: string | undefined;
}

/** What `Snap.repair` found and did. */
export interface RepairReport {
  /** The descriptor (holdfast.json) was gone or damaged and was made anew from the packs. */
  descriptor: boolean;
  /** Snapshots that restore whole now, forgotten ones not counted. */
  snapshots: number;
  packs: RepairedPack[];
  /** Bytes of intact records that were copied out of damaged packs. */
  salvagedBytes: number;
  /** Snapshots that cannot be restored whole any more. They are forgotten now; `unforget` brings one back. */
  lost: DamagedSnapshot[];
  /** Snapshots that are gone without a name: their manifests cannot be read. */
  unlisted: number;
  /** Tags that could not be read: they are gone, or point where they did before. */
  damagedTags: number;
  /** Parts of packs are gone of which nobody knows what they held: more may be missing. */
  uncertain: boolean;
  /** Nothing was wrong: only the index was made anew. */
  clean: boolean;
}

export interface RepairProgress {
  phase: 'packs' | 'snapshots' | 'salvage';
  done: number;
  total: number;
}

export interface RepairOptions {
  /** Told every now and then: `done` of `total` bytes of the packs, snapshots, or packs to salvage. */
  onProgress?: ((progress: RepairProgress) => void) | undefined;
  /** Ends the repair between two steps; what was intact is still there. */
  signal?: AbortSignal | undefined;
}

interface Disk {
  io: Io;
  /** As of a `Store`. */
  simulated?: boolean;
}

export function repairStore(
  directory: string,
  options: RepairOptions = {},
  disk: Disk = { io: realIo },
): Promise<RepairReport> {
  return new Repair(new Layout(directory), options, disk).run();
}

class Repair {
  readonly #layout: Layout;
  readonly #options: RepairOptions;
  readonly #disk: Disk;
  readonly #packs = new Map<number, RepairedPack>();
  #lost = new Map<string, DamagedSnapshot>();
  readonly #gone = { unlisted: 0, damagedTags: 0, uncertain: false };

  constructor(layout: Layout, options: RepairOptions, disk: Disk) {
    this.#layout = layout;
    this.#options = options;
    this.#disk = disk;
  }

  async run(): Promise<RepairReport> {
    checkRepairable(this.#disk.io, this.#layout);
    const descriptor = await this.#locked(() => {
      const restored = restoreDescriptor(this.#disk.io, this.#layout);
      this.#sortFiles();
      return restored;
    });
    const salvagedBytes = await this.#opened((store) => this.#salvage(store));
    // What the index knows of packs that are gone now goes with it.
    const snapshots = await this.#opened((store) => this.#forgetLost(store));
    const packs = [...this.#packs.values()].sort((a, b) => a.pack - b.pack);
    const lost = [...this.#lost.values()];
    const clean = !descriptor && packs.length === 0 && lost.length === 0;
    return { descriptor, snapshots, packs, salvagedBytes, lost, ...this.#gone, clean };
  }

  async #locked<T>(work: () => T): Promise<T> {
    const { io, simulated } = this.#disk;
    const lock = simulated ? undefined : await acquireLock(io, this.#layout);
    try {
      return work();
    } finally {
      await lock?.release();
    }
  }

  /** Opens the store with a new index. */
  async #opened<T>(work: (store: Store) => Promise<T>): Promise<T> {
    const { io, simulated } = this.#disk;
    const store = await Store.open({
      io,
      directory: this.#layout.root,
      create: false,
      readOnly: false,
      compression: false,
      rebuild: true,
      onWarning: () => {},
      ...(simulated && { simulated }),
    });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  /** Gives files under wrong names their own, and moves those away that are no part of this store. */
  #sortFiles(): void {
    const { io } = this.#disk;
    const packs = new Packs(io, this.#layout);
    try {
      const uuid = Buffer.from(findStore(io, this.#layout)?.uuid ?? '', 'hex');
      const { damage, misplaced } = new PackOrder(packs, uuid);
      const taken = new Set(packs.numbers().filter((number) => !damage.some(({ pack }) => pack === number)));
      packs.close();
      // All of them away first: two files may have each other's name.
      const moved = new Map(damage.map(({ pack }) => [pack, this.#moveAside(pack)]));
      for (const { pack, reason } of damage)
        this.#note({ pack, offset: 0, reason }).movedTo = moved.get(pack);
      for (const { number, belongsTo } of misplaced) {
        const path = moved.get(number);
        if (path === undefined || taken.has(belongsTo)) continue;
        taken.add(belongsTo);
        io.rename(join(this.#layout.root, path), this.#layout.pack(belongsTo));
        io.syncFolder(this.#layout.packs);
        const entry = this.#note({ pack: number, offset: 0, reason: 'it got its name back' });
        entry.movedTo = relative(this.#layout.root, this.#layout.pack(belongsTo));
      }
    } finally {
      packs.close();
    }
  }

  #moveAside(pack: number): string {
    return moveAside(this.#disk.io, this.#layout, this.#layout.pack(pack));
  }

  async #salvage(store: Store): Promise<number> {
    const { damage, damagedSnapshots, unlisted, damagedTags, uncertain } = await this.#verify(store, 1);
    Object.assign(this.#gone, { unlisted, damagedTags, uncertain });
    for (const one of damage) this.#note(one);
    for (const snapshot of damagedSnapshots) this.#lost.set(snapshot.id, snapshot);
    const numbers = [...new Set(damage.map(({ pack }) => pack))].sort((a, b) => a - b);
    if (numbers.length === 0) return 0;
    const evacuation = store.removal.evacuation();
    const ends = store.ends();
    for (const [done, pack] of numbers.entries()) {
      this.#tell({ phase: 'salvage', done, total: numbers.length });
      if (ends.has(pack)) await this.#evacuate(store, evacuation, pack, ends.get(pack) ?? 0);
    }
    for (const [pack, movedTo] of await store.removal.retire(numbers, 'setAside', evacuation)) {
      const entry = this.#packs.get(pack);
      if (entry) entry.movedTo = movedTo;
    }
    return evacuation.copiedBytes;
  }

  async #evacuate(store: Store, evacuation: Evacuation, pack: number, end: number): Promise<void> {
    try {
      store.removal.leave(pack);
      for await (const _ of evacuation.content(pack, end)) await this.#pause();
    } catch (error) {
      await store.rollback();
      throw error;
    }
  }

  /** Forgets what cannot be restored whole now; returns how many snapshots can. */
  async #forgetLost(store: Store): Promise<number> {
    const before = this.#lost;
    const findings = await this.#verify(store, 0);
    this.#lost = new Map(
      findings.damagedSnapshots.map((snapshot) => [snapshot.id, withFirstReasons(snapshot, before)]),
    );
    // One whose manifest is gone is not even listed any more.
    for (const [id, snapshot] of before) {
      if (!store.byId(id as SnapshotId)) this.#lost.set(id, snapshot);
    }
    const listed = findings.damagedSnapshots;
    if (listed.length > 0) {
      store.begin();
      for (const { id } of listed) store.putForget(id as SnapshotId, true);
      await store.commit();
    }
    return findings.snapshots - listed.length;
  }

  async #verify(store: Store, share: number): Promise<Verification['findings']> {
    const verification = store.verification({ share, from: NOTHING_VERIFIED, random: () => 0 });
    for await (const progress of verification.run()) {
      this.#tell(progress);
      await this.#pause();
    }
    return verification.findings;
  }

  #note({ pack, offset, reason }: Damage): RepairedPack {
    const entry = this.#packs.get(pack) ?? { pack, reasons: [], movedTo: undefined };
    this.#packs.set(pack, entry);
    const told = offset === 0 ? reason : `byte ${offset}: ${reason}`;
    if (!entry.reasons.includes(told)) entry.reasons.push(told);
    return entry;
  }

  #tell(progress: RepairProgress): void {
    this.#options.onProgress?.(progress);
  }

  async #pause(): Promise<void> {
    throwIfAborted(this.#options.signal);
    await new Promise(setImmediate);
  }
}

/** What was wrong before the packs were set aside: after it everything is just gone. */
function withFirstReasons(
  snapshot: DamagedSnapshot,
  before: ReadonlyMap<string, DamagedSnapshot>,
): DamagedSnapshot {
  const known = new Map(before.get(snapshot.id)?.parts.map((part) => [part.path, part]));
  return { ...snapshot, parts: snapshot.parts.map((part) => known.get(part.path) ?? part) };
}

/** Throws where there is nothing to repair, or not by this version. */
function checkRepairable(io: Io, layout: Layout): void {
  if (readableDescriptor(io, layout)) return;
  if (io.stat(layout.packs)?.kind === 'folder') return;
  throw new SnapError('SNAP_NOT_FOUND', `there is no store at ${layout.root}`, { path: layout.root });
}

/** Makes the descriptor anew where it is gone, damaged, or another store's; says whether it was. */
function restoreDescriptor(io: Io, layout: Layout): boolean {
  const descriptor = readableDescriptor(io, layout);
  const packs = new Packs(io, layout);
  try {
    const uuid = descriptor && Buffer.from(descriptor.uuid, 'hex');
    if (uuid && !new PackOrder(packs, uuid).isOfAnotherStore) return false;
    const header = commonHeader(packs);
    if (!header) {
      const message = `no pack in ${layout.packs} tells which store it belongs to`;
      throw new SnapError('SNAP_NOT_FOUND', message, { path: layout.packs });
    }
    // Which features the packs use is not known: they may use any.
    writeDescriptor(io, layout, newDescriptor(header.store.toString('hex'), header.time, ALL_FEATURES));
    return true;
  } finally {
    packs.close();
  }
}

function readableDescriptor(io: Io, layout: Layout): Descriptor | undefined {
  try {
    return findStore(io, layout);
  } catch (error) {
    if (isSnapError(error, 'SNAP_CORRUPT')) return undefined;
    throw error;
  }
}

/** The first header of the store to which most packs belong. */
function commonHeader(packs: Packs): PackHeader | undefined {
  const headers = new Map<string, PackHeader[]>();
  for (const number of packs.numbers()) {
    const record = packs.readRecord(number, 0);
    if (record?.header.type !== RecordType.packHeader) continue;
    const header = decodePackHeader(record.payload);
    const store = header.store.toString('hex');
    headers.set(store, [...(headers.get(store) ?? []), header]);
  }
  const most = [...headers.values()].sort((a, b) => b.length - a.length)[0];
  return most?.[0];
}
