/** Mutants of saving: slots, the comparison, what a failure throws away, back-pressure, and the end of the process. */

import type { Mutant } from '../mutant.js';

const FAILURES = 'api/failures';
const PRESSURE = 'api/back-pressure';
const SAVES = 'api/save-restore';

export const saving: readonly Mutant[] = [
  {
    name: 'one-name-for-many-regions',
    breaks: 'regions whose paths were cut to the same are told apart',
    file: 'writer/client.ts',
    find: 'return before === 0 ?',
    replace: 'return before >= 0 ?',
    tests: ['api/many-regions'],
  },
  {
    name: 'base-kept-after-failure',
    breaks: 'after a failed save nothing is compared with it',
    file: 'writer/thread.ts',
    find: `releaseBase(client, hooks);
      client.reset();
      // A save`,
    replace: `const { base } = client;
      client.reset();
      client.base = base;
      // A save`,
    tests: [FAILURES],
  },
  {
    name: 'trees-kept-after-failure',
    breaks: 'after a failed save the trees are loaded from the last durable snapshot',
    file: 'writer/client.ts',
    find: 'this.trees = undefined;',
    replace: '',
    tests: [FAILURES],
  },
  {
    name: 'lineage-kept-after-failure',
    breaks: 'the save after a failed one continues the last durable snapshot',
    file: 'writer/client.ts',
    find: 'this.lineage = this.durableLineage;',
    replace: '',
    tests: [FAILURES],
  },
  {
    name: 'lineage-durable-too-early',
    breaks: 'a save continues no snapshot that failed',
    file: 'writer/saver.ts',
    find: 'client.lineage = job.id;',
    replace: 'client.lineage = job.id; client.durableLineage = job.id;',
    tests: [FAILURES],
  },
  {
    name: 'trees-kept-after-restore',
    breaks: 'after restoring another snapshot the next save builds on that one',
    file: 'writer/thread.ts',
    find: `client.durableLineage = snapshot;
    client.reset();`,
    replace: 'client.durableLineage = snapshot; client.lineage = snapshot;',
    tests: ['api/slots'],
  },
  {
    name: 'slot-lost-after-restore',
    breaks: 'after restoring another snapshot all slots are of use',
    file: 'writer/thread.ts',
    find: `releaseBase(client, hooks);
    client.durableLineage = snapshot;`,
    replace: 'client.durableLineage = snapshot;',
    tests: ['api/slots'],
  },
  {
    name: 'wrong-slot-released',
    breaks: 'the slot that is given back is the one that was compared with',
    file: 'writer/saver.ts',
    find: 'client.base = { slot: job.slot,',
    replace: 'client.base = { slot: 1 - job.slot,',
    tests: [PRESSURE, SAVES],
  },
  {
    name: 'slot-released-before-comparison',
    breaks: 'a slot is given back after the comparison with it',
    file: 'writer/saver.ts',
    find: 'const changed = changedChunks(',
    replace: 'if (client.base) hooks.released(client, client.base.slot);\n  const changed = changedChunks(',
    tests: ['api/slots'],
  },
  {
    name: 'released-slot-compared-with',
    breaks: 'a slot that was given back is compared with no more',
    file: 'writer/thread.ts',
    find: 'if (!hold) releaseBase(client, hooks);',
    replace: 'if (!hold) hooks.released(client, job.slot);',
    tests: [PRESSURE],
  },
  {
    name: 'wrong-slot-read',
    breaks: 'what is saved is what was captured',
    file: 'writer/client.ts',
    find: 'const { segments, layout } = this.#slot(slot);',
    replace: 'const { segments, layout } = this.#slot(skeletonBytes < 0 ? slot : 1 - slot);',
    tests: [SAVES],
  },
  {
    name: 'layout-kept-for-another-length',
    breaks: 'a region whose length changed has its slot laid out anew',
    file: 'writer/slot.ts',
    find: 'if (a.byteLength !== b.bytes.length || a.kind !== b.kind || a.path !== b.path) return false;',
    replace: 'if (a.byteLength < b.bytes.length || a.kind !== b.kind || a.path !== b.path) return false;',
    tests: ['api/save-restore'],
  },
  {
    name: 'layout-kept-for-another-path',
    breaks: 'a region under another path has its slot laid out anew',
    file: 'writer/slot.ts',
    find: 'if (a.byteLength !== b.bytes.length || a.kind !== b.kind || a.path !== b.path) return false;',
    replace: 'if (a.byteLength !== b.bytes.length || a.kind !== b.kind) return false;',
    tests: ['api/slots'],
  },
  {
    name: 'changed-chunks-of-wrong-region',
    breaks: 'a region is compared with itself',
    file: 'writer/changes.ts',
    find: `const previous = client.base?.regions.get(name);
    if (!previous) return undefined;`,
    replace: `const previous = [...(client.base?.regions.values() ?? [])].at(name === '' ? 0 : -1);
    if (!previous) return undefined;`,
    tests: ['api/slots'],
  },
  {
    name: 'chunk-in-tree-not-stored',
    breaks: 'a chunk that the tree does not have is stored',
    file: 'store/region-tree.ts',
    find: 'return index < this.#chunks.count && this.#chunks.id(index).equals(id);',
    replace: 'return index < this.#chunks.count && id.length > 0;',
    tests: ['store/region-tree'],
  },
  {
    name: 'newer-save-overtaken',
    breaks: 'with coalesce the newest save replaces the older',
    file: 'writer/save-queue.ts',
    find: 'for (const other of overtaken) other.skipped();',
    replace: 'if (overtaken.length > 0) { this.#waiting.push(...overtaken); save.skipped(); return; }',
    tests: [PRESSURE],
  },
  {
    name: 'waiting-saves-overtaken',
    breaks: 'coalesce overtakes no save that is to wait',
    file: 'writer/save-queue.ts',
    find: `const overtaken = this.#waiting.filter((other) => other.onBusy === 'coalesce');
        this.#waiting = this.#waiting.filter((other) => other.onBusy !== 'coalesce');`,
    replace: 'const overtaken = this.#waiting;\n this.#waiting = [];',
    tests: ['api/slots'],
  },
  {
    name: 'skip-reported-as-captured',
    breaks: 'a save that was skipped says so',
    file: 'writer/save-queue.ts',
    find: `if (save.onBusy === 'skip') {
        save.skipped();`,
    replace: `if (save.onBusy === 'skip') {
        save.captured(0, {} as never);`,
    tests: [PRESSURE],
  },
  {
    name: 'captured-out-of-turn',
    breaks: 'while saves wait none is captured out of turn',
    file: 'writer/save-queue.ts',
    find: 'if (this.#waiting.length === 0 && this.#capture(save)) return;',
    replace: 'if (this.#capture(save)) return;',
    tests: ['api/slots'],
  },
  {
    name: 'slots-of-failed-group-kept',
    breaks: 'a save that failed gives its slot back',
    file: 'writer/thread.ts',
    find: 'if (position >= encoded) hooks.released(client, job.slot);',
    replace: 'void encoded; void position;',
    tests: ['api/slots'],
  },
  {
    name: 'failure-told-to-first-only',
    breaks: 'every save of a commit that fails is told',
    file: 'writer/thread.ts',
    find: "post({ type: 'failed', client: id, ticket: job.ticket, error: plain });",
    replace: "if (position === 0) post({ type: 'failed', client: id, ticket: job.ticket, error: plain });",
    tests: ['api/slots'],
  },
  {
    name: 'exit-does-not-wait',
    breaks: 'a process that ends by itself first makes what was captured durable',
    file: 'writer/owner.ts',
    find: 'for (const owner of live) Atomics.wait(owner.#words, Word.closed, 0, EXIT_LIMIT_MS);',
    replace: 'for (const owner of live) Atomics.wait(owner.#words, Word.closed, 1, EXIT_LIMIT_MS);',
    tests: ['api/processes'],
  },
];
