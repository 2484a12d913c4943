/**
 * When the writer thread looks for records by itself, and when it sleeps and has to be woken.
 *
 * To wake it costs the caller some 15 us, as much as all else that a save of a small state costs. So while such saves
 * keep coming, the thread naps between them: every other millisecond it looks whether one has come, which takes two to four
 * percent of a core. What has to be seen sooner comes with a message, which ends a nap.
 *
 * Invariant: a record that nobody would look for rings. Whoever falls asleep asks for the bell first, then looks once
 * more.
 */

import type { Inbox } from './lane.js';

/** A nap follows where the last record came not longer ago than this. */
const ATTENTIVE_MS = 20;
const NAP_MS = 2;

export interface AttentionHooks {
  now(): number;
  /** Calls `look` after so many milliseconds. */
  later(look: () => void, ms: number): void;
  /** A record is there. */
  work(): void;
}

export class Attention {
  readonly #inbox: Pick<Inbox<{ type: string }>, 'hasRecord' | 'wantBell'>;
  readonly #hooks: AttentionHooks;
  #recordAt = Number.NEGATIVE_INFINITY;
  #isWorking = false;
  #isNapping = false;

  constructor(inbox: Pick<Inbox<{ type: string }>, 'hasRecord' | 'wantBell'>, hooks: AttentionHooks) {
    this.#inbox = inbox;
    this.#hooks = hooks;
  }

  recordCame(): void {
    this.#recordAt = this.#hooks.now();
  }

  /** The thread takes what there is until it says that it rests: nothing need ring. */
  work(): void {
    this.#isWorking = true;
    this.#inbox.wantBell(false);
  }

  rest(): void {
    this.#isWorking = false;
    this.#settle();
  }

  #settle(): void {
    if (this.#isNapping) return;
    const { now, later, work } = this.#hooks;
    if (now() - this.#recordAt < ATTENTIVE_MS) {
      this.#isNapping = true;
      later(() => this.#look(), NAP_MS);
      return;
    }
    this.#inbox.wantBell(true);
    if (this.#inbox.hasRecord) work();
  }

  #look(): void {
    this.#isNapping = false;
    if (this.#isWorking) return;
    if (this.#inbox.hasRecord) this.#hooks.work();
    else this.#settle();
  }
}
