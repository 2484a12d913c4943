/** Mutants of restoring: what is verified by whom, what a live state lacks, and when it is written to. */

import type { Mutant } from '../mutant.js';

const INTO = 'api/restore-into';
const SMALL = 'api/restore-small';
const TROUBLE = 'api/restore-trouble';

export const restoring: readonly Mutant[] = [
  {
    name: 'nobody-verifies',
    breaks: 'what one thread does not verify the other does',
    file: 'writer/chunk-reader.ts',
    find: 'if (!first.verified) await this.#verify(first);',
    replace: '',
    tests: [TROUBLE],
  },
  {
    name: 'slot-given-back-while-written-to',
    breaks: 'a restore that is given up waits for what it has asked for',
    file: 'writer/chunk-reader.ts',
    find: 'await Promise.allSettled(underway.map(({ answer }) => answer));',
    replace: '',
    tests: [TROUBLE],
  },
  {
    name: 'taken-slot-kept',
    breaks: 'a slot that was taken is given back',
    file: 'writer/staging.ts',
    find: 'if (this.#slot !== undefined) this.#released(this.#slot);',
    replace: '',
    tests: [TROUBLE],
  },
  {
    name: 'tracked-slot-taken',
    breaks: 'a slot that a capture copies only a part into keeps the rest',
    file: 'writer/slots.ts',
    find: 'if (index === undefined || this.#tracker?.holds(index)) return undefined;',
    replace: 'if (index === undefined) return undefined;',
    tests: ['api/track'],
  },
  {
    name: 'staged-chunks-overlap',
    breaks: 'what is staged has a place of its own',
    file: 'writer/staging.ts',
    find: 'this.#offset += byteLength;',
    replace: '',
    tests: [INTO],
  },
  {
    name: 'capture-compared-whatever-it-holds',
    breaks: 'only chunks that the capture has of the snapshot are compared with it',
    file: 'writer/live-region.ts',
    find: 'if (same[index] !== 1 || this.chunks.end(index) > live.length)',
    replace: 'if (this.chunks.end(index) > live.length)',
    tests: [INTO],
  },
  {
    name: 'later-capture-compared',
    breaks: 'a slot that was filled again is not what the last capture was',
    file: 'api/region-reading.ts',
    find: 'if (slots && slots.captures === this.#captures)',
    replace: 'if (slots)',
    tests: [INTO],
  },
  {
    name: 'short-live-chunk-taken-for-whole',
    breaks: 'a chunk that a live buffer holds in part is read',
    file: 'writer/live-region.ts',
    find: 'if (same[index] !== 1 || this.chunks.end(index) > live.length)',
    replace: 'if (same[index] !== 1)',
    tests: [INTO],
  },
  {
    name: 'patch-of-any-buffer',
    breaks: 'a patch is written only to the buffer that it was made for',
    file: 'state/region-sources.ts',
    find: 'return buffer === this.live && buffer.byteLength === this.#byteLength;',
    replace: 'return buffer !== undefined;',
    tests: ['state/into'],
  },
  {
    name: 'damage-of-a-small-state-told-early',
    breaks: 'what is damaged is in the way of nothing else, in a small state too',
    file: 'writer/restore-requests.ts',
    find: 'const content = unlessDamaged(() => contentOf(store, regions));',
    replace: 'const content = contentOf(store, regions);',
    tests: [SMALL],
  },
  {
    name: 'slots-sized-for-a-closed-snap',
    breaks: 'the writer thread is told of no slots of a Snap that it has let go',
    file: 'api/saves.ts',
    find: 'if (this.#isClosing || this.#broken) return;',
    replace: 'if (this.#broken) return;',
    tests: [SMALL],
  },
  {
    name: 'resume-of-the-run-that-restores-mean',
    breaks: 'resume goes on with the run of its Snap',
    file: 'api/snap.ts',
    find: "this.#restore('latest', { ...options, run: this.run })",
    replace: "this.#restore('latest', options)",
    tests: ['api/resume'],
  },
  {
    name: 'newest-kept-whatever-came',
    breaks: 'a snapshot that came while the newest was looked up counts',
    file: 'store/newest.ts',
    find: 'if (changes === this.#changes) this.#kept.set(run, found);',
    replace: 'this.#kept.set(run, found);',
    tests: ['store/index'],
  },
  {
    name: 'grown-slot-not-told',
    breaks: 'the writer thread is told of memory that a slot got for other use',
    file: 'writer/slot.ts',
    find: 'this.#capacity += capacity;\n    this.#hasNewSegments = true;',
    replace: 'this.#capacity += capacity;',
    tests: ['writer/slots'],
  },
];
