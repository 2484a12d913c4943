/**
 * The door to other processes: Unix sockets that only their own user can reach.
 *
 * A socket lies in a private folder of the user (mode 0700) under the folder for temporary files, not in the store: its
 * path may have 107 bytes (103 on macOS), and what is beyond them is cut off in silence.
 *
 * Invariants
 *  - no socket is made in a folder that others may enter, so none is ever reachable for them, not even before chmod
 *  - an error of a listener after it listens ends nothing
 */

import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';

export type { Socket };

const LONGEST_PATH_BYTES = 103;
const FOLDER_MODE = 0o700;
const SOCKET_MODE = 0o600;
const OTHERS = 0o077;

export interface Listener {
  readonly path: string;
  /** No more connections; the socket is gone at once. */
  close(): void;
}

/** Whether a path, found in some file, can be one of ours: no other program's socket is ever spoken to. */
export function isSocketPath(path: string): boolean {
  return /\/holdfast-\d+\/[0-9a-f]{16}\.sock$/.test(path) && Buffer.byteLength(path) <= LONGEST_PATH_BYTES;
}

/** Listens under a name of 16 hexadecimal digits. `most`: connections beyond so many are closed at once. */
export async function listen(
  name: string,
  most: number,
  onConnection: (socket: Socket) => void,
): Promise<Listener> {
  const path = socketPath(tmpdir(), name);
  return listenAt(isSocketPath(path) ? path : socketPath('/tmp', name), most, onConnection);
}

/** A connection, or an error of the system: ENOENT and ECONNREFUSED where nobody listens. */
export function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function socketPath(base: string, name: string): string {
  return resolve(base, `holdfast-${userId()}`, `${name}.sock`);
}

function makePrivate(folder: string): void {
  try {
    mkdirSync(folder, { mode: FOLDER_MODE });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const stats = lstatSync(folder);
  if (!stats.isDirectory() || stats.uid !== userId()) throw new Error(`${folder} is somebody else's`);
  if ((stats.mode & OTHERS) !== 0) chmodSync(folder, FOLDER_MODE);
}

async function listenAt(
  path: string,
  most: number,
  onConnection: (socket: Socket) => void,
): Promise<Listener> {
  makePrivate(dirname(path));
  removeIfThere(path);
  const server = createServer(onConnection);
  server.maxConnections = most;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  // A connection that could not be accepted is the concern of whoever made it.
  server.on('error', () => {});
  try {
    chmodSync(path, SOCKET_MODE);
  } catch (error) {
    closeServer(server);
    throw error;
  }
  return { path, close: () => closeServer(server) };
}

/** Closing takes the name away at once. */
function closeServer(server: Server): void {
  server.close();
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function userId(): number {
  return process.getuid?.() ?? 0;
}
