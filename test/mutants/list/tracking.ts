/** Mutants of tracking: what the kernel tells, what a slot lacks, and what the writer thread takes for changed. */

import type { Mutant } from '../mutant.js';

const LAWS = 'writer/tracker-laws';
const RULES = 'writer/tracker';
const PAGES = 'io/dirty-pages';
const HISTORIES = 'api/capture';
const TRACKER = 'writer/tracker.ts';

export const tracking: readonly Mutant[] = [
  {
    name: 'changes-since-another-save',
    breaks: 'what the kernel told counts only against the save that it was told about',
    file: 'writer/changes.ts',
    find: 'const isNext = follows !== undefined && follows === client.lineage;',
    replace: 'const isNext = follows !== client.lineage || follows !== undefined;',
    tests: ['api/track', HISTORIES],
  },
  {
    name: 'changes-of-the-next-region',
    breaks: 'what the kernel told of a region is believed of that one',
    file: 'writer/changes.ts',
    find: 'changed[position - 1]',
    replace: 'changed[position]',
    tests: [HISTORIES],
  },
  {
    name: 'another-region-in-the-slot',
    breaks: 'a region is taken for the one that the slot holds only if it is that one',
    file: TRACKER,
    find: 'held[position] === candidate ? candidate.missing[slot] : undefined',
    replace: 'candidate.missing[slot]',
    tests: [LAWS],
  },
  {
    name: 'missing-from-the-other-slot',
    breaks: 'what was written is missing from the other slot too',
    file: TRACKER,
    find: 'candidate.missing[index] = missing && bounded(union(missing, written));',
    replace: 'candidate.missing[index] = missing;',
    tests: [LAWS],
  },
  {
    name: 'layout-not-looked-at',
    breaks: 'a slot that was laid out anew holds nothing',
    file: TRACKER,
    find: 'if (this.#held[slot]?.layout !== layout) this.#held[slot] = { layout, regions: [] };',
    replace: 'if (this.#held[slot]?.layout === undefined) this.#held[slot] = { layout, regions: [] };',
    tests: [LAWS],
  },
  {
    name: 'copied-region-leaves-the-old-one',
    breaks: 'a region that is copied into a slot takes the place of the one that was there',
    file: TRACKER,
    find: 'held[position] = undefined;',
    replace: '',
    tests: [LAWS],
  },
  {
    name: 'written-before-preparing-forgotten',
    breaks: 'what was written between a save and a preparation is told with the next save',
    file: TRACKER,
    find: 'candidate.unsaved &&= union(candidate.unsaved, written);',
    replace: 'candidate.unsaved &&= written;',
    tests: [LAWS],
  },
  {
    name: 'absent-from-the-save-before',
    breaks: 'changes are told only of what was part of the save before',
    file: TRACKER,
    find: 'unsaved && candidate.savedAt === this.#saves - 1 && candidate',
    replace: 'unsaved && candidate',
    tests: [LAWS],
  },
  {
    name: 'under-another-path-before',
    breaks: 'changes are told only of what had the same path in the save before',
    file: TRACKER,
    find: ' && candidate.savedAs === path',
    replace: '',
    tests: [LAWS],
  },
  {
    name: 'ends-left-out',
    breaks: 'the ends of a region, which share their pages with others, are copied each time',
    file: TRACKER,
    find: 'if (tail < bytes.byteLength) edges.push(tail, bytes.byteLength);',
    replace: '',
    tests: [LAWS],
  },
  {
    name: 'tracked-again-from-where-it-was-left',
    breaks: 'a region that is tracked again is copied whole first',
    file: TRACKER,
    find: 'candidate.missing.length = 0;',
    replace: '',
    tests: [RULES],
  },
  {
    name: 'moved-memory-believed',
    breaks: 'a buffer whose memory is not where it was is copied whole',
    file: TRACKER,
    find: 'now?.address === span.address ? pages.written(span) : undefined',
    replace: 'pages.written(span)',
    tests: [RULES],
  },
  {
    name: 'aliases-tracked-twice',
    breaks: 'of two objects over one piece of memory only one is tracked',
    file: TRACKER,
    find: 'if (other.seenAt === this.#captures) return false;',
    replace: 'if (other.seenAt > this.#captures) return false;',
    tests: [RULES, HISTORIES],
  },
  {
    name: 'dense-regions-kept',
    breaks: 'a region that is written densely is tracked no more',
    file: TRACKER,
    find: 'if (written <= DENSE * candidate.byteLength) {',
    replace: 'if (written <= 2 * candidate.byteLength) {',
    tests: [RULES],
  },
  {
    name: 'shared-memory-tracked',
    breaks: 'memory that another process can write to is not tracked',
    file: 'io/dirty-pages.ts',
    find: 'if (!covers(mappings, span)) return false;',
    replace: 'if (mappings.length < 0) return false;',
    tests: [PAGES],
  },
  {
    name: 'only-the-first-list',
    breaks: 'what does not fit in one list of the kernel is asked for again',
    file: 'io/dirty-pages.ts',
    find: 'from = reached;',
    replace: 'from = reached < end ? end : reached;',
    tests: [PAGES],
  },
  {
    name: 'pieces-end-with-the-extent',
    breaks: 'a piece that reaches into the next extent is copied into both',
    file: 'writer/slot.ts',
    find: 'if (end > stop) break;',
    replace: '',
    tests: ['writer/slot'],
  },
];
