/** One child from its start to its end: killed where it was aimed at, perhaps stopped before, perhaps watched. */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Snap } from '../index.js';
import type { Report } from './child.js';
import type { Aim, Moment } from './moments.js';
import type { Oracle } from './oracle.js';

export interface Plan {
  aim: Aim;
  seed: number;
  /** Moments of the kind that go by before. */
  skips: number;
  afterMs: number;
  /** The child is stopped for so long before it is killed; 0: not at all. */
  stoppedMs: number;
  /** It goes on for a moment after it was stopped. */
  continued: boolean;
  /** Told when the child begins to save. */
  onSaving(): void;
}

/** A child that did not come to the moment by then is killed where it is. */
const LATEST_MS = 5000;
/** What a child does only while it owns the store. */
const OWNING: ReadonlySet<Moment | undefined> = new Set(['save', 'restore', 'collect']);

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));

/** Resolves when the child is gone: with whether it was killed where it was aimed at. */
export async function kill(store: string, plan: Plan, oracle: Oracle): Promise<boolean> {
  const child = fork(CHILD, [store, String(plan.seed), plan.aim.name], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    child.on('close', (_, signal) => resolve(signal));
  });
  let last: Moment | undefined;
  const hit = await moment(child, plan, (report) => {
    oracle.hear(report);
    if (report.type !== 'moment') return;
    if (report.moment === 'save' && last !== 'save') plan.onSaving();
    last = report.moment;
  });
  await pause(hit ? plan.afterMs : 0);
  if (plan.stoppedMs > 0) await stop(child, store, plan, () => OWNING.has(last), oracle);
  child.kill('SIGKILL');
  if ((await ended) !== 'SIGKILL') {
    oracle.problems.push(`a child ended by itself (seed ${plan.seed}, ${plan.aim.name}): ${stderr}`);
  }
  return hit;
}

/** Resolves when the child is where it is to be killed; with false where that takes too long, or it ended. */
function moment(child: ChildProcess, plan: Plan, hear: (report: Report) => void): Promise<boolean> {
  return new Promise((resolve) => {
    let left = plan.skips;
    if (plan.aim.moment === 'start') resolve(true);
    const timer = setTimeout(() => resolve(false), LATEST_MS);
    child.on('close', () => resolve(false));
    child.on('message', (report: Report) => {
      hear(report);
      if (report.type !== 'moment' || report.moment !== plan.aim.moment || left-- > 0) return;
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** A stopped owner is still the owner. */
async function stop(
  child: ChildProcess,
  store: string,
  { stoppedMs, continued }: Plan,
  isOwner: () => boolean,
  oracle: Oracle,
): Promise<void> {
  child.kill('SIGSTOP');
  await pause(stoppedMs);
  if (isOwner()) {
    const refusal = await Snap.open(store).then(
      (snap) => snap.close().then(() => 'opened'),
      ({ code }: { code?: string }) => code,
    );
    if (refusal !== 'SNAP_LOCKED') oracle.problems.push(`a stopped owner was robbed: ${refusal}`);
  }
  if (!continued) return;
  child.kill('SIGCONT');
  await pause(stoppedMs);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
