/** Programs that keep versions of a file: each has a store of its own below a folder. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { find, folderBytes, PYTHON, run, sync } from './support.js';

const PROGRAMS = [
  {
    name: 'restic',
    program: 'restic',
    version: 'version',
    durability: 'its own fsync',
    init: ['init'],
    save: (file) => ['backup', '--quiet', file],
  },
  {
    name: 'borg',
    program: 'borg',
    version: '--version',
    durability: 'its own fsync',
    init: ['init', '--encryption=none'],
    save: (file, label) => ['create', '--compression=zstd,3', `::${label}`, file],
  },
  {
    name: 'zstd -3',
    program: 'zstd',
    version: '--version',
    durability: 'none of its own; fsync added here',
    save: (file, label, store) => ['-3', '-q', '-f', file, '-o', join(store, `${label}`)],
    made: (label, store) => join(store, `${label}`),
  },
];

/** Those that are installed, ready to save a file. */
export function archivers(folder, file, absent) {
  const env = {
    ...process.env,
    RESTIC_PASSWORD: 'x',
    RESTIC_REPOSITORY: join(folder, 'restic'),
    RESTIC_CACHE_DIR: join(folder, 'restic-cache'),
    BORG_REPO: join(folder, 'borg'),
    BORG_BASE_DIR: join(folder, 'borg-base'),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  };
  for (const name of ['restic-cache', 'borg-base', 'zstd -3']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const timer = find(PYTHON);
  return PROGRAMS.flatMap(({ name, program, version, durability, init, save, made }) => {
    const found = find(program, version);
    if (!found || !timer) {
      absent.add(name, found ? `${PYTHON}, which times it, is not installed` : 'it is not installed');
      return [];
    }
    if (init) run(program, init, { env });
    const store = join(folder, name);
    return {
      name,
      durability,
      version: found,
      /** Seconds by the clock and of CPU; the program that saves waits for all of it. */
      async save(label) {
        const { seconds, cpu } = run(program, save(file, label, store), { env });
        const began = performance.now();
        if (made) await sync(made(label, store));
        const durable = seconds + (performance.now() - began) / 1000;
        return { stall: durable, durable, cpu };
      },
      bytes: () => folderBytes(store),
    };
  });
}
