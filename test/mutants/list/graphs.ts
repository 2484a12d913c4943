/** Mutants of the walk over a graph: which objects were met, and what arrays carry. */

import type { Mutant } from '../mutant.js';

const ORDINALS = 'state/ordinals';

export const graphs: readonly Mutant[] = [
  {
    name: 'met-in-an-earlier-walk',
    breaks: 'an object that only an earlier walk met is new',
    file: 'state/ordinals.ts',
    find: 'return this.#walks[place] === this.#walk ? (this.#ordinals[place] as number) : undefined;',
    replace: 'return this.#ordinals[place] as number;',
    tests: [ORDINALS],
  },
  {
    name: 'ordinal-of-an-earlier-walk',
    breaks: 'an object that comes again has the ordinal of this walk',
    file: 'state/ordinals.ts',
    find: 'this.#ordinals[place] = ordinal;',
    replace: 'this.#ordinals[place] ||= ordinal;',
    tests: [ORDINALS],
  },
  {
    name: 'places-hold-objects',
    breaks: 'what was saved can be collected',
    file: 'state/ordinals.ts',
    find: '#places = new WeakMap<object, number>();',
    replace: '#places: WeakMap<object, number> = new Map<object, number>();',
    tests: [ORDINALS],
  },
  {
    name: 'walk-goes-on',
    breaks: 'a walk begins with nothing met',
    file: 'state/ordinals.ts',
    find: 'this.#walk++;',
    replace: '',
    tests: [ORDINALS],
  },
  {
    name: 'short-arrays-are-bare',
    breaks: 'properties of short arrays beside their elements are kept or refused',
    file: 'state/own-props.ts',
    find: "return keys[keys.length - 1] === 'length';",
    replace: 'return keys.length > 0;',
    tests: ['state/kept', 'state/refused'],
  },
];
