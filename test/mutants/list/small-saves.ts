/** Mutants of saving small states often: records in shared memory, naps of the writer thread, more slots. */

import type { Mutant } from '../mutant.js';

const LANE = 'writer/lane';
const ATTENTION = 'writer/attention';
const SMALL = 'api/small-saves';

export const smallSaves: readonly Mutant[] = [
  {
    name: 'record-overtakes-message',
    breaks: 'a record is taken after the messages that were posted before it',
    file: 'writer/lane.ts',
    find: 'return records.before === this.#messages;',
    replace: 'return true;',
    tests: [LANE],
  },
  {
    name: 'message-overtakes-record',
    breaks: 'a message is taken after the records that were put before it',
    file: 'writer/lane.ts',
    find: `this.drainRecords();
    if (message.type`,
    replace: 'if (message.type',
    tests: [LANE],
  },
  {
    name: 'record-overwritten',
    breaks: 'a record that finds no room goes as a message',
    file: 'writer/lane.ts',
    find: 'if (isFull || ',
    replace: 'if (',
    tests: [LANE],
  },
  {
    name: 'bell-forgotten',
    breaks: 'a record rings where that was asked for',
    file: 'writer/lane.ts',
    find: 'if (Atomics.load(header, WANTS_BELL) === 1) this.#ring();',
    replace: '',
    tests: [LANE],
  },
  {
    name: 'bell-looked-at-too-early',
    breaks: 'whether a bell is wanted is looked at after the record was put',
    file: 'writer/lane.ts',
    find: `Atomics.store(header, PUT, (put + 1) | 0);
    if (Atomics.load(header, WANTS_BELL) === 1) this.#ring();`,
    replace: `const isWanted = Atomics.load(header, WANTS_BELL) === 1;
    Atomics.store(header, PUT, (put + 1) | 0);
    if (isWanted) this.#ring();`,
    tests: [LANE],
  },
  {
    name: 'step-of-record-lost',
    breaks: 'a save without a step has none',
    file: 'writer/records.ts',
    find: 'step: Number.isNaN(step) ? undefined : step,',
    replace: 'step,',
    tests: [LANE],
  },
  {
    name: 'tags-not-sent',
    breaks: 'a save with tags goes as a message',
    file: 'writer/records.ts',
    find: 'tags.length > 0 || ',
    replace: '',
    tests: [LANE, SMALL],
  },
  {
    name: 'asleep-without-a-last-look',
    breaks: 'who falls asleep looks once more after asking for the bell',
    file: 'writer/attention.ts',
    find: `this.#inbox.wantBell(true);
    if (this.#inbox.hasRecord) work();`,
    replace: 'this.#inbox.wantBell(true);',
    tests: [ATTENTION],
  },
  {
    name: 'asleep-without-a-bell',
    breaks: 'who sleeps is woken',
    file: 'writer/attention.ts',
    find: 'this.#inbox.wantBell(true);',
    replace: '',
    tests: [ATTENTION, SMALL],
  },
  {
    name: 'deaf-after-the-first-bell',
    breaks: 'the caller, too, is told again and again',
    file: 'writer/owner.ts',
    find: `this.#inbox.wantBell(true);
        this.#inbox.drainRecords();`,
    replace: 'this.#inbox.drainRecords();',
    tests: [SMALL],
  },
  {
    name: 'slots-beyond-the-limit',
    breaks: 'more slots take no more memory than memoryLimit',
    file: 'writer/slots.ts',
    find: "if (index >= SLOTS) return 'busy';",
    replace: "if (index >= SLOTS) return 'ok';",
    tests: ['writer/slots'],
  },
  {
    name: 'tracked-state-has-many-slots',
    breaks: 'what is tracked has the two slots that the tracker knows',
    file: 'writer/slots.ts',
    find: 'if (count <= SLOTS || this.#tracker?.concerns(regions)) return SLOTS;',
    replace: 'if (count <= SLOTS) return SLOTS;',
    tests: ['writer/slots'],
  },
  {
    name: 'rehearsal-with-an-audience',
    breaks: 'nobody hears of saves that are none',
    file: 'api/snap.ts',
    find: 'if (hasRehearsed || isHeard()) return;',
    replace: 'if (hasRehearsed) return;',
    tests: ['api/prepare'],
  },
  {
    name: 'ticket-tells-another-parent',
    breaks: 'a ticket tells what the store does',
    file: 'writer/records.ts',
    find: 'const parent = record.read() === 1 ? record.readId() : undefined;',
    replace: 'const parent = undefined;',
    tests: [LANE, SMALL],
  },
];
