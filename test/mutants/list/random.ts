/** Mutants of random numbers: which bits are used, what is fair, and that nothing is kept back. */

import type { Mutant } from '../mutant.js';

const RANDOM = 'api/random';

export const random: readonly Mutant[] = [
  {
    name: 'random-lower-bits',
    breaks: 'numbers are made of the upper bits of each word',
    file: 'api/random.ts',
    find: 'return ((bits.next() >>> 5) * 2 ** 26 + (bits.next() >>> 6)) * 2 ** -53;',
    replace: 'return ((bits.next() & 0x7ff_ffff) * 2 ** 26 + (bits.next() & 0x3ff_ffff)) * 2 ** -53;',
    tests: [RANDOM],
  },
  {
    name: 'random-range-folded',
    breaks: 'every number of a range is as likely as any other',
    file: 'api/random.ts',
    find: 'const number = Math.floor(drawn / bucket);',
    replace: 'const number = drawn % range;',
    tests: [RANDOM],
  },
  {
    name: 'random-bound-by-rounding',
    breaks: 'the upper bound never comes',
    file: 'api/random.ts',
    find: 'if (x < high) return x;',
    replace: 'return x;',
    tests: [RANDOM],
  },
  {
    name: 'random-seed-as-it-is',
    breaks: 'neighbouring seeds give streams that have nothing in common',
    file: 'api/random.ts',
    find: 'return mixed ^ (mixed >> 31n);',
    replace: 'return this.#state;',
    tests: [RANDOM],
  },
  {
    name: 'random-must-be-registered',
    breaks: 'a state holds it without registration',
    file: 'api/snap.ts',
    find: 'new ClassRegistry(options.classes, [Random])',
    replace: 'new ClassRegistry(options.classes)',
    tests: [RANDOM],
  },
  {
    name: 'random-word-lost',
    breaks: 'all of its state is saved',
    file: 'api/random.ts',
    find: 'random.#bits = xoroshiro128plusFromState(words);',
    replace: 'random.#bits = xoroshiro128plusFromState([words[0], words[1], words[2], 1]);',
    tests: [RANDOM],
  },
  {
    name: 'normal-wedge-taken-whole',
    breaks: 'the layers of the ziggurat follow the curve',
    file: 'api/random-normal.ts',
    find: 'if (above + positive(bits) * (density(edge) - above) < density(x)) return x;',
    replace: 'return x;',
    tests: [RANDOM],
  },
  {
    name: 'normal-tail-cut',
    breaks: 'the tail is that of the distribution',
    file: 'api/random-normal.ts',
    find: 'if (2 * y > x * x) return TAIL + x;',
    replace: 'return TAIL;',
    tests: [RANDOM],
  },
];
