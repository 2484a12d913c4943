/** Stopping another process, as Ctrl-Z, a debugger or a full machine does. */

import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Stops a program, and waits until all of its threads stand still: until then it may answer. */
export async function suspend({ pid }: ChildProcess): Promise<void> {
  process.kill(pid as number, 'SIGSTOP');
  const tasks = `/proc/${pid}/task`;
  const state = (task: string) => /\) (.)/.exec(readFileSync(`${tasks}/${task}/stat`, 'utf8'))?.[1];
  if (!existsSync(tasks)) return sleep(200);
  while (!readdirSync(tasks).every((task) => state(task) === 'T')) await sleep(5);
}
