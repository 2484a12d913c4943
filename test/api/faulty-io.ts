/**
 * The real disk with faults: loaded by the writer thread, told what to do by a file `<store>.fault`.
 * Only files under `packs/` are hit, so that a test says "the save fails" and not "the lock fails".
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Io, IoFile } from '../../src/io/io.js';
import { realIo } from '../../src/io/real.js';
import type { Fault } from './support.js';

/** What can become of the thread. */
const ENDS: { [code in Fault['code']]?: () => void } = {
  DIE: () => process.exit(9),
  'OUT-OF-MEMORY': () => {
    for (const hoard: unknown[] = []; ; ) hoard.push(new Array(10_000).fill({ n: hoard.length }));
  },
  THROW: () =>
    queueMicrotask(() => {
      throw new Error('made up by a test, where nobody catches it');
    }),
  // Busy: a thread that begins to wait in the moment in which it is terminated is not woken.
  STALL: () => {
    for (;;);
  },
};

function trip(call: Fault['call'], path: string): void {
  const at = path.indexOf('/packs');
  if (at < 0) return;
  const control = `${path.slice(0, at)}.fault`;
  if (!existsSync(control)) return;
  const faults = JSON.parse(readFileSync(control, 'utf8')) as Fault[];
  const fault = faults.find((other) => other.call === call && other.times > 0);
  if (!fault) return;
  fault.times--;
  // Whoever reads it meanwhile finds the old or the new.
  writeFileSync(`${control}.new`, JSON.stringify(faults));
  renameSync(`${control}.new`, control);
  const end = ENDS[fault.code];
  if (end) {
    end();
    return;
  }
  throw Object.assign(new Error(`${fault.code}: made up by a test, ${call}`), { code: fault.code });
}

function faultyFile(file: IoFile, path: string): IoFile {
  return {
    read(target, position) {
      trip('read', path);
      return file.read(target, position);
    },
    write(source, position) {
      trip('write', path);
      return file.write(source, position);
    },
    async writeBehind(source, position, uncached) {
      trip('write', path);
      return file.writeBehind(source, position, uncached);
    },
    size: () => file.size(),
    isNamed: () => file.isNamed(),
    isInPlace: () => file.isInPlace(),
    truncate(size) {
      trip('truncate', path);
      file.truncate(size);
    },
    sync() {
      trip('sync', path);
      file.sync();
    },
    close: () => file.close(),
  };
}

export const io: Io = {
  ...realIo,
  open(path, mode) {
    trip('open', path);
    return faultyFile(realIo.open(path, mode), path);
  },
  syncFolder(path) {
    trip('syncFolder', path);
    realIo.syncFolder(path);
  },
};
