/** The real disk, and how often it was read: written to `<store>.reads` when a pack is closed. */

import { writeFileSync } from 'node:fs';
import type { Io } from '../../src/io/io.js';
import { realIo } from '../../src/io/real.js';

let reads = 0;

export const io: Io = {
  ...realIo,
  open(path, mode) {
    const file = realIo.open(path, mode);
    const packs = path.indexOf('/packs/');
    return {
      read(target, position) {
        reads++;
        return file.read(target, position);
      },
      write: (source, position) => file.write(source, position),
      writeBehind: (source, position, uncached) => file.writeBehind(source, position, uncached),
      size: () => file.size(),
      isNamed: () => file.isNamed(),
      isInPlace: () => file.isInPlace(),
      truncate: (size) => file.truncate(size),
      sync: () => file.sync(),
      close() {
        if (packs > 0) writeFileSync(`${path.slice(0, packs)}.reads`, String(reads));
        file.close();
      },
    };
  },
};
