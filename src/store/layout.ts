/**
 * Where things lie in a store's folder.
 *
 *   holdfast.json    the descriptor; a folder with one is a store
 *   owner.json       who holds the store and where he can be asked; the lock decides
 *   clean.json       present after a clean close: what the index then was
 *   verified.json    present where a verification ended early: how far it came
 *   reserve          space held back for notes on a full disk
 *   lock/            an empty LevelDB, for its kernel lock alone
 *   index/           the LevelDB index, disposable
 *   packs/           00000001.pack, 00000002.pack, ...: the truth;
 *                    00000003.pack.damaged: set aside by repair, no part of the store any more
 */

import { join } from 'node:path';

export class Layout {
  readonly root: string;
  readonly descriptor: string;
  readonly owner: string;
  readonly clean: string;
  readonly verified: string;
  readonly reserve: string;
  readonly lock: string;
  readonly index: string;
  readonly packs: string;

  constructor(root: string) {
    this.root = root;
    this.descriptor = join(root, 'holdfast.json');
    this.owner = join(root, 'owner.json');
    this.clean = join(root, 'clean.json');
    this.verified = join(root, 'verified.json');
    this.reserve = join(root, 'reserve');
    this.lock = join(root, 'lock');
    this.index = join(root, 'index');
    this.packs = join(root, 'packs');
  }

  pack(number: number): string {
    return join(this.packs, packName(number));
  }
}

/** Names that a store, or a half-created one, may have in its folder. */
export const OWN_NAMES: ReadonlySet<string> = new Set([
  'holdfast.json',
  'holdfast.json.new',
  'owner.json',
  'owner.json.new',
  'clean.json',
  'clean.json.new',
  'verified.json',
  'verified.json.new',
  'reserve',
  'lock',
  'index',
  'packs',
]);

export function packName(number: number): string {
  return `${String(number).padStart(8, '0')}.pack`;
}

/** Number of a pack file, or undefined for a name that is none. */
export function packNumber(name: string): number | undefined {
  const match = /^(\d{8,10})\.pack$/.exec(name);
  if (!match) return undefined;
  const number = Number(match[1]);
  return number > 0 && number <= 0xffff_ffff && packName(number) === name ? number : undefined;
}
