/**
 * A disk in memory behind the engine's `Io`, on which anything that can happen to a disk can be made to happen.
 *
 * It keeps what a process sees apart from what a power cut would leave, for the bytes of files and for the names
 * in folders; counts and records every call; fails calls on request; fills up; and checks its rules (see
 * disk-rules.ts) on every call. Clock and randomness come from the seed, so one number replays one failure.
 */

import type { EntryStatus, Io, IoFile, OpenMode } from '../../src/io/io.js';
import { type Crash, crashed } from './disk-crash.js';
import { systemError } from './disk-errors.js';
import { type Call, type Effect, Faults } from './disk-faults.js';
import { DiskFile, type FileChange } from './disk-file.js';
import { DiskFolder, type DiskNode } from './disk-folder.js';
import {
  checkAcknowledged,
  checkChange,
  checkRemove,
  checkReplace,
  checkSync,
  checkUncached,
  RuleBroken,
} from './disk-rules.js';
import { Random } from './random.js';

/** A call as it is recorded. */
export interface Operation {
  call: Call;
  path: string;
  position?: number;
  length?: number;
}

/** Calls that change what is on the disk, or what is durable: the places to crash at. */
const CHANGING: ReadonlySet<Call> = new Set<Call>([
  'create',
  'write',
  'truncate',
  'sync',
  'makeFolder',
  'rename',
  'remove',
  'removeFolder',
  'syncFolder',
]);

/** A disk at rest: nothing has it open. */
export interface DiskImage {
  root: DiskFolder;
  order: number;
  time: number;
}

export class SimulatedDisk implements Io {
  readonly dice: Random;
  readonly faults: Faults;
  readonly operations: Operation[] = [];
  /** Called before every call that changes anything. */
  beforeChange: ((operation: Operation) => void) | undefined;
  /** Bytes that fit in all files together. */
  capacity = Number.POSITIVE_INFINITY;
  openFiles = 0;
  /** Bytes that were written as such as nobody will read soon. */
  uncachedBytes = 0;
  /** Rules that were broken, also where the engine swallowed the error that said so. */
  readonly violations: RuleBroken[] = [];
  #root: DiskFolder;
  #order: number;
  #time: number;

  constructor(seed: number, image?: DiskImage) {
    this.dice = new Random(seed);
    this.faults = new Faults(new Random(seed + 1));
    this.#root = image ? image.root.clone() : new DiskFolder();
    this.#order = image?.order ?? 0;
    this.#time = image?.time ?? 1_700_000_000_000;
  }

