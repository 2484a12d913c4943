/** h5py at work: a Python process that writes a checkpoint file for each request, see hdf5.py. */

import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { find, folderBytes, PYTHON, script } from './support.js';

export const WAYS = [
  { name: 'h5py', gzip: false },
  { name: 'h5py, gzip 1 + shuffle', gzip: true },
];

/** These ways of saving the arrays that lie in a file one after another, where h5py is installed. */
export function hdf5Savers(folder, source, arrays, absent, ways = WAYS) {
  const version = find(PYTHON, '-c', 'import h5py; print(h5py.__version__)');
  if (!version) {
    for (const { name } of ways) absent.add(name, `h5py is not installed for ${PYTHON}`);
    return [];
  }
  return ways.map(({ name, gzip }) => {
    const store = join(folder, name);
    mkdirSync(store);
    const worker = spawn(PYTHON, [script('hdf5.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const answers = createInterface({ input: worker.stdout })[Symbol.asyncIterator]();
    return {
      name,
      durability: 'fsync of each file, rename',
      version,
      /** Seconds by the clock and of CPU; the simulation waits for all of it. */
      async save(label) {
        const target = join(store, `${label}.h5`);
        worker.stdin.write(`${JSON.stringify({ source, arrays, target, gzip })}\n`);
        const { value } = await answers.next();
        if (value === undefined) throw new Error(`${name} ended`);
        const { seconds, cpu } = JSON.parse(value);
        return { stall: seconds, durable: seconds, cpu };
      },
      bytes: () => folderBytes(store),
      close() {
        worker.stdin.end();
        rmSync(store, { recursive: true });
      },
    };
  });
}
