/** Warnings of the engine, told in the command's own voice, and whether any of them was of damage. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { WarningMessage } from '../index.js';
import type { Output } from './output.js';
import { printable } from './words.js';

const CHANNEL = 'holdfast:warning';

export class Warnings {
  readonly #output: Output;
  /** What is said once need not be said again: recovery tells each reader anew. */
  readonly #told = new Set<string>();
  readonly #listen = (message: unknown) => this.#hear(message as WarningMessage);
  #leavesDamage = false;
  #namesStores = false;
  damage = false;

  constructor(output: Output) {
    this.#output = output;
    subscribe(CHANNEL, this.#listen);
    // Node would print each a second time, as a warning of the process.
    process.removeAllListeners('warning');
  }

  /** For a command that says by itself what is damaged. */
  leaveDamage(): void {
    this.#leavesDamage = true;
  }

  /** For a command that works on more than one store. */
  nameStores(): void {
    this.#namesStores = true;
  }

  stop(): void {
    unsubscribe(CHANNEL, this.#listen);
  }

  #hear({ kind, message: words, directory }: WarningMessage): void {
    const message = this.#namesStores ? `${directory}: ${words}` : words;
    if (kind === 'damage') this.damage = true;
    if (kind === 'damage' && this.#leavesDamage) return;
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#output.talk(`snap: warning: ${printable(message)}`);
  }
}
