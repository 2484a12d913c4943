/** What was promised, kept outside of those who are killed; and whether a store has it, bit for bit. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { isSnapError } from '../base/errors.js';
import { Snap, type WarningMessage } from '../index.js';
import type { Report } from './child.js';
import { isWhole, type Tortured } from './state.js';

/**
 * Calls back where the library, in this process, takes for damage what is only the beginning of a save. Returns what
 * ends that.
 */
export function onDamage(told: (directory: string, message: string) => void): () => void {
  const listen = (warning: unknown) => {
    const { kind, directory, message } = warning as WarningMessage;
    if (kind === 'damage') told(directory, `taken for damage: ${message}`);
  };
  subscribe('holdfast:warning', listen);
  return () => unsubscribe('holdfast:warning', listen);
}

export class Oracle {
  readonly problems: string[] = [];
  restored = 0;
  /** Id to hash of the state. */
  readonly #durable = new Map<string, string>();
  /** Forgotten, collected, or perhaps: the child was killed in between. */
  readonly #unsure = new Set<string>();

  get promised(): number {
    return this.#durable.size;
  }

  get isContent(): boolean {
    return this.problems.length === 0;
  }

  hear(report: Report): void {
    if (report.type === 'durable') this.#durable.set(report.id, report.check);
    else if (report.type === 'wrong') this.problems.push(report.what);
    else if (report.type === 'forgotten') this.#unsure.add(report.id);
    else if (report.type === 'unforgotten') this.#unsure.delete(report.id);
  }

  /** Looks for everything promised, and restores `most` of what there is. */
  async check(store: string, most: number, random: () => number): Promise<void> {
    // A child that was killed early may not have made a store; then nothing was promised either.
    const snap = await Snap.open(store);
    try {
      const present = new Set<string>();
      for await (const info of snap.list({ forgotten: true })) present.add(info.id);
      for (const id of this.#durable.keys()) {
        // What was to be forgotten may be collected by now.
        if (!present.has(id) && !this.#unsure.has(id)) this.problems.push(`lost: ${id}`);
      }
      const ids = [...present].sort(() => random() - 0.5).slice(0, most);
      for (const id of ids) {
        if (!(await this.#isRight(snap, id))) this.problems.push(`wrong: ${id}`);
        this.restored++;
      }
    } finally {
      await snap.close();
    }
  }

  /** Restores some of what was promised from a store that was damaged: what comes is right, or refused. */
  async checkDamaged(snap: Snap, most: number, random: () => number): Promise<void> {
    const ids = [...this.#durable.keys()].sort(() => random() - 0.5).slice(0, most);
    for (const id of ids) {
      try {
        const state = await snap.restore<Tortured>(id);
        if (!isWhole(state) || this.#durable.get(id) !== state.check) {
          this.problems.push(`wrong after a bit was flipped: ${id}`);
        }
      } catch (error) {
        // Not found: it was forgotten, or the bit was in what makes it known.
        if (!isSnapError(error, 'SNAP_CORRUPT') && !isSnapError(error, 'SNAP_NOT_FOUND')) throw error;
      }
      this.restored++;
    }
  }

  async #isRight(snap: Snap, id: string): Promise<boolean> {
    try {
      const state = await snap.restore<Tortured>(id);
      return isWhole(state) && (this.#durable.get(id) ?? state.check) === state.check;
    } catch (error) {
      // The child may have died between forgetting a snapshot and taking that back.
      const forgotten = error instanceof Error && 'code' in error && error.code === 'SNAP_NOT_FOUND';
      return forgotten && (this.#unsure.has(id) || !this.#durable.has(id));
    }
  }
}
