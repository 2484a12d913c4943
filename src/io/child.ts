/**
 * A program that this process runs, and ends with all that it started.
 *
 * Invariants
 *  - it is in a process group of its own, of which nothing is left once `ended` has settled
 *  - it does not outlive this process, unless that is killed at once (SIGKILL)
 */

import { type ChildProcess, spawn } from 'node:child_process';

/** What it is started with. */
export interface ChildOptions {
  command: string;
  args: readonly string[];
  cwd: string | undefined;
  /** Added to the environment of this process. */
  env: Readonly<Record<string, string>>;
  /** Takes what it prints, to stdout and stderr. */
  onOutput: (text: Buffer) => void;
}

export interface ChildEnd {
  /** Undefined where a signal ended it. */
  status: number | undefined;
  signal: NodeJS.Signals | undefined;
}

/** How long pipes may stay open after the end, where something that left the group holds them. */
const PIPES_MS = 1000;

export class Child {
  /** Rejects where it could not be started, with the error of the system. */
  readonly ended: Promise<ChildEnd>;
  readonly #spawned: ChildProcess;

  constructor({ command, args, cwd, env, onOutput }: ChildOptions) {
    this.#spawned = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#spawned.stdout?.on('data', onOutput);
    this.#spawned.stderr?.on('data', onOutput);
    process.on('exit', this.kill);
    this.ended = this.#end().finally(() => process.off('exit', this.kill));
  }

  /** At once, and everything that it started with it. */
  readonly kill = (): void => {
    const { pid } = this.#spawned;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Nothing of the group is left.
    }
  };

  #end(): Promise<ChildEnd> {
    return new Promise((resolve, reject) => {
      this.#spawned.on('error', reject);
      this.#spawned.on('exit', (status, signal) => {
        this.kill();
        const end = { status: status ?? undefined, signal: signal ?? undefined };
        const guard = setTimeout(resolve, PIPES_MS, end);
        this.#spawned.on('close', () => {
          clearTimeout(guard);
          resolve(end);
        });
      });
    });
  }
}
