/**
 * The names in one simulated folder. A name that was made, renamed or removed is durable only after the folder
 * was synced; until then a power cut may bring the old names back.
 */

import { DiskFile } from './disk-file.js';

export type DiskNode = DiskFile | DiskFolder;

/** One change of names that happens wholly or not at all. */
export interface NameChange {
  order: number;
  removed?: string;
  added?: { name: string; node: DiskNode };
}

export class DiskFolder {
  visible = new Map<string, DiskNode>();
  durable = new Map<string, DiskNode>();
  pending: NameChange[] = [];

  change(change: NameChange): void {
    applyNames(this.visible, change);
    this.pending.push(change);
  }

  sync(): void {
    for (const change of this.pending) applyNames(this.durable, change);
    this.pending = [];
  }

  /**
   * A sync that failed: names of files stay visible and no later sync makes them durable. Names of folders are left
   * pending: a file can be made anew, but nothing can be done for the folders above it.
   */
  failSync(): void {
    this.pending = this.pending.filter(({ added }) => added && !(added.node instanceof DiskFile));
  }

  clone(clones: Map<DiskNode, DiskNode> = new Map()): DiskFolder {
    const copy = new DiskFolder();
    const cloneOf = (node: DiskNode): DiskNode => {
      let clone = clones.get(node);
      if (!clone) {
        clone = node instanceof DiskFile ? node.clone() : node.clone(clones);
        clones.set(node, clone);
      }
      return clone;
    };
    for (const [name, node] of this.visible) copy.visible.set(name, cloneOf(node));
    for (const [name, node] of this.durable) copy.durable.set(name, cloneOf(node));
    copy.pending = this.pending.map(({ order, removed, added }) => ({
      order,
      ...(removed === undefined ? {} : { removed }),
      ...(added ? { added: { name: added.name, node: cloneOf(added.node) } } : {}),
    }));
    return copy;
  }
}

export function applyNames(names: Map<string, DiskNode>, { removed, added }: NameChange): void {
  if (removed !== undefined) names.delete(removed);
  if (added) names.set(added.name, added.node);
}
