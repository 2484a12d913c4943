import type { Mutant } from '../mutant.js';

const BASES = 'store/bases';
const CHOICE = 'store/filter-choice';

export const bases: readonly Mutant[] = [
  {
    name: 'base-of-chunk-not-marked',
    breaks: 'the base of a chunk that is held is held too',
    file: 'store/mark.ts',
    find: 'if (!this.#note(this.#owners, id, owner) || !store.hasBases || !store.locate(id)) return;',
    replace: 'this.#note(this.#owners, id, owner);\n    if (!store.hasBases || owner >= 0) return;',
    tests: [BASES],
  },
  {
    name: 'condemned-base-used',
    breaks: 'what gc is about to take away, or cannot be read, is no base',
    file: 'store/content.ts',
    find: `const location = this.known(id);
    return location && !takesBase`,
    replace: `const location = this.locate(id);
    return location && !takesBase`,
    tests: [BASES],
  },
  {
    name: 'base-that-has-a-base',
    breaks: 'what is to be a base has none itself',
    file: 'store/content.ts',
    find: 'return location && !takesBase(location.filter) ? location : undefined;',
    replace: 'return location;',
    tests: [BASES],
  },
  {
    name: 'difference-from-a-difference',
    breaks: 'a new version goes on from the base of the last one',
    file: 'store/content.ts',
    find: 'const id = this.baseOf(previous) ?? previous;',
    replace: 'const id = previous;',
    tests: [BASES],
  },
  {
    name: 'uncommitted-base-used',
    breaks: 'what may not be on the disk yet is no base',
    file: 'store/content.ts',
    find: ' || this.#log.uncommitted(chunkKey(id))) return undefined;',
    replace: ') return undefined;',
    tests: [BASES],
  },
  {
    name: 'uncommitted-base-unknown',
    breaks: 'of what is not committed yet the base is known',
    file: 'store/log.ts',
    find: 'this.#uncommittedBases.set(chunkKey(id), baseIn(stored));',
    replace: 'baseIn(stored);',
    tests: [BASES],
  },
  {
    name: 'base-feature-left-out',
    breaks: 'who cannot follow bases is told that there are some',
    file: 'store/features.ts',
    find: "if (takesBase(filter) && filter !== Filter.patch) this.#add('base');",
    replace: '',
    tests: ['store/features'],
  },
  {
    name: 'feature-added-too-late',
    breaks: 'what a record takes is told before the record is written',
    file: 'store/log.ts',
    find: `this.#context.features.require(draft.filter);
    const location = writer.append(draft);`,
    replace: `const location = writer.append(draft);
    void Promise.resolve().then(() => this.#context.features.require(draft.filter));`,
    tests: ['store/features'],
  },
  {
    name: 'damaged-base-written-as-a-difference',
    breaks: 'what was found damaged may be a base, and is written alone',
    file: 'store/content.ts',
    find: `if (this.#unreadable.has(chunkKey(id))) return undefined;
    if (this.#base`,
    replace: 'if (this.#base',
    tests: [BASES],
  },
  {
    name: 'difference-known-without-its-base',
    breaks: 'a chunk is worth as much as its base',
    file: 'store/content.ts',
    find: 'return base && this.isBase(base, location.rawLength) ? location : undefined;',
    replace: 'return base ? location : undefined;',
    tests: [BASES],
  },
  {
    name: 'larger-difference-kept',
    breaks: 'a difference is kept only where it is clearly smaller',
    file: 'store/content.ts',
    find: 'if (filter !== wanted || recordBytes(CHUNK_ID_BYTES + stored.length) > most) return undefined;',
    replace: 'if (filter !== wanted || most < 0) return undefined;',
    tests: [BASES],
  },
  {
    name: 'base-left-behind',
    breaks: 'a copy takes the base of a chunk along',
    file: 'store/copy-target.ts',
    find: 'if (base && this.lengthOf(base) === undefined) await this.#putStored(base, byteLength, source);',
    replace: '',
    tests: [BASES],
  },
  {
    name: 'difference-copied-without-its-base',
    breaks: 'a difference is copied as it is only where its base is one in the target',
    file: 'store/copy-target.ts',
    find: 'base ? this.#store.isBase(base, byteLength) : ',
    replace: 'base ? this.#store.known(base) !== undefined : ',
    tests: [BASES],
  },
  {
    name: 'lost-base-not-missed',
    breaks: 'a snapshot is not whole where a base is lost',
    file: 'store/verify.ts',
    find: 'if (!takesBase(filter) || soundDifferences.has(chunkKey(id))) return;',
    replace: 'if (filter >= 0 || soundDifferences.has(chunkKey(id))) return;',
    tests: [BASES],
  },
  {
    name: 'differences-not-tried',
    breaks: 'differences are stored where trying found them smaller',
    file: 'store/filter-choice.ts',
    find: 'let least = CLEARLY * pairs.reduce(',
    replace: 'let least = Number.MAX_VALUE + pairs.reduce(',
    tests: [CHOICE],
  },
  {
    name: 'unchanged-chunks-tried',
    breaks: 'only what changed tells whether differences are small',
    file: 'store/filter-choice.ts',
    find: 'if (!previous || chunkIdOf(raw).equals(previous)) return [];',
    replace: 'if (!previous) return [];',
    tests: [CHOICE],
  },
  {
    name: 'base-never-renewed',
    breaks: 'another base is due once differences take more than versions did on average',
    file: 'store/filter-choice.ts',
    find: 'return Math.min(bytes / count, alone * CLEARLY);',
    replace: 'return Math.max(bytes / count, alone * CLEARLY);',
    tests: [CHOICE],
  },
];
