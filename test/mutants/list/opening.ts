/** Mutants of opening and closing: the lock, the names, the seal of the index, and the small files. */

import type { Mutant } from '../mutant.js';

const NAMES = 'store/names';
const SEAL = 'store/clean-close';
const TRANSFER = 'store/transfer';

export const opening: readonly Mutant[] = [
  {
    name: 'lock-not-taken',
    breaks: 'one process at a time owns a store',
    file: 'store/opening.ts',
    find: 'if (!options.simulated) lock = await acquireLock(io, layout);',
    replace: 'if (options.directory === "") lock = await acquireLock(io, layout);',
    tests: ['api/opening'],
  },
  {
    name: 'folders-above-not-synced',
    breaks: 'the folders above a new store are durable before it is',
    file: 'store/folder.ts',
    find: 'syncAbove(io, layout.root);',
    replace: '',
    tests: [NAMES],
  },
  {
    name: 'failed-folder-sync-passed-over',
    breaks: 'a folder that the disk cannot sync is no store yet',
    file: 'store/folder.ts',
    find: 'if (!isRefusal(error)) throw error;',
    replace: 'isRefusal(error);',
    tests: ['store/creation'],
  },
  {
    name: 'descriptor-name-not-made-durable',
    breaks: 'a descriptor that was found is made durable by name',
    file: 'store/opening.ts',
    find: 'io.syncFolder(layout.root);',
    replace: '',
    tests: [NAMES],
  },
  {
    name: 'failed-descriptor-left',
    breaks: 'a descriptor that could not be made durable is made anew',
    file: 'store/folder.ts',
    find: `discardDescriptor(io, layout);
      throw error;`,
    replace: 'throw error;',
    tests: ['store/creation'],
  },
  {
    name: 'packs-without-descriptor-taken-over',
    breaks: 'packs whose descriptor is gone are no empty store',
    file: 'store/folder.ts',
    find: "if (names.includes('packs') && io.list(layout.packs).some(",
    replace: "if (names.includes('') && io.list(layout.packs).some(",
    tests: ['store/creation'],
  },
  {
    name: 'renamed-before-synced',
    breaks: 'a file that replaces another is durable before it takes its name',
    file: 'io/transfer.ts',
    find: `file.sync();
      } finally {
        file.close();
      }
      io.rename(temporary, path);`,
    replace: `io.rename(temporary, path);
        file.sync();
      } finally {
        file.close();
      }`,
    tests: [TRANSFER],
  },
  {
    name: 'replaced-without-sync',
    breaks: 'a file that replaces another is synced',
    file: 'io/transfer.ts',
    find: `writeFully(file, content, 0);
        file.sync();`,
    replace: 'writeFully(file, content, 0);',
    tests: [TRANSFER],
  },
  {
    name: 'rename-not-durable',
    breaks: 'a file that replaced another has its name durably',
    file: 'io/transfer.ts',
    find: 'io.syncFolder(dirname(path));',
    replace: 'dirname(path);',
    tests: [TRANSFER],
  },
  {
    name: 'short-writes-taken-for-whole',
    breaks: 'a short write is gone on with',
    file: 'io/transfer.ts',
    find: `const written = file.write(rest, position + done);
      invariant(written > 0, 'a write made no progress');
      done += written;`,
    replace: `const written = file.write(rest, position + done);
      invariant(written > 0, 'a write made no progress');
      done = source.length;`,
    tests: [TRANSFER],
  },
  {
    name: 'short-writes-behind-taken-for-whole',
    breaks: 'a short write behind the back of a save is gone on with',
    file: 'io/transfer.ts',
    find: `const written = await file.writeBehind(source.subarray(done), position + done, uncached);
      invariant(written > 0, 'a write made no progress');
      done += written;`,
    replace: `const written = await file.writeBehind(source.subarray(done), position + done, uncached);
      invariant(written > 0, 'a write made no progress');
      done = source.length;`,
    tests: [TRANSFER],
  },
  {
    name: 'short-reads-taken-for-whole',
    breaks: 'a short read is gone on with',
    file: 'io/transfer.ts',
    find: 'if (read === 0) break;',
    replace: 'if (read === 0 || read < rest.length) return done + read;',
    tests: [TRANSFER],
  },
  {
    name: 'seal-never-removed',
    breaks: 'the seal is gone before anything is written',
    file: 'store/opening.ts',
    find: 'io.remove(layout.clean);',
    replace: '',
    tests: ['store/seal'],
  },
  {
    name: 'stale-seal-left',
    breaks: 'a seal that does not hold is gone before anything is written',
    file: 'store/opening.ts',
    find: 'io.removeFolder(layout.clean);',
    replace: '',
    tests: ['store/seal'],
  },
  {
    name: 'rebuild-not-done',
    breaks: 'a repair makes the index anew, however well it is sealed',
    file: 'store/opening.ts',
    find: 'if (seal && !options.rebuild && sealHolds(',
    replace: 'if (seal && sealHolds(',
    tests: ['store/seal'],
  },
  {
    name: 'seal-believed-blindly',
    breaks: 'a seal is believed only if it holds',
    file: 'store/opening.ts',
    find: 'if (seal && !options.rebuild && sealHolds(io, layout, seal, this.#parts.present.sizes())) {',
    replace: 'if (seal && !options.rebuild) {',
    tests: [SEAL],
  },
  {
    name: 'index-hash-ignored',
    breaks: 'the index is believed only if its files are what a clean close left',
    file: 'store/index-seal.ts',
    find: 'return hashIndex(io, layout) === state.index;',
    replace: 'return hashIndex(io, layout).length === state.index.length;',
    tests: [SEAL],
  },
  {
    name: 'pack-sizes-ignored',
    breaks: 'the index is believed only if the packs are as long as a clean close left them',
    file: 'store/index-seal.ts',
    find: 'if (JSON.stringify(packs) !== JSON.stringify(state.packs)) return false;',
    replace: '',
    tests: ['store/seal'],
  },
  {
    name: 'seal-checksum-ignored',
    breaks: 'a seal with a wrong bit is none',
    file: 'store/index-seal.ts',
    find: 'if (crc32(Buffer.from(state)).toString(16) !== check) return undefined;',
    replace: 'if (check === undefined) return undefined;',
    tests: ['store/seal'],
  },
  {
    name: 'unwritten-index-sealed',
    breaks: 'an index is sealed only if all of it was written',
    file: 'store/live-index.ts',
    find: 'return (await this.#index.close()) && this.#onDisk;',
    replace: 'return (await this.#index.close()) || this.#onDisk;',
    tests: ['store/seal'],
  },
  {
    name: 'seal-counts-set-aside-bytes',
    breaks: 'a seal says how much of the last pack counts',
    file: 'store/log.ts',
    find: 'lastEnd: this.#last.end,',
    replace: 'lastEnd: this.#present.sizes()[this.#last.number] ?? 0,',
    tests: [SEAL],
  },
  {
    name: 'numbers-begin-again-after-close',
    breaks: 'numbers go on where a clean close left them',
    file: 'store/log.ts',
    find: 'this.goOn(chainOf(seal),',
    replace: 'this.goOn({ ...chainOf(seal), sequence: 1 },',
    tests: ['store/seal'],
  },
  {
    name: 'failed-index-sealed',
    breaks: 'an index whose LevelDB failed is not sealed',
    file: 'store/index.ts',
    find: 'let whole = this.#givenUp === undefined && this.#pending.size === 0;',
    replace: 'let whole = this.#pending.size === 0;',
    tests: ['store/index-live'],
  },
  {
    name: 'index-write-failure-brings-back-old',
    breaks: 'what was applied to the index last counts, also after a write that failed',
    file: 'store/index.ts',
    find: 'for (const [name, change] of this.#pending) writing.set(name, change);',
    replace: 'for (const [name, change] of this.#pending) if (!writing.has(name)) writing.set(name, change);',
    tests: ['store/index-behind'],
  },
  {
    name: 'index-being-written-unseen',
    breaks: 'what is being written to the index is visible meanwhile',
    file: 'store/index.ts',
    find: '(this.#pending.get(name) ?? this.#writing.get(name));',
    replace: 'this.#pending.get(name);',
    tests: ['store/index-behind'],
  },
];
