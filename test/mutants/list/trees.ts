/** Mutants of what a region is made of: chunks, pages, patches, and what of them is known already. */

import type { Mutant } from '../mutant.js';

const TREES = 'store/region-tree';
const CHUNKER = 'chunker/fixed';
const ROUND_TRIP = 'format/round-trip';

export const trees: readonly Mutant[] = [
  {
    name: 'last-chunk-length-ignored',
    breaks: 'a last chunk that became longer or shorter has changed',
    file: 'chunker/fixed.ts',
    find: 'stop <= theirs.length && start + stop === endOfChunk(start + at, previous, chunkBytes);',
    replace: 'stop <= theirs.length;',
    tests: [CHUNKER],
  },
  {
    name: 'equal-piece-hides-longer-chunk',
    breaks: 'a region that was cut inside a chunk has a changed chunk',
    file: 'chunker/fixed.ts',
    find: 'current.byteLength === previous.byteLength || end < shared;',
    replace: 'current.byteLength === previous.byteLength || end <= shared;',
    tests: [CHUNKER],
  },
  {
    name: 'last-byte-not-compared',
    breaks: 'the last byte of a chunk is compared',
    file: 'chunker/fixed.ts',
    find: 'ours.compare(theirs, at, stop, at, stop) === 0;',
    replace: 'ours.compare(theirs, at, stop - 1, at, stop - 1) === 0;',
    tests: [CHUNKER],
  },
  {
    name: 'entry-of-full-length-at-the-tail',
    breaks: 'the last chunk of a region has the length that is left',
    file: 'store/region-tree.ts',
    find: 'return Math.min((index + 1) * this.chunkBytes, this.#byteLength);',
    replace: 'return (index + 1) * this.chunkBytes;',
    tests: [TREES],
  },
  {
    name: 'cut-region-keeps-pages',
    breaks: 'a region that was cut has its last page made anew',
    file: 'store/region-tree.ts',
    find: 'this.#touch(0, Math.max(0, Math.min(count, before) - 1));',
    replace: '',
    tests: ['store/pages'],
  },
  {
    name: 'page-change-not-passed-on',
    breaks: 'a page that changed makes the page above it change',
    file: 'store/region-tree.ts',
    find: `above.set(group, page.id, entries.total(start, end));
        this.#touch(level + 1, group);`,
    replace: 'above.set(group, page.id, entries.total(start, end));',
    tests: ['store/pages'],
  },
  {
    name: 'patch-of-a-patch-while-saving',
    breaks: 'the base of a patch is a page that was stored in full',
    file: 'store/region-tree.ts',
    find: 'if (!page.patched) bases[group] = { id: page.id, raw };',
    replace: 'bases[group] = { id: page.id, raw };',
    tests: ['store/pages'],
  },
  {
    name: 'known-patch-taken-for-whole',
    breaks: 'a page that is known as a patch is no base',
    file: 'store/content.ts',
    find: 'return { id, written: 0, patched: known.filter !== Filter.none };',
    replace: 'return { id, written: 0, patched: false };',
    tests: ['store/pages'],
  },
  {
    name: 'known-patch-without-base',
    breaks: 'a page that is known as a patch counts only with its base',
    file: 'store/content.ts',
    find: 'if (known && this.#isUsable(id, known)) return',
    replace: 'if (known) return',
    tests: ['store/pages'],
  },
  {
    name: 'patch-of-an-unknown-base',
    breaks: 'the base of a patch can be read',
    file: 'store/content.ts',
    find: 'return !this.#unreadable.has(chunkKey(id)) && this.known(base.id)?.filter === Filter.none;',
    replace: 'return !this.#unreadable.has(chunkKey(id));',
    tests: ['store/pages'],
  },
  {
    name: 'damaged-chunk-still-known',
    breaks: 'a chunk that was found damaged is written again',
    file: 'store/content.ts',
    find: 'if (this.#unreadable.has(key)) return this.#log.uncommitted(key);',
    replace: 'void key;',
    tests: ['store/content'],
  },
  {
    name: 'patch-runs-shifted',
    breaks: 'each run of a patch goes to its place',
    file: 'format/patch.ts',
    find: 'patch.copy(result, start, position, position + length);',
    replace: 'patch.copy(result, start, position, position + length - 1);',
    tests: [ROUND_TRIP],
  },
  {
    name: 'patch-of-shorter-base-not-zeroed',
    breaks: 'beyond the end of its base a patch begins with zeros',
    file: 'format/patch.ts',
    find: 'const result = Buffer.alloc(rawLength);',
    replace: 'const result = Buffer.alloc(rawLength, 1);',
    tests: [ROUND_TRIP],
  },
  {
    name: 'patch-ignores-first-difference',
    breaks: 'a patch holds every byte that differs',
    file: 'format/patch.ts',
    find: 'for (; index < end; index++) if (byteAt(base, index) !== next[index]) return index;',
    replace: 'for (; index < end; index++) if (byteAt(base, index) !== next[index]) return index + 1;',
    tests: [ROUND_TRIP],
  },
  {
    name: 'patch-too-long-accepted',
    breaks: 'a patch is made only where it is much smaller than the page',
    file: 'format/patch.ts',
    find: 'return total > limit ? undefined : Buffer.concat(parts, total);',
    replace: 'return Buffer.concat(parts, total);',
    tests: [ROUND_TRIP],
  },
  {
    name: 'list-keeps-what-was-cut',
    breaks: 'a list that was cut holds nothing of what was there',
    file: 'format/page.ts',
    find: 'this.#bytes.fill(0, needed, this.#count * ENTRY_BYTES);',
    replace: '',
    tests: ['format/entry-list'],
  },
];