  /** The disk as it is now. */
  image(): DiskImage {
    return { root: this.#root.clone(), order: this.#order, time: this.#time };
  }

  /** Says that a commit was acknowledged: everything in the packs of this store must be durable. */
  acknowledged(store: string, what: string): void {
    this.obey(() => checkAcknowledged(this.#root, partsOf(store), what));
  }

  /** Says that what has files open now is another process, or as good as one. */
  newProcess(): void {
    const walk = (folder: DiskFolder): void => {
      for (const node of folder.visible.values()) {
        if (node instanceof DiskFolder) walk(node);
        else node.distrusted = false;
      }
    };
    walk(this.#root);
  }

  /** Contents of a file, for tests that look at or damage it. */
  contents(path: string): Buffer {
    return this.#file(path, 'read').visible;
  }

  /** Puts bytes where a file is, behind the back of everybody. */
  plant(path: string, bytes: Buffer): void {
    const { folder, name } = this.#place(path, 'write');
    const file = new DiskFile();
    file.visible = bytes;
    file.durable = bytes;
    folder.visible.set(name, file);
    folder.durable.set(name, file);
  }

  /** Takes a file away, behind the back of everybody. */
  unplant(path: string): void {
    const { folder, name } = this.#place(path, 'write');
    folder.visible.delete(name);
    folder.durable.delete(name);
  }

  /** Bytes of all files. */
  usedBytes(): number {
    let sum = 0;
    const walk = (folder: DiskFolder): void => {
      for (const node of folder.visible.values()) {
        if (node instanceof DiskFolder) walk(node);
        else sum += node.visible.length;
      }
    };
    walk(this.#root);
    return sum;
  }

  // ---- Io ----------------------------------------------------------------------------------------

  /** A clock that moves on, and now and then jumps either way. */
  now(): number {
    this.#time += this.dice.chance(0.02) ? this.dice.between(-3_600_000, 3_600_000) : this.dice.below(50);
    return this.#time;
  }

  monotonic(): number {
    return ++this.#order;
  }

  random(length: number): Buffer {
    return this.dice.bytes(length);
  }

  memory(byteLength: number): Buffer {
    return Buffer.allocUnsafeSlow(byteLength);
  }

  open(path: string, mode: OpenMode): IoFile {
    this.#call(mode === 'create' ? 'create' : 'open', path);
    if (mode !== 'create') return new SimulatedFile(this, this.#file(path, 'open'), path, mode === 'write');
    const { folder, name } = this.#place(path, 'open');
    if (folder.visible.has(name)) throw systemError('EEXIST', 'open', path);
    const file = new DiskFile();
    folder.change({ order: this.nextOrder(), added: { name, node: file } });
    return new SimulatedFile(this, file, path, true);
  }

  stat(path: string): EntryStatus | undefined {
    this.#call('stat', path);
    const node = this.#find(path);
    if (!node) return undefined;
    return node instanceof DiskFolder
      ? { kind: 'folder', size: 4096, modifiedAt: 0 }
      : { kind: 'file', size: node.visible.length, modifiedAt: 0 };
  }

  list(path: string): string[] {
    this.#call('list', path);
    return [...this.#folder(path, 'scandir').visible.keys()];
  }

  makeFolder(path: string): void {
    let folder = this.#root;
    let prefix = '';
    for (const name of partsOf(path)) {
      prefix += `/${name}`;
      let next = folder.visible.get(name);
      if (!next) {
        this.#call('makeFolder', prefix);
        next = new DiskFolder();
        folder.change({ order: this.nextOrder(), added: { name, node: next } });
      }
      if (!(next instanceof DiskFolder)) throw systemError('ENOTDIR', 'mkdir', path);
      folder = next;
    }
  }

  rename(from: string, to: string): void {
    this.#call('rename', to);
    const source = this.#place(from, 'rename');
    const target = this.#place(to, 'rename');
    const node = source.folder.visible.get(source.name);
    if (!node) throw systemError('ENOENT', 'rename', from);
    if (source.folder !== target.folder) throw new Error('the simulated disk renames within one folder');
    this.obey(() => checkRemove(source.folder, source.name));
    this.obey(() => checkReplace(target.folder, target.name, node));
    const order = this.nextOrder();
    source.folder.change({ order, removed: source.name, added: { name: target.name, node } });
  }

  remove(path: string): void {
    this.#call('remove', path);
    const { folder, name } = this.#place(path, 'unlink');
    const node = folder.visible.get(name);
    if (!node) throw systemError('ENOENT', 'unlink', path);
    if (node instanceof DiskFolder) throw systemError('EISDIR', 'unlink', path);
    this.obey(() => checkRemove(folder, name));
    folder.change({ order: this.nextOrder(), removed: name });
  }

  removeFolder(path: string): void {
    this.#call('removeFolder', path);
    if (!this.#find(path)) return;
    const { folder, name } = this.#place(path, 'rm');
    folder.change({ order: this.nextOrder(), removed: name });
  }

  syncFolder(path: string): void {
    const folder = this.#folder(path, 'fsync');
    try {
      this.#call('syncFolder', path);
    } catch (error) {
      folder.failSync();
      throw error;
    }
    folder.sync();
  }

  // ---- for the files that are open ---------------------------------------------------------------

  nextOrder(): number {
    return ++this.#order;
  }

  /** Records a call and lets it fail; returns an effect that is not an error. */
  called(operation: Operation): Effect | undefined {
    this.operations.push(operation);
    if (CHANGING.has(operation.call)) this.beforeChange?.(operation);
    const effect = this.faults.strike(operation.call, operation.path);
    if (effect === undefined || effect === 'short' || operation.call === 'sync') return effect;
    throw systemError(effect, operation.call, operation.path);
  }

  /** Remembers a broken rule before throwing it: the engine may take it for an error of the disk. */
  obey(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (error instanceof RuleBroken) this.violations.push(error);
      throw error;
    }
  }

  /** True where a path still leads to this file. */
  names(file: DiskFile, path: string): boolean {
    return this.#find(path) === file;
  }

  /** Room for `bytes` more. */
  room(bytes: number): number {
    return this.capacity === Number.POSITIVE_INFINITY
      ? bytes
      : Math.max(0, Math.min(bytes, this.capacity - this.usedBytes()));
  }

  #call(call: Call, path: string): void {
    this.called({ call, path });
  }

  #find(path: string): DiskNode | undefined {
    let node: DiskNode = this.#root;
    for (const name of partsOf(path)) {
      const next: DiskNode | undefined = node instanceof DiskFolder ? node.visible.get(name) : undefined;
      if (!next) return undefined;
      node = next;
    }
    return node;
  }

  #folder(path: string, call: string): DiskFolder {
    const node = this.#find(path);
    if (!node) throw systemError('ENOENT', call, path);
    if (!(node instanceof DiskFolder)) throw systemError('ENOTDIR', call, path);
    return node;
  }

  #file(path: string, call: string): DiskFile {
    const node = this.#find(path);
    if (!node) throw systemError('ENOENT', call, path);
    if (node instanceof DiskFolder) throw systemError('EISDIR', call, path);
    return node;
  }

  #place(path: string, call: string): { folder: DiskFolder; name: string } {
    const parts = partsOf(path);
    const name = parts.pop() as string;
    return { folder: this.#folder(parts.join('/'), call), name };
  }
}

/** The disk that the next process finds after a crash. */
export function diskAfter(image: DiskImage, crash: Crash, seed: number): DiskImage {
  return { root: crashed(image.root, crash, new Random(seed)), order: image.order, time: image.time };
}

class SimulatedFile implements IoFile {
  readonly #disk: SimulatedDisk;
  readonly #file: DiskFile;
  readonly #path: string;
  readonly #writable: boolean;
  #closed = false;

  constructor(disk: SimulatedDisk, file: DiskFile, path: string, writable: boolean) {
    this.#disk = disk;
    this.#file = file;
    this.#path = path;
    this.#writable = writable;
    disk.openFiles++;
  }

  read(target: Uint8Array, position: number): number {
    const effect = this.#called('read', position, target.length);
    if (!Number.isSafeInteger(position) || position < 0) throw systemError('EINVAL', 'read', this.#path);
    const { visible } = this.#file;
    const available = Math.max(0, Math.min(target.length, visible.length - position));
    const length =
      effect === 'short' && available > 1 ? this.#disk.faults.random.between(1, available - 1) : available;
    target.set(visible.subarray(position, position + length));
    return length;
  }

  write(source: Uint8Array, position: number): number {
    if (!this.#writable) throw systemError('EBADF', 'write', this.#path);
    if (source.length === 0) return 0;
    const { random } = this.#disk.faults;
    let length = source.length;
    try {
      const effect = this.#called('write', position, source.length);
      if (effect === 'short' && length > 1) length = random.between(1, length - 1);
    } catch (error) {
      // What a failed write leaves behind is anybody's guess.
      if (random.chance(0.5)) this.#write(source.subarray(0, random.below(source.length)), position);
      throw error;
    }
    const growth = Math.max(0, position + length - this.#file.visible.length);
    const room = this.#disk.room(growth);
    if (room < growth) length -= growth - room;
    if (length <= 0) throw systemError('ENOSPC', 'write', this.#path);
    this.#write(source.subarray(0, length), position);
    return length;
  }

  /** Lands whenever the system gets to it: after anything that does not wait for it. */
  async writeBehind(source: Uint8Array, position: number, uncached: boolean): Promise<number> {
    for (let turns = this.#disk.dice.pick([0, 1, 10, 200]); turns > 0; turns--) await undefined;
    if (!uncached) return this.write(source, position);
    this.#disk.obey(() => checkUncached(source, position, this.#path));
    const written = this.write(source, position);
    this.#disk.uncachedBytes += written;
    return written;
  }

  size(): number {
    this.#called('size');
    return this.#file.visible.length;
  }

  isNamed(): boolean {
    this.#called('size');
    return this.#disk.names(this.#file, this.#path);
  }

  /** Nothing is moved here but by renaming over what is no pack. */
  isInPlace(): boolean {
    return this.isNamed();
  }

  truncate(size: number): void {
    try {
      this.#called('truncate', size);
    } catch (error) {
      this.#file.failed = true;
      throw error;
    }
    this.#change({ order: this.#disk.nextOrder(), kind: 'truncate', size });
  }

  sync(): void {
    this.#disk.obey(() => checkSync(this.#file, this.#path));
    const effect = this.#called('sync');
    if (effect === undefined) {
      this.#file.sync();
      return;
    }
    const written = this.#file.pending.filter((change) => this.#disk.faults.wasWritten(change));
    this.#file.failSync(written, effect !== 'lost');
    throw systemError(effect === 'lost' ? 'EIO' : effect, 'fdatasync', this.#path);
  }

  close(): void {
    if (this.#closed) throw systemError('EBADF', 'close', this.#path);
    this.#closed = true;
    this.#disk.openFiles--;
    this.#disk.called({ call: 'close', path: this.#path });
  }

  #write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    this.#change({ order: this.#disk.nextOrder(), kind: 'write', position, bytes: Buffer.from(bytes) });
  }

  #change(change: FileChange): void {
    this.#disk.obey(() => checkChange(this.#file, change, this.#path));
    this.#file.change(change);
  }

  #called(call: Call, position?: number, length?: number): Effect | undefined {
    if (this.#closed) throw systemError('EBADF', call, this.#path);
    return this.#disk.called({
      call,
      path: this.#path,
      ...(position === undefined ? {} : { position }),
      ...(length === undefined ? {} : { length }),
    });
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}
