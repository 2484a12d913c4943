/** Mutants of verification: what it reads, what it says of it, and where it goes on. */

import type { Mutant } from '../mutant.js';

const API = 'api/verify';
const STORE = 'store/verify';

export const verifying: readonly Mutant[] = [
  {
    name: 'data-not-read',
    breaks: 'a verification with data reads the data',
    file: 'store/verify.ts',
    find: 'if (isContent(header.type)) reader.readLocated(id, locationOf(header));',
    replace: 'if (isContent(header.type)) locationOf(header);',
    tests: [API],
  },
  {
    name: 'notes-not-read',
    breaks: 'a verification with data reads what is no data too',
    file: 'store/verify.ts',
    find: 'else if (!packs.readRecord(pack, offset)) damaged(damageOf(header), end);',
    replace: '',
    tests: [STORE],
  },
  {
    name: 'sample-of-nothing',
    breaks: 'a sample reads its share',
    file: 'store/verify.ts',
    find: 'if (options.share < 1 && (options.share === 0 || options.random() >= options.share)) return;',
    replace: 'if (options.share < 1) return;',
    tests: [STORE],
  },
  {
    name: 'place-noted-too-far',
    breaks: 'a run that ended early is gone on with at the very next record',
    file: 'store/verify.ts',
    find: 'if (++findings.records % STEP === 0) yield next;',
    replace: 'if (++findings.records % STEP === 0) yield next + recordBytes(header.storedLength);',
    tests: ['store/verify'],
  },
  {
    name: 'rest-of-a-pack-skipped',
    breaks: 'a pack that a run ended in is gone on with',
    file: 'store/verify.ts',
    find: 'number < from.pack || (number === from.pack && from.offset >= (ends.get(number) ?? 0));',
    replace: 'number <= from.pack;',
    tests: ['store/verify'],
  },
  {
    name: 'earlier-damage-forgotten',
    breaks: 'the last of several runs tells what the first had found',
    file: 'store/verify.ts',
    find: 'lookAgain();\n    const sizes',
    replace: 'const sizes',
    tests: [API],
  },
  {
    name: 'cursor-of-another-share',
    breaks: 'a run without data does not count for one with data',
    file: 'store/verify-cursor.ts',
    find: 'return isCursor(cursor) && cursor.share === share ? cursor : NOTHING_VERIFIED;',
    replace: 'return isCursor(cursor) && share >= 0 ? cursor : NOTHING_VERIFIED;',
    tests: [STORE],
  },
  {
    name: 'cursor-left-at-the-end',
    breaks: 'after a run that came to its end the next one begins anew',
    file: 'writer/verify-job.ts',
    find: 'store.noteVerified(share, complete ? undefined : findings);',
    replace: 'store.noteVerified(share, findings);',
    tests: [API],
  },
  {
    name: 'cut-off-pack-passed-over',
    breaks: 'a pack that was cut off is damaged',
    file: 'store/verify.ts',
    find: 'if (size < end) damaged(cutOff(number, size), end);',
    replace: '',
    tests: [STORE, API],
  },
  {
    name: 'gap-in-a-pack-passed-over',
    breaks: 'a place without a readable record is damaged',
    file: 'store/verify.ts',
    find: 'damaged({ pack: number, offset: next, reason: UNREADABLE, ...costs }, position ?? limit);',
    replace: 'void costs;',
    tests: [STORE],
  },
  {
    name: 'damage-at-opening-passed-over',
    breaks: 'what was found damaged when the store was opened is told',
    file: 'store/verify.ts',
    find: 'for (const damage of options.known) tell(damage);',
    replace: '',
    tests: [API],
  },
  {
    name: 'victims-unnamed',
    breaks: 'what damage hits is named',
    file: 'store/verify.ts',
    find: 'const hit = ranges.get(pack)?.find((range) => offset >= range.offset && offset < range.end);',
    replace: 'const hit = ranges.get(pack)?.find((range) => offset > range.offset && offset < range.end);',
    tests: ['store/verify', 'api/verify'],
  },
  {
    name: 'absent-chunk-passed-over',
    breaks: 'a chunk that is nowhere is missed',
    file: 'store/verify.ts',
    find: `if (!location)
        throw new SnapError('SNAP_CORRUPT', \`chunk \${id.toString('hex', 0, 8)} is in none of the packs\`);`,
    replace: 'if (!location) return;',
    tests: [STORE],
  },
  {
    name: 'shared-page-excused',
    breaks: 'every snapshot that a damaged chunk hits is named, also below a page they share',
    file: 'store/region-tree.ts',
    find: `walk(height - 1, decodePage(store.readPage(id), height - 1, byteLength));
          memory?.sound(id);`,
    replace: `memory?.sound(id);
          walk(height - 1, decodePage(store.readPage(id), height - 1, byteLength));`,
    tests: [STORE],
  },
  {
    name: 'damaged-snapshots-are-fine',
    breaks: 'a report with a damaged snapshot is not ok',
    file: 'writer/verify-job.ts',
    find: 'const ok = damage.length === 0 && findings.damagedSnapshots.length === 0;',
    replace: 'const ok = damage.length === 0;',
    tests: [STORE],
  },
];
