/** A computing process as its parent sees it, and what is known of its life. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Fingerprint } from './compare.js';
import type { Assignment, Report } from './messages.js';

export interface Iteration {
  step: number;
  startedAt: number;
  ms: number;
}

/** Everything after `heldMs` is known only once the save is durable. */
export interface Save {
  step: number;
  savedAt: number;
  heldMs: number;
  durableMs?: number;
  logicalBytes?: number;
  changedBytes?: number;
  storedBytes?: number;
}

export class Computing {
  /** The step that it began with, once it has begun. */
  firstStep: number | undefined;
  resumeMs = 0;
  readonly iterations: Iteration[] = [];
  readonly saves: Save[] = [];
  fingerprint: Fingerprint | undefined;
  kernelBytes: number | undefined;
  /** Resolves when the process is gone and all it said has been heard; rejects where it failed by itself. */
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  #killed = false;

  constructor(assignment: Assignment, onReport: (report: Report) => void) {
    this.#process = fork(new URL('./child.js', import.meta.url), [JSON.stringify(assignment)], {
      // Its standard output is not part of the demo's.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#process.on('message', (message) => {
      const report = message as Report;
      this.#note(report);
      onReport(report);
    });
    this.ended = this.#end();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get lastStep(): number {
    return this.iterations.at(-1)?.step ?? this.firstStep ?? 0;
  }

  /** Steps of the saves that were reported durable. */
  get durableSteps(): number[] {
    return this.saves.filter(({ durableMs }) => durableMs !== undefined).map(({ step }) => step);
  }

  /** Ends the process as a power cut would: it gets no chance to do anything. */
  kill(): void {
    this.#killed = true;
    this.#process.kill('SIGKILL');
  }

  async #end(): Promise<void> {
    // What it sent before it died may arrive after the news of its death.
    const [[code, signal]] = await Promise.all([
      once(this.#process, 'exit'),
      once(this.#process, 'disconnect'),
    ]);
    if (code !== 0 && !this.#killed) throw new Error(`the computing process failed (${signal ?? code})`);
  }

  #note(report: Report): void {
    switch (report.type) {
      case 'started':
        this.firstStep = report.step;
        this.resumeMs = report.resumeMs;
        return;
      case 'step':
        this.iterations.push(report);
        return;
      case 'saved':
        this.saves.push(report);
        return;
      case 'durable':
        Object.assign(this.saves.find(({ step }) => step === report.step) ?? {}, report);
        return;
      case 'finished':
        this.fingerprint = report.fingerprint;
        this.kernelBytes = report.kernelBytes;
        return;
      default:
        throw new Error(`an unknown report: ${JSON.stringify(report satisfies never)}`);
    }
  }
}
