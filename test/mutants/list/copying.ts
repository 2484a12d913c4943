/** Mutants of copying: what counts as being there, and what a snapshot in the target relies on. */

import type { Mutant } from '../mutant.js';

const COPY = 'store/copy';

export const copying: readonly Mutant[] = [
  {
    name: 'page-there-taken-for-complete',
    breaks: 'a page that is in the target counts only with all that it lists',
    file: 'store/copy-content.ts',
    find: 'if (this.#complete.has(id)) return this.#share(byteLength);',
    replace: 'if (this.#complete.has(id) || this.#target.page(id)) return this.#share(byteLength);',
    tests: [COPY],
  },
  {
    name: 'complete-before-it-is',
    breaks: 'a page is complete when all that it lists was put, not before',
    file: 'store/copy-content.ts',
    find: 'const there = this.#target.page(id);',
    replace: 'const there = this.#target.page(id); this.#complete.set(id, 0);',
    tests: ['store/copy-shared'],
  },
  {
    name: 'region-table-not-copied',
    breaks: 'a region table that is a tree of its own is copied',
    file: 'store/copy-content.ts',
    find: "if ('tree' in manifest.regions) yield* this.#tree(manifest.regions.tree);",
    replace: '',
    tests: ['store/copy-shared'],
  },
  {
    name: 'shared-loss-counted-once',
    breaks: 'what several lost snapshots lack brings all of them back',
    file: 'store/copy.ts',
    find: `if (rehearsal.writtenBytes > 0) {
        rehearsal`,
    replace: `if (rehearsal.writtenBytes < 0) {
        rehearsal`,
    tests: ['store/copy'],
  },
  {
    name: 'forgotten-there-brought-back',
    breaks: 'what somebody forgot in the target stays forgotten',
    file: 'store/copy.ts',
    find: 'if (rehearsal.writtenBytes > 0) lost.add(summary);',
    replace: 'if (rehearsal.writtenBytes >= 0) lost.add(summary);',
    tests: [COPY],
  },
  {
    name: 'lost-there-stays-lost',
    breaks: 'what damage took from the target comes again',
    file: 'store/copy.ts',
    find: 'if (rehearsal.writtenBytes > 0) lost.add(summary);',
    replace: 'if (rehearsal.writtenBytes < before) lost.add(summary);',
    tests: [COPY],
  },
];
