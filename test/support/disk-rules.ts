/**
 * What must hold on the disk under every test, whatever the test is about.
 *
 *  - an acknowledgement comes after everything it needs is durable: bytes and names, up to the root
 *  - bytes that an acknowledged commit relies on are never changed, cut off, renamed or unlinked, but for packs that a
 *    durable gc record says are gone, and for the descriptor, whose place one takes that is whole and durable
 *  - what is written past the page cache lies in memory as it will in its file
 *  - a file whose sync failed is not written or synced again by the process that saw it fail (the next one may, if it
 *    writes anew what it relies on)
 */

import { decodeGc, type GcRecord, NOTHING_GONE } from '../../src/format/gc.js';
import { HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { DIRECT_BLOCK } from '../../src/io/io.js';
import { isGone } from '../../src/store/gone.js';
import { applied, type DiskFile, type FileChange } from './disk-file.js';
import { DiskFolder, type DiskNode } from './disk-folder.js';
import { recordsOf } from './pack-bytes.js';

export class RuleBroken extends Error {
  override readonly name = 'RuleBroken';
}

/** `folders` leads from the root of the disk to the store; its packs are in `packs`. */
export function checkAcknowledged(root: DiskFolder, folders: readonly string[], what: string): void {
  let folder = root;
  for (const name of [...folders, 'packs']) {
    for (const [other, node] of folder.visible)
      if (other === 'holdfast.json') checkFile(folder, other, node, what);
    checkName(folder, name, what);
    const next = folder.visible.get(name);
    if (!(next instanceof DiskFolder))
      throw new RuleBroken(`${what} was acknowledged without a folder ${name}`);
    folder = next;
  }
  for (const [name, node] of folder.visible) if (name.endsWith('.pack')) checkFile(folder, name, node, what);
}

function checkFile(folder: DiskFolder, name: string, node: DiskNode, what: string): void {
  if (node instanceof DiskFolder || (node.failed && !node.isDurable)) return;
  if (node.visible.length > 0) checkName(folder, name, what);
  if (!node.isDurable)
    throw new RuleBroken(`${what} was acknowledged while bytes of ${name} are not durable`);
  node.acknowledged = node.visible.length;
}

export function checkName(folder: DiskFolder, name: string, what: string): void {
  const node = folder.visible.get(name);
  if (node !== undefined && folder.durable.get(name) === node) return;
  throw new RuleBroken(`${what} was acknowledged while the name ${name} is not durable`);
}

export function checkChange(file: DiskFile, change: FileChange, path: string): void {
  if (file.distrusted && change.kind === 'write') {
    throw new RuleBroken(`${path} is written to after a sync of it failed`);
  }
  const before = file.visible.subarray(0, file.acknowledged);
  if (change.kind === 'write' && change.position >= before.length) return;
  const after = applied(file.visible, change).subarray(0, file.acknowledged);
  if (!after.equals(before)) throw new RuleBroken(`acknowledged bytes of ${path} are changed`);
}

export function checkSync(file: DiskFile, path: string): void {
  if (file.distrusted) throw new RuleBroken(`${path} is synced again after a sync of it failed`);
}

/** What goes past the page cache lies in memory as it will in its file, so that whole blocks of it can. */
export function checkUncached(source: Uint8Array, position: number, path: string): void {
  if (source.byteOffset % DIRECT_BLOCK === position % DIRECT_BLOCK) return;
  throw new RuleBroken(`${path} is written to past the page cache from memory that lies otherwise`);
}

/** `folder`: the one that the file is in. */
export function checkRemove(folder: DiskFolder, name: string): void {
  const node = folder.visible.get(name);
  if (!node || node instanceof DiskFolder || node.acknowledged === 0) return;
  if (isGone(lastGc(folder), Number(name.slice(0, -'.pack'.length)))) return;
  throw new RuleBroken(`${name} is taken away although acknowledged commits rely on it`);
}

/** `name` becomes that of another file: of what is no pack only whole new content may take the place. */
export function checkReplace(folder: DiskFolder, name: string, node: DiskNode): void {
  const isWhole = !(node instanceof DiskFolder) && node.isDurable && node.visible.length > 0;
  if (name.endsWith('.pack') || !isWhole) checkRemove(folder, name);
}

/** What the last gc record says that is durable, name and bytes. */
function lastGc(folder: DiskFolder): GcRecord {
  let last = NOTHING_GONE;
  let sequence = 0;
  for (const [name, node] of folder.durable) {
    if (node instanceof DiskFolder || !name.endsWith('.pack')) continue;
    for (const header of recordsOf(node.durable)) {
      if (header.type !== RecordType.gc || header.sequence < sequence) continue;
      const start = header.offset + HEADER_BYTES;
      last = decodeGc(node.durable.subarray(start, start + header.storedLength));
      sequence = header.sequence;
    }
  }
  return last;
}
