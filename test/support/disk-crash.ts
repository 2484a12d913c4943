/**
 * What a crash leaves of a disk. A process that dies takes nothing with it; a power cut takes anything that was
 * not synced, in every way that file systems and drives are known to.
 */

import { applied, DiskFile, type FileChange } from './disk-file.js';
import { applyNames, DiskFolder, type DiskNode, type NameChange } from './disk-folder.js';
import type { Random } from './random.js';

export const CRASHES = ['process', 'nothing', 'everything', 'prefix', 'subset', 'torn', 'zeros'] as const;

/**
 *  - `process`: only the process dies; what was not synced can still be read, and is still not durable
 *  - `nothing`: nothing that was not synced survives
 *  - `everything`: all of it does
 *  - `prefix`: what was done first does, up to one change that is torn
 *  - `subset`: any changes do, of any files and folders
 *  - `torn`: any sectors (512 bytes, 4 KiB, or any byte) of any writes do
 *  - `zeros`: files have grown, but what was written may read as zeros
 */
export type Crash = (typeof CRASHES)[number];

/** The tree that the next process finds. `root` is not changed. */
export function crashed(root: DiskFolder, crash: Crash, random: Random): DiskFolder {
  if (crash === 'process') return root.clone();
  const fate = fateOf(root, crash, random);
  const survivors = new Map<DiskNode, DiskNode>();
  const survive = (node: DiskNode): DiskNode => {
    let survivor = survivors.get(node);
    if (!survivor) {
      survivor = node instanceof DiskFile ? surviveFile(node, fate) : surviveFolder(node);
      survivors.set(node, survivor);
    }
    return survivor;
  };
  const surviveFolder = (folder: DiskFolder): DiskFolder => {
    const names = new Map(folder.durable);
    for (const change of folder.pending) if (fate.keepsNames(change)) applyNames(names, change);
    const result = new DiskFolder();
    for (const [name, node] of names) {
      const survivor = survive(node);
      result.visible.set(name, survivor);
      result.durable.set(name, survivor);
    }
    return result;
  };
  return surviveFolder(root);
}

interface Fate {
  keepsNames(change: NameChange): boolean;
  /**
   * What becomes of one change to a file; undefined: nothing of it is there. `settled`: bytes of the file that were
   * there before and were never cut off.
   */
  keeps(change: FileChange, settled: number): FileChange | undefined | FileChange[];
}

function surviveFile(file: DiskFile, fate: Fate): DiskFile {
  let bytes = file.durable;
  let settled = bytes.length;
  for (const change of file.pending) {
    if (change.kind === 'truncate') settled = Math.min(settled, change.size);
    const kept = fate.keeps(change, settled);
    if (Array.isArray(kept)) bytes = kept.reduce<Buffer>(applied, bytes);
    else if (kept) bytes = applied(bytes, kept);
  }
  const survivor = new DiskFile();
  survivor.visible = bytes;
  survivor.durable = bytes;
  survivor.acknowledged = file.acknowledged;
  return survivor;
}

function fateOf(root: DiskFolder, crash: Exclude<Crash, 'process'>, random: Random): Fate {
  switch (crash) {
    case 'nothing':
      return { keepsNames: () => false, keeps: () => undefined };
    case 'everything':
      return { keepsNames: () => true, keeps: (change) => change };
    case 'prefix': {
      const orders = ordersOf(root);
      const last = orders.length === 0 ? 0 : random.pick(orders);
      return {
        keepsNames: ({ order }) => order <= last,
        keeps: (change) => {
          if (change.order === last) return torn(change, unitOf(random), random, 'front');
          return change.order < last ? change : undefined;
        },
      };
    }
    case 'subset': {
      const share = random.next();
      return {
        keepsNames: () => random.chance(share),
        keeps: (change) => (random.chance(share) ? change : undefined),
      };
    }
    case 'torn': {
      const share = random.pick([0.1, 0.5, 0.9]);
      const unit = unitOf(random);
      return {
        keepsNames: () => random.chance(0.7),
        keeps: (change) => torn(change, unit, random, 'any', share),
      };
    }
    case 'zeros':
      return {
        keepsNames: () => random.chance(0.9),
        keeps: (change, settled) => {
          if (change.kind === 'truncate' || random.chance(0.5)) return change;
          // Blocks that were there keep what they held; only new ones can be without their data.
          const bytes = Buffer.from(change.bytes);
          bytes.fill(0, Math.max(0, Math.min(bytes.length, settled - change.position)));
          return { ...change, bytes };
        },
      };
  }
}

function unitOf(random: Random): number {
  return random.pick([1, 512, 4096]);
}

/** Those units of a write that reached the platter; a truncation does or does not. */
function torn(
  change: FileChange,
  unit: number,
  random: Random,
  which: 'front' | 'any',
  share = 0.5,
): FileChange | FileChange[] | undefined {
  if (change.kind === 'truncate') return random.chance(share) ? change : undefined;
  const { order, position, bytes } = change;
  if (which === 'front') {
    const boundary = Math.floor((position + random.below(bytes.length + 1)) / unit) * unit;
    const length = Math.min(bytes.length, Math.max(0, boundary - position));
    return length === 0 ? undefined : { order, kind: 'write', position, bytes: bytes.subarray(0, length) };
  }
  const pieces: FileChange[] = [];
  // Any byte: a handful of cuts stands for them all.
  const step = unit === 1 ? Math.max(1, Math.ceil(bytes.length / 8)) : unit;
  const shift = unit === 1 ? random.below(step) : 0;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(
      bytes.length,
      (Math.floor((position + at + shift) / step) + 1) * step - position - shift,
    );
    if (random.chance(share)) {
      pieces.push({ order, kind: 'write', position: position + at, bytes: bytes.subarray(at, end) });
    }
    at = end;
  }
  return pieces;
}

/** The order numbers of all changes that are not durable. */
function ordersOf(root: DiskFolder): number[] {
  const seen = new Set<DiskNode>();
  const orders: number[] = [];
  const walk = (node: DiskNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    orders.push(...node.pending.map(({ order }) => order));
    if (node instanceof DiskFolder)
      for (const child of [...node.visible.values(), ...node.durable.values()]) walk(child);
  };
  walk(root);
  return orders;
}
