/** Mutants of lending: what is refused, who copies, where it comes, and that everything comes back. */

import type { Mutant } from '../mutant.js';

const LEND = 'api/lend';
const TROUBLE = 'api/lend-trouble';
const SLOT = 'writer/slot';
const LENDING = 'api/lending.ts';
const LENT = 'writer/lent.ts';

export const lending: readonly Mutant[] = [
  {
    name: 'lent-and-not-copied',
    breaks: 'what is lent is in the slot before it is given back',
    file: LENT,
    find: 'new Uint8Array(memory, offset, length).set(new Uint8Array(buffer, done, length));',
    replace: 'new Uint8Array(memory, offset, length).set(new Uint8Array(length));',
    tests: [LEND],
  },
  {
    name: 'lent-in-one-piece',
    breaks: 'what is lent goes on in the next segment where it lies in several',
    file: LENT,
    find: 'done += length;',
    replace: 'done += 0;',
    tests: [SLOT],
  },
  {
    name: 'shared-sent-back',
    breaks: 'a SharedArrayBuffer comes back as the object that it was',
    file: LENDING,
    find: 'byPath.set(path, isGone && returned ? returned : bytes.buffer);',
    replace: 'byPath.set(path, returned ?? bytes.buffer.slice(0));',
    tests: [LEND],
  },
  {
    name: 'detached-given-back',
    breaks: 'what was transferred is given back as the buffer that came back',
    file: LENDING,
    find: 'byPath.set(path, isGone && returned ? returned : bytes.buffer);',
    replace: 'byPath.set(path, bytes.buffer);',
    tests: [LEND],
  },
  {
    name: 'lent-in-another-place',
    breaks: 'what is lent comes to the place of its region',
    file: 'writer/slots.ts',
    find: 'lent ? { buffer: bytes.buffer, extents: placed[position]?.extents ?? [] } : [],',
    replace:
      'lent ? { buffer: bytes.buffer, extents: placed[(position + 1) % placed.length]?.extents ?? [] } : [],',
    tests: [LEND],
  },
  {
    name: 'lent-and-copied',
    breaks: 'what is lent does not hold the caller',
    file: 'writer/slot.ts',
    find: 'if (lent) continue;',
    replace: 'if (lent && bytes.length === 0) continue;',
    tests: [SLOT],
  },
  {
    name: 'lent-counted-as-copied',
    breaks: 'the bytes that are said to be copied are those that are',
    file: 'writer/slots.ts',
    find: 'const untracked = bytesOf(regions.filter(({ lent }) => !lent));',
    replace: 'const untracked = all;',
    tests: [LEND],
  },
  {
    name: 'pool-lent',
    breaks: 'what others have parts of is not transferred',
    file: LENDING,
    find: 'if (bytes.byteLength !== buffer.byteLength)',
    replace: 'if (bytes.byteLength > buffer.byteLength)',
    tests: [LEND],
  },
  {
    name: 'not-asked-whether-transferable',
    breaks: 'what cannot be transferred is refused before anything happens',
    file: LENDING,
    find: 'if (!isTransferable(buffer))',
    replace: 'if (!isTransferable(new ArrayBuffer(buffer.byteLength)))',
    tests: [LEND],
  },
  {
    name: 'unknown-path-lent',
    breaks: 'a path that names no region is an error',
    file: LENDING,
    find: 'if (wanted) checkPaths(regions, wanted);',
    replace: 'if (wanted && wanted.size > regions.length + 1) checkPaths(regions, wanted);',
    tests: [LEND],
  },
  {
    name: 'two-of-one-name-lent',
    breaks: 'every buffer that is lent comes back',
    file: LENDING,
    find: 'seen.add(path);',
    replace: '',
    tests: [LEND],
  },
  {
    name: 'everything-lent',
    breaks: 'only what is named is lent',
    file: LENDING,
    find: 'if (wanted && !wanted.has(path)) return region;',
    replace: '',
    tests: [LEND],
  },
  {
    name: 'loan-not-noted',
    breaks: 'a ticket gives back what its save lent',
    file: 'api/saves.ts',
    find: 'ticket.loan = loan;',
    replace: 'void loan;',
    tests: [LEND],
  },
  {
    name: 'ticket-kept-from-whoever-lent',
    breaks: 'a save that fails and lent something says where that comes back',
    file: 'api/saves.ts',
    find: 'throw ticket.loan ? withTicket(error, ticket) : error;',
    replace: 'throw error;',
    tests: [LEND],
  },
  {
    name: 'loss-not-told',
    breaks: 'whoever waits for what he lent hears that the writer thread died',
    file: 'api/saves.ts',
    find: 'ticket.loan?.lose(error);',
    replace: '',
    tests: [TROUBLE],
  },
  {
    name: 'loss-after-it-came-back',
    breaks: 'a loan that came back is not lost',
    file: 'api/later.ts',
    find: 'if (this.#outcome) return;',
    replace: '',
    tests: [TROUBLE],
  },
  {
    name: 'lent-waits-for-other-saves',
    breaks: 'what is lent comes back at once, whatever is being written',
    file: 'writer/thread.ts',
    find: 'const buffers = copyLent(message);',
    replace: `if (writing.length > 0) {
      setImmediate(accept, message);
      return;
    }
    const buffers = copyLent(message);`,
    tests: [LEND],
  },
  {
    name: 'lent-to-the-dead',
    breaks: 'what a thread that died told before lends it nothing more',
    file: 'writer/owner.ts',
    find: 'if (!this.#isDead) this.#clients.get(message.client)?.released(message.slot);',
    replace:
      'if (!this.#isDead || this.#clients.size > 0) this.#clients.get(message.client)?.released(message.slot);',
    tests: [TROUBLE],
  },
  {
    name: 'given-back-and-not-taken',
    breaks: 'what a thread gave back before it died is there',
    file: 'writer/owner.ts',
    find: 'this.#inbox.drain();\n    const reason',
    replace: 'if (this.#opening) this.#inbox.drain();\n    const reason',
    tests: [TROUBLE],
  },
  {
    name: 'lent-before-there-is-a-slot',
    breaks: 'a save that finds no slot has not touched its state',
    file: 'api/saves.ts',
    find: 'const lent = marked.filter((region) => region.lent);',
    replace: `const lent = marked.filter((region) => region.lent);
        const buffers = lent.flatMap(({ bytes }) => (bytes.buffer instanceof ArrayBuffer ? bytes.buffer : []));
        if (this.#queue.isWaiting) structuredClone(undefined, { transfer: buffers });`,
    tests: [TROUBLE],
  },
];
