/** Stores in a temporary folder, with the real index: what only LevelDB can show. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { realIo } from '../../src/io/real.js';
import { Store, type StoreOptions, type StoreWarning } from '../../src/store/store.js';
import { DiskFolder } from './disk-folder.js';
import { STORE } from './session.js';
import type { DiskImage } from './simulated-disk.js';

/** Where there is a file system in memory: for tests that open stores by the hundred, and for which a disk is too slow. */
const MEMORY = '/dev/shm';

/** A folder that is gone when the tests of the file are through. */
export function temporaryFolder({ inMemory = false } = {}): string {
  const folder = mkdtempSync(join(inMemory && existsSync(MEMORY) ? MEMORY : tmpdir(), 'holdfast-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function openReal(
  directory: string,
  options: Partial<StoreOptions> = {},
): Promise<{ store: Store; warnings: StoreWarning[] }> {
  const warnings: StoreWarning[] = [];
  const store = await Store.open({
    io: realIo,
    directory,
    create: true,
    readOnly: false,
    compression: false,
    onWarning: (warning) => warnings.push(warning),
    ...options,
  });
  return { store, warnings };
}

/** Writes the store of a simulated disk into a real folder. */
export function exportStore(image: DiskImage, directory: string): void {
  const copy = (folder: DiskFolder, path: string): void => {
    realIo.makeFolder(path);
    for (const [name, node] of folder.visible) {
      const target = join(path, name);
      if (node instanceof DiskFolder) {
        copy(node, target);
        continue;
      }
      const file = realIo.open(target, 'create');
      file.write(node.visible, 0);
      file.close();
    }
  };
  let folder = image.root;
  for (const name of STORE.split('/').filter((part) => part !== '')) {
    folder = folder.visible.get(name) as DiskFolder;
  }
  copy(folder, directory);
}
