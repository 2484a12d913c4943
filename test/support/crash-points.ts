/** Every place at which a program can be cut short, and what has to be true of the store afterwards. */

import assert from 'node:assert/strict';
import { CRASHES, type Crash } from './disk-crash.js';
import type { Model } from './model.js';
import { type Action, generateAction } from './program.js';
import { Random } from './random.js';
import { Session, type SessionOptions } from './session.js';
import { type DiskImage, diskAfter, type Operation } from './simulated-disk.js';

/** The disk just before one of its operations, or at the end, and what was owed then. */
export interface CrashPoint {
  image: DiskImage;
  model: Model;
  where: string;
}

/** Runs a program and notes the disk before every operation that changes it. */
export async function crashPointsOf(
  options: SessionOptions,
  actions: readonly Action[],
): Promise<CrashPoint[]> {
  const points: CrashPoint[] = [];
  const session = new Session(options);
  note(session, points, 'opening');
  await session.open();
  await session.settle();
  for (const [index, action] of actions.entries()) {
    note(session, points, `action ${index} (${action.do})`);
    await session.perform(action);
  }
  points.push(pointOf(session, 'the end'));
  session.disk.beforeChange = undefined;
  assert.deepEqual(session.failures, []);
  await session.close();
  return points;
}

/** The disk just before the first operation of an action that `matches`, and what is owed then. */
export async function pointBefore(
  session: Session,
  action: Action,
  matches: (operation: Operation) => boolean,
): Promise<CrashPoint> {
  let point: CrashPoint | undefined;
  session.disk.beforeChange = (operation) => {
    if (!point && matches(operation)) point = pointOf(session, `before ${operation.call} ${operation.path}`);
  };
  await session.perform(action);
  session.disk.beforeChange = undefined;
  return point ?? assert.fail('no operation matches');
}

function note(session: Session, points: CrashPoint[], during: string): void {
  session.disk.beforeChange = ({ call, path }) => {
    points.push(pointOf(session, `${during}, before ${call} ${path}`));
  };
}

export function pointOf(session: Session, where: string): CrashPoint {
  const model = session.model.clone();
  if (session.inFlight) model.doubtful.push(session.inFlight);
  return { image: session.disk.image(), model, where };
}

export function pickCrash(random: Random): Crash {
  return random.pick(CRASHES);
}

export const counts = { crashes: 0, recoveries: 0 };

/**
 * Crashes at a point, opens what is left, checks it, lets it work on, and does it again `again` times. The second
 * crash follows the recovery at once or after some more work.
 */
export async function survive(
  point: CrashPoint,
  crash: Crash,
  seed: number,
  again: number,
  options: Omit<SessionOptions, 'seed' | 'image' | 'model'> = {},
): Promise<void> {
  const random = new Random(seed);
  let { image, model } = point;
  let how = crash;
  const history = [point.where];
  for (let round = 0; round <= again; round++) {
    history.push(`crash: ${how}`);
    try {
      counts.crashes++;
      const found = diskAfter(image, how, random.below(0x1_0000_0000));
      const session = await Session.begin({
        ...options,
        seed: random.below(0x1_0000_0000),
        image: found,
        model,
      });
      counts.recoveries++;
      assertNoFalseAlarm(session);
      if (round < again && random.chance(0.3)) {
        ({ image, model } = pointOf(session, 'after recovery'));
      } else {
        if (random.chance(0.2)) await session.perform(generateAction(random));
        if (random.chance(0.6)) await session.perform({ do: 'save', run: 'alpha', edit: random.below(1000) });
        assert.deepEqual(session.failures, []);
        ({ image, model } = pointOf(session, 'after more work'));
      }
      if (round === again) await session.close();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${history.join('; ')}: ${reason}`, { cause: error });
    }
    how = pickCrash(random);
  }
}

/** A crash damages nothing that counts: the only thing to report is a tail set aside. */
export function assertNoFalseAlarm(session: Session): void {
  const alarms = session.warnings.filter(({ message }) => !message.includes('it is set aside'));
  assert.deepEqual(alarms, [], 'damage is reported where there is none');
}
