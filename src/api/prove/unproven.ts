/** Why nothing was proved, in words that say what to do. */

import { SnapError } from '../../base/errors.js';
import type { SnapshotInfo } from '../../writer/protocol.js';
import type { StepInfo } from './line.js';
import type { Program, RunEnd } from './program-run.js';

interface Task {
  store: string;
  from: StepInfo;
  program: Program;
}

/** What did not begin from the snapshot may be the same all the same, and would prove nothing. */
export function begunAnew({ program }: Pick<Task, 'program'>, step: number): SnapError {
  return new SnapError(
    'SNAP_PROGRAM',
    `${program.name} saved step ${step} without having begun from the snapshot: ` +
      'let it begin with snap.resume, snap.restore or snap.loop',
  );
}

/** A snapshot that does not say at which step it was made cannot be told from others of the run. */
export function withoutStep({ id, run }: SnapshotInfo): SnapError {
  return new SnapError(
    'SNAP_PROGRAM',
    `snapshot ${id} of run ${run} has no step, so nobody can tell where the program should be compared; ` +
      'save with { step }, or use snap.loop',
    { snapshot: id },
  );
}

/** The run has snapshots after `from`, but none as near as was asked for. */
export function noneWithin(steps: number, from: StepInfo, next: StepInfo): SnapError {
  return new SnapError(
    'SNAP_PROGRAM',
    `the run was not saved within ${steps} steps after step ${from.step}, but next at step ${next.step}: ` +
      `it takes ${next.step - from.step} steps at least`,
  );
}

/** The program was not saved at `step`. `same`: steps before it at which it agreed. */
export function notReached(end: RunEnd, task: Task, step: number, same: readonly number[]): SnapError {
  const agreed = same.length > 0 ? ` (it agreed at ${listed(same)})` : '';
  return new SnapError('SNAP_PROGRAM', `${reasonOf(end, task, `at step ${step}`)}${agreed}${printed(end)}`);
}

/** The program was to be saved twice, `steps` apart each. */
export function notTwice(end: RunEnd, task: Task, steps: number, saved: readonly number[]): SnapError {
  const wanted = `twice, each ${steps} steps further`;
  const were = saved.length > 0 ? ` (it was at ${listed(saved)})` : '';
  const { step } = task.from;
  const advice = `the run has not gone on from step ${step}, so the program has to get to step ${step + 2 * steps}; an earlier snapshot can be compared with the run`;
  return new SnapError('SNAP_PROGRAM', `${reasonOf(end, task, wanted)}${were}; ${advice}${printed(end)}`);
}

function reasonOf({ word, end }: RunEnd, { store, from, program }: Task, wanted: string): string {
  const { name } = program;
  if (word?.said === 'passed') {
    return (
      `${name} was saved at step ${word.step} and not at step ${word.missed}, where the run was: ` +
      'let it save by steps and not by time, or use snap.loop, which a proof tells when to save'
    );
  }
  const ended = `${name} ended ${howEnded(end)}`;
  if (!word) return `${ended} without opening the store ${store}`;
  if (word.said === 'opened' && !word.runs.includes(from.run)) {
    return `${ended} and opened run ${word.runs.join(', ')} only, where the snapshot is of run ${from.run}`;
  }
  return `${ended} before it was saved ${wanted}`;
}

function howEnded(end: RunEnd['end']): string {
  if (end?.signal !== undefined) return `by ${end.signal}`;
  return end?.status === 0 ? 'in order' : `with status ${end?.status}`;
}

function listed(steps: readonly number[]): string {
  return `step${steps.length > 1 ? 's' : ''} ${[...steps].sort((a, b) => a - b).join(', ')}`;
}

function printed({ lastWords, end }: RunEnd): string {
  if (end?.status === 0) return '';
  return lastWords === '' ? '' : `; the last it said: ${lastWords}`;
}
