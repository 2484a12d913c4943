/**
 * The door to files, the clock and randomness, as an interface.
 *
 * The engine reaches the outside only through an `Io`, so that a test can hand it a disk that fails, forgets
 * or tears writes, and one seed replays one failure. Calls are synchronous: the store lives on a thread of its
 * own, and an ordered list of calls is what a crash is simulated against.
 *
 * Nothing here retries, interprets or loops: a short read or write is visible to the caller (`transfer.ts`
 * loops), and an error is Node's own, with its `code` (`failure.ts` translates it).
 */

import { KiB } from '../base/sizes.js';

/** What is written past the page cache begins and ends at multiples of it: of a page of any machine, and any disk's. */
export const DIRECT_BLOCK = 64 * KiB;

/** An open file. Positions are explicit; there is no file offset. */
export interface IoFile {
  /** Reads at most `target.length` bytes; returns how many, 0 at the end of the file. */
  read(target: Uint8Array, position: number): number;
  /** Writes at most `source.length` bytes; returns how many. */
  write(source: Uint8Array, position: number): number;
  /**
   * The same on another thread of the system, for large appends; `source` may not change until it resolves. `uncached`:
   * nobody will read it soon, so that it may go past the page cache, where `source` is part of `Io.memory` and lies as far
   * behind a multiple of DIRECT_BLOCK in there as in the file.
   */
  writeBehind(source: Uint8Array, position: number, uncached: boolean): Promise<number>;
  /** Current length in bytes. */
  size(): number;
  truncate(size: number): void;
  /** False once no folder names the file any more: what is written to it is gone when it is closed. */
  isNamed(): boolean;
  /** False once the path by which the file was opened names it no more: it was moved, or one of its folders was. */
  isInPlace(): boolean;
  /** Makes everything written so far durable, length included (fdatasync). */
  sync(): void;
  close(): void;
}

/** `create` fails where the file exists; `write` and `read` fail where it does not. */
export type OpenMode = 'read' | 'write' | 'create';

export type EntryKind = 'file' | 'folder' | 'other';

export interface EntryStatus {
  kind: EntryKind;
  size: number;
  /** When its content last changed, in milliseconds since 1970. */
  modifiedAt: number;
}

export interface Io {
  /** Wall clock, in milliseconds since 1970; may jump. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number;
  /** Unpredictable bytes. */
  random(length: number): Buffer;

  /** Memory to write from; nothing is in it yet. */
  memory(byteLength: number): Buffer;

  open(path: string, mode: OpenMode): IoFile;
  /** What a path is, or undefined where nothing is there. */
  stat(path: string): EntryStatus | undefined;
  /** Names inside a folder, in no particular order. */
  list(path: string): string[];
  /** Makes a folder (mode 0700) and its missing parents; one that exists is fine. */
  makeFolder(path: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Removes a folder and everything in it; one that does not exist is fine. */
  removeFolder(path: string): void;
  /** Makes the names inside a folder durable. */
  syncFolder(path: string): void;
}
