/** A run of many days, each of which lasts a moment: saves every half hour of its clock, under a retention policy. */

import { setTimeout as sleep } from 'node:timers/promises';
import { INTERNALS } from '../../src/api/options.js';
import { Snap } from '../../src/index.js';

export interface DaysState {
  step: number;
  field: Float64Array;
  note: string;
}

export const KEEP = { last: 4, hourly: 6, daily: 7, weekly: 3 };
export const FIELD_LENGTH = 40_000;
const HALF_HOUR = 30 * 60_000;

/** The state of a step, so that whoever looks at a snapshot knows what it has to be. */
export function advance(state: DaysState): void {
  state.step++;
  state.note = `step ${state.step}`;
  const start = (state.step * 977) % FIELD_LENGTH;
  for (let index = 0; index < FIELD_LENGTH / 20; index++) {
    state.field[(start + index) % FIELD_LENGTH] = Math.sin(state.step * (index + 1));
  }
}

export function initial(): DaysState {
  return { step: 0, field: new Float64Array(FIELD_LENGTH), note: 'step 0' };
}

async function main(directory: string, days: number): Promise<void> {
  let clock = Date.UTC(2026, 0, 1);
  Date.now = () => clock;
  await using snap = await Snap.open(directory, {
    run: 'days',
    keep: KEEP,
    [INTERNALS]: { packBytes: 400_000, keepPauseMs: 200 },
  });
  const state = await snap.resume(initial);
  process.stdout.write('ready\n');
  while (state.step < days * 48) {
    advance(state);
    clock += HALF_HOUR;
    await snap.save(state, { step: state.step, durable: true });
    await sleep(2);
  }
}

if (process.argv[3] !== undefined) await main(process.argv[2] as string, Number(process.argv[3]));
