/** Programs of the tests, run as processes of their own, so that what ends one of them does not end the test. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

/** An answer that takes longer is a hang. */
const LIMIT_MS = 120_000;

/** A program of `test/store/programs` that answers messages, one at a time. */
export class Answering<Task extends string | object, Answer> {
  readonly #name: string;
  #child: ChildProcess | undefined;

  constructor(name: string) {
    this.#name = name;
    after(() => this.#child?.kill());
  }

  /** Rejects where the program fails, dies or hangs; `what` is for the message. */
  ask(task: Task, what: string): Promise<Answer> {
    this.#child ??= fork(pathOf(this.#name), { execArgv: ['--no-warnings'] });
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const died = (code: number | null, signal: string | null) => {
        this.#child = undefined;
        settle(new Error(`${what}: the process died (${signal ?? code})`));
      };
      const heard = ({ answer, error }: { answer?: Answer; error?: string }) =>
        settle(error === undefined ? undefined : new Error(`${what}: ${error}`), answer);
      const settle = (error: Error | undefined, answer?: Answer) => {
        clearTimeout(guard);
        child.off('exit', died).off('message', heard);
        if (error) reject(error);
        else resolve(answer as Answer);
      };
      const guard = setTimeout(() => settle(new Error(`${what}: no answer`)), LIMIT_MS);
      child.once('exit', died).once('message', heard);
      child.send(task);
    });
  }
}

/** How a program that printed its answer as JSON ended. */
export interface Ended<Answer> {
  answer: Answer | undefined;
  stderr: string;
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Runs a program to its end, started by a shell that limits it first; `"$@"` in `shell` stands for the program. */
export function runUnder<Answer>(
  shell: string,
  name: string,
  args: readonly string[],
): Promise<Ended<Answer>> {
  const command = ['-c', shell, 'sh', process.execPath, '--no-warnings', pathOf(name), ...args];
  const child = spawn('sh', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const guard = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(guard);
      resolve({ answer: stdout === '' ? undefined : (JSON.parse(stdout) as Answer), stderr, code, signal });
    });
  });
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../store/programs/${name}.js`, import.meta.url));
}
