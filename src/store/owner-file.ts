/** `owner.json`: who holds the store, and where he can be asked. It is for finding him only; the lock decides. */

import type { Io } from '../io/io.js';
import { readSmallFile, replaceFile } from '../io/transfer.js';
import type { Layout } from './layout.js';

export interface OwnerFile {
  pid: number;
  host: string;
  /** ISO 8601. */
  since: string;
  /** Path of his socket; none before he listens, or where he cannot. */
  socket?: string;
}

const LIMIT = 4096;

export function writeOwnerFile(io: Io, layout: Layout, owner: OwnerFile): void {
  replaceFile(io, layout.owner, Buffer.from(`${JSON.stringify(owner)}\n`));
}

/** What the file says, if it can be read; whoever wrote it may be dead. */
export function readOwnerFile(io: Io, layout: Layout): OwnerFile | undefined {
  try {
    const value: unknown = JSON.parse(readSmallFile(io, layout.owner, LIMIT)?.toString('utf8') ?? '');
    const { pid, host, since, socket } = value as Record<string, unknown>;
    if (!Number.isSafeInteger(pid) || typeof host !== 'string' || typeof since !== 'string') return undefined;
    return { pid: pid as number, host, since, ...(typeof socket === 'string' && { socket }) };
  } catch {
    return undefined;
  }
}
